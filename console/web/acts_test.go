package web

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

func TestAPermissionGoesFromTheBlockedRowToAUsableMedium(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b := s.as("1012")
	b.get(fmt.Sprint("/violations/", f.blocked)).wants(t, fmt.Sprint("/carryout/new?event=", f.blocked))
	b.get(fmt.Sprint("/carryout/new?event=", f.blocked)).wants(t, "4C530099181123", "R8.11.24 17:15", "KT-0123")
	a := b.post("/carryout/new", url.Values{"event": {fmt.Sprint(f.blocked)}, "from": {"R8.11.24 12:00"}, "until": {"R8.11.24 15:00"}, "reason": {"統計資料の提供"}})
	if a.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	page := a.Header.Get("Location")
	b.get(page).wants(t, "端末が許可を受け取るのを待っています", `data-progress="waiting"`)

	id := regexp.MustCompile(`/carryout/([^?]+)`).FindStringSubmatch(page)[1]
	g, err := s.db.Grant(context.Background(), id)
	s.must(err)
	status := &wire.Status{At: s.now, Agent: "0.1.0", Revision: g.Revision, Mode: "enforce", Gate: "shut"}
	s.report(f.counter, status)
	b.get(page).wants(t, "端末に届きました", `data-progress="delivered"`)

	status.Devices = []wire.Attached{{Device: stick, Outcome: policy.OutcomeAllowed, Decision: policy.Decision{Action: policy.ActionAllow, Grant: id, Until: g.Until}}}
	s.report(f.counter, status)
	b.get(page).wants(t, "使える状態です", `data-progress="usable"`)

	b.post("/carryout/"+id+"/revoke", url.Values{})
	b.get(page).wants(t, "この許可は終わりました", "1012 が")
}

// report is a terminal's status without records.
func (s *site) report(terminal string, st *wire.Status) {
	s.t.Helper()
	_, err := s.db.AddEvents(context.Background(), terminal, wire.EventsRequest{Version: wire.Version, Outbox: "outbox-" + terminal, Status: st}, s.now)
	s.must(err)
}

func TestARefusedPermissionKeepsWhatWasTypedAndSaysWhatIsWrongBesideTheField(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b := s.as("1012")
	a := b.post("/carryout/new", url.Values{"event": {fmt.Sprint(f.blocked)}, "from": {"R8.11.24 12:00"}, "until": {"あした"}, "reason": {""}})
	if a.StatusCode != http.StatusUnprocessableEntity {
		t.Fatalf("%d", a.StatusCode)
	}
	a.wants(t, "2か所を直してください", `value="あした"`, `href="#until"`, `href="#reason"`, `aria-invalid="true"`)
	b.post("/carryout/new", url.Values{"event": {fmt.Sprint(f.blocked)}, "from": {"R8.11.24 12:00"}, "until": {"R8.11.24 11:00"}, "reason": {"<b>急ぎ</b>"}}).
		wants(t, "終了日時は開始日時より後に", "&lt;b&gt;急ぎ&lt;/b&gt;")
}

func TestAPermissionForACompositeDeviceCannotBeGiven(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b := s.as("1007")
	b.get(fmt.Sprint("/violations/", f.composite)).wants(t, `aria-disabled="true"`, "複合装置のため、許可は出せません")
	a := b.post("/carryout/new", url.Values{"event": {fmt.Sprint(f.composite)}, "from": {"R8.11.24 12:00"}, "until": {"R8.11.24 15:00"}, "reason": {"x"}})
	if a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("%d", a.StatusCode)
	}
}

func TestAViolationIsTakenAndClosedWithAReasonByAnAdministratorOnly(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	at := fmt.Sprint("/violations/", f.blocked)
	s.as("1012").post(at, url.Values{"state": {"working"}})
	if a := s.as("1012").post(at, url.Values{"state": {"closed"}, "reason": {"済"}}); a.StatusCode != http.StatusForbidden {
		t.Errorf("the helpdesk closed it: %d", a.StatusCode)
	}
	b := s.as("1007")
	b.get(at).wants(t, "1012 が")
	b.post(at, url.Values{"state": {"closed"}, "reason": {" "}}).wants(t, "閉じる理由を書いてください")
	b.post(at, url.Values{"state": {"closed"}, "reason": {"媒体を回収し返却した"}})
	for _, state := range []string{"open", "working"} {
		if a := s.as("1012").post(at, url.Values{"state": {state}}); a.StatusCode != http.StatusForbidden {
			t.Errorf("the helpdesk made a closed violation %s: %d", state, a.StatusCode)
		}
	}
	if a := b.post(at, url.Values{"state": {"closed"}, "reason": {"別の理由"}}); a.StatusCode != http.StatusConflict {
		t.Errorf("closed twice: %d", a.StatusCode)
	}
	b.get(at).wants(t, "媒体を回収し返却した", "未対応に戻す")
	e, err := s.db.Event(context.Background(), f.blocked)
	if err != nil || e.Handling.State != store.StateClosed {
		t.Errorf("%+v %v", e.Handling, err)
	}
}

// formOfPage reads a page's form as a browser would send it.
func (b *browser) editForm(f fleet) url.Values {
	b.s.t.Helper()
	have, err := b.s.db.GroupPolicy(context.Background(), f.group, 0)
	b.s.must(err)
	v := url.Values{"based_on": {fmt.Sprint(have.Version)}, "mode": {string(have.Control.Mode)}, "contact.name": {have.Contact.Name}, "contact.phone": {have.Contact.Phone}, "reason": {""}}
	for i, r := range formOf(have).Rules {
		at := fmt.Sprintf("r%d.", i)
		for k, val := range map[string]string{
			"id": r.ID, "name.ja": r.NameJA, "name.en": r.NameEN, "action": r.Action, "clause": r.Clause, "match.bus": r.Bus, "match.class": r.Class,
			"match.vendor": r.Vendor, "match.product": r.Product, "match.serial": r.Serial, "match.port": r.Port, "match.min_capacity": r.Min, "match.max_capacity": r.Max, "match.group": r.Groups,
		} {
			v.Set(at+k, val)
		}
		for k := range r.Kinds {
			v.Add(at+"match.kind", string(k))
		}
		if r.Composite {
			v.Set(at+"match.composite", "1")
		}
		if r.Alarm {
			v.Set(at+"alarm", "1")
		}
	}
	return v
}

func TestAPolicySentBackUnchangedIsThePolicyThatWasThere(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b := s.as("1007")
	v := b.editForm(f)
	v.Set("do", "check")
	b.post("/policy/"+f.group+"/edit", v).wants(t, "変更はありません")
}

func TestAPolicyChangeIsPreviewedNeedsAReasonAndBecomesAVersion(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	f.group = f.other // in audit
	b := s.as("1007")
	v := b.editForm(f)
	v.Set("mode", "enforce")
	v.Set("r1.action", "report")
	v.Set("do", "check")
	b.post("/policy/"+f.group+"/edit", v).wants(t, "1台の関門を閉じます", "KT-0131", "記録のみ", "この内容で適用する", "検知")
	v.Set("do", "publish")
	b.post("/policy/"+f.group+"/edit", v).wants(t, "変更の理由を書いてください")
	v.Set("reason", "2週間の記録に業務の媒体なし")
	if a := b.post("/policy/"+f.group+"/edit", v); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d", a.StatusCode)
	}
	have, err := s.db.GroupPolicy(context.Background(), f.group, 0)
	s.must(err)
	if have.Version != 2 || have.Control.Mode != policy.ModeEnforce || have.Control.Rules[1].Action != policy.ActionReport || have.By != "1007" {
		t.Errorf("%+v", have)
	}
	a := b.post("/policy/"+f.group+"/edit", v) // an old form, sent again
	if a.StatusCode != http.StatusConflict {
		t.Errorf("an old form was taken: %d", a.StatusCode)
	}
	a.wants(t, "先に版 2 を適用しました", "2週間の記録に業務の媒体なし")
}

func TestRulesAreAddedMovedAndDeletedWithoutLosingWhatWasTyped(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b := s.as("1007")
	v := b.editForm(f)
	v.Set("r0.name.ja", "打ちかけの名前")
	v.Set("do", "down:0")
	b.post("/policy/"+f.group+"/edit", v).wants(t, `name="r1.name.ja" value="打ちかけの名前"`, `name="r0.id" value="default-block-storage"`)
	v.Set("do", "add")
	b.post("/policy/"+f.group+"/edit", v).wants(t, `name="r0.id" value="rule-`, `name="r1.name.ja" value="打ちかけの名前"`)
	v.Set("do", "delete:1")
	if a := b.post("/policy/"+f.group+"/edit", v); strings.Contains(a.text, "default-block-storage") {
		t.Error("the deleted rule is still there")
	}
	v.Set("r0.match.vendor", "xyz")
	v.Set("r1.match.max_capacity", "many")
	v.Set("do", "check")
	b.post("/policy/"+f.group+"/edit", v).wants(t, `href="#r0.match.vendor"`, "16進4桁", `href="#r1.match.max_capacity"`, "容量は数字で")
}

func TestAnEnrolmentCodeIsShownOnceWithTheReadyCommandAndWorks(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b := s.as("1007")
	a := b.post("/tokens", url.Values{"group": {f.group}, "note": {"窓口の交換"}})
	code := regexp.MustCompile(`--token ([0-9A-Z-]{19})`).FindStringSubmatch(a.text)
	if code == nil {
		t.Fatalf("no command: %d", a.StatusCode)
	}
	a.wants(t, "--server https://console.example:8444", "--fingerprint "+strings.Repeat("ab", 32))
	s.must(s.db.TokenUsable(context.Background(), CodeHash(code[1]), s.now))
	if strings.Contains(b.get("/tokens").text, code[1]) {
		t.Error("the code is shown again")
	}
}

func TestTheCSVHoldsExactlyTheListAndNoFormulas(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	evil := stick
	evil.Name, evil.Serial = "x", "=cmd|'/c calc'!A0"
	j := newJournal()
	j.add(s.record(evil, policy.OutcomeBlocked, policy.ModeEnforce, s.now))
	_, err := s.db.AddEvents(context.Background(), f.desk, wire.EventsRequest{Version: 1, Outbox: "second-outbox", First: 1, Entries: j.entries}, s.now)
	s.must(err)
	b := s.as("1020")
	a := b.get("/violations.csv?outcome=blocked&terminal=" + f.desk)
	text, ok := strings.CutPrefix(a.text, "\uFEFF")
	if !ok {
		t.Error("no byte order mark")
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if got := rows[1][7]; got != "'=cmd|'/c calc'!A0" {
		t.Errorf("the serial number became %q", got)
	}
}

func TestTheListPagesThroughEverythingOnce(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	j := newJournal()
	for i := range 120 {
		j.add(s.record(stick, policy.OutcomeBlocked, policy.ModeEnforce, s.now.Add(-time.Duration(i)*time.Minute)))
	}
	_, err := s.db.AddEvents(context.Background(), f.desk, wire.EventsRequest{Version: 1, Outbox: "second-outbox", First: 1, Entries: j.entries}, s.now)
	s.must(err)
	b, seen, next := s.as("1007"), map[string]bool{}, "/violations?state=all"
	for range 10 {
		a := b.get(next)
		for _, m := range regexp.MustCompile(`<tr id="v(\d+)"`).FindAllStringSubmatch(a.text, -1) {
			if seen[m[1]] {
				t.Errorf("%s is shown twice", m[1])
			}
			seen[m[1]] = true
		}
		m := regexp.MustCompile(`<a href="(/violations\?[^"]*before=[^"]*)">次の`).FindStringSubmatch(a.text)
		if m == nil {
			break
		}
		next = strings.ReplaceAll(m[1], "&amp;", "&")
	}
	c, err := s.db.CountEvents(context.Background(), store.EventFilter{Violations: true})
	if err != nil || len(seen) != c.Total {
		t.Errorf("%d of %d rows were shown, %v", len(seen), c.Total, err)
	}
}

func TestHostileWordsOfADeviceAreOnlyWords(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	evil := stick
	evil.Manufacturer, evil.Name, evil.Serial = `"><script>alert(1)</script>`, "{{.Shell}}", `'"<img src=x onerror=alert(1)>`
	j := newJournal()
	j.add(s.record(evil, policy.OutcomeBlockFailed, policy.ModeEnforce, s.now))
	_, err := s.db.AddEvents(context.Background(), f.desk, wire.EventsRequest{Version: 1, Outbox: "second-outbox", First: 1, Entries: j.entries}, s.now)
	s.must(err)
	f.find(s)
	b := s.as("1007")
	for _, address := range []string{"/", "/violations", fmt.Sprint("/violations/", f.failed), "/search?q=img", fmt.Sprint("/carryout/new?event=", f.failed)} {
		if a := b.get(address); strings.Contains(a.text, "<script>alert") || strings.Contains(a.text, "<img src=x") {
			t.Errorf("%s lets a device write HTML", address)
		}
	}
}

func TestAViolationTellsWhatBecameOfTheStick(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	first := s.record(stick, policy.OutcomeBlocked, policy.ModeEnforce, s.now)
	granted := s.record(stick, policy.OutcomeAllowed, policy.ModeEnforce, s.now)
	granted.Decision.Action, granted.Decision.Grant, granted.Decision.Until = policy.ActionAllow, f.grant, s.now.Add(time.Hour)
	gone := s.record(stick, policy.OutcomeRemoved, policy.ModeEnforce, s.now.Add(2*time.Hour))
	gone.Event.What = policy.EventDetach
	j := newJournal()
	for _, r := range []wire.Record{first, granted, gone} {
		j.add(r)
	}
	_, err := s.db.AddEvents(context.Background(), f.desk, wire.EventsRequest{Version: 1, Outbox: "second-outbox", First: 1, Entries: j.entries}, s.now)
	s.must(err)
	list, err := s.db.Events(context.Background(), store.EventFilter{Violations: true, Terminal: f.desk, Kind: "storage", Limit: 1})
	s.must(err)
	b := s.as("1012")
	b.get(fmt.Sprint("/violations/", list[0].ID)).wants(t, "その後", "媒体使用許可により使用可", `<a href="/carryout/`+f.grant+`">`, "取り外されました")
	if a := b.get(fmt.Sprint("/violations/", f.audited)); strings.Contains(a.text, "その後") {
		t.Error("a stick that only stays has an afterwards")
	}
}

func TestMovingATerminalShowsWhatChangesAndAsksOnce(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b := s.as("1007")
	at := "/terminals/" + f.desk + "/move"
	b.get(at+"?group="+f.group).wants(t, "KT-0131 を「窓口端末」へ移しますか", "この端末の関門を閉じます", "事務端末 から 窓口端末 へ", "禁止", "まだ何も変わっていません")
	moved := func() string { tm, err := s.db.Terminal(context.Background(), f.desk); s.must(err); return tm.Group }
	if a := b.post(at, url.Values{"group": {f.group}}); a.StatusCode != http.StatusConflict || moved() != f.other {
		t.Errorf("moved without having been asked: %d, %s", a.StatusCode, moved())
	}
	if a := b.post(at, url.Values{"group": {f.group}, "version": {"1"}}); a.StatusCode != http.StatusSeeOther || moved() != f.group {
		t.Errorf("not moved: %d, %s", a.StatusCode, moved())
	}
	if a := b.get(at + "?group=" + f.group); a.StatusCode != http.StatusSeeOther {
		t.Errorf("asks to move to where it is: %d", a.StatusCode)
	}
	b.get(at+"?group="+f.other).wants(t, "関門を開きます")
	if a := b.get(at + "?group=none"); a.StatusCode != http.StatusNotFound {
		t.Errorf("a category that is not there: %d", a.StatusCode)
	}
}

func TestATerminalWithoutAGateIsMovedWithoutWordsOfOne(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	s.report(f.desk, &wire.Status{At: s.now, Agent: "0.1.0", Revision: 1, Mode: "audit", Gate: "none"})
	a := s.as("1007").get("/terminals/" + f.desk + "/move?group=" + f.group)
	a.wants(t, "へ移しますか")
	if strings.Contains(a.text, "この端末の関門を閉じます") {
		t.Error("a gate that is not there is shut")
	}
}

func TestARevocationIsAskedOnce(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b, at := s.as("1012"), "/carryout/"+f.grant+"/revoke"
	b.get("/carryout/"+f.grant).wants(t, `<a class="btn s-w100" href="`+at+`">`)
	b.get(at).wants(t, "この許可を取り消しますか", "SanDisk Ultra Fit", "KT-0123", `action="`+at+`" method="post"`)
	b.post(at, url.Values{})
	if a := b.get(at); a.StatusCode != http.StatusSeeOther {
		t.Errorf("asks again for what is revoked: %d", a.StatusCode)
	}
}

func TestARetiredTerminalNeedsAReasonAndLeavesRatesAndLists(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b, at := s.as("1007"), "/terminals/"+f.desk+"/retire"
	b.get("/terminals/"+f.desk).wants(t, `href="`+at+`"`)
	b.get(at).wants(t, "KT-0131 を廃止しますか", "通信できなくなります", "未送信の記録")
	if a := b.post(at, url.Values{"reason": {" "}}); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("retired without a reason: %d", a.StatusCode)
	}
	b.post(at, url.Values{"reason": {"更新のため売却"}})
	b.get("/").wants(t, "(1/1台)")
	if a := b.get("/terminals"); strings.Contains(a.text, "KT-0131") {
		t.Error("the list still has it")
	}
	b.get("/terminals?only=retired").wants(t, "KT-0131", "廃止", "1台")
	a := b.get("/terminals/" + f.desk)
	a.wants(t, "廃止", "記録")
	if strings.Contains(a.text, at) || strings.Contains(a.text, "/move") {
		t.Error("it can be moved or retired again")
	}
	b.get("/records").wants(t, "端末の廃止", "更新のため売却", "KT-0131")
	if a := b.post(at, url.Values{"reason": {"もう一度"}}); a.StatusCode != http.StatusNotFound {
		t.Errorf("retired twice: %d", a.StatusCode)
	}
}

func TestWhatAnAgentCannotDoIsSaidInWordsAndAnUnknownFaultAsItCame(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b := s.as("1007")
	b.get("/terminals/"+f.desk).wants(t, "装置の接続が見えていません", "cannot watch devices: netlink: permission denied", "<li>cannot tell the user: no desktop session was found</li>")
	b.get("/terminals/"+f.desk+"?lang=en").wants(t, "Devices are not seen")
}

func TestChipsShowNames(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b := s.as("1007")
	b.get("/violations?state=all&group="+f.group+"&terminal="+f.counter).wants(t, "端末区分: 窓口端末", "端末: KT-0123")
	b.get("/violations?group=gone&terminal=none").wants(t, "端末区分: gone", "端末: none")
}

func TestAPreviewCountsOnlyTheGatesThatThereAre(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	s.terminal("t-look", "KT-0140", f.other)
	s.report("t-look", &wire.Status{At: s.now, Agent: "0.1.0", Revision: 1, Mode: "audit", Gate: "none"})
	f.group = f.other
	b := s.as("1007")
	v := b.editForm(f)
	v.Set("mode", "enforce")
	v.Set("do", "check")
	b.post("/policy/"+f.group+"/edit", v).wants(t, "1台の関門を閉じます", "ほかの1台には関門がありません", "KT-0131", "KT-0140", "対象の端末 2台")
}

func TestAMissingReasonIsSaidAtOnceAndThePreviewStays(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	f.group = f.other
	b := s.as("1007")
	v := b.editForm(f)
	v.Set("mode", "warn")
	v.Set("do", "check")
	b.post("/policy/"+f.group+"/edit", v).wants(t, "変更の理由を書いてください", "適用すると変わること")
	v.Set("do", "publish")
	a := b.post("/policy/"+f.group+"/edit", v)
	if a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("published without a reason: %d", a.StatusCode)
	}
	a.wants(t, "変更の理由を書いてください", "適用すると変わること")
	v.Set("reason", "試し")
	v.Set("do", "check")
	if a := b.post("/policy/"+f.group+"/edit", v); strings.Contains(a.text, "理由を書いてください") {
		t.Error("a reason that is there is missed")
	}
}

func TestASpanOfHoursIsNoSpanOfDays(t *testing.T) {
	p := &pages{words: loadKeys(t, "ja")}
	for d, want := range map[time.Duration]string{7 * day: "7日以上", day: "1日以上", 6 * time.Hour: "6時間以上", 36 * time.Hour: "36時間以上", 90 * time.Minute: "90分以上"} {
		if got := p.atLeast(d); got != want {
			t.Errorf("%s is %q", d, got)
		}
	}
}

func TestAnAgentThatOnlyLooksUnderAPolicyThatForbidsHasAWordOfItsOwn(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	j := newJournal()
	j.add(s.record(phone(), policy.OutcomeAudit, policy.ModeEnforce, s.now))
	_, err := s.db.AddEvents(context.Background(), f.counter, wire.EventsRequest{Version: 1, Outbox: "second-outbox", First: 1, Entries: j.entries}, s.now)
	s.must(err)
	b := s.as("1007")
	b.get("/violations?kind=portable&terminal="+f.counter).wants(t, "観察のみ", "観察だけをしているため止めていません")
	list, err := s.db.Events(context.Background(), store.EventFilter{Kind: "portable", Terminal: f.counter})
	s.must(err)
	b.get(fmt.Sprint("/violations/", list[0].ID)).wants(t, "観察のみ", "この端末のエージェントは観察だけ")
	if a := b.get(fmt.Sprint("/violations/", f.audited)); strings.Contains(a.text, "観察のみ") {
		t.Error("record only is called observing")
	}
}

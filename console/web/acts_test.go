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

func TestACodeForARolloutSaysHowManyUntilWhenAndWhoCame(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b := s.as("1007")
	a := b.post("/tokens", url.Values{"group": {f.group}, "note": {"一斉導入"}, "uses": {"９"}, "days": {"7"}})
	code := regexp.MustCompile(`TOKEN=([0-9A-Z-]{19})`).FindStringSubmatch(a.text)
	if a.StatusCode != http.StatusCreated || code == nil {
		t.Fatalf("no command: %d", a.StatusCode)
	}
	a.wants(t, "msiexec /i sekisho-agent_test_windows_amd64.msi /qn SERVER=https://console.example:8444", `HKLM\SOFTWARE\Policies\Sekisho`, "<b>9台、")
	s.must(s.db.Enroll(context.Background(), CodeHash(code[1]), store.Terminal{ID: "t-9", Name: "KT-0900"}, store.Certificate{Serial: "900"}, s.now))
	b.get("/tokens").wants(t, "9台のうち1台が導入済み", "使用中")
	b.get("/tokens/3").wants(t, "一斉導入", "KT-0900", "/terminals/t-9", "覚えのない端末")
	b.post("/tokens/3/revoke", url.Values{})
	if err := s.db.TokenUsable(context.Background(), CodeHash(code[1]), s.now); err == nil {
		t.Error("a withdrawn code can be used")
	}
	b.get("/tokens/3").wants(t, "取消し", "KT-0900")
	for _, id := range []string{"99", "x"} {
		if a := b.get("/tokens/" + id); a.StatusCode != http.StatusNotFound {
			t.Errorf("code %s: %d", id, a.StatusCode)
		}
	}
}

func TestACodeOutOfBoundsIsRefusedBesideItsField(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b := s.as("1007")
	for _, bad := range []url.Values{{"uses": {"0"}}, {"uses": {"1001"}}, {"uses": {"many"}}, {"days": {"31"}}, {"days": {"x"}}, {"uses": {"-1"}, "days": {"0"}}} {
		bad.Set("group", f.group)
		bad.Set("note", "まちがい")
		a := b.post("/tokens", bad)
		if a.StatusCode != http.StatusUnprocessableEntity || strings.Contains(a.text, "TOKEN=2") {
			t.Errorf("%v: %d", bad, a.StatusCode)
		}
		a.wants(t, "is-invalid", `value="まちがい"`)
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

func TestAnOlderVersionIsBroughtBackAsANewOne(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	ctx := context.Background()
	old, err := s.db.GroupPolicy(ctx, f.group, 1)
	s.must(err)
	next := old
	next.Control = policy.DefaultControl(policy.ModeAudit)
	next.Control.Rules[1].Action, next.Reason = policy.ActionAllow, "試し"
	_, err = s.db.PutGroupPolicy(ctx, next, 1, s.now)
	s.must(err)
	b := s.as("1007")
	b.get("/policy/"+f.group+"?version=1").wants(t, "この版に戻す", "/policy/"+f.group+"/edit?from=1")
	a := b.get("/policy/" + f.group + "/edit?from=1")
	a.wants(t, "版 1 の内容を入れてあります", `name="based_on" value="2"`, `value="enforce" checked`)
	if a := b.get("/policy/" + f.group + "/edit?from=9"); a.StatusCode != http.StatusNotFound {
		t.Errorf("a version that is not there: %d", a.StatusCode)
	}
	if a := b.get("/policy/" + f.group); strings.Contains(a.text, "この版に戻す") {
		t.Error("the newest version can be gone back to")
	}
	if a := s.as("1012").get("/policy/" + f.group + "?version=1"); strings.Contains(a.text, "この版に戻す") {
		t.Error("the helpdesk is offered what it may not do")
	}
}

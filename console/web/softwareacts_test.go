package web

import (
	"bytes"
	"context"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

func (s *site) softwareOf(group string) (*policy.Software, store.GroupPolicy) {
	s.t.Helper()
	have, err := s.db.GroupPolicy(context.Background(), group, 0)
	s.must(err)
	return have.Software, have
}

func TestTheFleetsListGroupsProductsAndItsCSVIsWhatIsShown(t *testing.T) {
	s := newSite(t, nil)
	s.full()
	b := s.as("1020")
	a := b.get("/software")
	a.wants(t, "curl", "帳票作成ツール 2026", "ほか1つ", "2台", "未判定 2件を決める")
	b.get("/software?list=forbidden").wants(t, "tool.AppImage")
	if a := b.get("/software?list=forbidden"); strings.Contains(a.text, "帳票作成ツール") {
		t.Error("the forbidden list shows what is undecided")
	}
	b.get("/search?q="+url.QueryEscape("帳票作成")).wants(t, "/software/product?", "株式会社帳票")
	file := b.get("/software.csv?list=undecided").text
	if !strings.Contains(file, "帳票作成ツール 2026") || strings.Contains(file, "curl") || len(strings.Split(strings.TrimSpace(file), "\r\n")) != 3 {
		t.Errorf("the file says %q", file)
	}
	b.get("/software/product?name=curl&publisher=Debian").wants(t, "7.64.0", "7.88.1-10", "KT-0123", "KT-0131", "2台")
}

func TestAViolationOfSoftwareSaysWhatWhyAndWhatWasDone(t *testing.T) {
	s := newSite(t, nil)
	f := s.full()
	b := s.as("1012")
	b.get(fmt.Sprint("/violations/", f.program)).wants(t, "tool.AppImage", "起動の9ミリ秒後に終了させ", "出所が分からない", "no-tool", "禁止", "dpkg -i x.deb", "7315-0042", "/carryout/new?event=")
	if a := b.get("/search?q=73150042"); !strings.Contains(a.text, "tool.AppImage") || !strings.Contains(a.text, "Game Launcher") {
		t.Errorf("the request number finds %d", a.StatusCode)
	}
	file := b.get("/violations.csv?kind=program&state=all").text
	if !strings.Contains(file, "Game Launcher") || strings.Contains(file, "SanDisk") {
		t.Errorf("the file says %q", file)
	}
	b.get("/").wants(t, "ソフトウェア")
}

func TestOnePressDecidesAboutUndecidedSoftwareForAGroup(t *testing.T) {
	s := newSite(t, nil)
	f := s.full()
	b := s.as("1007")
	at := fmt.Sprint("/software/decide?group=", f.group, "&action=allow&program=", f.unknown)
	b.get(at).wants(t, "株式会社帳票", "いま 1件、1台に当てはまります")
	_, before := s.softwareOf(f.group)
	form := url.Values{"group": {f.group}, "program": {fmt.Sprint(f.unknown)}, "action": {"allow"}, "way": {"publisher"}, "version": {fmt.Sprint(before.Version)}}
	if a := b.post("/software/decide", form); a.StatusCode != http.StatusUnprocessableEntity {
		t.Fatalf("without a reason: %d", a.StatusCode)
	}
	form.Set("reason", "帳票の作成")
	form.Set("review", "someday")
	if a := b.post("/software/decide", form); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.text, "2027-03-31") {
		t.Fatalf("with a bad day: %d", a.StatusCode)
	}
	form.Set("review", "2027-03-31")
	stale := url.Values{}
	for k, v := range form {
		stale[k] = v
	}
	stale.Set("version", "1")
	if a := b.post("/software/decide", stale); a.StatusCode != http.StatusConflict || !strings.Contains(a.text, "帳票の作成") {
		t.Fatalf("on an older version: %d", a.StatusCode)
	}
	if a := b.post("/software/decide", form); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	control, now := s.softwareOf(f.group)
	rule := control.Rules[len(control.Rules)-1]
	if now.Version != before.Version+1 || rule.Owner != "1007" || rule.Reason != "帳票の作成" || rule.Review != "2027-03-31" || rule.Action != policy.ActionAllow ||
		rule.Match.Name[0] != office.Name || rule.Match.Publisher[0] != office.Publisher {
		t.Errorf("%+v", rule)
	}
	if a := b.get("/software/undecided?group=" + f.group); strings.Contains(a.text, office.Name) {
		t.Error("it is still in the queue")
	}
	b.get("/software/undecided?group="+f.other).wants(t, office.Name) // another group decides for itself
}

func TestForbiddingWhatIsAllowedOverrulesTheRuleThatAllowedIt(t *testing.T) {
	s := newSite(t, nil)
	f := s.full()
	spreads, _, err := s.db.Fleet(context.Background(), f.group)
	s.must(err)
	for _, sp := range spreads {
		if sp.Program.Name != "curl" {
			continue
		}
		_, before := s.softwareOf(f.group)
		s.as("1007").post("/software/decide", url.Values{"group": {f.group}, "program": {fmt.Sprint(sp.ID)}, "action": {"block"}, "reason": {"脆弱"}, "version": {fmt.Sprint(before.Version)}})
		control, _ := s.softwareOf(f.group)
		if d := policy.DecideProgram(softwarePolicy(f.group, "", control), curl, s.now); d.Action != policy.ActionBlock || d.Clause != policy.ClauseSoftware {
			t.Errorf("it is judged %+v", d)
		}
	}
}

func TestAControlIsChangedWithPreviewConflictAndDraft(t *testing.T) {
	s := newSite(t, nil)
	f := s.full()
	b, at := s.as("1007"), "/policy/"+f.group+"/software"
	form := url.Values{"based_on": {"2"}, "mode": {"enforce"}, "undecided": {"block"}, "stall": {"allow"}, "do": {"check"},
		"r0.id": {"all"}, "r0.name.ja": {"配布元"}, "r0.action": {"allow"}, "r0.match.source": {"repository"}, "r0.match.name": {"*"}}
	a := b.post(at+"/edit", form)
	if a.StatusCode != http.StatusUnprocessableEntity {
		t.Fatalf("a name of * alone: %d", a.StatusCode)
	}
	a.wants(t, `href="#r0.match.name"`)
	form.Del("r0.match.name")
	a = b.post(at+"/edit", form)
	a.wants(t, "新しく禁止になるもの", "帳票作成ツール 2026", "KT-0123", "規則", "削除")
	form.Set("do", "draft")
	if a := b.post(at+"/edit", form); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("draft: %d %s", a.StatusCode, a.text)
	}
	if control, have := s.softwareOf(f.group); have.Version != 2 || len(control.Rules) != 3 {
		t.Error("a draft was published")
	}
	form.Set("do", "publish")
	form.Set("reason", "許可した配布元だけにする")
	form.Set("based_on", "1")
	if a := b.post(at+"/edit", form); a.StatusCode != http.StatusConflict {
		t.Fatalf("on an older version: %d", a.StatusCode)
	}
	form.Set("based_on", "2")
	if a := b.post(at+"/edit", form); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	control, have := s.softwareOf(f.group)
	if have.Version != 3 || control.Undecided != policy.ActionBlock || have.Control.Mode != policy.ModeEnforce || len(have.Control.Rules) == 0 {
		t.Errorf("%+v", have)
	}
	if _, err := s.db.Draft(context.Background(), f.group); err == nil {
		t.Error("the draft that was published is still there")
	}
	b.get("/policy/"+f.group).wants(t, "未判定ソフトウェアの扱い")
}

func TestAnOlderControlIsBroughtBackAsANewVersion(t *testing.T) {
	s := newSite(t, nil)
	f := s.full()
	s.control(f.group, policy.DefaultSoftware())
	b, at := s.as("1007"), "/policy/"+f.group+"/software"
	b.get(at).wants(t, at+"/edit?from=2", "ソフトウェアの制御を始める")
	b.get(at+"/edit?from=2").wants(t, "版 2 の内容を入れてあります", "no-games")
	if a := b.get(at + "/edit?from=1"); a.StatusCode != http.StatusNotFound { // it had no control of software
		t.Errorf("%d", a.StatusCode)
	}
}

func TestLearningEndsWithADay(t *testing.T) {
	s := newSite(t, nil)
	f := s.full()
	form := url.Values{"based_on": {"2"}, "mode": {"learn"}, "undecided": {"report"}, "stall": {"allow"}, "do": {"check"}}
	if a := s.as("1007").post("/policy/"+f.group+"/software/edit", form); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.text, `href="#learn_until"`) {
		t.Errorf("%d", a.StatusCode)
	}
}

func TestAProposalTakesOverWhatWasShownAndNothingElse(t *testing.T) {
	s := newSite(t, nil)
	f := s.full()
	b, at := s.as("1007"), "/policy/"+f.other+"/software/proposal"
	b.get(at).wants(t, "CN=Fun Inc.", "株式会社帳票")
	if a := b.post(at, url.Values{}); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("nothing chosen: %d", a.StatusCode)
	}
	key := keyOfMatch(policy.ProgramMatch{Publisher: []string{office.Publisher}})
	if a := b.post(at, url.Values{"take": {key, "0123456789abcdef"}}); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.text, "もう一度選んで") {
		t.Errorf("something that is not there: %d", a.StatusCode)
	}
	if a := b.post(at, url.Values{"take": {key}}); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	d, err := s.db.Draft(context.Background(), f.other)
	s.must(err)
	rule := d.Software.Rules[len(d.Software.Rules)-1]
	if len(d.Software.Rules) != 2 || rule.Owner != "1007" || rule.Match.Publisher[0] != office.Publisher || d.Software.Mode != policy.ModeAudit || !d.Software.LearnUntil.IsZero() {
		t.Errorf("%+v", d.Software)
	}
}

func TestADryRunNamesWhatADraftWouldHaveStopped(t *testing.T) {
	s := newSite(t, nil)
	f := s.full()
	b := s.as("1007")
	a := b.get(fmt.Sprint("/policy/", f.group, "/software/dryrun/", f.run))
	a.wants(t, "3件のソフトウェアを、1台で止めていたはずです", "Game Launcher 1.0", "帳票作成ツール 2026 3.2", "KT-0123", "この内容で適用する")
	s.must(s.db.PutDraft(context.Background(), store.Draft{Group: f.group, BasedOn: 2, Software: policy.DefaultSoftware(), By: "1007"}, s.now.Add(time.Minute)))
	b.get(fmt.Sprint("/policy/", f.group, "/software/dryrun/", f.run)).wants(t, "いまの下書きの結果ではありません")
	if a := b.get(fmt.Sprint("/policy/", f.other, "/software/dryrun/", f.run)); a.StatusCode != http.StatusNotFound {
		t.Errorf("under another group: %d", a.StatusCode)
	}
}

func TestADryRunThatWasCancelledSaysSoAndOneThatIsLostToo(t *testing.T) {
	s := newSite(t, nil)
	f := s.full()
	b := s.as("1007")
	id, err := s.db.BeginDryRun(context.Background(), store.DryRun{Group: f.group, Total: 1_000_000, Body: "{}", By: "1007"}, s.now)
	s.must(err)
	at := fmt.Sprint("/policy/", f.group, "/software/dryrun/", id)
	s.must(s.db.MoveDryRun(context.Background(), store.DryRun{ID: id, State: store.RunRunning, Done: 400_000, Total: 1_000_000, Body: "{}"}, s.now))
	b.get(at).wants(t, `value="40"`, "取りやめる")
	s.now = s.now.Add(time.Minute)
	b.get(at).wants(t, "試行が途中で終わりました")
	if a := b.post(at+"/cancel", nil); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d", a.StatusCode)
	}
	b.get(at).wants(t, "試行を取りやめました")
}

func TestADraftIsPublishedAsItWasShown(t *testing.T) {
	s := newSite(t, nil)
	f := s.full()
	b, at := s.as("1007"), "/policy/"+f.group+"/software/publish"
	d, err := s.db.Draft(context.Background(), f.group)
	s.must(err)
	form := url.Values{"version": {"2"}, "made": {fmt.Sprint(d.At.UnixMilli())}, "reason": {"試行で業務への影響なし"}}
	other := url.Values{"version": {"2"}, "made": {"1"}, "reason": {"x"}}
	if a := b.post(at, other); a.StatusCode != http.StatusConflict {
		t.Errorf("another draft than was shown: %d", a.StatusCode)
	}
	if a := b.post(at, url.Values{"version": {"2"}, "made": form["made"]}); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("without a reason: %d", a.StatusCode)
	}
	if a := b.post(at, form); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d", a.StatusCode)
	}
	if control, have := s.softwareOf(f.group); have.Version != 3 || control.Undecided != policy.ActionBlock || have.Reason != "試行で業務への影響なし" {
		t.Errorf("%+v", have)
	}
}

func TestRulesGoOutAndComeInByTheSameFile(t *testing.T) {
	s := newSite(t, nil)
	f := s.full()
	b := s.as("1007")
	want, _ := s.softwareOf(f.group)
	file := b.get("/policy/" + f.group + "/software/rules.csv").text
	at := "/policy/" + f.other + "/software/import"
	a := b.rules(at, file, url.Values{"do": {"check"}, "how": {"replace"}})
	if a.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	a.wants(t, "3行を取り込めます", "発行元が Fun*")
	if a := b.post(at, url.Values{"do": {"take"}, "how": {"replace"}, "text": {file}}); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	d, err := s.db.Draft(context.Background(), f.other)
	s.must(err)
	if fmt.Sprintf("%+v", d.Software.Rules) != fmt.Sprintf("%+v", want.Rules) {
		t.Errorf("it went out as\n%+v\nand came in as\n%+v", want.Rules, d.Software.Rules)
	}
}

func TestAFileWithFaultsIsRefusedLineByLine(t *testing.T) {
	s := newSite(t, nil)
	f := s.full()
	b, at := s.as("1007"), "/policy/"+f.group+"/software/import"
	file := "list,name,publisher,hash,review\n許可,ok,Good,,\nmaybe,x,,,\nblock,,,ABCD,\nallow,y,,,2027-02-30\nallow,,,,\nblock,\"=cmd\",,,\n"
	a := b.post(at, url.Values{"do": {"take"}, "text": {file}})
	if a.StatusCode != http.StatusUnprocessableEntity {
		t.Fatalf("%d", a.StatusCode)
	}
	a.wants(t, "4行に誤りがあります", "許可・禁止・検知", "SHA-256を16進64桁", "2027-03-31", "条件を一つ以上")
	for name, text := range map[string]string{"empty": "", "no head": "a,b\n1,2\n", "Shift_JIS": "list,name\nallow,\x83\x65\n", "a broken quote": "list,name\nallow,\"x\n", "NUL": "list,name\nallow,a\x00b\n"} {
		if a := b.post(at, url.Values{"do": {"take"}, "text": {text}}); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
	}
	if d, err := s.db.Draft(context.Background(), f.group); err != nil || d.Software.Undecided != policy.ActionBlock || len(d.Software.Rules) != 3 {
		t.Errorf("something was taken: %+v %v", d.Software, err)
	}
}

// rules posts a form with a file of rules, as a browser does.
func (b *browser) rules(path, file string, fields url.Values) answer {
	b.s.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for k, v := range fields {
		b.s.must(w.WriteField(k, v[0]))
	}
	part, err := w.CreateFormFile("file", "rules.csv")
	b.s.must(err)
	part.Write([]byte(file))
	b.s.must(w.Close())
	req, err := http.NewRequest("POST", b.s.URL+path, &body)
	b.s.must(err)
	req.Header.Set("Content-Type", w.FormDataContentType())
	res, err := b.c.Do(req)
	b.s.must(err)
	defer res.Body.Close()
	var text bytes.Buffer
	_, err = text.ReadFrom(res.Body)
	b.s.must(err)
	return answer{res, text.String()}
}

func TestAHelpdeskPermitsSoftwareFromARecordAndFromATerminalsList(t *testing.T) {
	s := newSite(t, nil)
	f := s.full()
	b := s.as("1012")
	for name, form := range map[string]url.Values{
		"record": {"event": {fmt.Sprint(f.program)}, "way": {"hash"}},
		"list":   {"terminal": {f.counter}, "item": {office.ID}, "way": {"version"}},
	} {
		b.get("/carryout/new?"+form.Encode()).wants(t, "ソフトウェアの使用を許可します")
		form.Set("from", "R8.11.24 12:00")
		form.Set("until", "")
		form.Set("reason", "帳票の確認")
		a := b.post("/carryout/new", form)
		if a.StatusCode != http.StatusUnprocessableEntity {
			t.Fatalf("%s without an end: %d", name, a.StatusCode)
		}
		form.Set("until", "R8.11.24 17:00")
		a = b.post("/carryout/new", form)
		if a.StatusCode != http.StatusSeeOther {
			t.Fatalf("%s: %d %s", name, a.StatusCode, a.text)
		}
		b.get(a.Header.Get("Location")).wants(t, "ソフトウェア使用許可", "帳票の確認", "1012", "17:00")
	}
	b.get("/terminals/"+f.counter+"/software").wants(t, "R8.11.24 17:00 まで許可")
	b.get("/carryout").wants(t, "tool.AppImage", "帳票作成ツール 2026 3.2")
	b.get("/terminals/"+f.counter).wants(t, "入っているソフトウェアを見る")
	if a := s.as("1020").post("/carryout/new", url.Values{"event": {fmt.Sprint(f.program)}}); a.StatusCode != http.StatusForbidden {
		t.Errorf("an auditor: %d", a.StatusCode)
	}
}

func TestANewGroupLearnsWhatIsThereBeforeItJudges(t *testing.T) {
	s := newSite(t, nil)
	b := s.as("1007")
	for kind, want := range map[string]policy.Action{"": policy.ActionReport, "terminal": policy.ActionBlock, "server": policy.ActionReport} {
		at := b.post("/policy", url.Values{"name": {"区分" + kind}, "kind": {kind}}).Header.Get("Location")
		control, _ := s.softwareOf(strings.TrimPrefix(at, "/policy/"))
		if control == nil || control.Mode != policy.ModeLearn || !control.LearnUntil.Equal(s.now.Add(policy.LearnFor)) || control.Undecided != want || control.Stall != policy.ActionAllow || len(control.Rules) != 1 {
			t.Errorf("%q: %+v", kind, control)
		}
	}
}

func TestAGroupWithoutControlSaysSoAndCanBegin(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	s.inventory(f.counter, curl)
	b := s.as("1007")
	b.get("/software").wants(t, "制御なし", "curl")
	b.get("/policy/"+f.group+"/software").wants(t, "ソフトウェアを制御していません", "ソフトウェアの制御を始める")
	b.get("/policy/"+f.group+"/software/edit").wants(t, "署名を確認した配布元")
}

func TestWhatATerminalSaysOfItsSoftwareIsNeverMarkup(t *testing.T) {
	s := newSite(t, nil)
	f := s.full()
	evil := office
	evil.ID, evil.Name, evil.Publisher, evil.Path = "app:<script>", "<script>alert(1)</script>", "\"><img src=x>", "'; DROP TABLE software; --"
	s.inventory(f.counter, evil)
	b := s.as("1007")
	for _, at := range []string{"/software", "/software/undecided", "/terminals/" + f.counter + "/software", "/software?q=script",
		"/software/product?name=" + url.QueryEscape(evil.Name) + "&publisher=" + url.QueryEscape(evil.Publisher)} {
		a := b.get(at)
		if a.StatusCode != http.StatusOK || strings.Contains(a.text, "<script>alert") || strings.Contains(a.text, "<img src=x") {
			t.Errorf("%s: %d", at, a.StatusCode)
		}
		a.wants(t, "&lt;script&gt;")
	}
}

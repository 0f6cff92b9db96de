package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"sekisho/internal/policy"
)

// healthFields gives a group's control of checks as its page's form would send it.
func (s *site) healthFields(group string) url.Values {
	s.t.Helper()
	have, err := s.db.GroupPolicy(context.Background(), group, 0)
	s.must(err)
	h := have.Health
	if h == nil {
		h = policy.DefaultHealth()
	}
	v := url.Values{"based_on": {positive(have.Version)}}
	for k, val := range formOfHealth(h) {
		v.Set(k, val)
	}
	for _, info := range policy.Catalogue() {
		if v.Get("on."+info.ID) == "" {
			v.Del("on." + info.ID)
		}
	}
	return v
}

func (s *site) healthNow(group string) *policy.Health {
	s.t.Helper()
	have, err := s.db.GroupPolicy(context.Background(), group, 0)
	s.must(err)
	return have.Health
}

func TestTheFormOfChecksChangesNothingThatNobodyTouched(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	before := s.healthNow(f.group)
	read := healthForm{s.healthFields(f.group), map[string]string{}}
	after := read.read(*before)
	if len(read.unread) > 0 {
		t.Errorf("unread: %v", read.unread)
	}
	p, err := parsePages(tokyo)
	s.must(err)
	if changes := p["ja"].healthChanges(before, &after); len(changes) > 0 {
		t.Errorf("%+v", changes)
	}
}

func TestChecksAreBegunChangedAndPublishedWithAReason(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b, page := s.as("1007"), "/policy/"+f.other+"/health"
	b.get(page).wants(t, "この端末区分の端末診断はまだ始まっていません")
	v := s.healthFields(f.other)
	v.Set("mode", "warn")
	v.Set("limit.antivirus.patterns.behind.count", "５")
	v.Set("cal.closed", "国民の祝日・休日月日,国民の祝日・休日名称\n2027/1/1,元日\n令和9年1月2日\n2026/12/29,年末\n")
	v.Set("cal.name", "令和8年度")
	v.Del("on.settings.remote")
	v.Set("allowed.network.wifi", "OFFICE-*\n")
	v.Set("do", "publish")
	a := b.post(page, v)
	if a.StatusCode != http.StatusUnprocessableEntity || s.healthNow(f.other) != nil {
		t.Errorf("published without a reason: %d", a.StatusCode)
	}
	a.wants(t, "変更の理由を書いてください", "KT-0131", "令和8年度")
	v.Set("reason", "端末診断を始める")
	if a := b.post(page, v); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("not published: %d %s", a.StatusCode, a.text)
	}
	h := s.healthNow(f.other)
	at := func(id string) policy.Check {
		for _, c := range h.Checks {
			if c.ID == id {
				return c
			}
		}
		return policy.Check{}
	}
	if h.Mode != policy.ModeWarn || at("antivirus.patterns").Limits["behind"].Count != 5 || !at("settings.remote").Off || at("network.wifi").Allowed[0] != "OFFICE-*" ||
		strings.Join(h.Calendar.Closed, " ") != "2026-12-29 2027-01-01 2027-01-02" || len(h.Probes) == 0 {
		t.Errorf("%+v", h)
	}
	b.get("/policy/"+f.other).wants(t, "端末診断を始める", "端末診断")
}

func TestWhatIsWrongWithAControlOfChecksIsSaidBesideItsField(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b, page := s.as("1007"), "/policy/"+f.group+"/health"
	v := s.healthFields(f.group)
	v.Set("do", "publish")
	v.Set("reason", "x")
	v.Set("limit.patch.level.overdue.count", "many")
	v.Set("grace.antivirus.patterns.warning.count", "30")
	v.Set("cal.closed", "2027-01-01\n2027-02-30\n")
	v.Set("settle.unit", "characters")
	a := b.post(page, v)
	if a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("status %d", a.StatusCode)
	}
	a.wants(t, `href="#limit.patch.level.overdue.count"`, `href="#grace.antivirus.patterns.violation.count"`, `href="#cal.closed"`, "警告より後にしてください", "many", "2027-02-30", "日付と読めない行があります")
	v = s.healthFields(f.group)
	v.Set("based_on", "7")
	if a := b.post(page, v); a.StatusCode != http.StatusConflict {
		t.Errorf("over somebody else's version: %d", a.StatusCode)
	}
}

func TestDaysAreReadAsPeoplePasteThem(t *testing.T) {
	ics := "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20270111\r\nSUMMARY:成人の日 2027/01/11\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	for text, want := range map[string]string{
		ics: "2027-01-11", "\ufeff2027/1/1,元日\r\n": "2027-01-01", "Ｒ９．１．１": "2027-01-01", "20270101\n20270101": "2027-01-01", "": "",
		"令和9年5月3日 憲法記念日": "2027-05-03",
	} {
		days, bad := readDays(text)
		if strings.Join(days, " ") != want || len(bad) > 0 {
			t.Errorf("%q: %v, not read %q", text, days, bad)
		}
	}
	if _, bad := readDays("2027-01-01\nnext Friday\n13/13/2027"); len(bad) != 2 {
		t.Errorf("not read: %q", bad)
	}
}

func TestAWaiverNeedsReasonMeasureApproverAndEndAndIsShownWhereTheResultIs(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b, page := s.as("1007"), "/policy/"+f.group+"/health/waivers"
	b.get(page+"?check=antivirus.patterns&terminal="+f.counter).wants(t, `value="antivirus.patterns" selected`, `value="t-counter" selected`, "W-0001", "施錠した室内で使う")
	v := url.Values{"check": {"antivirus.patterns"}, "terminal": {f.counter}, "from": {"R8.11.24"}}
	a := b.post(page, v)
	if a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("status %d", a.StatusCode)
	}
	a.wants(t, `href="#until"`, `href="#reason"`, `href="#measure"`, `href="#approver"`, "終わりのない免除はできません")
	v.Set("until", "R9.3.31")
	v.Set("reason", "配布元の更改まで")
	v.Set("measure", "毎朝手で更新する")
	v.Set("approver", "情報課長")
	v.Set("terminal", f.desk)
	b.post(page, v).wants(t, "この端末区分の端末を選んでください")
	v.Set("terminal", f.counter)
	if a := b.post(page, v); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("not entered: %d %s", a.StatusCode, a.text)
	}
	w := s.healthNow(f.group).Waivers[1]
	if w.ID != "W-0002" || w.Until.In(tokyo).Format("2006-01-02 15:04") != "2027-04-01 00:00" || w.Terminals[0] != f.counter {
		t.Errorf("%+v", w)
	}
	b.get("/terminals/"+f.counter+"/health").wants(t, "免除 W-0002", "端末にはまだ届いていません")
	results := fullSheet(s.now)
	results[0].Waiver = "W-0002"
	s.sheet(f.counter, results...)
	b.get("/terminals/"+f.counter+"/health").wants(t, "免除 W-0002", "毎朝手で更新する")
	b.get("/health").wants(t, "免除")
	if a := b.post(page+"/end", url.Values{"id": {"W-0002"}}); a.StatusCode != http.StatusSeeOther {
		t.Errorf("not ended: %d", a.StatusCode)
	}
	if a := b.post(page+"/end", url.Values{"id": {"W-0099"}}); a.StatusCode != http.StatusNotFound {
		t.Errorf("ended what is not there: %d", a.StatusCode)
	}
}

// newProbe is the form of a product that nobody knows yet.
func newProbe(version string) url.Values {
	return url.Values{"based_on": {version}, "id": {"office-guard"}, "product": {"オフィスガード"}, "os": {"windows"},
		"d0.kind": {"exists"}, "d0.path": {`C:\Program Files\OfficeGuard\guard.exe`},
		"f0.fact": {policy.FactPatternDate}, "f0.kind": {"registry"}, "f0.path": {`HKLM\SOFTWARE\OfficeGuard`}, "f0.value": {"PatternDate"}, "f0.date": {"filetime"},
		"f1.fact": {policy.FactRealtime}, "f1.kind": {"registry"}, "f1.path": {`HKLM\SOFTWARE\OfficeGuard`}, "f1.value": {"RealTime"},
	}
}

func TestAProbeIsTriedAgainstSamplesBeforeItIsPublished(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b, page := s.as("1007"), "/policy/"+f.group+"/health/probes/new"
	v := newProbe("1")
	v.Set("do", "try")
	v.Set("f0.sample", "00 80 c6 42 1b 5a dd 01") // a FILETIME as a dump shows it
	v.Set("f0.as", "hex")
	v.Set("f1.sample", "1")
	v.Set("f1.as", "number")
	a := b.post(page, v)
	a.wants(t, "読み取れます(日時)", "読み取れます(はい・いいえ)", "この見本での診断結果")
	for sample, want := range map[string]string{"00 80": "読み取れません", "00 00 00 00 00 00 00 00": "値がありません", "xyz": "16進として読めません", strings.Repeat("ff ", 8): "読み取れません"} {
		v.Set("f0.sample", sample)
		b.post(page, v).wants(t, want)
	}
	v.Set("f0.date", "ymd")
	v.Set("f0.as", "text")
	v.Set("f0.sample", "02/03/2026")
	b.post(page, v).wants(t, "読み取れません(確認不可になります)")
	v.Set("f0.sample", "2031/01/01")
	b.post(page, v).wants(t, "日付が未来です")
	v.Set("f0.sample", "2026/11/24")
	v.Set("do", "publish")
	v.Set("reason", "新しい製品の導入")
	if a := b.post(page, v); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("not published: %d %s", a.StatusCode, a.text)
	}
	i := probeIndex(s.healthNow(f.group), "office-guard")
	if i < 0 {
		t.Fatal("it is not in the policy")
	}
	got := s.healthNow(f.group).Probes[i]
	if got.Facts[0].Form.Date != policy.DateYMD || got.Facts[1].Form.Type != policy.TypeBool || got.Facts[0].Place[0].Value != "PatternDate" {
		t.Errorf("%+v", got)
	}
	b.get("/policy/"+f.group+"/health/probes").wants(t, "オフィスガード")
}

func TestASampleIsCutAsATerminalCutsIt(t *testing.T) {
	for _, c := range []struct {
		place  policy.Place
		sample string
		as     string
		want   string
	}{
		{policy.Place{Kind: policy.PlaceFile, Match: `patterns: (\S+)`}, "guard 1.0\npatterns: 2026-11-23\n", "text", "2026-11-23"},
		{policy.Place{Kind: policy.PlaceCommand, Match: `date=(\d+)`}, "date=20261123", "text", "20261123"},
		{policy.Place{Kind: policy.PlaceRegistry, Match: `\((\d{8})\)`}, "12345 (20261123)", "text", "20261123"},
		{policy.Place{Kind: policy.PlaceRegistry}, "20261123", "text", "20261123"},
		{policy.Place{Kind: policy.PlaceHeader, Size: 64, Separator: ":", Field: 1, Begin: "ClamAV-VDB"}, "ClamAV-VDB:23 Nov 2026 09-25 +0900:27000", "text", "23 Nov 2026 09-25 +0900"},
		{policy.Place{Kind: policy.PlaceHeader, Size: 64, Separator: ":", Field: 1, Begin: "ClamAV-VDB"}, "43 6c 61 6d", "hex", ""},
	} {
		raw, problem := rawOf(c.place, c.sample, c.as)
		if raw.Text != c.want || problem != "" || (c.want == "") != (raw.Code != "") {
			t.Errorf("%+v of %q: %+v %s", c.place, c.sample, raw, problem)
		}
	}
}

func TestAProbeThatCouldDoHarmIsRefusedBesideItsField(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b, page := s.as("1007"), "/policy/"+f.group+"/health/probes/new"
	for field, value := range map[string]string{
		"d0.path": "/etc/passwd", "f0.path": `HKLM\SECURITY\Policy\Secrets`, "id": "Office Guard", "product": "", "f1.value": strings.Repeat("x", 5000), "os": "dos",
	} {
		v := newProbe("1")
		v.Set("do", "publish")
		v.Set("reason", "x")
		v.Set(field, value)
		if a := b.post(page, v); a.StatusCode != http.StatusUnprocessableEntity || probeIndex(s.healthNow(f.group), v.Get("id")) >= 0 {
			t.Errorf("%s = %.40s: %d", field, value, a.StatusCode)
		}
	}
	v := newProbe("1")
	v.Set("os", "linux")
	v.Set("d0.path", "/opt/guard/guardd")
	v.Del("f1.fact")
	v.Set("f0.kind", "command")
	v.Set("f0.command", "rm -rf")
	v.Set("f0.match", "(a+)+$")
	v.Set("do", "check")
	b.post(page, v).wants(t, "決められたコマンドから選んでください")
	v.Set("id", "clamav")
	b.post(page, v).wants(t, "同じIDの定義があります")
}

func TestAKnownProbeComesBackAsItWas(t *testing.T) {
	for _, probe := range policy.DefaultProbes() {
		var b probePage
		var detect, facts int
		b.Form, detect, facts = formOfProbe(probe)
		b.Detect, b.Facts = upTo(detect), upTo(facts)
		back := b.probe()
		if problems := back.Validate(); len(problems) > 0 {
			t.Errorf("%s: %+v", probe.ID, problems)
		}
		var was, is []policy.Place
		for _, f := range probe.Facts {
			was = append(was, f.Place...)
		}
		for _, f := range back.Facts {
			is = append(is, f.Place...)
		}
		if strings.Join(probe.Center, "|") != strings.Join(back.Center, "|") || probe.Patternless != back.Patternless {
			t.Errorf("%s: %+v became %+v", probe.ID, probe, back)
		}
		if len(was) != len(is) || len(probe.Detect) != len(back.Detect) {
			t.Errorf("%s: %d places became %d", probe.ID, len(was), len(is))
			continue
		}
		for _, f := range probe.Facts {
			if !slices.Contains(choicesOfProbes().Facts, f.Fact) {
				t.Errorf("%s: the form cannot show %s", probe.ID, f.Fact)
			}
		}
		for i := range was {
			if was[i] != is[i] {
				t.Errorf("%s: %+v became %+v", probe.ID, was[i], is[i])
			}
		}
	}
}

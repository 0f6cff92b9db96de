package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// healthAddresses are the pages of checks.
func (f fleet) healthAddresses() []string {
	return []string{
		"/health", "/health?area=all", "/health?area=network&result=unreported", "/health?check=antivirus.patterns&result=fail&stage=violation", "/health?q=KT", "/health?q=nobody",
		"/health/checks/antivirus.patterns", "/health/checks/network.gateway", "/terminals/" + f.counter + "/health", "/terminals/" + f.desk + "/health",
		"/policy/" + f.group + "/health", "/policy/" + f.other + "/health", "/policy/" + f.group + "/health/waivers?check=antivirus.patterns&terminal=" + f.counter, "/policy/" + f.other + "/health/waivers",
		"/health/references", "/policy/" + f.group + "/health/probes", "/policy/" + f.other + "/health/probes", "/policy/" + f.group + "/health/probes/new", "/policy/" + f.group + "/health/probes/clamav", "/policy/" + f.group + "/health/probes/mdatp",
	}
}

// checks lets the counter's terminal report; its category is checked, and one of its failures is waived. The other says nothing.
func (s *site) checks(f fleet) {
	s.t.Helper()
	ctx := context.Background()
	s.sheet(f.counter, fullSheet(s.now)...)
	first := fullSheet(s.now)[0]
	rec := wire.Record{Kind: wire.RecordCheck, At: s.now.Add(-time.Hour), Check: &first}
	j := newJournal()
	j.add(rec)
	_, err := s.db.AddEvents(ctx, f.counter, wire.EventsRequest{Version: wire.Version, Outbox: "health-" + f.counter, First: 1, Entries: j.entries}, s.now)
	s.must(err)
	for i := range 20 {
		s.must(s.db.CountHealth(ctx, s.now.AddDate(0, 0, i-20), 365*day))
	}
	s.must(s.db.CountHealth(ctx, s.now, week))
}

// health is a category's control of checks, with one waiver; nil when it has none.
func (s *site) health(has bool, terminal string) *policy.Health {
	if !has {
		return nil
	}
	h := policy.DefaultHealth()
	h.Waivers = []policy.Waiver{{ID: "W-0001", Check: "settings.disk_encryption", Terminals: []string{terminal}, Reason: "暗号化の導入は年度内", Measure: "施錠した室内で使う", Approver: "情報課長",
		From: s.now.AddDate(0, -1, 0), Until: s.now.AddDate(0, 2, 0)}}
	return h
}

func fullSheet(now time.Time) []policy.CheckResult {
	made := now.AddDate(0, 0, -12).UTC().Truncate(time.Hour)
	return []policy.CheckResult{
		{Check: "antivirus.patterns", Result: policy.ResultFail, Code: policy.CodeBehind, Value: made.Format(time.RFC3339), Want: "3 working_days", Source: "/var/lib/clamav/daily.cld", Product: "ClamAV 1.0.7",
			Against: "ClamAV(LAN内の最新)", AsOf: now.AddDate(0, 0, -1), Since: now.AddDate(0, 0, -9), Stage: policy.StageViolation},
		{Check: "antivirus.present", Result: policy.ResultPass, Value: "true", Want: "true", Source: "process clamd", Product: "ClamAV 1.0.7", Since: now.AddDate(0, -1, 0)},
		{Check: "antivirus.realtime", Result: policy.ResultUnknown, Code: policy.CodeDenied, Source: "process clamonacc", Fault: "cannot read /proc: permission denied", Since: now.AddDate(0, 0, -2)},
		{Check: "antivirus.source", Result: policy.ResultPass, Since: now.AddDate(0, -1, 0)},
		{Check: "antivirus.scan_full", Result: policy.ResultFail, Code: policy.CodeNever, Value: "never", Want: "30 days", Since: now.AddDate(0, 0, -1), Stage: policy.StageNotice},
		{Check: "patch.level", Result: policy.ResultPass, Value: "", Want: "14 days", Against: "/var/lib/apt/lists", AsOf: now.AddDate(0, 0, -1), Since: now.AddDate(0, -1, 0)},
		{Check: "patch.baseline_age", Result: policy.ResultFail, Code: policy.CodeSourceOld, Since: now.AddDate(0, 0, -3), Stage: policy.StageWarning},
		{Check: "patch.reboot", Result: policy.ResultPass, Since: now.AddDate(0, -1, 0)},
		{Check: "settings.disk_encryption", Result: policy.ResultFail, Code: policy.CodeOff, Value: "false", Want: "true", Waiver: "W-0001", Since: now.AddDate(0, -1, 0), Stage: policy.StageViolation},
		{Check: "settings.secure_boot", Result: policy.ResultNotApplicable, Code: policy.CodeAbsent, Since: now.AddDate(0, -1, 0)},
		{Check: "network.second_card", Result: policy.ResultPass, Value: "0", Since: now.AddDate(0, -1, 0)},
	}
}

// sheet sends a terminal's whole list of results.
func (s *site) sheet(terminal string, results ...policy.CheckResult) {
	s.t.Helper()
	sh := wire.Sheet{Name: wire.SheetHealth}
	for _, c := range results {
		body, err := json.Marshal(c)
		s.must(err)
		it := wire.Item{ID: c.Check, Body: body}
		sh.Set, sh.To = append(sh.Set, it), sh.To.Mix(it)
	}
	answer, err := s.db.AddEvents(context.Background(), terminal, wire.EventsRequest{Version: wire.Version, Sheets: []wire.Sheet{sh}}, s.now)
	s.must(err)
	if answer.Sheets[wire.SheetHealth] != sh.To {
		s.t.Fatal("the sheet was not taken")
	}
}

func TestWhoIsNotUpToDateIsCountedAgainstTheLedger(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b := s.as("1007")
	b.get("/health").wants(t, "台帳の2台のうち1台が報告", "適合 0/2台", "パターンファイルが最新でない端末", "KT-0123", "KT-0131", "未報告", "基準が古くなっています")
	b.get("/health?lang=en").wants(t, "Reporting: 1 of 2 in the ledger", "not reported")
	b.get("/terminals/"+f.counter+"/health?lang=ja").wants(t, "配布元より遅れています", "2026-11-12T03:00:00Z", "3開庁日", "/var/lib/clamav/daily.cld", "ClamAV 1.0.7", "基準の日付", "配布元につながるネットワークで",
		"免除 W-0001", "施錠した室内で使う", "情報課長", "cannot read /proc: permission denied")
}

func TestAFilterOfTheMatrixIsInItsAddressAndItsFileHoldsTheSame(t *testing.T) {
	s := newSite(t, nil)
	s.fill()
	b := s.as("1020")
	page, file := b.get("/health?check=antivirus.patterns&result=fail"), b.get("/health.csv?check=antivirus.patterns&result=fail")
	page.wants(t, "KT-0123", "health.csv?check=antivirus.patterns&amp;result=fail")
	file.wants(t, "KT-0123", "不適合(違反)")
	if strings.Contains(page.text, "KT-0131") || strings.Contains(file.text, "KT-0131") {
		t.Error("who does not fail is shown under the filter")
	}
	b.get("/health?result=unchecked&check=patch.level").wants(t, "KT-0131", "診断しない")
	if strings.Contains(b.get("/health?stage=waived&area=settings").text, "KT-0131") {
		t.Error("a terminal without a waiver is shown as waived")
	}
}

func TestASilentTerminalIsUnreportedWhateverItSaidBefore(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	s.now = s.now.Add(8 * day)
	b := s.as("1007")
	a := b.get("/health?area=all")
	a.wants(t, "台帳の2台のうち0台が報告")
	if strings.Contains(a.text, `class="m s-pass`) {
		t.Error("a terminal that was not heard of for a week is shown as compliant")
	}
	b.get("/terminals/"+f.counter+"/health").wants(t, "下の結果は古いものです")
}

func TestAConditionIsAViolationInWords(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b := s.as("1007")
	list := b.get("/violations?kind=check")
	list.wants(t, "パターンファイル(配布元からの遅れ): 猶予を過ぎた不適合(違反)", "ClamAV 1.0.7", "不適合")
	all, err := s.db.Events(context.Background(), store.EventFilter{Violations: true, Kind: "check"})
	s.must(err)
	if len(all) != 1 {
		t.Fatalf("%d violations", len(all))
	}
	page := fmt.Sprint("/violations/", all[0].ID)
	b.get(page).wants(t, "診断の結果", "3開庁日", "全てのサーバー、端末にアンチウィルスソフトを導入し", "自動で完了します")
	done := fullSheet(s.now)[0]
	done.Result, done.Stage = policy.ResultPass, ""
	s.must(s.closeCondition(f.counter, done))
	b.get(page).wants(t, "適合になったため、自動で完了しました")
	b.get("/terminals/"+f.counter).wants(t, "適合になりました")
}

func (s *site) closeCondition(terminal string, done policy.CheckResult) error {
	j := newJournal()
	j.add(wire.Record{Kind: wire.RecordCheck, At: s.now, Check: &done})
	_, err := s.db.AddEvents(context.Background(), terminal, wire.EventsRequest{Version: wire.Version, Outbox: "healthy-" + terminal, First: 1, Entries: j.entries}, s.now)
	return err
}

func TestAnUnknownCheckHasNoPage(t *testing.T) {
	s := newSite(t, nil)
	if a := s.as("1007").get("/health/checks/made.up"); a.StatusCode != http.StatusNotFound {
		t.Errorf("status %d", a.StatusCode)
	}
}

func TestWordsOfATerminalAreNeverMarkup(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	evil := `"><script>alert(1)</script>`
	s.sheet(f.desk, policy.CheckResult{Check: "antivirus.patterns", Result: policy.ResultFail, Code: evil, Stage: evil, Waiver: evil, Value: evil, Want: evil, Source: evil, Product: evil, Against: evil, Fault: evil, Since: s.now},
		policy.CheckResult{Check: "made.up" + evil, Result: "pass", Since: s.now})
	b := s.as("1007")
	for _, address := range []string{"/health?area=all", "/terminals/" + f.desk + "/health", "/health/checks/antivirus.patterns"} {
		if a := b.get(address); strings.Contains(a.text, "<script>alert") || a.StatusCode != http.StatusOK {
			t.Errorf("%s (%d) holds a terminal's words as markup", address, a.StatusCode)
		}
	}
}

package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

func checked(t testing.TB, c policy.CheckResult) wire.Item {
	t.Helper()
	body, err := json.Marshal(c)
	must(t, err)
	return wire.Item{ID: c.Check, Body: body}
}

func patterns(result policy.Result, made time.Time) policy.CheckResult {
	return policy.CheckResult{Check: "antivirus.patterns", Result: result, Code: policy.CodeBehind, Value: made.UTC().Format(time.RFC3339), Want: "3 working_days",
		Source: "/var/lib/clamav/daily.cld", Product: "ClamAV 1.0.7", Since: noon, Stage: policy.StageNotice}
}

func bringHealth(t testing.TB, db *DB, terminal string, now time.Time, sheets ...wire.Sheet) wire.Hash {
	t.Helper()
	answer, err := db.AddEvents(t.Context(), terminal, wire.EventsRequest{Version: wire.Version, Sheets: sheets}, now)
	must(t, err)
	return answer.Sheets[wire.SheetHealth]
}

func resultsOf(t testing.TB, db *DB, terminal string) string {
	t.Helper()
	fleet, err := db.HealthFleet(t.Context(), "")
	must(t, err)
	for _, r := range fleet {
		if r.Terminal == terminal {
			var all []string
			for _, c := range r.Cells(nil) {
				all = append(all, c.Check+" "+string(c.Result))
			}
			return strings.Join(all, ", ")
		}
	}
	t.Fatalf("%s is not in the fleet", terminal)
	return ""
}

func TestWhatATerminalsChecksCameToIsKeptInStep(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	enrol(t, db, "t2")
	l := &listOf{name: wire.SheetHealth}
	if got := bringHealth(t, db, "t1", noon, l.step(true, false, nil, checked(t, patterns(policy.ResultFail, noon)), checked(t, policy.CheckResult{Check: "settings.firewall", Result: policy.ResultPass, Since: noon}))); got != l.tag {
		t.Fatalf("it stands at %s instead of %s", got, l.tag)
	}
	if got := resultsOf(t, db, "t1"); got != "antivirus.patterns fail, settings.firewall pass" {
		t.Errorf("%q", got)
	}
	if got := resultsOf(t, db, "t2"); got != "" {
		t.Errorf("who never reported has %q", got)
	}
	bringHealth(t, db, "t1", noon.Add(time.Hour), l.step(false, false, []string{"settings.firewall"}, checked(t, patterns(policy.ResultPass, noon))))
	list, at, err := db.TerminalHealth(t.Context(), "t1")
	must(t, err)
	if len(list) != 1 || list[0].Result != policy.ResultPass || list[0].Source != "/var/lib/clamav/daily.cld" || !at.Whole || at.Items != 1 || list[0].Old {
		t.Errorf("%+v %+v", list, at)
	}
}

func TestNothingIsShownAsPassedBecauseNobodyCanReadIt(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	l := &listOf{name: wire.SheetHealth}
	hostile := map[string]string{
		"antivirus.patterns": `{"check":"settings.firewall","result":"pass"}`,
		"antivirus.present":  `{"check":"antivirus.present","result":"PASS"}`,
		"patch.level":        `[]`,
		"patch.reboot":       `{"check":"patch.reboot","result":`,
		"settings.firewall":  `{"check":"settings.firewall","result":true}`,
		"settings.clock":     `{"check":"settings.clock"}`,
		"network.vpn":        `{"check":"network.vpn","result":"pass","since":"yesterday"}`,
	}
	var items []wire.Item
	for id, body := range hostile {
		items = append(items, wire.Item{ID: id, Body: []byte(body)})
	}
	if got := bringHealth(t, db, "t1", noon, l.step(true, false, nil, items...)); got != l.tag {
		t.Fatalf("it stands at %s instead of %s", got, l.tag)
	}
	fleet, err := db.HealthFleet(t.Context(), "")
	must(t, err)
	list, _, err := db.TerminalHealth(t.Context(), "t1")
	must(t, err)
	cells := fleet[0].Cells(nil)
	if len(cells) != len(hostile) || len(list) != len(hostile) {
		t.Fatalf("%d cells and %d lines of %d", len(cells), len(list), len(hostile))
	}
	for i, c := range cells {
		if c.Result != policy.ResultUnknown || list[i].Result != policy.ResultUnknown || list[i].Code != CodeUnreadLine {
			t.Errorf("%+v %+v", c, list[i])
		}
	}
}

func TestALineOfWordsThatWouldBreakItStaysWhole(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	l := &listOf{name: wire.SheetHealth}
	bad := policy.CheckResult{Check: "patch.level", Result: policy.ResultFail, Code: "x\ty\nantivirus.present\tpass\t\t\t\t0\n", Stage: "\n\n", Waiver: "\t", Since: time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC)}
	bringHealth(t, db, "t1", noon, l.step(true, false, nil, checked(t, bad)))
	if got := resultsOf(t, db, "t1"); got != "patch.level fail" {
		t.Errorf("%q", got)
	}
	var many []wire.Item
	for i := range 1900 {
		many = append(many, checked(t, policy.CheckResult{Check: fmt.Sprintf("made.up%04d", i), Result: policy.ResultPass}))
	}
	bringHealth(t, db, "t1", noon, l.step(false, false, nil, many...))
	fleet, err := db.HealthFleet(t.Context(), "")
	must(t, err)
	if n := len(fleet[0].Cells(nil)); n > maxChecks {
		t.Errorf("a terminal's line has %d checks", n)
	}
}

func check(result policy.Result, stage, waiver string) wire.Record {
	return wire.Record{Kind: wire.RecordCheck, At: noon, Revision: 1,
		Check: &policy.CheckResult{Check: "antivirus.patterns", Result: result, Stage: stage, Waiver: waiver, Product: "ClamAV", Since: noon}}
}

func violationsOf(t testing.TB, db *DB, state string) []Event {
	t.Helper()
	list, err := db.Events(t.Context(), EventFilter{Violations: true, State: state})
	must(t, err)
	return list
}

func TestAConditionIsOneViolationAndClosesByFact(t *testing.T) {
	db, send := oneTerminal(t)
	send(check(policy.ResultFail, policy.StageNotice, ""), check(policy.ResultFail, policy.StageWarning, ""))
	if n := len(violationsOf(t, db, "")); n != 0 {
		t.Fatalf("%d violations while the grace lasts", n)
	}
	send(check(policy.ResultFail, policy.StageViolation, ""), check(policy.ResultUnknown, "", ""), check(policy.ResultFail, policy.StageViolation, ""))
	open := violationsOf(t, db, "unclosed")
	if len(open) != 1 || open[0].Record.Check == nil || open[0].Severity != severeWarn {
		t.Fatalf("%+v", open)
	}
	send(check(policy.ResultPass, "", ""), check(policy.ResultFail, policy.StageViolation, ""))
	closed, open := violationsOf(t, db, StateClosed), violationsOf(t, db, "unclosed")
	if len(closed) != 1 || closed[0].Handling.Reason != ClosedByResult || len(open) != 1 || open[0].ID <= closed[0].ID {
		t.Fatalf("closed %+v, open %+v", closed, open)
	}
	send(check(policy.ResultFail, policy.StageViolation, "W-1"))
	if closed := violationsOf(t, db, StateClosed); len(closed) != 2 || closed[0].Handling.Reason != ClosedByWaiver {
		t.Errorf("%+v", closed)
	}
}

func TestDaysAreCountedAgainstTheLedger(t *testing.T) {
	db := open(t)
	for _, id := range []string{"t1", "t2", "t3", "gone"} {
		enrol(t, db, id)
	}
	must(t, db.RetireTerminal(t.Context(), "gone", "broken", "test", noon))
	for id, result := range map[string]policy.Result{"t1": policy.ResultPass, "t2": policy.ResultFail} {
		l := &listOf{name: wire.SheetHealth}
		bringHealth(t, db, id, noon, l.step(true, false, nil, checked(t, patterns(result, noon))))
	}
	must(t, db.CountHealth(t.Context(), noon, 7*24*time.Hour))
	must(t, db.CountHealth(t.Context(), noon.Add(time.Hour), 7*24*time.Hour)) // again on the same day
	must(t, db.CountHealth(t.Context(), noon.AddDate(0, 0, 8), 7*24*time.Hour))
	days, err := db.HealthDays(t.Context(), "antivirus.patterns", "", noon.AddDate(0, 0, -1))
	must(t, err)
	if len(days) != 2 || days[0].Pass != 1 || days[0].Fail != 1 || days[0].Unreported != 1 || days[1].Unreported != 3 {
		t.Errorf("%+v", days)
	}
	must(t, db.CountHealth(t.Context(), noon.AddDate(6, 0, 0), 7*24*time.Hour))
	if days, err = db.HealthDays(t.Context(), "antivirus.patterns", "", noon.AddDate(-1, 0, 0)); len(days) != 1 || err != nil {
		t.Errorf("%+v %v", days, err)
	}
}

func TestTheNewestPatternIsNeverOneOfAClockThatRunsAheadNorAWordThatIsNoDate(t *testing.T) {
	db := open(t)
	for id, made := range map[string]time.Time{"t1": noon.AddDate(0, 0, -3), "t2": noon.AddDate(0, 0, -1), "t3": noon.AddDate(3, 0, 0)} {
		enrol(t, db, id)
		l := &listOf{name: wire.SheetHealth}
		bringHealth(t, db, id, noon, l.step(true, false, nil, checked(t, patterns(policy.ResultPass, made))))
	}
	enrol(t, db, "t4")
	noDate := patterns(policy.ResultPass, noon)
	noDate.Value = noon.AddDate(0, 0, -1).UTC().Format(time.DateOnly) + "Tmorning" // it sorts behind every time of that day
	bringHealth(t, db, "t4", noon, (&listOf{name: wire.SheetHealth}).step(true, false, nil, checked(t, noDate)))
	list, err := db.NewestPatterns(t.Context(), noon)
	must(t, err)
	if len(list) != 1 || !list[0].Made.Equal(noon.AddDate(0, 0, -1)) || list[0].TerminalName != "PC-t2" {
		t.Errorf("%+v", list)
	}
}

func TestAReferenceReachesTerminalsWhoseChecksNeedIt(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	hash := strings.Repeat("ab", 32)
	ref := Reference{Reference: policy.Reference{Name: "windows", Kind: policy.ReferenceBaseline, SHA256: hash, Size: 10, MadeAt: noon}, Month: "2026-11", By: "test"}
	must(t, db.PutReference(t.Context(), ref, noon))
	if _, err := db.Blob(t.Context(), "t1", hash); !errors.Is(err, ErrNotFound) {
		t.Errorf("a terminal without checks is given it: %v", err)
	}
	_, err := db.PutGroupPolicy(t.Context(), GroupPolicy{Group: "default", By: "test", Health: policy.DefaultHealth()}, 1, noon)
	must(t, err)
	if p, err := db.Blob(t.Context(), "t1", hash); err != nil || p.Size != 10 {
		t.Errorf("%+v %v", p, err)
	}
	before, err := db.Revision(t.Context(), "t1")
	must(t, err)
	ref.SHA256 = strings.Repeat("cd", 32)
	must(t, db.PutReference(t.Context(), ref, noon))
	now, past, err := db.References(t.Context())
	must(t, err)
	after, err := db.Revision(t.Context(), "t1")
	must(t, err)
	if len(now) != 1 || len(past) != 1 || past[0].SHA256 != hash || after != before+1 {
		t.Errorf("%+v %+v, revision %d → %d", now, past, before, after)
	}
	must(t, db.EndReference(t.Context(), now[0].ID, "test", noon))
	if _, err := db.Blob(t.Context(), "t1", ref.SHA256); !errors.Is(err, ErrNotFound) {
		t.Errorf("what was removed is given: %v", err)
	}
	if err := db.EndReference(t.Context(), now[0].ID, "test", noon); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func TestADatabaseBeforeHealthKeepsItsRecords(t *testing.T) {
	db := atVersion(t, 4, `INSERT INTO groups VALUES ('g', 'G', 1)`,
		`INSERT INTO group_policies VALUES ('g', 1, '{"removable_media":{"mode":"audit"}}', '', 'x', 1)`,
		`INSERT INTO terminals (id, name, group_id, enrolled_at, os, arch, agent, revision, revised_at) VALUES ('t1', 'PC', 'g', 1, 'linux', 'amd64', '', 1, 1)`,
		`INSERT INTO sheets VALUES ('t1', 'software', x'00', 1, 0, 1, 1, 1)`)
	l := &listOf{name: wire.SheetHealth}
	bringHealth(t, db, "t1", noon, l.step(true, false, nil, checked(t, patterns(policy.ResultFail, noon))))
	if got := resultsOf(t, db, "t1"); got != "antivirus.patterns fail" {
		t.Errorf("%q", got)
	}
}

// TestWhatWasDoneAboutAConditionIsNoSecondOne: only an adapter that could not be disabled is a line of its own, and it closes with the rest.
func TestWhatWasDoneAboutAConditionIsNoSecondOne(t *testing.T) {
	db, send := oneTerminal(t)
	acted := func(code string, o policy.Outcome) wire.Record {
		r := check(policy.ResultFail, policy.StageViolation, "")
		r.Check.Check, r.Code, r.Outcome = "network.tether", code, o
		return r
	}
	failed := acted("", "")
	send(failed, acted(wire.CodeAdapterOff, policy.OutcomeBlocked), failed)
	if open := violationsOf(t, db, "unclosed"); len(open) != 1 || open[0].Severity != severeAlarm {
		t.Fatalf("%+v", open)
	}
	send(acted(wire.CodeAdapterOff, policy.OutcomeBlockFailed), acted(wire.CodeAdapterOff, policy.OutcomeAudit), acted(wire.CodeAdapterOn, policy.OutcomeAllowed))
	open := violationsOf(t, db, "unclosed")
	if len(open) != 2 || open[0].Record.Outcome != policy.OutcomeBlockFailed || open[0].Severity != severeAlarm {
		t.Fatalf("%+v", open)
	}
	if list, err := db.Events(t.Context(), EventFilter{Outcome: string(policy.OutcomeBlocked)}); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	failed.Check.Result, failed.Check.Stage = policy.ResultPass, ""
	send(failed)
	if open := violationsOf(t, db, "unclosed"); len(open) != 0 {
		t.Errorf("%+v", open)
	}
}

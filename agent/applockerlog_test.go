package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sekisho/agent/sensor/applog"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

func newAppLockerLog(t *testing.T, m *pc) (*applockerLog, *[]wire.Record) {
	k, _, _ := newKeeper(t, m.policy)
	k.stands.Store(true)
	records := &[]wire.Record{}
	return &applockerLog{stop: &m.stop, rules: k, record: func(r wire.Record) { *records = append(*records, r) },
		account: func(sid string) string { return "PC\\" + sid }, applied: budget{most: 2, per: time.Hour}, harm: budget{most: 2, per: time.Hour}}, records
}

func TestWhatAppLockerKeptFromRunningIsOnRecord(t *testing.T) {
	m := newPC(t, policy.ModeEnforce, policy.ActionBlock, byHash(), policy.ProgramRule{ID: "ok", Action: policy.ActionAllow, Match: policy.ProgramMatch{Name: []string{"good.exe"}}})
	l, _ := newAppLockerLog(t, m)
	m.file(`C:\evil.exe`, evilHash)
	for _, c := range []struct {
		event   applog.Event
		kind    policy.ProgramKind
		rule    string
		outcome policy.Outcome
	}{
		{applog.Event{ID: 8004, Stopped: true, Collection: "EXE", Path: `C:\evil.exe`, Rule: "5c1d", UserSID: "taro"}, policy.ProgramFile, "by-hash", policy.OutcomeBlocked},
		{applog.Event{ID: 8007, Stopped: true, Collection: "SCRIPT", Path: `C:\x.ps1`}, policy.ProgramScript, policy.RuleUndecided, policy.OutcomeBlocked},
		{applog.Event{ID: 8007, Stopped: true, Collection: "MSI", Path: `C:\x.msi`, Signer: "O=ACME"}, policy.ProgramMSI, policy.RuleUndecided, policy.OutcomeBlocked},
		{applog.Event{ID: 8022, Stopped: true, Collection: "APPX", Package: "king.game"}, policy.ProgramMSIX, policy.RuleUndecided, policy.OutcomeBlocked},
		{applog.Event{ID: 8004, Stopped: true, Collection: "EXE", Path: `C:\good.exe`}, policy.ProgramFile, "ok", policy.OutcomeAllowFailed},
		{applog.Event{ID: 8004, Stopped: true, Collection: "EXE", Path: `C:\Windows\explorer.exe`}, policy.ProgramFile, policy.RuleEssential, policy.OutcomeAllowFailed},
	} {
		n := len(m.told)
		l.see(t.Context(), c.event)
		if len(m.told) != n+1 {
			t.Fatalf("%+v: nothing is told", c.event)
		}
		j := m.told[n]
		if j.event.Program.Kind != c.kind || j.decision.Rule != c.rule || j.outcome != c.outcome || j.event.Program.Name == "" || !strings.Contains(j.steps[0].Detail, "event 80") {
			t.Errorf("%+v: %+v", c.event, j)
		}
	}
	if j := m.told[0]; j.event.User != `PC\taro` || j.event.Program.Signer != "O=EVIL" || !strings.Contains(j.steps[0].Detail, "5c1d") {
		t.Errorf("%+v", j)
	}
	n := len(m.told)
	l.see(t.Context(), applog.Event{ID: 8004, Stopped: true, Collection: "DLL", Path: `C:\x.dll`})
	l.see(t.Context(), applog.Event{ID: 8004, Stopped: true, Collection: "EXE"})
	l.rules.stands.Store(false) // somebody else's
	l.see(t.Context(), applog.Event{ID: 8004, Stopped: true, Collection: "EXE", Path: `C:\evil.exe`})
	if len(m.told) != n || len(m.ended) > 0 {
		t.Errorf("%d told more, ended %v", len(m.told)-n, m.ended)
	}
}

func TestWhatAppLockerWouldHaveStoppedIsOnRecordOnce(t *testing.T) {
	for _, c := range []struct {
		mode    policy.Mode
		outcome policy.Outcome
	}{{policy.ModeAudit, policy.OutcomeAudit}, {policy.ModeWarn, policy.OutcomeDetected}, {policy.ModeLearn, policy.OutcomeLearnt}, {policy.ModeEnforce, policy.OutcomeDetected}} {
		m := newPC(t, c.mode, policy.ActionBlock, byHash())
		l, records := newAppLockerLog(t, m)
		m.file(`C:\evil.exe`, evilHash)
		for _, e := range []applog.Event{
			{ID: 8003, Audited: true, Collection: "EXE", Path: `C:\evil.exe`, Rule: "5c1d", UserSID: "taro"},
			{ID: 8006, Audited: true, Collection: "SCRIPT", Path: `C:\x.ps1`},
			{ID: 8006, Audited: true, Collection: "MSI", Path: `C:\x.msi`},
			{ID: 8021, Audited: true, Collection: "APPX", Package: "king.game"},
			{ID: 8024, Audited: true, Collection: "APPX", Package: "queen.game"},
		} {
			n := len(m.told)
			l.see(t.Context(), e)
			if len(m.told) != n+1 {
				t.Fatalf("%s, %+v: nothing is told", c.mode, e)
			}
			if j := m.told[n]; j.outcome != c.outcome || j.steps[0].Code != stepWould || !strings.Contains(j.steps[0].Detail, "event 80") {
				t.Errorf("%s, %+v: %+v", c.mode, e, j)
			}
		}
		if n := len(m.told); c.mode == policy.ModeAudit {
			l.see(t.Context(), applog.Event{ID: 8003, Audited: true, Collection: "EXE", Path: `C:\evil.exe`, Rule: "5c1d"})
			if len(m.told) != n {
				t.Error("it is told twice")
			}
		}
		if len(*records) > 0 || len(m.ended) > 0 {
			t.Errorf("%s: %+v, ended %v", c.mode, *records, m.ended)
		}
	}
}

func TestThatAppLockerWouldStopTooMuchIsKnownBeforeItDoes(t *testing.T) {
	m := newPC(t, policy.ModeAudit, policy.ActionBlock, policy.ProgramRule{ID: "ok", Action: policy.ActionAllow, Match: policy.ProgramMatch{Name: []string{"good.exe"}}})
	l, records := newAppLockerLog(t, m)
	for _, path := range []string{`C:\good.exe`, `C:\Windows\explorer.exe`, `C:\Windows\explorer.exe`} {
		l.see(t.Context(), applog.Event{ID: 8003, Audited: true, Collection: "EXE", Path: path})
	}
	if len(*records) != 2 || (*records)[0].Code != "applocker_would_stop" || !strings.Contains((*records)[0].Note, "good.exe") || len(m.told) > 0 {
		t.Errorf("%+v, told %+v", *records, m.told)
	}
	l.rules.stands.Store(false) // somebody else's rules
	l.see(t.Context(), applog.Event{ID: 8003, Audited: true, Collection: "EXE", Path: `C:\evil.exe`})
	if len(m.told) > 0 {
		t.Errorf("%+v", m.told)
	}
}

func TestWhatAppLockerSaysOfItselfIsAFaultOrARecord(t *testing.T) {
	m := newPC(t, policy.ModeEnforce, policy.ActionReport, forbids("n", policy.ProgramMatch{Name: []string{"winny.exe"}}))
	l, records := newAppLockerLog(t, m)
	for _, id := range []int{applog.Unavailable, applog.NoAppRules} {
		l.see(t.Context(), applog.Event{ID: id})
		if r := l.rules.turn(); !strings.Contains(r.fault, "cannot") || r.record == nil {
			t.Errorf("%d: %+v", id, r)
		}
	}
	for range 5 {
		l.see(t.Context(), applog.Event{ID: applog.Applied})
	}
	if r := l.rules.turn(); r.fault != "" {
		t.Errorf("%+v", r)
	}
	if codes := slices.Collect(func(yield func(string) bool) {
		for _, r := range *records {
			if !yield(r.Code) {
				return
			}
		}
	}); !slices.Equal(codes, []string{"applocker_applied", "applocker_applied"}) {
		t.Errorf("%q", codes)
	}
}

package health

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/windows/registry"
	"golang.org/x/sys/windows/svc/mgr"

	"sekisho/agent/sensor/winstate"
	"sekisho/internal/policy"
)

// TestMain is also the child that the eyes ask: the test runs itself again.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == winstate.ChildWord {
		if err := winstate.Answer(context.Background(), os.Stdout, os.Args[2:]); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// added is a probe as an administrator makes it: a service, and a date in brackets in the registry of 32-bit programs.
var added = policy.Probe{ID: "added", Product: "Added Antivirus", OS: "windows", Detect: []policy.Place{{Kind: policy.PlaceService, Value: "sekisho-added"}},
	Facts: []policy.ProbeFact{
		{Fact: policy.FactRunning, Place: []policy.Place{{Kind: policy.PlaceService, Value: "sekisho-added"}}, Form: policy.Form{Type: policy.TypeBool}},
		{Fact: policy.FactRealtime, Place: []policy.Place{{Kind: policy.PlaceRegistry, Path: addedKey, Value: "On"}}, Form: policy.Form{Type: policy.TypeBool}},
		{Fact: policy.FactPatternDate, Place: []policy.Place{{Kind: policy.PlaceRegistry, Path: addedKey, Value: "Engine", Match: `\((\d{8})\)`}}, Form: policy.Form{Type: policy.TypeTime, Date: policy.DateYMD}},
	}}

const addedKey = `HKLM\SOFTWARE\Sekisho Added\*\Info`

// TestAProductThatWasAddedIsLookedAt: its values in the real registry, and a service that the control manager knows.
func TestAProductThatWasAddedIsLookedAt(t *testing.T) {
	if problems := added.Validate(); len(problems) > 0 {
		t.Fatal(problems)
	}
	const path = `SOFTWARE\Sekisho Added\12.1\Info`
	k, _, err := registry.CreateKey(registry.LOCAL_MACHINE, path, registry.SET_VALUE|registry.WOW64_32KEY)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if err := errors.Join(k.SetDWordValue("On", 1), k.SetStringValue("Engine", "30412 (20261125)")); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 26, 3, 0, 0, 0, time.UTC)
	e := New(Options{Now: func() time.Time { return now }})
	if got := e.judgedHere(t, now)["antivirus.present"]; got != "fail no_product" {
		t.Errorf("without its service: %q", got)
	}
	install(t, "sekisho-added")
	got := e.judgedHere(t, now)
	for check, want := range map[string]string{
		"antivirus.present": "fail stopped", "antivirus.patterns": "pass", "antivirus.realtime": "unknown no_source", "antivirus.scan_full": "unknown unread",
	} {
		if got[check] != want {
			t.Errorf("%s is %q, should be %q", check, got[check], want)
		}
	}
	if err := k.SetStringValue("Engine", "令和8年11月25日"); err != nil {
		t.Fatal(err)
	}
	if got := e.judgedHere(t, now)["antivirus.patterns"]; got != "unknown wrong_type" {
		t.Errorf("with another date: %q", got)
	}
}

func (e *Eyes) judgedHere(t *testing.T, now time.Time) map[string]string {
	p := policy.Builtin(policy.ModeAudit)
	p.Health = policy.DefaultHealth()
	p.Health.Probes = []policy.Probe{added}
	readings := e.Look(t.Context(), policy.AreaAntivirus, p.Health.Probes)
	out := map[string]string{}
	for _, r := range policy.Judge(p, &policy.Survey{OS: "windows", Up: 10 * time.Hour, Readings: readings}, nil, now) {
		if out[r.Check] = string(r.Result); r.Code != "" {
			out[r.Check] += " " + r.Code
		}
	}
	return out
}

// install makes a service that never runs.
func install(t *testing.T, name string) {
	m, err := mgr.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Disconnect()
	s, err := m.CreateService(name, `C:\Program Files\nobody.exe`, mgr.Config{StartType: mgr.StartManual})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Delete()
		s.Close()
	})
}

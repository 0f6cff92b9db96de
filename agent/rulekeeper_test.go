package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sekisho/agent/enforce/applocker"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// windowsRules is a system that takes rules.
type windowsRules struct {
	rules   applocker.Policy
	err     error
	wakeErr error
	state   string
}

func (w *windowsRules) Follow(_ *policy.Policy, rules applocker.Policy, _ time.Time) (bool, error) {
	if w.err != nil {
		return false, w.err
	}
	changed := len(rules.Rules) != len(w.rules.Rules) || len(rules.Rules) > 0 && rules.Enforce != w.rules.Enforce
	w.rules = rules
	return changed, nil
}

func (w *windowsRules) State(rules applocker.Policy) string {
	switch {
	case w.state != "":
		return w.state
	case len(rules.Rules) == 0:
		return "off"
	case rules.Enforce:
		return "stops"
	}
	return "records"
}

func (w *windowsRules) Wake() error { return w.wakeErr }

func newKeeper(t *testing.T, p *policy.Policy) (*ruleKeeper, *windowsRules, *policy.Policy) {
	w, poke := &windowsRules{}, make(chan struct{}, 1)
	seen := openSeen(t.TempDir(), zerolog.Nop(), func(h string) bool { return names(p, h) }, func() { ring(poke) })
	return &ruleKeeper{stand: w, view: func() *policy.Policy { return p }, now: func() time.Time { return began }, seen: seen, poke: poke}, w, p
}

func underRules(mode policy.Mode, rules ...policy.ProgramRule) *policy.Policy {
	p := policy.Builtin(policy.ModeAudit)
	p.Schema, p.Software = policy.SchemaSoftware, &policy.Software{Mode: mode, Undecided: policy.ActionReport, Stall: policy.ActionAllow, Rules: rules}
	return p
}

func TestTheSystemsRulesAreRecordedWhenTheyChange(t *testing.T) {
	k, _, p := newKeeper(t, underRules(policy.ModeEnforce))
	if r := k.turn(); r.record != nil || r.fault != "" || r.state != "off" {
		t.Errorf("nothing is controlled: %+v", r)
	}
	p.Software.Rules = []policy.ProgramRule{forbids("n", policy.ProgramMatch{Name: []string{"winny.exe"}}), forbids("m", policy.ProgramMatch{Publisher: []string{"Acme*"}})}
	r := k.turn()
	if r.record == nil || r.record.Kind != wire.RecordGate || r.record.Code != "applocker_stops" || !strings.Contains(r.record.Note, "m (Exe)") || len(r.unsaid) == 0 {
		t.Errorf("%+v", r)
	}
	if r := k.turn(); r.record != nil {
		t.Errorf("the same once more: %+v", r.record)
	}
	p.Software.Mode = policy.ModeAudit
	if r := k.turn(); r.record == nil || r.record.Code != "applocker_records" {
		t.Errorf("%+v", r)
	}
}

func TestWhatIsWrongWithTheSystemsRulesIsAFaultUntilItIsCured(t *testing.T) {
	k, w, _ := newKeeper(t, underRules(policy.ModeEnforce, forbids("n", policy.ProgramMatch{Name: []string{"winny.exe"}})))
	w.err = errors.New("cannot give AppLocker its rules: conflict")
	if r := k.turn(); r.fault == "" || r.record == nil || r.record.Code != "applocker_failed" {
		t.Errorf("%+v", r)
	}
	if r := k.turn(); r.fault == "" || r.record != nil {
		t.Errorf("the same fault: %+v", r)
	}
	w.err, w.wakeErr = nil, errors.New("cannot start AppIDSvc")
	if r := k.turn(); !strings.Contains(r.fault, "AppIDSvc") {
		t.Errorf("%+v", r)
	}
	w.wakeErr, w.state = nil, "failed: HKLM\\x is missing"
	if r := k.turn(); !strings.Contains(r.fault, "is missing") {
		t.Errorf("%+v", r)
	}
	w.state = ""
	if r := k.turn(); r.fault != "" || r.record == nil || r.record.Code != "applocker_stops" {
		t.Errorf("%+v", r)
	}
}

func TestAFileThatARuleNamesIsRememberedAndToldAtOnce(t *testing.T) {
	k, w, p := newKeeper(t, underRules(policy.ModeEnforce, byHash()))
	k.turn()
	if len(w.rules.Rules) > 0 {
		t.Errorf("it was not seen yet: %v", w.rules.Rules)
	}
	other := strings.Repeat("2", 64)
	k.seen.learn(other, applocker.FileHash{Authenticode: strings.Repeat("b", 64)})
	k.seen.learn(evilHash, applocker.FileHash{Authenticode: strings.Repeat("c", 64), Name: "evil.exe", Size: 9})
	select {
	case <-k.poke:
	default:
		t.Error("nobody is told")
	}
	k.turn()
	if len(w.rules.Rules) == 0 || !strings.Contains(w.rules.Rules[1].XML, strings.Repeat("C", 64)) {
		t.Errorf("%v", w.rules.Rules)
	}
	again := openSeen(filepath.Dir(k.seen.path), zerolog.Nop(), func(h string) bool { return names(p, h) }, func() {})
	if _, ok := again.get(evilHash); !ok {
		t.Error("it is forgotten with the agent")
	}
	if _, ok := again.get(other); ok {
		t.Error("what no rule names is kept")
	}
}

func TestABrokenMemoryOfFilesIsAnEmptyOne(t *testing.T) {
	for _, text := range []string{"", "null", "[", `{"x":{"Authenticode":"y"}}`, strings.Repeat(" ", 2<<20)} {
		dir := t.TempDir()
		mustDo(t, os.WriteFile(filepath.Join(dir, seenFile), []byte(text), 0o600))
		s := openSeen(dir, zerolog.Nop(), func(string) bool { return true }, func() {})
		if len(s.have) != 0 {
			t.Errorf("%.20q: %v", text, s.have)
		}
		s.learn(evilHash, applocker.FileHash{Authenticode: evilHash})
	}
}

func TestALongListOfWhatCannotBeSaidIsCut(t *testing.T) {
	list := make([]string, 50)
	if got := shownUnsaid(list); len(got) != maxUnsaid+1 || got[maxUnsaid] != "and 30 more" {
		t.Errorf("%d %q", len(got), got[len(got)-1])
	}
}

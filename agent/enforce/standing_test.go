package enforce

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"sekisho/agent/enforce/applocker"
	"sekisho/internal/policy"
)

func theStanding(t *testing.T, h *hive) standing {
	return standing{reg: h, dir: filepath.Join(t.TempDir(), "共有 ゲート")}
}

// software is a policy that forbids these names, and what no rule names as said.
func software(mode policy.Mode, undecided policy.Action, names ...string) *policy.Policy {
	p := policy.Builtin(policy.ModeAudit)
	p.Schema = policy.SchemaSoftware
	p.Software = &policy.Software{Mode: mode, Undecided: undecided, Stall: policy.ActionAllow}
	for i, n := range names {
		p.Software.Rules = append(p.Software.Rules, policy.ProgramRule{ID: fmt.Sprint("r-", i), Name: policy.Text{JA: "禁止 " + n},
			Action: policy.ActionBlock, Match: policy.ProgramMatch{Kind: []policy.ProgramKind{policy.ProgramFile}, Name: []string{n}}})
	}
	return p
}

func rulesOf(p *policy.Policy) applocker.Policy {
	return applocker.From(p, applocker.Options{Now: time.Unix(0, 0)})
}

func (h *hive) mode(c applocker.Collection) string {
	v, ok, _ := h.Value(appLockerKey+`\`+string(c), modeValue)
	switch {
	case !ok:
		return "none"
	case v.equal(dword(1)):
		return "stops"
	case v.equal(dword(0)):
		return "records"
	}
	return "strange"
}

func stands(t *testing.T, s standing, p *policy.Policy, want string) {
	t.Helper()
	if _, err := s.set(rulesOf(p), installerClosed(p, time.Unix(0, 0))); err != nil {
		t.Fatal(err)
	}
	if got := s.state(rulesOf(p)); got != want {
		t.Fatalf("it is %q, not %q", got, want)
	}
}

func TestTheRulesFollowThePolicyAndLeaveNoTrace(t *testing.T) {
	h := newHive()
	before := h.copy()
	s := theStanding(t, h)
	stands(t, s, software(policy.ModeAudit, policy.ActionReport, "winny.exe"), "records")
	stands(t, s, software(policy.ModeEnforce, policy.ActionReport, "winny.exe"), "stops")
	if h.mode(applocker.Exe) != "stops" || h.mode(applocker.Appx) != "stops" || h.mode(applocker.Dll) != "none" {
		t.Error("the collections do not stand as they should")
	}
	stands(t, s, software(policy.ModeEnforce, policy.ActionBlock, "winny.exe", "share.exe"), "stops")
	if v, _, _ := h.Value(installerKey, disableMSI); !v.equal(dword(1)) {
		t.Error("the installer is open")
	}
	if changed, err := s.set(rulesOf(software(policy.ModeEnforce, policy.ActionBlock, "winny.exe", "share.exe")), true); changed || err != nil {
		t.Errorf("the same once more: %v %v", changed, err)
	}
	stands(t, s, software(policy.ModeLearn, policy.ActionBlock, "winny.exe"), "records")
	if _, ok, _ := h.Value(installerKey, disableMSI); ok {
		t.Error("the installer is closed while the terminal learns")
	}
	stands(t, s, software(policy.ModeEnforce, policy.ActionReport), "off")
	stands(t, s, policy.Builtin(policy.ModeEnforce), "off")
	must(t, s.undo())
	if !reflect.DeepEqual(before, h.copy()) {
		t.Errorf("left behind: %v", h.copy())
	}
}

func TestRulesOfSomebodyElseAreLeftAloneAndOursDoNotStandBesideThem(t *testing.T) {
	for name, theirs := range map[string]struct {
		key, name string
		value     regValue
	}{
		"a rule":            {appLockerKey + `\Exe\921cc481-6e17-4653-8f75-050b80acca20`, ruleValue, text("<FilePathRule/>")},
		"a mode":            {appLockerKey + `\Script`, modeValue, dword(2)},
		"of another type":   {appLockerKey + `\Exe`, modeValue, text("1")},
		"of no rule's form": {appLockerKey + `\Dll`, modeValue, regValue{Type: 3, Data: []byte{9}}},
	} {
		h := newHive()
		s := theStanding(t, h)
		stands(t, s, software(policy.ModeEnforce, policy.ActionReport, "winny.exe"), "stops")
		must(t, h.Set(theirs.key, theirs.name, theirs.value)) // comes while ours stand
		p := software(policy.ModeEnforce, policy.ActionReport, "winny.exe")
		for range 2 {
			if _, err := s.set(rulesOf(p), false); err == nil || !strings.Contains(err.Error(), "conflict") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if v, ok, _ := h.Value(theirs.key, theirs.name); !ok || !v.equal(theirs.value) {
			t.Errorf("%s: theirs is %+v", name, v)
		}
		if keys, _ := h.Below(appLockerKey + `\Appx`); len(keys) > 0 {
			t.Errorf("%s: ours stand beside theirs: %q", name, keys)
		}
		must(t, h.Drop(theirs.key, theirs.name))
		stands(t, s, p, "stops")
	}
}

func TestTheInstallersPolicyOfADomainStays(t *testing.T) {
	h := newHive()
	must(t, h.Set(installerKey, disableMSI, dword(0)))
	s := theStanding(t, h)
	if _, err := s.set(applocker.Policy{}, true); err == nil || !strings.Contains(err.Error(), "group policy") {
		t.Errorf("%v", err)
	}
	must(t, s.undo())
	if v, ok, _ := h.Value(installerKey, disableMSI); !ok || !v.equal(dword(0)) {
		t.Errorf("theirs is %+v", v)
	}
}

// TestAServiceKilledWhileTheRulesChangeStopsNothingByHalves: at any write, what is enforced is whole, and the next one undoes all.
func TestAServiceKilledWhileTheRulesChangeStopsNothingByHalves(t *testing.T) {
	old := software(policy.ModeEnforce, policy.ActionBlock, "winny.exe")
	next := software(policy.ModeEnforce, policy.ActionBlock, "share.exe", "winny.exe")
	whole := func(h *hive) bool {
		for _, p := range []*policy.Policy{old, next} {
			if missing(h, ruleWishes(rulesOf(p), true)) == "" {
				return true
			}
		}
		return false
	}
	for _, change := range []func(standing) error{
		func(s standing) error { _, err := s.set(rulesOf(next), true); return err },
		func(s standing) error { return s.undo() },
		func(s standing) error {
			_, err := s.set(rulesOf(software(policy.ModeAudit, policy.ActionBlock, "winny.exe")), false)
			return err
		},
	} {
		for left := 0; ; left++ {
			h := newHive()
			before := h.copy()
			s := theStanding(t, h)
			stands(t, s, old, "stops")
			h.left = left
			err := change(s)
			h.left = -1
			if err != nil && !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			for _, c := range applocker.Written() {
				if h.mode(c) == "stops" && !whole(h) && partly(h, old) && partly(h, next) {
					t.Fatalf("after %d writes %s is enforced by halves", left, c)
				}
			}
			must(t, s.undo())
			if !reflect.DeepEqual(before, h.copy()) {
				t.Fatalf("after %d writes left behind: %v", left, h.copy())
			}
			if err == nil {
				break
			}
		}
	}
}

// partly says whether a rule of p is missing.
func partly(h *hive, p *policy.Policy) bool {
	return missing(h, ruleWishes(rulesOf(p), true)[len(applocker.Written()):]) != ""
}

func TestTheInstallerIsClosedOnlyWhereNoPackageCouldBePermitted(t *testing.T) {
	at := time.Unix(1000, 0)
	allow := func(m policy.ProgramMatch) *policy.Policy {
		p := software(policy.ModeEnforce, policy.ActionBlock)
		p.Software.Rules = append(p.Software.Rules, policy.ProgramRule{ID: "a", Action: policy.ActionAllow, Match: m})
		return p
	}
	permit := software(policy.ModeEnforce, policy.ActionBlock)
	permit.Software.Permits = []policy.Permit{{ID: "p", Match: policy.ProgramMatch{Name: []string{"x"}}, From: at, Until: at.Add(time.Hour)}}
	byKind := software(policy.ModeEnforce, policy.ActionReport)
	byKind.Software.Rules = []policy.ProgramRule{{ID: "b", Action: policy.ActionBlock, Match: policy.ProgramMatch{Source: []string{policy.SourceLocal}}}}
	for name, c := range map[string]struct {
		p    *policy.Policy
		want bool
	}{
		"nothing controlled": {policy.Builtin(policy.ModeEnforce), false}, "none": {nil, false},
		"undecided stopped": {software(policy.ModeEnforce, policy.ActionBlock), true}, "audit": {software(policy.ModeAudit, policy.ActionBlock), false},
		"undecided reported": {software(policy.ModeEnforce, policy.ActionReport), false}, "what is brought is stopped": {byKind, true},
		"a maker's packages are allowed": {allow(policy.ProgramMatch{Publisher: []string{"Acme*"}}), false},
		"programs are allowed":           {allow(policy.ProgramMatch{Kind: []policy.ProgramKind{policy.ProgramFile}, Name: []string{"x"}}), true},
		"repositories are allowed":       {allow(policy.ProgramMatch{Source: []string{policy.SourceRepository}}), true},
		"a permission runs":              {permit, false},
	} {
		if got := installerClosed(c.p, at); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if !installerClosed(permit, at.Add(time.Hour)) {
		t.Error("the permission is over")
	}
}

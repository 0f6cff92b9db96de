package carryout

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

func tool() *policy.Program {
	return &policy.Program{ID: "file:/home/u/tool", Kind: policy.ProgramFile, Name: "tool", Version: "2.1", Path: "/home/u/tool", Hash: strings.Repeat("ab", 32)}
}

func askedFor(way int) store.Grant {
	return store.Grant{Event: 7, Reason: "帳票の修正", By: "tanaka", Grant: policy.Grant{Until: now.Add(8 * time.Hour)},
		Permit: &policy.Permit{Match: policy.PermitWays(*tool())[way].Match}}
}

func TestASoftwarePermissionIsForTheRecordsProgramOnItsTerminal(t *testing.T) {
	for way := range 2 {
		got, problems, err := office(t, &desk{tool: tool()}).Give(t.Context(), askedFor(way), now)
		if err != nil || len(problems) > 0 || got.Terminal != "t1" || got.DeviceName != "tool 2.1" || got.Approver != "tanaka" || !got.From.Equal(now) {
			t.Errorf("%+v %v %v", got, problems, err)
		}
	}
	fromList := askedFor(0)
	fromList.Event, fromList.Terminal, fromList.Permit.ID = 0, "t1", tool().ID
	if got, problems, err := office(t, &desk{tool: tool()}).Give(t.Context(), fromList, now); err != nil || len(problems) > 0 || got.Terminal != "t1" {
		t.Errorf("from the terminal's list: %+v %v %v", got, problems, err)
	}
}

func TestASoftwarePermissionThatNamesMoreOrHasNoEndIsRefused(t *testing.T) {
	for field, change := range map[string]func(*store.Grant){
		"way":      func(g *store.Grant) { g.Permit.Match = policy.ProgramMatch{Name: []string{"t*"}} },
		"until":    func(g *store.Grant) { g.Until = time.Time{} },
		"reason":   func(g *store.Grant) { g.Reason = " " },
		"program":  func(g *store.Grant) { g.Event = 8 },
		"terminal": func(g *store.Grant) { g.Terminal = "t2" },
	} {
		g, d := askedFor(0), &desk{tool: tool()}
		change(&g)
		_, problems, err := office(t, d).Give(t.Context(), g, now)
		if err != nil || len(problems) != 1 || problems[0].Path != field || len(d.given) > 0 {
			t.Errorf("%s: %v %v", field, problems, err)
		}
	}
}

func TestTheDocumentCarriesPermitsOnACopyOfTheGroupsControl(t *testing.T) {
	own := policy.DefaultSoftware()
	d := &desk{policy: store.TerminalPolicy{Terminal: store.Terminal{ID: "t1", Group: "g", Revision: 4}, RevisedAt: now,
		Policy: store.GroupPolicy{Control: policy.DefaultControl(policy.ModeAudit), Software: own}}}
	for i, end := range []time.Time{now.Add(time.Hour), now.Add(-time.Hour)} {
		g := store.Grant{Grant: policy.Grant{ID: "G-000" + string(rune('1'+i)), From: now.Add(-2 * time.Hour), Until: end}}
		g.Permit = &policy.Permit{ID: g.ID, From: g.From, Until: g.Until, Match: policy.ProgramMatch{Hash: []string{tool().Hash}}}
		d.policy.Grants = append(d.policy.Grants, g)
	}
	payload, _, err := office(t, d).Document(t.Context(), "t1", wire.Version)
	if err != nil {
		t.Fatal(err)
	}
	var p policy.Policy
	if err := json.Unmarshal(payload, &p); err != nil {
		t.Fatal(err)
	}
	if len(p.Grants) != 0 || len(p.Software.Permits) != 1 || len(own.Permits) != 0 {
		t.Errorf("%+v", p)
	}
	if got := policy.DecideProgram(&p, *tool(), now); got.Rule != policy.RulePermit || got.Grant != "G-0001" {
		t.Errorf("the terminal would say %+v", got)
	}
	old, _, err := office(t, d).Document(t.Context(), "t1", wire.VersionUpdate)
	if err != nil || strings.Contains(string(old), "permits") {
		t.Errorf("an older agent gets %s %v", old, err)
	}
}

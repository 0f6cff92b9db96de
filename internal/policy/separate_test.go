package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// separated is a policy that has the adapters of four checks disabled.
func separated(mode Mode, allowed ...string) *Policy {
	p := Builtin(ModeAudit)
	p.Terminal, p.Revision, p.Health = "t1", 7, &Health{Mode: mode}
	for _, id := range []string{"network.second_card", "network.wifi", "network.tether", "network.modem"} {
		p.Health.Checks = append(p.Health.Checks, Check{ID: id, Separate: SeparateDisable, Allowed: allowed, Clause: ClauseNetwork})
	}
	return p
}

func failing(ids ...string) []CheckResult {
	var out []CheckResult
	for _, id := range ids {
		out = append(out, CheckResult{Check: id, Result: ResultFail, Stage: StageViolation})
	}
	return out
}

var (
	ours    = Adapter{ID: "2 eth0", Name: "eth0", Fact: FactCards, Word: "eth0 52:54:00:00:00:01", Linked: true, Reached: true, Routed: true}
	second  = Adapter{ID: "3 eth1", Name: "eth1", Fact: FactCards, Word: "eth1 02:00:00:00:00:01", Linked: true}
	phone   = Adapter{ID: "4 usb0", Name: "usb0", Fact: FactTethers, Word: "usb0 rndis_host", Linked: true}
	unused  = Adapter{ID: "5 wlp1", Name: "wlp1", Fact: FactWifi, Word: "wlp1 02:00:00:00:00:05"}
	cafe    = Adapter{ID: "5 wlp1", Name: "wlp1", Fact: FactWifi, Word: "cafe-free", Linked: true}
	virtual = Adapter{ID: "9 br0", Name: "br0", Linked: true}
)

func spellSeparation(s Separation) string {
	var out []string
	for _, p := range s.Parts {
		out = append(out, p.Check+" "+p.Adapter.Name)
	}
	return strings.Join(append(out, s.Unclear), ";")
}

func TestOnlyTheOtherNetworkIsParted(t *testing.T) {
	with := func(a Adapter, change func(*Adapter)) Adapter { change(&a); return a }
	reached := func(a *Adapter) { a.Reached = true }
	routed := func(a *Adapter) { a.Routed = true }
	officeAs := func(of Adapter) Adapter { return with(of, func(a *Adapter) { a.Reached, a.Routed = true, true }) }
	for what, c := range map[string]struct {
		policy   *Policy
		results  []CheckResult
		adapters []Adapter
		deaf     bool
		want     string
	}{
		"a telephone beside the office's card":   {separated(ModeEnforce), failing("network.tether"), []Adapter{ours, phone, unused, virtual}, false, "network.tether usb0;"},
		"a second card":                          {separated(ModeEnforce), failing("network.second_card"), []Adapter{ours, second}, false, "network.second_card eth1;"},
		"both":                                   {separated(ModeEnforce), failing("network.second_card", "network.tether"), []Adapter{ours, second, phone}, false, "network.second_card eth1;network.tether usb0;"},
		"one that is held is still to be parted": {separated(ModeEnforce), failing("network.tether"), []Adapter{ours, with(phone, func(a *Adapter) { a.Linked, a.Held = false, true })}, false, "network.tether usb0;"},
		"a card without a cable":                 {separated(ModeEnforce), failing("network.second_card"), []Adapter{ours, with(second, func(a *Adapter) { a.Linked = false })}, false, ""},
		"one that is allowed":                    {separated(ModeEnforce, "eth1 *"), failing("network.second_card"), []Adapter{ours, second}, false, ""},
		"the check passes":                       {separated(ModeEnforce), nil, []Adapter{ours, phone}, false, ""},
		"somebody answers for it":                {separated(ModeEnforce), []CheckResult{{Check: "network.tether", Result: ResultFail, Waiver: "W-1"}}, []Adapter{ours, phone}, false, ""},
		"it is not known whether it fails":       {separated(ModeEnforce), []CheckResult{{Check: "network.tether", Result: ResultUnknown}}, []Adapter{ours, phone}, false, ""},
		"an unknown gateway on the office's":     {separated(ModeEnforce), failing("network.gateway", "network.second_route"), []Adapter{ours, phone}, false, ""},

		"the console was not heard":                    {separated(ModeEnforce), failing("network.tether"), []Adapter{ours, phone}, true, UnclearConsole},
		"nothing is known to lead to the console":      {separated(ModeEnforce), failing("network.second_card"), []Adapter{with(ours, func(a *Adapter) { a.Reached, a.Routed = false, false }), second}, false, UnclearOffice},
		"the console is reached through the telephone": {separated(ModeEnforce), failing("network.tether", "network.second_card"), []Adapter{second, officeAs(phone)}, false, UnclearOffice},
		"the telephone would be the way now":           {separated(ModeEnforce), failing("network.tether"), []Adapter{with(ours, func(a *Adapter) { a.Routed = false }), with(phone, routed)}, false, UnclearWays},
		"the telephone was the way until now":          {separated(ModeEnforce), failing("network.tether"), []Adapter{with(ours, func(a *Adapter) { a.Reached = false }), with(phone, reached)}, false, UnclearWays},
		"the office's cable was pulled":                {separated(ModeEnforce), failing("network.wifi"), []Adapter{with(ours, func(a *Adapter) { a.Linked = false }), cafe}, false, UnclearOffice},
		"a strange wireless network is no office":      {separated(ModeEnforce), failing("network.wifi", "network.second_card"), []Adapter{officeAs(cafe), second}, false, UnclearOffice},
		"the office's own wireless network is listed":  {separated(ModeEnforce, "cafe-*"), failing("network.second_card"), []Adapter{officeAs(cafe), second}, false, "network.second_card eth1;"},
		"two cards that are one bond":                  {separated(ModeEnforce), failing("network.second_card"), []Adapter{ours, officeAs(second)}, false, ""},
		"no adapters at all":                           {separated(ModeEnforce), failing("network.tether"), nil, false, UnclearOffice},
	} {
		if got := spellSeparation(Separate(c.policy, "linux", c.results, c.adapters, !c.deaf)); got != c.want {
			t.Errorf("%s: %q, not %q", what, got, c.want)
		}
	}
}

func TestNothingIsPartedUnlessThePolicyAsks(t *testing.T) {
	for what, change := range map[string]func(*Policy){
		"by default":      func(p *Policy) { p.Health.Checks[2].Separate = "" },
		"report":          func(p *Policy) { p.Health.Checks[2].Separate = SeparateReport },
		"the check off":   func(p *Policy) { p.Health.Checks[2].Off = true },
		"another group":   func(p *Policy) { p.Health.Checks[2].Group = []string{"servers"} },
		"another system":  func(p *Policy) { p.Health.Checks[2].OS = []string{"windows"} },
		"no health":       func(p *Policy) { p.Health = nil },
		"a word not ours": func(p *Policy) { p.Health.Checks[2].Separate = "destroy" },
	} {
		p := separated(ModeEnforce)
		change(p)
		if s := Separate(p, "linux", failing("network.tether"), []Adapter{ours, phone}, true); len(s.Parts)+len(s.Wanted) > 0 || s.Unclear != "" {
			t.Errorf("%s: %+v", what, s)
		}
	}
	for _, c := range DefaultHealth().Checks {
		if c.Separate != "" {
			t.Errorf("%s begins with %q", c.ID, c.Separate)
		}
	}
}

func TestADecisionToPartSaysWhy(t *testing.T) {
	for mode, do := range map[Mode]Action{ModeEnforce: ActionBlock, ModeWarn: ActionAllow, ModeAudit: ActionAllow} {
		s := Separate(separated(mode), "linux", failing("network.tether"), []Adapter{ours, phone}, true)
		if len(s.Parts) != 1 {
			t.Fatalf("%s: %+v", mode, s)
		}
		d := s.Parts[0].Decision
		if d.Do() != do || d.Rule != "network.tether" || d.Clause != ClauseNetwork || d.Revision != 7 || d.RuleName.JA == "" || d.RuleName.EN == "" {
			t.Errorf("%s: %+v", mode, d)
		}
	}
}

// TestTheConsoleIsNeverCutOff tries any mixture of adapters, lists and failures.
func TestTheConsoleIsNeverCutOff(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	is := func() bool { return r.IntN(2) == 0 }
	facts := []string{FactCards, FactWifi, FactTethers, FactModems, FactVPNs, ""}
	parted := 0
	for range 50000 {
		list := []Adapter{ours}
		if r.IntN(4) == 0 {
			list = nil
		}
		for i := range r.IntN(5) {
			list = append(list, Adapter{ID: fmt.Sprint(i), Fact: facts[r.IntN(len(facts))], Word: fmt.Sprintf("w%d", r.IntN(3)), Linked: is(), Held: is(), Reached: r.IntN(6) == 0, Routed: r.IntN(6) == 0})
		}
		p := separated(ModeEnforce)
		for i := range p.Health.Checks {
			if is() {
				p.Health.Checks[i].Allowed = []string{fmt.Sprintf("w%d", r.IntN(3))}
			}
		}
		var results []CheckResult
		for _, c := range p.Health.Checks {
			results = append(results, CheckResult{Check: c.ID, Result: []Result{ResultFail, ResultFail, ResultPass, ResultUnknown}[r.IntN(4)]})
		}
		heard := is()
		s := Separate(p, "linux", results, list, heard)
		way := slices.ContainsFunc(list, func(a Adapter) bool { return a.Reached && a.Routed && a.Linked && !a.Held })
		for _, part := range s.Parts {
			parted++
			if part.Adapter.Reached || part.Adapter.Routed || !way || !heard || s.Unclear != "" {
				t.Fatalf("%+v of %+v", part, list)
			}
		}
	}
	if parted < 1000 {
		t.Errorf("only %d were parted: this test tries nothing", parted)
	}
}

// TestAHeldAdapterStaysAReasonToFail: it is disabled, not taken away; only when it is gone is the terminal compliant.
func TestAHeldAdapterStaysAReasonToFail(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	o := Origin{Fact: FactTethers, Source: "rtnetlink", At: now}
	acted := Acted{Check: "network.tether", Fact: FactTethers, Word: phone.Word, Act: Act{Adapter: "usb0", Outcome: OutcomeBlocked}}
	judge := func(r Reading, acts ...Acted) CheckResult {
		list := Judge(separated(ModeEnforce), &Survey{OS: "linux", Readings: []Reading{r}, Acts: acts}, nil, now)
		return *find(list, "network.tether")
	}
	if r := judge(o.List(nil), acted); r.Result != ResultFail || r.Act != acted.Act || r.Value != phone.Word {
		t.Errorf("held: %+v", r)
	}
	if r := judge(o.List([]Entry{{Word: phone.Word}}), acted); r.Value != phone.Word {
		t.Errorf("seen and held: %+v", r)
	}
	if r := judge(o.List(nil)); r.Result != ResultPass || r.Act != (Act{}) {
		t.Errorf("gone: %+v", r)
	}
	if r := judge(o.Unread(CodeFailed, "x"), acted); r.Result != ResultUnknown {
		t.Errorf("not read: %+v", r)
	}
	failed := Acted{Check: "network.tether", Fact: FactTethers, Word: "x", Act: Act{Adapter: "x", Outcome: OutcomeBlockFailed}}
	if r := judge(o.List(nil), acted, failed); r.Act != failed.Act {
		t.Errorf("one that could not be disabled is said first: %+v", r.Act)
	}
}

func TestSeparateIsAskedForOnlyWhereItMeansSomething(t *testing.T) {
	for _, c := range []struct {
		id, word string
		schema   int
		fine     bool
	}{
		{"network.tether", SeparateDisable, SchemaSeparate, true}, {"network.wifi", SeparateReport, SchemaSeparate, true}, {"network.tether", "", SchemaHealth, true},
		{"network.gateway", SeparateDisable, SchemaSeparate, false}, {"network.second_route", SeparateDisable, SchemaSeparate, false}, {"settings.firewall", SeparateReport, SchemaSeparate, false},
		{"network.tether", "off", SchemaSeparate, false}, {"network.tether", SeparateDisable, SchemaHealth, false},
	} {
		p := Builtin(ModeAudit)
		p.Schema, p.Health = c.schema, &Health{Mode: ModeEnforce, Checks: []Check{{ID: c.id, Separate: c.word}}}
		problems := p.Validate()
		if (len(problems) == 0) != c.fine || !c.fine && problems[0].Path != "health.checks[0].separate" {
			t.Errorf("%+v: %+v", c, problems)
		}
	}
}

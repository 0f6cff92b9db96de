package policy

import "slices"

// What Check.Separate says about the adapter of another network. "" is SeparateReport.
const (
	SeparateReport  = "report"  // it is recorded and told, nothing more
	SeparateDisable = "disable" // in enforce mode the adapter is disabled while it lasts
)

// Why no adapter was disabled although the policy asks for it.
const (
	UnclearConsole = "console"  // the console was not heard lately, so that nobody knows by which adapter it is
	UnclearWays    = "ways"     // what is sent to the console now would leave by another adapter than it was reached by
	UnclearOffice  = "office"   // the console is reached by something that cannot be told to be the office's network
	UnclearLook    = "adapters" // the adapters could not be read
)

// Adapter is one adapter of the terminal, as it stands now.
type Adapter struct {
	ID      string `json:"id"`   // the hands know it by this
	Name    string `json:"name"` // for people
	Fact    string `json:"fact"` // the list that it is a line of, when it is linked; "" is one that no check is about
	Word    string `json:"word"` // its line
	Linked  bool   `json:"-"`    // something is at its other end
	Held    bool   `json:"-"`    // it was disabled because of its line
	Reached bool   `json:"-"`    // the newest answer of the console came in by it, or by what is built on it
	Routed  bool   `json:"-"`    // what is sent to the console now would leave by it, or by what is built on it
}

// Parting is the decision that an adapter is disabled, and for which check.
type Parting struct {
	Check    string
	Adapter  Adapter
	Decision Decision
}

// Separation is what is to be done about other networks now.
type Separation struct {
	Wanted  []string // checks that ask for it
	Parts   []Parting
	Unclear string // why there are none, although checks ask for it
}

// separable are the checks whose failure is one adapter's, by the list that they look at. A gateway or a proxy that nobody knows is
// the main network's own, and a tunnel is no adapter: they are never a reason to disable anything.
var separable = map[string]string{
	"network.second_card": FactCards, "network.wifi": FactWifi, "network.tether": FactTethers, "network.modem": FactModems,
}

// Separable says whether a check can have the other adapter disabled.
func Separable(check string) bool { return separable[check] != "" }

// Separates says whether the check asks for adapters to be disabled.
func (c *Check) Separates() bool { return c.Separate == SeparateDisable && Separable(c.ID) }

// Separate decides which adapters are to be disabled: those that a failing check names, and never one by which the console is
// reached, or would be. Where it is not certain which adapter is the office's, none is. Heard says that the console answered lately.
// Like Decide it is total and has no clock.
func Separate(p *Policy, system string, results []CheckResult, adapters []Adapter, heard bool) Separation {
	var out Separation
	if p == nil || p.Health == nil {
		return out
	}
	wanted := p.separating(system, results)
	for _, c := range wanted {
		out.Wanted = append(out.Wanted, c.ID)
	}
	if len(wanted) == 0 {
		return out
	}
	if out.Unclear = p.unclear(adapters, heard); out.Unclear != "" {
		return out
	}
	for _, c := range wanted {
		for _, a := range adapters {
			if c.parts(a) {
				out.Parts = append(out.Parts, Parting{Check: c.ID, Adapter: a, Decision: p.Parting(c)})
			}
		}
	}
	return out
}

// separating are the checks that fail, that nobody answers for, and that ask for it.
func (p *Policy) separating(system string, results []CheckResult) []*Check {
	var out []*Check
	for i := range p.Health.Checks {
		c := &p.Health.Checks[i]
		if !c.Separates() || c.Off || !among(c.Group, p.Group) || !among(c.OS, system) {
			continue
		}
		if r := find(results, c.ID); r != nil && r.Result == ResultFail && r.Waiver == "" {
			out = append(out, c)
		}
	}
	return out
}

// unclear says why it cannot be told which adapter is the office's: exactly those that the console was reached by, that lead to it now as
// well, and that are cards or on a list of what is allowed. A telephone's or a stranger's network is never taken for the office's.
func (p *Policy) unclear(adapters []Adapter, heard bool) string {
	if !heard {
		return UnclearConsole
	}
	office := false
	for _, a := range adapters {
		switch {
		case a.Reached != a.Routed:
			return UnclearWays
		case a.Reached && (!a.Linked || a.Held || !p.isOffice(a)):
			return UnclearOffice
		case a.Reached:
			office = true
		}
	}
	if !office {
		return UnclearOffice
	}
	return ""
}

func (p *Policy) isOffice(a Adapter) bool {
	if a.Fact == FactCards {
		return true
	}
	return slices.ContainsFunc(p.Health.Checks, func(c Check) bool {
		return separable[c.ID] == a.Fact && a.Fact != "" && len(c.Allowed) > 0 && fits(c.Allowed, a.Word)
	})
}

// parts says whether the check has this adapter disabled.
func (c *Check) parts(a Adapter) bool {
	return a.Fact == separable[c.ID] && (a.Linked || a.Held) && !a.Reached && !a.Routed && (len(c.Allowed) == 0 || !fits(c.Allowed, a.Word))
}

// Parting is the decision to disable an adapter because of a check.
func (p *Policy) Parting(c *Check) Decision {
	info, _ := CheckOf(c.ID)
	return Decision{Action: ActionBlock, Mode: p.Health.ModeOf(c), Rule: c.ID, RuleName: info.Name, Clause: c.Clause, Revision: p.Revision}
}

// Act is what was done about a failure beside telling of it.
type Act struct {
	Adapter string  `json:"adapter,omitempty"` // its name
	Outcome Outcome `json:"outcome,omitempty"` // OutcomeBlocked only where it was seen to be disabled
	Code    string  `json:"code,omitempty"`    // why nothing was done: Unclear… constants
}

// Acted is an act with the check that it is about. Fact and Word name the line of an adapter that is disabled: it is not seen any more, and is
// still a reason to fail, because it was not taken away but only disabled.
type Acted struct {
	Check string
	Act   Act
	Fact  string
	Word  string
}

// withHeld adds the lines of disabled adapters to the lists that were read.
func withHeld(readings []Reading, acts []Acted) []Reading {
	if len(acts) == 0 {
		return readings
	}
	out := slices.Clone(readings)
	for i, r := range out {
		if r.is != TypeList {
			continue
		}
		for _, a := range acts {
			if a.Fact == r.origin.Fact && a.Word != "" && !slices.ContainsFunc(r.list, func(e Entry) bool { return e.Word == a.Word }) {
				out[i].list = append(slices.Clip(out[i].list), Entry{Word: a.Word})
			}
		}
	}
	return out
}

// actOn gives what was done about a check; the worst where it is several things.
func actOn(acts []Acted, check string) Act {
	var out Act
	for _, a := range acts {
		if a.Check == check && (out == (Act{}) || a.Act.Outcome != OutcomeBlocked) {
			out = a.Act
		}
	}
	return out
}

package policy

import (
	"slices"
	"time"
)

// Rule ids of what no policy can change. Validate refuses a policy's rule that begins like them.
const (
	RuleSafe    = "built-in safe"    // keyboard, mouse, hub, card reader and nothing else
	RuleSystem  = "built-in system"  // the disk this terminal runs from
	RuleGrant   = "built-in grant"   // a media use permission is running
	RuleDefault = "built-in default" // no rule of the policy matched
)

// Decide judges an event. It is total: a nil policy, broken rules and hostile strings get an answer too, the shut one.
//
// The order is the meaning: what no policy can take away; what a grant covers; the policy's rules, first match wins;
// and, when none matched, block what stores or is not understood.
func Decide(p *Policy, ev Event, now time.Time) Decision {
	if p == nil {
		p = Builtin(ModeEnforce)
	}
	dev := ev.Device
	if len(dev.Kinds) == 0 {
		dev.Kinds = []Kind{KindUnknown}
	}
	if d, ok := p.unchangeable(dev); ok {
		return d
	}
	if g := p.grantFor(dev, now); g != nil {
		return p.answer(Decision{Action: ActionAllow, Rule: RuleGrant, RuleName: nameGrant, Grant: g.ID, Until: g.Until})
	}
	for i := range p.RemovableMedia.Rules {
		if r := &p.RemovableMedia.Rules[i]; r.Match.matches(p.Group, dev) {
			return p.answer(Decision{Action: r.action(), Rule: r.ID, RuleName: r.Name, Clause: r.Clause, Alarm: r.Alarm})
		}
	}
	return p.byDefault(dev)
}

// unchangeable answers for the devices without which nobody could work on the terminal or repair it.
func (p *Policy) unchangeable(dev Device) (Decision, bool) {
	if only(dev.Kinds, safe) {
		return p.answer(Decision{Action: ActionAllow, Rule: RuleSafe, RuleName: nameSafe}), true
	}
	if dev.Has(KindSystem) && only(dev.Kinds, systems) {
		return p.answer(Decision{Action: ActionAllow, Rule: RuleSystem, RuleName: nameSystem}), true
	}
	return Decision{}, false
}

func (p *Policy) byDefault(dev Device) Decision {
	d := Decision{Action: ActionAllow, Rule: RuleDefault, RuleName: nameDefault}
	if StorageCapable(dev.Kinds) || !only(dev.Kinds, all) || dev.Has(KindUnknown) {
		d.Action = ActionBlock
		d.Alarm = Composite(dev.Kinds)
		if _, known := p.Clauses[ClauseMedia]; known {
			d.Clause = ClauseMedia
		}
	}
	return p.answer(d)
}

// answer adds what every decision says about the policy.
func (p *Policy) answer(d Decision) Decision {
	d.Revision, d.Mode = p.Revision, p.RemovableMedia.Mode
	if !slices.Contains(modes, d.Mode) {
		d.Mode = ModeEnforce // nobody said that the gate may be open
	}
	return d
}

// action is what the rule says; a word we do not know is not a permission.
func (r *Rule) action() Action {
	if slices.Contains(actions, r.Action) {
		return r.Action
	}
	return ActionBlock
}

var (
	modes   = []Mode{ModeAudit, ModeWarn, ModeEnforce}
	actions = []Action{ActionAllow, ActionBlock, ActionReport}
)

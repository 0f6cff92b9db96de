// Package applocker says a policy's rules about programs in AppLocker's words. It never touches the registry, and what it
// says never stops what the policy lets through: a rule that AppLocker cannot say exactly is left to those who look at
// each program that starts, and listed with the reason.
package applocker

import (
	"fmt"
	"slices"
	"time"

	"sekisho/internal/policy"
)

// Collection is a kind of files with rules of its own
// (https://learn.microsoft.com/windows/security/application-security/application-control/app-control-for-business/applocker/working-with-applocker-rules).
type Collection string

// The collections, named as their registry keys are. Dll is never written: every library of every program would be
// looked up, and one that is forgotten stops a program in the middle.
const (
	Exe    Collection = "Exe"
	Dll    Collection = "Dll"
	Msi    Collection = "Msi"
	Script Collection = "Script"
	Appx   Collection = "Appx"
)

// Collections gives all of them.
func Collections() []Collection { return []Collection{Exe, Dll, Msi, Script, Appx} }

// Written gives those that a policy which stops something consists of. Appx is always among them: enforced rules for
// programs without rules for packaged apps stop every packaged app (event 8027).
func Written() []Collection { return []Collection{Exe, Msi, Script, Appx} }

// Policy is what AppLocker is to be told.
type Policy struct {
	Enforce bool   // else it only writes what it would have stopped into its log
	Rules   []Rule // none: AppLocker is left alone
	Unsaid  []Unsaid
}

// Rule is one of AppLocker's rules. The same policy gives the same ID.
type Rule struct {
	ID         string // GUID, lower case, without braces
	Collection Collection
	XML        string
}

// Unsaid is a rule of the policy that AppLocker is not told, or not in this collection.
type Unsaid struct {
	Rule       string
	Collection Collection
	Why        string
}

// String is for the status and the records.
func (u Unsaid) String() string { return fmt.Sprintf("%s (%s): %s", u.Rule, u.Collection, u.Why) }

// FileHash is what AppLocker calls a program file: the hash that its signature is made over, which is not that of all its bytes.
type FileHash struct {
	Authenticode string // SHA-256 in hex
	Name         string
	Size         int64
}

// Options is what the policy does not say itself.
type Options struct {
	Now time.Time
	// Seen gives what was learnt of a file with this SHA-256, when one was seen on this terminal.
	Seen func(hash string) (FileHash, bool)
}

// MaxRules bounds what is written into the registry.
const MaxRules = 1500

// From says what can be said of p.
func From(p *policy.Policy, o Options) Policy {
	if p == nil || p.Software == nil {
		return Policy{}
	}
	out := Policy{Enforce: p.Software.Mode == policy.ModeEnforce}
	stops := false
	for _, c := range Written() {
		b := book{collection: c, p: p, o: o}
		b.read()
		out.Rules = append(out.Rules, b.rules()...)
		out.Unsaid = append(out.Unsaid, b.unsaid...)
		stops = stops || b.stops()
	}
	switch {
	case !stops:
		out.Rules = nil // there is nothing to tell: everything would be allowed
	case len(out.Rules) > MaxRules:
		out.Unsaid = append(out.Unsaid, Unsaid{policy.RuleUndecided, Exe, fmt.Sprintf("%d rules are more than AppLocker is given; it is told nothing", len(out.Rules))})
		out.Rules = nil
	}
	return out
}

// step is one rule or permission of the policy, in its order.
type step struct {
	id, name string
	lets     bool
	match    policy.ProgramMatch
}

func steps(p *policy.Policy, now time.Time) []step {
	var out []step
	for _, t := range p.Software.Permits {
		if !now.Before(t.From) && now.Before(t.Until) {
			out = append(out, step{t.ID, "permission " + t.ID, true, t.Match})
		}
	}
	for _, r := range p.Software.Rules {
		out = append(out, step{r.ID, r.Name.JA, r.Action != policy.ActionBlock, r.Match})
	}
	return out
}

// book is one collection while it is written.
type book struct {
	collection Collection
	p          *policy.Policy
	o          Options
	denied     []spoken
	passed     []spoken
	barrier    string // the first rule that lets through and cannot be said
	unsaid     []Unsaid
}

// spoken is one condition of a step, and what it must not reach.
type spoken struct {
	step step
	is   condition
	but  []condition
}

func (b *book) read() {
	for _, s := range steps(b.p, b.o.Now) {
		found, why := b.translate(s.match)
		switch {
		case why != "":
			b.cannot(s, why)
		case s.lets:
			for _, c := range found {
				b.passed = append(b.passed, spoken{step: s, is: c})
			}
		default:
			b.deny(s, found)
		}
	}
	if b.blocksUndecided() && !b.closed() {
		b.say(policy.RuleUndecided, b.whyOpen())
	}
}

func (b *book) cannot(s step, why string) {
	b.say(s.id, why)
	if s.lets && b.barrier == "" {
		b.barrier = s.id
	}
}

func (b *book) say(rule, why string) { b.unsaid = append(b.unsaid, Unsaid{rule, b.collection, why}) }

// deny adds what stops. In AppLocker denying always wins; what the policy lets through before is excepted.
func (b *book) deny(s step, found []condition) {
	if b.barrier != "" && len(found) > 0 {
		b.say(s.id, "it stands behind "+b.barrier+", which lets programs through and cannot be said")
		return
	}
	for _, c := range found {
		if why := b.overreaches(c); why != "" {
			b.say(s.id, why)
			continue
		}
		one := spoken{step: s, is: c}
		if c.hash == "" {
			one.but = b.before()
		}
		b.denied = append(b.denied, one)
	}
}

func (b *book) overreaches(c condition) string {
	if c.wide {
		return "as a path the pattern would stop more than the rule says"
	}
	if c.hash == "" {
		if len(b.passed) > maxExceptions {
			return "too many rules that let through stand before it"
		}
		return ""
	}
	if slices.ContainsFunc(b.passed, func(p spoken) bool { return p.is.hash == "" || p.is.hash == c.hash }) {
		return "a rule before it may let this file through, and AppLocker knows no exceptions to a hash"
	}
	return ""
}

// before is what a denial must not reach.
func (b *book) before() []condition {
	var out []condition
	for _, p := range b.passed {
		out = append(out, p.is)
	}
	if b.collection == Exe || b.collection == Script {
		out = append(out, pathConditions(vital()...)...)
	}
	return out
}

func (b *book) blocksUndecided() bool { return b.p.Software.Undecided == policy.ActionBlock }

// closed says whether what no rule allows is stopped. Packaged apps never are: those of Windows itself could not be told
// from the others.
func (b *book) closed() bool {
	return b.blocksUndecided() && b.barrier == "" && b.collection != Appx
}

func (b *book) whyOpen() string {
	if b.collection == Appx {
		return "packaged apps are stopped only by rules that name them: Windows' own start menu and settings are among them"
	}
	return "what no rule names is left through here, because " + b.barrier + " cannot be said and would be stopped with it"
}

func (b *book) stops() bool { return b.closed() || len(b.denied) > 0 }

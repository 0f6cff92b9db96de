package main

import (
	"cmp"
	"context"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"sekisho/agent/enforce"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// adapterHand disables adapters and gives them back: the real one, or a test's.
type adapterHand interface {
	Held() ([]policy.Adapter, error)
	State(policy.Adapter) enforce.AdapterState
	Disable(context.Context, policy.Adapter) enforce.Result
	Lift(context.Context, policy.Adapter) error
	Release(context.Context, policy.Adapter) enforce.Result
	ReleaseAll(context.Context) ([]policy.Adapter, error)
}

// Times of a separation.
const (
	unclearFor   = 30 * time.Second // routes come and go while a cable is plugged in: after that an adapter is given back
	unclearSaid  = time.Minute      // after that it is said why nothing is disabled
	triedEvery   = 30 * time.Minute // whether something is still at the other end can be seen only by letting the adapter work
	triedFor     = 15 * time.Second
	triedTick    = 500 * time.Millisecond
	redoneMost   = 5 // what somebody enables again is disabled again so often
	redonePer    = 10 * time.Minute
	adapterTurn  = time.Minute // of one turn of the hand
	releaseLimit = 10 * time.Second
	comesBack    = 10 * time.Second // for an adapter that was given back to be linked and looked at
)

// separatorOptions is what a separator is given.
type separatorOptions struct {
	Hand    adapterHand                      // nil only looks
	Look    func() ([]policy.Adapter, error) // the terminal's adapters
	Heard   func() bool                      // the console answered lately
	Policy  func() *policy.Policy
	Results func() []policy.CheckResult
	Acted   func([]policy.Acted) // what stands now
	Said    func(separated)      // something was done, or could not be
	Fault   func(string)         // "" when it is over
	Log     zerolog.Logger
}

// separated is what was done with one adapter.
type separated struct {
	check    string
	adapter  policy.Adapter
	code     string // wire.CodeAdapter…
	decision policy.Decision
	result   enforce.Result
	note     string
}

// separator keeps the adapters of other networks disabled while their check fails, and gives them back. run owns it all.
type separator struct {
	separatorOptions
	poke    chan struct{}
	held    map[string]*holding
	said    map[string]bool // what was told of already while nothing is disabled
	unclear time.Time       // since when it is not clear which adapter is the office's
	last    []policy.Acted
	coming  map[string]returning // given back a moment ago
}

// returning is an adapter that was given back: until it was looked at, its line still counts. Otherwise its check would pass for a
// moment, and the violation close and begin anew.
type returning struct {
	check string
	policy.Adapter
	until time.Time
}

// holding is one adapter that is, or is to be, disabled.
type holding struct {
	policy.Parting
	since   time.Time // disabled since, or tried last
	outcome policy.Outcome
	redone  budget
}

func newSeparator(o separatorOptions) *separator {
	return &separator{separatorOptions: o, poke: make(chan struct{}, 1), held: map[string]*holding{}, said: map[string]bool{}, coming: map[string]returning{}}
}

// run gives back what an agent before this one disabled, looks whenever it is poked, and gives everything back in the end.
func (s *separator) run(ctx context.Context) {
	s.giveBack(ctx, "the agent began anew")
	s.publish(s.returns())
	for {
		select {
		case <-s.poke:
			s.turn(ctx)
		case <-ctx.Done():
			s.giveBack(context.WithoutCancel(ctx), "the agent ended")
			return
		}
	}
}

func (s *separator) giveBack(ctx context.Context, why string) {
	if s.Hand == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, releaseLimit)
	defer cancel()
	back, err := s.Hand.ReleaseAll(ctx)
	clear(s.coming)
	for _, a := range back {
		s.coming[a.ID] = returning{"", a, time.Now().Add(comesBack)}
		one := separated{adapter: a, code: wire.CodeAdapterOn, result: enforce.Result{Outcome: policy.OutcomeAllowed}, note: why}
		if h := s.held[a.ID]; h != nil {
			one.check, one.decision = h.Check, h.Decision
		}
		s.Said(one)
	}
	if clear(s.held); len(back) > 0 {
		time.AfterFunc(comesBack, func() { ring(s.poke) })
	}
	s.fault(err)
}

func (s *separator) fault(err error) {
	if err != nil {
		s.Log.Error().Err(err).Msg("cannot give adapters back")
		s.Fault(err.Error())
		return
	}
	s.Fault("")
}

// turn makes the adapters what the policy wants now.
func (s *separator) turn(ctx context.Context) {
	p := s.Policy()
	if len(s.held) == 0 && !asks(p) {
		s.publish(s.returns())
		return
	}
	ctx, cancel := context.WithTimeout(ctx, adapterTurn)
	defer cancel()
	results := s.Results()
	adapters, err := s.Look()
	if err != nil {
		s.Log.Warn().Err(err).Msg("cannot look at the adapters")
	}
	adapters = s.withHeld(ctx, adapters)
	plan := policy.Separate(p, runtime.GOOS, results, adapters, s.Heard())
	if err != nil && len(plan.Wanted) > 0 {
		plan.Parts, plan.Unclear = nil, policy.UnclearLook
	}
	s.wait(plan, results)
	s.release(ctx, p, plan, results)
	for _, part := range plan.Parts {
		s.part(ctx, part, adapters)
	}
	s.publish(s.acts(p, plan))
}

// asks says whether any check asks for adapters to be disabled.
func asks(p *policy.Policy) bool {
	return p != nil && p.Health != nil && slices.ContainsFunc(p.Health.Checks, func(c policy.Check) bool { return !c.Off && c.Separates() })
}

// withHeld adds what is disabled, and forgets what was unplugged: with that its condition has ended.
func (s *separator) withHeld(ctx context.Context, adapters []policy.Adapter) []policy.Adapter {
	adapters = slices.Clone(adapters)
	for id, h := range s.held {
		if s.Hand.State(h.Adapter) == enforce.AdapterGone {
			s.back(ctx, h, "it was unplugged")
			continue
		}
		at := slices.IndexFunc(adapters, func(a policy.Adapter) bool { return a.ID == id })
		if at < 0 {
			at, adapters = len(adapters), append(adapters, h.Adapter)
		}
		adapters[at].Held, adapters[at].Fact = true, h.Adapter.Fact
		if !adapters[at].Linked {
			adapters[at].Word = h.Adapter.Word
		}
	}
	return adapters
}

// wait notes since when it is not clear which adapter is the office's, or whether the check of a disabled one still fails.
func (s *separator) wait(plan policy.Separation, results []policy.CheckResult) {
	clear := plan.Unclear == ""
	for _, h := range s.held {
		r := resultOf(results, h.Check)
		clear = clear && r != nil && r.Result != policy.ResultUnknown
	}
	switch {
	case clear:
		s.unclear = time.Time{}
	case s.unclear.IsZero():
		s.unclear = time.Now()
	}
}

// release gives back what is no more to be disabled: at once where the policy or a person says so, after a while where it is only
// not clear.
func (s *separator) release(ctx context.Context, p *policy.Policy, plan policy.Separation, results []policy.CheckResult) {
	for id, h := range s.held {
		if slices.ContainsFunc(plan.Parts, func(n policy.Parting) bool { return n.Adapter.ID == id && n.Decision.Do() == policy.ActionBlock }) {
			continue
		}
		r := resultOf(results, h.Check)
		switch {
		case !stillAsks(p, h.Check):
			s.back(ctx, h, "the policy does not ask for it any more")
		case r != nil && r.Waiver != "":
			s.back(ctx, h, "a waiver covers it")
		case plan.Unclear == "" && r != nil && r.Result != policy.ResultUnknown:
			s.back(ctx, h, "the check does not name it any more")
		case time.Since(s.unclear) >= unclearFor:
			s.back(ctx, h, "it is not clear any more: "+cmp.Or(plan.Unclear, "the check cannot be judged"))
		}
	}
}

func stillAsks(p *policy.Policy, check string) bool {
	return asks(p) && slices.ContainsFunc(p.Health.Checks, func(c policy.Check) bool {
		return c.ID == check && !c.Off && c.Separates() && p.Health.ModeOf(&c) == policy.ModeEnforce
	})
}

// returns are the lines of adapters that were given back a moment ago.
func (s *separator) returns() []policy.Acted {
	var out []policy.Acted
	for id, r := range s.coming {
		if s.held[id] != nil || !time.Now().Before(r.until) {
			delete(s.coming, id)
			continue
		}
		out = append(out, policy.Acted{Check: r.check, Fact: r.Fact, Word: r.Word})
	}
	return out
}

// acts is what stands now, for the checks. While nothing is disabled it is said why, once it has stood for a while.
func (s *separator) acts(p *policy.Policy, plan policy.Separation) []policy.Acted {
	out := s.returns()
	for _, h := range s.held {
		a := policy.Acted{Check: h.Check, Act: policy.Act{Adapter: h.Adapter.Name, Outcome: h.outcome}}
		if h.outcome == policy.OutcomeBlocked {
			a.Fact, a.Word = h.Adapter.Fact, h.Adapter.Word
		}
		out = append(out, a)
	}
	for _, n := range plan.Parts {
		if s.held[n.Adapter.ID] == nil {
			out = append(out, policy.Acted{Check: n.Check, Act: policy.Act{Adapter: n.Adapter.Name, Outcome: spared(n.Decision)}})
		}
	}
	if plan.Unclear != "" && time.Since(s.unclear) >= unclearSaid {
		for _, check := range plan.Wanted {
			out = append(out, policy.Acted{Check: check, Act: policy.Act{Outcome: policy.OutcomeDetected, Code: plan.Unclear}})
			s.once(s.undone(p, check), policy.OutcomeDetected, "nothing was disabled, because it is not clear which adapter is the office's: "+plan.Unclear)
		}
	}
	if len(plan.Wanted) == 0 {
		clear(s.said)
	}
	slices.SortFunc(out, func(a, b policy.Acted) int { return strings.Compare(a.Check+a.Act.Adapter, b.Check+b.Act.Adapter) })
	return out
}

// undone is the decision of a check for which nothing was done.
func (s *separator) undone(p *policy.Policy, check string) policy.Parting {
	n := policy.Parting{Check: check}
	for i := range p.Health.Checks {
		if c := &p.Health.Checks[i]; c.ID == check {
			n.Decision = p.Parting(c)
		}
	}
	return n
}

func (s *separator) publish(acts []policy.Acted) {
	if !reflect.DeepEqual(acts, s.last) {
		s.last = acts
		s.Acted(acts)
	}
}

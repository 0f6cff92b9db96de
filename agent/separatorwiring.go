package main

import (
	"context"
	"net/netip"
	"time"

	"sekisho/agent/enforce"
	"sekisho/agent/local"
	"sekisho/agent/sensor/health"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// newSeparator makes what keeps other networks apart, with eyes of its own. An agent that only looks has no hand.
func (a *agent) newSeparator() *separator {
	eyes := health.New(health.Options{Root: a.root, Now: a.clock.now})
	var hand adapterHand
	if !a.observe {
		hand = enforce.NewAdapters(enforce.Options{Root: a.root, Log: a.log, Now: a.clock.now}, a.config.State, a.boot.Boot)
	}
	return newSeparator(separatorOptions{
		Hand: hand, Policy: a.guard.view.Load, Results: a.checkup.results, Acted: a.checkup.acted, Log: a.log,
		Look: func() ([]policy.Adapter, error) {
			_, local, remote := a.voice.way()
			return eyes.Adapters(health.Way{Local: local, Remote: remote})
		},
		Heard: func() bool { at, _, _ := a.voice.way(); return !at.IsZero() && a.clock.now().Sub(at) < contactOK },
		Said:  a.separated,
		Fault: func(text string) { a.guard.post(func() { a.guard.setFault(wire.FaultAdapters, text) }) },
	})
}

// way is when and between which addresses the console answered last.
func (v *voice) way() (at time.Time, local, remote netip.Addr) {
	v.mu.Lock()
	l := v.link
	v.mu.Unlock()
	if l == nil {
		return time.Time{}, netip.Addr{}, netip.Addr{}
	}
	s := l.State()
	return s.Contact, s.Way.Local, s.Way.Remote
}

// separated writes down what was done with an adapter, and tells the user where the policy wants that.
func (a *agent) separated(s separated) {
	r := wire.Record{Kind: wire.RecordAgent, Code: s.code, Outcome: s.result.Outcome, Steps: s.result.Steps, Note: s.adapter.Name}
	if s.note != "" {
		r.Note += ": " + s.note
	}
	if c := resultOf(a.checkup.results(), s.check); c != nil {
		r.Kind, r.Check, r.Decision, r.Revision = wire.RecordCheck, c, &s.decision, s.decision.Revision
		r.Check.Act = policy.Act{Adapter: s.adapter.Name, Outcome: s.result.Outcome}
	}
	a.put(r)
	if s.code == wire.CodeAdapterOff && s.adapter.ID != "" && s.decision.Tell() {
		a.guard.post(func() { a.guard.tellAdapter(s) })
	}
}

// tellAdapter tells the user beside the guard, within what a user can take.
func (g *guard) tellAdapter(s separated) {
	if !g.told.take(time.Now()) {
		return
	}
	info, _ := policy.CheckOf(s.check)
	n := local.Notice{
		Check:  &local.Failing{Name: info.Name, Todo: info.Todo, Adapter: s.adapter.Name},
		Clause: g.Policy.Clauses[s.decision.Clause], Outcome: s.result.Outcome, Contact: g.Policy.Contact, Language: g.Policy.Language,
	}
	ctx, cancel := context.WithTimeout(g.ctx, 10*time.Second)
	go func() {
		defer cancel()
		if reached := g.Tell(ctx, n); reached > 0 {
			g.Journal(wire.Record{Kind: wire.RecordAgent, Code: "told", Note: s.check, Told: reached})
		}
	}()
}

// letAdapters gives back what the agent disabled, for a removal.
func letAdapters(ctx context.Context, c config) error {
	dir := c.State
	if dir == "" {
		dir = defaultState
	}
	ctx, cancel := context.WithTimeout(ctx, releaseLimit)
	defer cancel()
	_, err := enforce.NewAdapters(enforce.Options{Root: "/", Now: time.Now}, dir, bootID("/")).ReleaseAll(ctx)
	return err
}

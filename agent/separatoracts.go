package main

import (
	"context"
	"runtime"
	"slices"
	"time"

	"sekisho/agent/enforce"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// back gives an adapter back; one that does not come back is tried again with every turn.
func (s *separator) back(ctx context.Context, h *holding, why string) {
	r := s.Hand.Release(ctx, h.Adapter)
	failed := r.Outcome == policy.OutcomeAllowFailed
	if !failed || h.outcome != policy.OutcomeAllowFailed {
		s.Said(separated{h.Check, h.Adapter, wire.CodeAdapterOn, h.Decision, r, why})
	}
	if failed {
		h.outcome = policy.OutcomeAllowFailed
		s.Fault("cannot give " + h.Adapter.Name + " back: it is still disabled; a restart of the terminal gives it back")
		return
	}
	delete(s.held, h.Adapter.ID)
	s.Fault("")
	if r.Outcome == policy.OutcomeAllowed && why != overThere {
		s.coming[h.Adapter.ID] = returning{h.Check, h.Adapter, time.Now().Add(comesBack)}
		time.AfterFunc(comesBack, func() { ring(s.poke) })
	}
}

// part disables one adapter, or looks that it stays so.
func (s *separator) part(ctx context.Context, n policy.Parting, adapters []policy.Adapter) {
	h := s.held[n.Adapter.ID]
	switch {
	case s.Hand == nil, n.Decision.Do() != policy.ActionBlock:
		s.once(n, spared(n.Decision), "")
	case h == nil:
		h = &holding{Parting: n, redone: budget{most: redoneMost, per: redonePer}}
		s.held[n.Adapter.ID] = h
		s.disable(ctx, h)
	case s.Hand.State(h.Adapter) != enforce.AdapterDown:
		h.Decision = n.Decision
		s.again(ctx, h)
	case h.outcome == policy.OutcomeBlocked && time.Since(h.since) >= triedEvery:
		s.try(ctx, h)
	case h.outcome != policy.OutcomeBlocked:
		s.disable(ctx, h) // it went down after all: look at it, and say so
	}
}

// spared is the outcome where the mode says to keep the hands off.
func spared(d policy.Decision) policy.Outcome {
	if d.Mode == policy.ModeWarn {
		return policy.OutcomeDetected
	}
	return policy.OutcomeAudit
}

// disable does it and says what came of it, where that is new.
func (s *separator) disable(ctx context.Context, h *holding) {
	r := s.Hand.Disable(ctx, h.Adapter)
	if r.Outcome != h.outcome {
		s.Said(separated{h.Check, h.Adapter, wire.CodeAdapterOff, h.Decision, r, ""})
	}
	h.outcome, h.since = r.Outcome, time.Now()
	if r.Outcome == policy.OutcomeRemoved {
		delete(s.held, h.Adapter.ID)
	}
}

// again is for an adapter that somebody enabled, such as the desktop's network manager. One that is enabled again and again is not
// called disabled any more.
func (s *separator) again(ctx context.Context, h *holding) {
	if h.redone.take(time.Now()) {
		s.disable(ctx, h)
		return
	}
	if h.outcome != policy.OutcomeBlockFailed {
		h.outcome = policy.OutcomeBlockFailed
		s.Said(separated{h.Check, h.Adapter, wire.CodeAdapterOff, h.Decision, enforce.Result{Outcome: policy.OutcomeBlockFailed}, "something enables it again and again"})
	}
}

// try lets the adapter work for a moment, because nobody can see otherwise whether its other end is still there.
func (s *separator) try(ctx context.Context, h *holding) {
	if err := s.Hand.Lift(ctx, h.Adapter); err != nil {
		h.since = time.Now()
		return
	}
	for end := time.Now().Add(triedFor); time.Now().Before(end) && pause(ctx, triedTick); {
		if s.linked(h) {
			s.disable(ctx, h)
			return
		}
	}
	s.back(ctx, h, overThere)
}

// overThere is why an adapter is given back whose condition has ended.
const overThere = "nothing is at its other end any more"

// linked says whether the adapter that is let work is again what the check forbids. One that cannot be looked at is taken to be.
func (s *separator) linked(h *holding) bool {
	adapters, err := s.Look()
	if err != nil {
		return true
	}
	return slices.ContainsFunc(policy.Separate(s.Policy(), runtime.GOOS, s.Results(), adapters, true).Parts, func(n policy.Parting) bool {
		return n.Adapter.ID == h.Adapter.ID
	}) || slices.ContainsFunc(adapters, func(a policy.Adapter) bool { return a.ID == h.Adapter.ID && a.Linked && a.Word == h.Adapter.Word })
}

// once says of an adapter that it is left alone, once for each time that its check fails.
func (s *separator) once(n policy.Parting, o policy.Outcome, note string) {
	key := n.Check + "\x00" + n.Adapter.ID + "\x00" + string(o) + note
	if s.said[key] {
		return
	}
	s.said[key] = true
	s.Said(separated{n.Check, n.Adapter, wire.CodeAdapterOff, n.Decision, enforce.Result{Outcome: o}, note})
}

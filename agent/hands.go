package main

import (
	"context"
	"slices"
	"time"

	"sekisho/agent/enforce"
	"sekisho/internal/policy"
)

const (
	handsAtOnce = 16               // acts on different devices at the same time
	actLimit    = 90 * time.Second // after that a hand is called back; a busy mount with much to sync is the slowest
)

// hand does what a decision says: the real one, or the one that only looks.
type hand interface {
	Apply(context.Context, policy.Device, policy.Decision) enforce.Result
}

// order is one wish to the hands.
type order struct {
	of       *attached
	n        uint64
	device   policy.Device
	decision policy.Decision
}

// acts keeps count of the hands: never two acts on one device at once, the newest wish wins, a bounded number
// altogether. The guard owns it.
type acts struct {
	busy  map[place]*act // also of a device that left while the hand was at it
	next  map[place]order
	queue []place // those in next that wait only for a free hand, oldest first
}

type act struct {
	order  order
	cancel context.CancelFunc
}

func newActs() acts { return acts{busy: map[place]*act{}, next: map[place]order{}} }

// give takes a wish. What the hand does for an older wish of the opposite kind is called back.
func (s *acts) give(g *guard, o order) {
	at := placeOf(o.device)
	if now := s.busy[at]; now != nil && (now.order.of != o.of || now.order.decision.Do() != o.decision.Do()) {
		now.cancel()
	}
	s.next[at] = o
	if s.busy[at] == nil && !slices.Contains(s.queue, at) {
		s.queue = append(s.queue, at)
	}
	s.run(g)
}

// run starts what may start.
func (s *acts) run(g *guard) {
	for len(s.queue) > 0 && len(s.busy) < handsAtOnce {
		at := s.queue[0]
		s.queue = s.queue[1:]
		o := s.next[at]
		delete(s.next, at)
		ctx, cancel := context.WithTimeout(g.ctx, actLimit)
		s.busy[at] = &act{o, cancel}
		go func() {
			r := g.Hand.Apply(ctx, o.device, o.decision)
			cancel()
			g.post(func() { s.end(g, o, r) })
		}()
	}
}

// end takes a result; the guard hears of it, and the next wish for the device has its turn.
func (s *acts) end(g *guard, o order, r enforce.Result) {
	at := placeOf(o.device)
	delete(s.busy, at)
	if _, more := s.next[at]; more {
		s.queue = append(s.queue, at)
	}
	s.run(g)
	g.finished(o, r)
}

// pending says whether the device's newest wish is not done yet.
func (s *acts) pending(a *attached) bool {
	at := placeOf(a.event.Device)
	if o, waits := s.next[at]; waits && o.of == a {
		return true
	}
	now := s.busy[at]
	return now != nil && now.order.of == a && now.order.n == a.order
}

// drop forgets the wishes for a device that left.
func (s *acts) drop(a *attached) {
	at := placeOf(a.event.Device)
	if s.next[at].of == a {
		delete(s.next, at)
		s.queue = slices.DeleteFunc(s.queue, func(q place) bool { return q == at })
	}
	if now := s.busy[at]; now != nil && now.order.of == a {
		now.cancel()
	}
}

// onlooker is the hand of run --observe: it touches nothing and claims nothing.
type onlooker struct{}

// Apply says what was seen. Where a real hand would block, nothing was blocked.
func (onlooker) Apply(_ context.Context, _ policy.Device, d policy.Decision) enforce.Result {
	switch {
	case d.Action == policy.ActionBlock && d.Mode != policy.ModeWarn:
		return enforce.Result{Outcome: policy.OutcomeAudit}
	case d.Violation():
		return enforce.Result{Outcome: policy.OutcomeDetected}
	}
	return enforce.Result{Outcome: policy.OutcomeAllowed}
}

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
	busy  map[string]*act // by device id, also of a device that left while the hand was at it
	next  map[string]order
	queue []string // ids in next that wait only for a free hand, oldest first
}

type act struct {
	order  order
	cancel context.CancelFunc
}

func newActs() acts { return acts{busy: map[string]*act{}, next: map[string]order{}} }

// give takes a wish. What the hand does for an older wish of the opposite kind is called back.
func (s *acts) give(g *guard, o order) {
	id := o.device.ID
	if now := s.busy[id]; now != nil && (now.order.of != o.of || now.order.decision.Do() != o.decision.Do()) {
		now.cancel()
	}
	s.next[id] = o
	if s.busy[id] == nil && !slices.Contains(s.queue, id) {
		s.queue = append(s.queue, id)
	}
	s.run(g)
}

// run starts what may start.
func (s *acts) run(g *guard) {
	for len(s.queue) > 0 && len(s.busy) < handsAtOnce {
		id := s.queue[0]
		s.queue = s.queue[1:]
		o := s.next[id]
		delete(s.next, id)
		ctx, cancel := context.WithTimeout(g.ctx, actLimit)
		s.busy[id] = &act{o, cancel}
		go func() {
			r := g.Hand.Apply(ctx, o.device, o.decision)
			cancel()
			g.post(func() { s.end(g, o, r) })
		}()
	}
}

// end takes a result; the guard hears of it, and the next wish for the device has its turn.
func (s *acts) end(g *guard, o order, r enforce.Result) {
	id := o.device.ID
	delete(s.busy, id)
	if _, more := s.next[id]; more {
		s.queue = append(s.queue, id)
	}
	s.run(g)
	g.finished(o, r)
}

// pending says whether the device's newest wish is not done yet.
func (s *acts) pending(a *attached) bool {
	id := a.event.Device.ID
	if o, waits := s.next[id]; waits && o.of == a {
		return true
	}
	now := s.busy[id]
	return now != nil && now.order.of == a && now.order.n == a.order
}

// drop forgets the wishes for a device that left.
func (s *acts) drop(a *attached) {
	id := a.event.Device.ID
	if s.next[id].of == a {
		delete(s.next, id)
		s.queue = slices.DeleteFunc(s.queue, func(q string) bool { return q == id })
	}
	if now := s.busy[id]; now != nil && now.order.of == a {
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

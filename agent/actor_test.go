package main

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"sekisho/agent/enforce"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// actor is a hand that keeps count and does nothing.
type actor struct {
	t *testing.T

	mu    sync.Mutex
	busy  map[string]bool
	takes time.Duration
	fails bool
	acts  int
}

func (h *actor) behave(words []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fails = words[0] == "fails"
	h.takes = 0
	if words[0] == "takes" {
		h.takes = span(words[1])
	}
}

func (h *actor) touched() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.acts
}

func (h *actor) Apply(ctx context.Context, dev policy.Device, d policy.Decision) enforce.Result {
	takes, fails := h.begin(dev.ID, d)
	defer h.end(dev.ID)
	if takes > 0 && !pause(ctx, takes) {
		fails = true // called back
	}
	switch {
	case d.Mode != policy.ModeEnforce:
		return onlooker{}.Apply(ctx, dev, d)
	case d.Do() == policy.ActionBlock && fails:
		return enforce.Result{Outcome: policy.OutcomeBlockFailed}
	case d.Do() == policy.ActionBlock:
		return enforce.Result{Outcome: policy.OutcomeBlocked, Steps: []wire.Step{{At: time.Now(), Code: "verified", OK: true}}}
	case fails:
		return enforce.Result{Outcome: policy.OutcomeAllowFailed}
	}
	return enforce.Result{Outcome: policy.OutcomeAllowed}
}

func (h *actor) begin(id string, d policy.Decision) (time.Duration, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.busy[id] {
		h.t.Errorf("two acts on %s at once", id)
	}
	if h.busy[id] = true; len(h.busy) > handsAtOnce {
		h.t.Errorf("%d acts at once", len(h.busy))
	}
	if d.Mode == policy.ModeEnforce {
		h.acts++
	}
	return h.takes, h.fails
}

func (h *actor) end(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.busy, id)
}

// prop is a gate that only remembers.
type prop struct {
	mu    sync.Mutex
	state string
	fails bool
}

func (p *prop) set(fails bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fails = fails
}

func (p *prop) turn(to string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fails {
		return errors.New("cannot set usb1/interface_authorized_default: permission denied")
	}
	p.state = to
	return nil
}

func (p *prop) Shut(context.Context) error   { return p.turn("shut") }
func (p *prop) Open(context.Context) error   { return p.turn("open") }
func (p *prop) Settle(context.Context) error { return nil }

func (p *prop) State() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

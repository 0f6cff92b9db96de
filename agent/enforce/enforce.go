// Package enforce is the hands: it does what a Decision says, looks whether it really happened, and tells
// what it saw. It never decides, and it never takes away a keyboard, a hub, a card reader or a system disk.
package enforce

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// Options is what a Hand and a Gate need from outside.
type Options struct {
	Root string // "/" on a real machine; the folder above sys, proc, dev and etc in a test
	Log  zerolog.Logger
	Now  func() time.Time
	Etc  string // udev rules folder below Root; "" is etc/udev/rules.d
}

// How far the gate stands before the system disk is mounted.
const (
	EarlyNone  = "none"  // the gate is open
	EarlyHeld  = "held"  // the initramfs holds what is plugged in at power-on
	EarlyStale = "stale" // the initramfs is not renewed yet
	EarlyLate  = "late"  // the machine itself starts from USB: the gate begins after the initramfs
)

// Result is the outcome of one decision and how it came about.
type Result struct {
	Outcome policy.Outcome
	Steps   []wire.Step
}

// Hand acts on devices. Apply may be called for several devices at once, for one device from one goroutine.
type Hand struct {
	log zerolog.Logger
	now func() time.Time
	sys system
}

// Apply does what the decision says and verifies it. Doing it again changes nothing. When ctx ends before
// the kernel answers, the outcome is the failed one and the next call finds the truth.
func (h *Hand) Apply(ctx context.Context, dev policy.Device, d policy.Decision) Result {
	if d.Mode == policy.ModeAudit || d.Mode == policy.ModeWarn {
		return Result{Outcome: untouched(d)}
	}
	a := &act{ctx: ctx, now: h.now}
	outcome := h.do(a, dev, d)
	h.log.Debug().Str("device", dev.ID).Str("action", string(d.Do())).Str("outcome", string(outcome)).Msg("applied")
	return Result{Outcome: outcome, Steps: a.steps}
}

func (h *Hand) do(a *act, dev policy.Device, d policy.Decision) policy.Outcome {
	if d.Do() == policy.ActionBlock {
		return h.sys.block(a, dev)
	}
	outcome := h.sys.allow(a, dev)
	if outcome == policy.OutcomeAllowed && d.Action == policy.ActionReport {
		return policy.OutcomeDetected
	}
	return outcome
}

// untouched is the outcome where the mode says to keep the hands off.
func untouched(d policy.Decision) policy.Outcome {
	switch {
	case d.Action == policy.ActionBlock && d.Mode == policy.ModeAudit:
		return policy.OutcomeAudit
	case d.Violation():
		return policy.OutcomeDetected
	}
	return policy.OutcomeAllowed
}

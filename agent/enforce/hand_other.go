//go:build !linux && !windows

package enforce

import (
	"context"
	"errors"
	"runtime"

	"sekisho/internal/policy"
)

// BUG: nothing is enforced yet on systems other than Linux; every block honestly fails.

// system has nothing yet.
type system struct{}

// New makes a hand that says that it cannot act.
func New(o Options) *Hand { return &Hand{log: o.Log, now: o.Now} }

func (system) block(a *act, dev policy.Device) policy.Outcome {
	a.failed("cannot block %s: not supported on %s yet", dev.ID, runtime.GOOS)
	return policy.OutcomeBlockFailed
}

func (system) allow(*act, policy.Device) policy.Outcome { return policy.OutcomeAllowed }

// Gate is not there on this system yet.
type Gate struct{}

// NewGate makes a gate that is not there.
func NewGate(Options) *Gate { return &Gate{} }

// Shut says that it cannot.
func (*Gate) Shut(context.Context) error {
	return errors.New("cannot shut the gate: not supported on " + runtime.GOOS + " yet")
}

// Open has nothing to open.
func (*Gate) Open(context.Context) error { return nil }

// Settle has nothing to settle.
func (*Gate) Settle(context.Context) error { return nil }

// State says that there is no gate.
func (*Gate) State() string { return "none" }

// Early has nothing to say: this system has no initramfs.
func (*Gate) Early() string { return EarlyNone }

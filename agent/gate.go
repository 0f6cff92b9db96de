package main

import (
	"context"
	"strings"
	"time"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// gate is the kernel's own default: the real one, or the one of run --observe.
type gate interface {
	Shut(context.Context) error
	Open(context.Context) error
	Settle(context.Context) error
	State() string
}

// keeper turns the gate in a goroutine of its own, because that can take seconds, and bringing it into the initramfs
// minutes. The newest wish wins. Its fields belong to the guard.
type keeper struct {
	g      *guard
	wishes chan bool // shut; holds at most the newest
	wanted bool
	state  string // as last seen, in Gate.State's words
	fails  int
	cancel context.CancelFunc // of the settling under way
	ended  chan struct{}
}

// turned is what came of one wish.
type turned struct {
	shut          bool
	before, after string
	err           error
}

func (k *keeper) begin(g *guard) {
	k.g, k.wishes, k.ended, k.cancel = g, make(chan bool, 1), make(chan struct{}), func() {}
	k.state = g.Gate.State()
	go k.run()
}

// wish says how far the policy goes; the gate is shut in enforce mode only.
func (k *keeper) wish(m policy.Mode) {
	k.wanted, k.fails = m != policy.ModeAudit && m != policy.ModeWarn, 0
	k.ask()
}

func (k *keeper) ask() {
	select {
	case <-k.wishes: // an older one that nobody has taken yet
	default:
	}
	k.cancel()
	k.wishes <- k.wanted // only the guard sends, and the place is free
}

func (k *keeper) run() {
	defer close(k.ended)
	for {
		select {
		case shut := <-k.wishes:
			k.turn(shut)
		case <-k.g.ctx.Done():
			return
		}
	}
}

func (k *keeper) turn(shut bool) {
	t := turned{shut: shut, before: k.g.Gate.State()}
	if shut {
		t.err = k.g.Gate.Shut(k.g.ctx)
	} else {
		t.err = k.g.Gate.Open(k.g.ctx)
	}
	t.after = k.g.Gate.State()
	ctx, cancel := context.WithCancel(k.g.ctx)
	defer cancel()
	if !k.g.post(func() { k.took(t, cancel) }) || t.err != nil {
		return
	}
	if err := k.g.Gate.Settle(ctx); ctx.Err() == nil {
		k.g.post(func() { k.settled(err) })
	}
}

// took is called in the guard when the gate was turned and is about to settle.
func (k *keeper) took(t turned, cancel context.CancelFunc) {
	if k.cancel = cancel; len(k.wishes) > 0 {
		cancel() // a newer wish need not wait for the settling of an older one
	}
	k.state = t.after
	k.g.pulse()
	code, problem := wish{t.shut}.code(), wish{t.shut}.problem(t)
	if problem == "" {
		k.fails = 0
	}
	k.g.setFault(wire.FaultGate, problem)
	if t.before != t.after || problem != "" && k.fails == 0 {
		if problem != "" {
			code += "_failed"
		}
		k.g.Journal(wire.Record{Kind: wire.RecordGate, Code: code, Note: cut(problem, 1024)})
	}
	if problem != "" {
		k.retry()
	}
}

func (k *keeper) retry() {
	delay := time.Minute << min(k.fails, 6)
	k.fails++
	want := k.wanted
	k.g.after(delay, func() {
		if k.wanted == want && k.fails > 0 {
			k.ask()
		}
	})
}

func (k *keeper) settled(err error) {
	if err == nil {
		k.g.setFault(wire.FaultEarlyGate, "")
		return
	}
	k.g.Log.Error().Err(err).Msg("cannot bring the gate into the initramfs")
	k.g.setFault(wire.FaultEarlyGate, err.Error())
}

// end waits until the goroutine is done; what it was at is finished at the next start.
func (k *keeper) end() {
	k.cancel()
	select {
	case <-k.ended:
	case <-time.After(3 * time.Second):
	}
}

// word is the state as the console knows it.
func (k *keeper) word() string {
	if strings.HasPrefix(k.state, "failed") || k.g.faults[wire.FaultGate] != "" {
		return "failed"
	}
	return k.state
}

// wish names a turn of the gate.
type wish struct{ shut bool }

func (w wish) code() string {
	if w.shut {
		return "shut"
	}
	return "opened"
}

// problem says why the gate does not stand as wanted, "" when it does. A system without a gate has it open.
func (w wish) problem(t turned) string {
	want := "open"
	if w.shut {
		want = "shut"
	}
	switch {
	case t.err != nil:
		return t.err.Error()
	case t.after == want || t.after == "none":
		return ""
	}
	return "cannot turn the gate: it should be " + want + " and is " + t.after
}

// noGate is the gate of run --observe.
type noGate struct{}

func (noGate) Shut(context.Context) error   { return nil }
func (noGate) Open(context.Context) error   { return nil }
func (noGate) Settle(context.Context) error { return nil }
func (noGate) State() string                { return "none" }

package enforce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"sekisho/internal/durable"
	"sekisho/internal/policy"
)

// AdapterState is what the system says of an adapter.
type AdapterState int

// The states of an adapter.
const (
	AdapterUnknown AdapterState = iota
	AdapterUp
	AdapterDown // nothing goes in or out by it
	AdapterGone // it was unplugged
)

// adapterSystem is the system's network, or a test's. What down does ends by itself when the machine starts again: that is what is
// left where an agent dies and does not come back.
type adapterSystem interface {
	state(id string) (AdapterState, error)
	down(id string) error
	up(id string) error
}

// stateOfNode reads a device node: one that runs is up; one that is disabled (problem 22, CM_PROB_DISABLED) is down; one that does
// not run for another reason (a driver that is missing) cannot be told.
func stateOfNode(started, troubled bool, problem uint32) AdapterState {
	const disabled = 22
	switch {
	case started:
		return AdapterUp
	case troubled && problem == disabled:
		return AdapterDown
	}
	return AdapterUnknown
}

const (
	adaptersFile   = "adapters.json"
	maxAdapterNote = 1 << 20
	adapterTick    = 100 * time.Millisecond
	adapterLimit   = 10 * time.Second // for the system to do as it was told
)

// Adapters is the hand that disables network adapters and gives them back. It notes every one before, so that what an agent
// disabled that died since is given back by the next, and by a removal.
type Adapters struct {
	sys  adapterSystem
	path string
	boot string
	now  func() time.Time
	mu   sync.Mutex
}

// adapterNotes is what was disabled, and in which start of the machine.
type adapterNotes struct {
	Boot     string           `json:"boot"`
	Adapters []policy.Adapter `json:"adapters"`
}

// NewAdapters makes a hand that keeps its notes in dir; boot names this start of the machine.
func NewAdapters(o Options, dir, boot string) *Adapters {
	return &Adapters{sys: systemAdapters(), path: filepath.Join(dir, adaptersFile), boot: boot, now: o.Now}
}

// Held are the adapters that are disabled.
func (h *Adapters) Held() ([]policy.Adapter, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, err := h.load()
	return n.Adapters, err
}

// State says what the system says of an adapter.
func (h *Adapters) State(a policy.Adapter) AdapterState {
	s, err := h.sys.state(a.ID)
	if err != nil {
		return AdapterUnknown
	}
	return s
}

// Disable disables an adapter and looks whether it is. Doing it again changes nothing but what somebody enabled meanwhile.
func (h *Adapters) Disable(ctx context.Context, a policy.Adapter) Result {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := &act{ctx: ctx, now: h.now}
	return Result{Outcome: h.disable(t, a), Steps: t.steps}
}

func (h *Adapters) disable(t *act, a policy.Adapter) policy.Outcome {
	if err := h.note(a); err != nil {
		t.failed("%v", err)
		return policy.OutcomeBlockFailed // what cannot be noted could not be given back
	}
	if err := within(t.ctx, adapterLimit, func() error { return h.sys.down(a.ID) }); err != nil {
		t.failed("%v", err)
	} else {
		t.did(stepDisabled, "%s", a.Name)
	}
	switch s := h.wait(t, a.ID, AdapterDown); s {
	case AdapterDown:
		t.did(stepVerified, "%s is down", a.Name)
		return policy.OutcomeBlocked
	case AdapterGone:
		t.did(stepVerified, "unplugged")
		return h.forgotten(t, a, policy.OutcomeRemoved, policy.OutcomeRemoved)
	}
	t.failed("cannot disable %s: it is still at work, or nobody can tell", a.Name)
	return policy.OutcomeBlockFailed // the note stays: it may yet go down
}

// Lift lets an adapter work for a look, and keeps its note.
func (h *Adapters) Lift(ctx context.Context, a policy.Adapter) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return within(ctx, adapterLimit, func() error { return h.sys.up(a.ID) })
}

// Release gives an adapter back.
func (h *Adapters) Release(ctx context.Context, a policy.Adapter) Result {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := &act{ctx: ctx, now: h.now}
	return Result{Outcome: h.release(t, a), Steps: t.steps}
}

func (h *Adapters) release(t *act, a policy.Adapter) policy.Outcome {
	if s, err := h.sys.state(a.ID); err != nil || s != AdapterGone {
		if err := within(t.ctx, adapterLimit, func() error { return h.sys.up(a.ID) }); err != nil {
			t.failed("%v", err)
		} else {
			t.did(stepEnabled, "%s", a.Name)
		}
	}
	switch h.wait(t, a.ID, AdapterUp) {
	case AdapterUp:
		t.did(stepVerified, "%s may work again", a.Name)
		return h.forgotten(t, a, policy.OutcomeAllowed, policy.OutcomeAllowFailed)
	case AdapterGone:
		t.did(stepVerified, "unplugged")
		return h.forgotten(t, a, policy.OutcomeRemoved, policy.OutcomeRemoved)
	}
	t.failed("cannot give %s back: it is still disabled, or nobody can tell; a restart of the terminal gives it back", a.Name)
	return policy.OutcomeAllowFailed
}

func (h *Adapters) forgotten(t *act, a policy.Adapter, fine, otherwise policy.Outcome) policy.Outcome {
	if err := h.forget(a); err != nil {
		t.failed("%v", err)
		return otherwise
	}
	return fine
}

// wait gives the state that is wanted, or what it is when the time is over.
func (h *Adapters) wait(t *act, id string, want AdapterState) AdapterState {
	for end := time.Now().Add(adapterLimit); ; {
		s, err := h.sys.state(id)
		if err != nil {
			s = AdapterUnknown
		}
		if s == want || s == AdapterGone || time.Now().After(end) || !t.pause(adapterTick) {
			return s
		}
	}
}

// ReleaseAll gives everything back that was disabled, also by an agent that died since. What was disabled before the machine was
// started again came back with that.
func (h *Adapters) ReleaseAll(ctx context.Context) ([]policy.Adapter, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, err := h.load()
	if err != nil {
		return nil, errors.Join(err, os.Remove(h.path))
	}
	if n.Boot != h.boot && n.Boot != "" && h.boot != "" {
		return nil, h.save(adapterNotes{})
	}
	var back []policy.Adapter
	var all error
	for _, a := range n.Adapters {
		t := &act{ctx: ctx, now: h.now}
		if h.release(t, a) == policy.OutcomeAllowFailed {
			all = errors.Join(all, errors.New(t.steps[len(t.steps)-1].Detail))
			continue
		}
		back = append(back, a)
	}
	return back, all
}

func (h *Adapters) load() (adapterNotes, error) {
	var n adapterNotes
	info, err := os.Stat(h.path)
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	if err == nil && info.Size() > maxAdapterNote {
		err = errors.New("too long")
	}
	var raw []byte
	if err == nil {
		raw, err = durable.ReadFile(h.path)
	}
	if err == nil {
		err = json.Unmarshal(raw, &n)
	}
	if err != nil {
		return adapterNotes{}, fmt.Errorf("cannot read which adapters were disabled; a restart of the terminal gives them back: %w", err)
	}
	return n, nil
}

// save writes the notes; with none there is no file.
func (h *Adapters) save(n adapterNotes) error {
	if len(n.Adapters) == 0 {
		if err := os.Remove(h.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot forget which adapters were disabled: %w", err)
		}
		return nil
	}
	n.Boot = h.boot
	raw, err := json.Marshal(n)
	if err == nil {
		err = durable.WriteFile(h.path, raw, 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot note which adapter is disabled: %w", err)
	}
	return nil
}

func (h *Adapters) note(a policy.Adapter) error {
	n, err := h.load()
	if err != nil || slices.ContainsFunc(n.Adapters, func(b policy.Adapter) bool { return b.ID == a.ID }) {
		return err
	}
	n.Adapters = append(n.Adapters, a)
	return h.save(n)
}

func (h *Adapters) forget(a policy.Adapter) error {
	n, err := h.load()
	if err != nil {
		return err
	}
	n.Adapters = slices.DeleteFunc(n.Adapters, func(b policy.Adapter) bool { return b.ID == a.ID })
	return h.save(n)
}

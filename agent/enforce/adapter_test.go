package enforce

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sekisho/internal/policy"
)

// switches are adapters that obey, or do not.
type switches struct {
	states map[string]AdapterState
	stuck  bool  // it says yes and does nothing
	err    error // it says no
	turns  int
}

func (s *switches) state(id string) (AdapterState, error) {
	if is, ok := s.states[id]; ok {
		return is, nil
	}
	return AdapterGone, nil
}

func (s *switches) down(id string) error { return s.turn(id, AdapterDown) }
func (s *switches) up(id string) error   { return s.turn(id, AdapterUp) }

func (s *switches) turn(id string, to AdapterState) error {
	s.turns++
	if s.err == nil && !s.stuck {
		s.states[id] = to
	}
	return s.err
}

var usb0 = policy.Adapter{ID: "4 usb0", Name: "usb0", Fact: policy.FactTethers, Word: "usb0 rndis_host"}

func newAdapters(s *switches, dir, boot string) *Adapters {
	return &Adapters{sys: s, path: filepath.Join(dir, adaptersFile), boot: boot, now: time.Now}
}

// soon is a context under which nothing is waited for: in the time of a bubble, in which a disk that is slow to keep the notes takes none.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func held(t *testing.T, h *Adapters) string {
	t.Helper()
	list, err := h.Held()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, a := range list {
		names = append(names, a.Name)
	}
	return strings.Join(names, " ")
}

func TestAnAdapterIsDisabledOnlyWhenItIsSeenToBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for what, c := range map[string]struct {
			sys  switches
			want policy.Outcome
			held string
		}{
			"it obeys":          {switches{states: map[string]AdapterState{usb0.ID: AdapterUp}}, policy.OutcomeBlocked, "usb0"},
			"it is down":        {switches{states: map[string]AdapterState{usb0.ID: AdapterDown}}, policy.OutcomeBlocked, "usb0"},
			"it says yes only":  {switches{states: map[string]AdapterState{usb0.ID: AdapterUp}, stuck: true}, policy.OutcomeBlockFailed, "usb0"},
			"it says no":        {switches{states: map[string]AdapterState{usb0.ID: AdapterUp}, err: errors.New("no")}, policy.OutcomeBlockFailed, "usb0"},
			"nobody can tell":   {switches{states: map[string]AdapterState{usb0.ID: AdapterUnknown}, stuck: true}, policy.OutcomeBlockFailed, "usb0"},
			"it was pulled out": {switches{states: map[string]AdapterState{}, stuck: true}, policy.OutcomeRemoved, ""},
		} {
			h := newAdapters(&c.sys, t.TempDir(), "b1")
			r := h.Disable(soon(t), usb0)
			if r.Outcome != c.want || len(r.Steps) == 0 || held(t, h) != c.held {
				t.Errorf("%s: %+v, held %q", what, r, held(t, h))
			}
		}
	})
}

func TestWhatCannotBeNotedIsNotDisabled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &switches{states: map[string]AdapterState{usb0.ID: AdapterUp}}
		h := newAdapters(s, filepath.Join(t.TempDir(), "not there"), "b1")
		if r := h.Disable(soon(t), usb0); r.Outcome != policy.OutcomeBlockFailed || s.turns != 0 {
			t.Errorf("%+v after %d turns", r, s.turns)
		}
	})
}

func TestTheNextAgentGivesBackWhatADeadOneDisabled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, s := t.TempDir(), &switches{states: map[string]AdapterState{usb0.ID: AdapterUp}}
		newAdapters(s, dir, "b1").Disable(soon(t), usb0)
		if s.states[usb0.ID] != AdapterDown {
			t.Fatal("it is not disabled")
		}
		next := newAdapters(s, dir, "b1")
		back, err := next.ReleaseAll(soon(t))
		if err != nil || len(back) != 1 || s.states[usb0.ID] != AdapterUp || held(t, next) != "" {
			t.Errorf("%v, %v, %v", back, err, s.states)
		}
		if _, err := os.Stat(next.path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the notes are still there: %v", err)
		}
		if back, err := next.ReleaseAll(soon(t)); err != nil || len(back) != 0 {
			t.Errorf("once more: %v, %v", back, err)
		}
	})
}

// TestANoteOfAnEarlierStartOfTheMachineTurnsNothing: with that the adapter came back; what it is now, somebody else wanted.
func TestANoteOfAnEarlierStartOfTheMachineTurnsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, s := t.TempDir(), &switches{states: map[string]AdapterState{usb0.ID: AdapterUp}}
		newAdapters(s, dir, "b1").Disable(soon(t), usb0)
		turns, next := s.turns, newAdapters(s, dir, "b2")
		if back, err := next.ReleaseAll(soon(t)); err != nil || len(back) != 0 || s.turns != turns || held(t, next) != "" {
			t.Errorf("%v, %v, %d turns", back, err, s.turns-turns)
		}
	})
}

func TestAnAdapterThatDoesNotComeBackStaysNotedAndIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, s := t.TempDir(), &switches{states: map[string]AdapterState{usb0.ID: AdapterUp}}
		h := newAdapters(s, dir, "b1")
		h.Disable(soon(t), usb0)
		s.stuck = true
		back, err := h.ReleaseAll(soon(t))
		if err == nil || !strings.Contains(err.Error(), "restart") || len(back) != 0 || held(t, h) != "usb0" {
			t.Errorf("%v, %v, held %q", back, err, held(t, h))
		}
		delete(s.states, usb0.ID)
		if r := h.Release(soon(t), usb0); r.Outcome != policy.OutcomeRemoved || held(t, h) != "" {
			t.Errorf("pulled out: %+v, held %q", r, held(t, h))
		}
	})
}

func TestNotesThatCannotBeReadAreSaidAndBegunAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for what, raw := range map[string]string{"cut short": `{"adapters":[{`, "something else": "[]", "too long": strings.Repeat(" ", maxAdapterNote+1)} {
			s := &switches{states: map[string]AdapterState{usb0.ID: AdapterUp}}
			h := newAdapters(s, t.TempDir(), "b1")
			if err := os.WriteFile(h.path, []byte(raw), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := h.ReleaseAll(soon(t)); err == nil || !strings.Contains(err.Error(), "restart") {
				t.Errorf("%s: %v", what, err)
			}
			if r := h.Disable(soon(t), usb0); r.Outcome != policy.OutcomeBlocked {
				t.Errorf("%s: %+v", what, r)
			}
		}
	})
}

func TestADeviceNodeIsDownOnlyWhenItIsDisabled(t *testing.T) {
	for _, c := range []struct {
		started, troubled bool
		problem           uint32
		want              AdapterState
	}{{true, false, 0, AdapterUp}, {false, true, 22, AdapterDown}, {false, true, 28, AdapterUnknown}, {false, false, 0, AdapterUnknown}, {true, true, 22, AdapterUp}} {
		if got := stateOfNode(c.started, c.troubled, c.problem); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

package enforce

import (
	"testing"
	"time"

	"sekisho/internal/policy"
)

// TestANodeThatIsNotThereIsNotCalledDisabled: with the real calls, and without touching any device of this machine.
func TestANodeThatIsNotThereIsNotCalledDisabled(t *testing.T) {
	h := NewAdapters(Options{Now: time.Now}, t.TempDir(), "b1")
	a := policy.Adapter{ID: `ROOT\SEKISHO_TEST\0000`, Name: "no such card"}
	if s := h.State(a); s != AdapterGone && s != AdapterUnknown {
		t.Errorf("its state is %v", s)
	}
	for what, r := range map[string]Result{"disabled": h.Disable(soon(t), a), "given back": h.Release(soon(t), a)} {
		t.Logf("%s: %+v", what, r)
		if r.Outcome == policy.OutcomeBlocked || r.Outcome == policy.OutcomeAllowed || len(r.Steps) == 0 {
			t.Errorf("%s: %+v", what, r)
		}
	}
}

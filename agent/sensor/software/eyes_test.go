package software

import (
	"context"
	"errors"
	"testing"

	"github.com/rs/zerolog"

	"sekisho/internal/policy"
)

// TestAStoppedLookSawNothing: what a program was stopped in saying is not taken for what is there.
func TestAStoppedLookSawNothing(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	seen := []policy.Program{{ID: "rpm:a", Name: "a"}}
	e := newEyes(Options{Dir: t.TempDir(), Log: zerolog.Nop()}, []source{{name: "rpm", mark: func() string { return "" },
		read: func(ctx context.Context, _ map[string]policy.Program, first bool) reading {
			if first {
				return reading{programs: seen}
			}
			stop()
			<-ctx.Done()
			return reading{fault: "cannot read rpm's database: " + ctx.Err().Error()}
		}}})
	if _, err := e.Look(ctx); err != nil {
		t.Fatal(err)
	}
	if err := e.Keep(); err != nil {
		t.Fatal(err)
	}
	if l, err := e.Look(ctx); l != nil || !errors.Is(err, context.Canceled) {
		t.Fatalf("%+v, %v", l, err)
	}
	if there, err := e.Programs(); err != nil || there.Len() != len(seen) {
		t.Fatal("what was seen before is forgotten")
	}
}

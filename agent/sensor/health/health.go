// Package health reads what the checks of a terminal are judged by: antivirus, patches, settings and its network. It never
// judges, never changes anything, and never sends anything over a network.
package health

import (
	"context"
	"time"

	"sekisho/agent/sensor/winstate"
	"sekisho/internal/policy"
)

// Options is what the eyes are given.
type Options struct {
	Root     string                                                    // folder above etc, var, proc and sys; "/"
	Now      func() time.Time                                          // stamps what was read
	Offset   func() (offset time.Duration, known bool)                 // of the wall clock from the console's
	Seen     func(word string) time.Time                               // when something that is missing was noticed first; may be nil
	Scratch  string                                                    // a folder of the agent's own, for programs that write a log
	Before   func(now []string) ([]string, error)                      // the hardware that was there at first; may be nil
	Support  func() []byte                                             // an imported table of ends of support; may be nil, and give nil
	Baseline func() []byte                                             // an imported table of Windows' builds; may be nil, and give nil
	Cab      string                                                    // where wsusscn2.cab may lie (Windows)
	Windows  *winstate.Eyes                                            // nil is the system's: on Linux there is none
	Run      func(ctx context.Context, command string) ([]byte, error) // runs a fixed command; nil is the system's
}

// Eyes look at one terminal. One goroutine at a time may use them.
type Eyes struct {
	Options
	tree tree
	debs debCache
	rpms rpmCache
}

// New gives eyes that look at the terminal below o.Root.
func New(o Options) *Eyes {
	if o.Windows == nil {
		o.Windows = windowsEyes(o)
	}
	if o.Run == nil {
		o.Run = runFixed
	}
	return &Eyes{Options: o, tree: tree{o.Root}}
}

// Areas gives what Look can be asked for.
func Areas() []string {
	return []string{policy.AreaAntivirus, policy.AreaPatch, policy.AreaSettings, policy.AreaNetwork}
}

// Look reads everything of an area. What cannot be read is a reading that says why.
func (e *Eyes) Look(ctx context.Context, area string, probes []policy.Probe) []policy.Reading {
	switch area {
	case policy.AreaAntivirus:
		return e.products(ctx, probes)
	case policy.AreaPatch:
		return e.patches(ctx)
	case policy.AreaSettings:
		return e.settings(ctx)
	case policy.AreaNetwork:
		return e.network(ctx)
	}
	return nil
}

// of begins a reading of a fact.
func (e *Eyes) of(fact, source string) policy.Origin {
	return policy.Origin{Fact: fact, Source: source, At: e.Now()}
}

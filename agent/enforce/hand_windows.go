package enforce

import (
	"context"
	"errors"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// system is the hands' grip on Windows.
type system = windowsHand

// New makes a hand for this machine.
func New(o Options) *Hand {
	return &Hand{log: o.Log, now: o.Now, sys: windowsHand{configManager{}, machineLadder(o)}}
}

// Gate is Windows' own default: policies that stand with or without the agent. Its state is in the registry,
// never remembered; what it changed is noted beside, to be undone byte for byte.
type Gate struct {
	hand windowsHand
}

// NewGate makes a gate for this machine.
func NewGate(o Options) *Gate {
	return &Gate{windowsHand{configManager{}, machineLadder(o)}}
}

// Shut sets the policies. What is attached already stays as it is until it is judged. A half-done Shut is
// completed by the next.
func (g *Gate) Shut(context.Context) error { return g.hand.ladder.shut() }

// Open brings back what was in the registry and everything that a hand holds.
func (g *Gate) Open(context.Context) error {
	return errors.Join(g.hand.ladder.open(), g.hand.releaseAll())
}

// Settle has nothing to settle: Windows reads the registry when it needs it.
func (*Gate) Settle(context.Context) error { return nil }

// Forget takes away the folders of the notes, when nothing is in them: after the last Open. What could not be undone stays
// written down.
func (g *Gate) Forget() { g.hand.sweep() }

// Early has nothing to say: this system has no initramfs.
func (*Gate) Early() string { return EarlyNone }

// State reads the registry: "shut", "open", or "failed: …" with what is neither.
func (g *Gate) State() string { return g.hand.ladder.state() }

func machineLadder(o Options) ladder {
	return ladder{reg: localMachine{}, dir: gateDir(o), layered: thisBuild().layered()}
}

// gateDir is kept when state and records are purged: without it nothing could be undone.
func gateDir(o Options) string {
	if o.Root != "" && o.Root != "/" {
		return filepath.Join(o.Root, "gate")
	}
	data, err := windows.KnownFolderPath(windows.FOLDERID_ProgramData, 0)
	if err != nil {
		data = `C:\ProgramData`
	}
	return filepath.Join(data, "Sekisho", "gate")
}

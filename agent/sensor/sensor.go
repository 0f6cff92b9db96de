// Package sensor is the eyes: it sees what is plugged into the terminal and who sits at it.
// It never decides, never blocks a device and never writes anything.
package sensor

import (
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/policy"
)

// Options are what a sensor needs to know.
type Options struct {
	Root   string           // "/"; sysfs at Root/sys, sessions at Root/run, mounts at Root/proc
	Boot   string           // boot id, for the log
	System []string         // what SystemDisks said earlier in this boot; nil: first start in this boot
	Log    zerolog.Logger   //
	Now    func() time.Time // the agent's clock, for Event.SeenAt
	Again  <-chan struct{}  // somebody asks for another look; where the kernel tells everything it is not needed
}

// errOverflow says that the kernel dropped uevents because nobody fetched them in time.
var errOverflow = errors.New("kernel events were lost")

// SystemDisks names the disks among devices that are the machine's own, to be kept for Options.System
// until the next boot. It is never nil. A name holds the serial, so that another disk put into
// the same slot is not taken for the first.
func SystemDisks(devices []policy.Device) []string {
	names := []string{}
	for _, d := range devices {
		if d.Has(policy.KindSystem) {
			names = append(names, systemName(d))
		}
	}
	return names
}

func systemName(d policy.Device) string {
	return strings.TrimSpace(d.Bus + " " + d.ID + " " + d.Serial)
}

// tree is the terminal's file system as the sensor reads it, below a root so that it runs anywhere.
type tree struct{ root string }

func (o Options) tree() tree { return tree{filepath.Clean(o.Root)} }

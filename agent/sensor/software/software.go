// Package software sees which programs are on this terminal, and what changed since it last looked. It never judges a
// program, never runs one of them, and never asks Windows' Win32_Product, which repairs what it lists.
package software

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/policy"
	"sekisho/internal/roll"
)

// Options of the eyes.
type Options struct {
	Root string // "/"; files are read below it
	Dir  string // folder of what was seen last; it is made
	Log  zerolog.Logger
	Now  func() time.Time // nil is time.Now

	Often time.Duration // between two full looks when nothing is told; 0 is every quarter of an hour
	Calm  time.Duration // how long a change has to be over before a look; 0 is 300 ms
	// Busy says that a package manager is at work about which everything is known already: a look waits for its end, but no
	// longer than longRun. nil: never.
	Busy func() bool
	// Up is how long this terminal runs; nil asks the system. While it starts, and people sign in, no file of theirs is opened
	// (Windows only).
	Up func() time.Duration
}

// How often everything is looked at without being told to, and how the looks that are told for come together: a package
// manager changes its database many times in one run.
const (
	often   = 15 * time.Minute
	calm    = 300 * time.Millisecond
	patient = 2 * time.Second // a run that goes on is looked at all the same
	longRun = time.Minute
)

// Look is what one look found that the one before had not.
type Look struct {
	First    bool                  // it is the first of this terminal: what is there is no event
	Events   []policy.ProgramEvent // installed, changed, removed
	Programs *roll.Roll            // all that are there now
	Faults   []string              // what could not be read, "cannot …"; what was known of it counts on
}

// source is one place where programs are noted: a package manager's database, a folder, a part of the registry.
type source struct {
	name string
	// mark is something that is another when read would say something else; "" is never the same.
	mark func() string
	// read gives what is there. before is what was there at the last look; first says that there was none. When ctx
	// ends it gives up, and what it says does not count.
	read func(ctx context.Context, before map[string]policy.Program, first bool) reading
	// tell adds to events who did it and how. May be nil.
	tell func([]policy.ProgramEvent)
}

// reading is what a source says.
type reading struct {
	programs []policy.Program
	shared   map[string]bool // dpkg's own, see debReader
	first    map[string]bool // true for those of a person of whom nothing was known before: they were there already
	torn     bool            // not all could be read: what is missing is not taken for gone
	fault    string          // why, "cannot …"
}

// maxPrograms bounds a source; a terminal has hundreds, a developer's few thousand.
const maxPrograms = 20000

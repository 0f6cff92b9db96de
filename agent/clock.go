package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sekisho/internal/durable"
)

const (
	clockFile = "clock.json"
	// tolerance is what two honest clocks may differ by, and what a network may take.
	tolerance = 2 * time.Second
	// lastYear: beyond it a time cannot be written down as JSON in every zone, and no record either.
	lastYear = 9000
)

// What was found of the clock at the start.
const (
	clockFine       = ""
	clockSetBack    = "set_back"   // it stands before a moment that has passed already
	clockUnreadable = "unreadable" // the note of that moment is damaged, so nobody can tell
)

// clock is the only clock of the agent. Once the console's time was heard it is that plus the time elapsed, whatever
// the wall clock says; before, it is the wall clock, but never earlier than the last moment noted plus the time elapsed.
//
// BUG: without the console, time spent powered off is known only from the wall clock: a clock set back while the
// machine is off, but not behind the last note, gives a running grant the difference.
type clock struct {
	wall    func() time.Time
	elapsed func() time.Duration // since the machine was started, also while it slept
	path    string
	boot    string // id of this start of the machine

	saving sync.Mutex // one save at a time, so that the newest is the last

	mu   sync.Mutex
	note note
}

// note is what is kept over restarts.
type note struct {
	At      time.Time     `json:"at"`      // a moment that has passed …
	Elapsed time.Duration `json:"elapsed"` // … when the machine had run this long
	Boot    string        `json:"boot"`
	Console bool          `json:"console"` // At is the console's word
	Doubted bool          `json:"doubted"` // the wall clock was caught; grants wait for the console
}

// openClock reads the note in dir and compares it with the wall clock.
func openClock(dir, boot string, wall func() time.Time, elapsed func() time.Duration) (*clock, string) {
	c := &clock{wall: wall, elapsed: elapsed, boot: boot, path: filepath.Join(dir, clockFile)}
	old, err := readNote(c.path)
	c.note = note{At: wall(), Elapsed: elapsed(), Boot: boot}
	switch {
	case errors.Is(err, fs.ErrNotExist) && !wasHere(dir):
		return c, clockFine // the first start on this terminal
	case err != nil, old.Boot == boot && old.Elapsed > c.note.Elapsed: // no machine runs backwards
		c.note.Doubted = true
		return c, clockUnreadable
	case old.Boot == boot:
		c.note = old
		return c, clockFine
	}
	return c, c.resume(old)
}

// wasHere says that an agent has run on this state folder before: then a note of the time that is missing was lost.
func wasHere(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, bootFile))
	return err == nil
}

// resume goes on after the machine was off.
func (c *clock) resume(old note) string {
	c.note.Doubted = old.Doubted
	if !c.note.At.Before(old.At.Add(-tolerance)) {
		return clockFine
	}
	c.note.At, c.note.Doubted = old.At, true
	return clockSetBack
}

func readNote(path string) (note, error) {
	var n note
	raw, err := os.ReadFile(path)
	if err != nil {
		return n, err
	}
	if err := json.Unmarshal(raw, &n); err != nil {
		return n, err
	}
	if n.At.Year() < 2000 || n.At.Year() > lastYear {
		return n, errors.New("no time in it that can be")
	}
	return n, nil
}

// now may be called by anyone.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reckon()
}

func (c *clock) reckon() time.Time {
	t := c.note.At.Add(c.elapsed() - c.note.Elapsed)
	if w := c.wall(); !c.note.Console && !c.note.Doubted && w.After(t) {
		t = w
	}
	return t.UTC().Round(0)
}

// hear takes the console's time. It says whether that moved our clock or ended a doubt. What the console said once is
// never taken back by an earlier time: an answer may have hung for minutes behind its clock.
func (c *clock) hear(t time.Time) (moved bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	diff := t.Sub(c.reckon())
	if c.note.Console && !c.note.Doubted && diff <= tolerance {
		return false
	}
	moved = c.note.Doubted || diff.Abs() > tolerance
	c.note = note{At: t.UTC().Round(0), Elapsed: c.elapsed(), Boot: c.boot, Console: true}
	return moved
}

// offset is how far the wall clock stands from the console's time, once that was heard.
func (c *clock) offset() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wall().Sub(c.reckon()), c.note.Console && !c.note.Doubted
}

// doubted says that deadlines mean nothing here until the console is heard.
func (c *clock) doubted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.note.Doubted
}

// save notes this moment as one that has passed.
func (c *clock) save() error {
	c.saving.Lock()
	defer c.saving.Unlock()
	c.mu.Lock()
	n := c.note
	n.At, n.Elapsed, n.Boot = c.reckon(), c.elapsed(), c.boot
	c.mu.Unlock()
	raw, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return durable.WriteFile(c.path, raw, 0o600)
}

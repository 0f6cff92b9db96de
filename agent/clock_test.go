package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sekisho/internal/wire"
)

// watchmaker is a machine whose clocks can be turned.
type watchmaker struct {
	wall    time.Time
	elapsed time.Duration
}

func (w *watchmaker) open(dir, boot string) (*clock, string) {
	return openClock(dir, boot, func() time.Time { return w.wall }, func() time.Duration { return w.elapsed })
}

func (w *watchmaker) pass(d time.Duration) { w.wall, w.elapsed = w.wall.Add(d), w.elapsed+d }

var nine = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func TestTheClockNeverRunsBehindWhatTheConsoleSaid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "clock")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		w := &watchmaker{wall: nine}
		c, _ := w.open(dir, "one")
		var heard, heardAt = time.Time{}, time.Duration(0)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			d := time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "d"))
			switch rapid.SampledFrom([]string{"pass", "back", "forward", "hear", "restart"}).Draw(t, "step") {
			case "pass":
				w.pass(d)
			case "back":
				w.wall = w.wall.Add(-d)
			case "forward":
				w.wall = w.wall.Add(d)
			case "hear":
				heard, heardAt = nine.Add(w.elapsed), w.elapsed
				c.hear(heard)
			case "restart":
				if err := c.save(); err != nil {
					t.Fatal(err)
				}
				c, _ = w.open(dir, "one")
			}
			if low := heard.Add(w.elapsed - heardAt); !heard.IsZero() && c.now().Before(low) {
				t.Fatalf("it is %s, the console said at least %s", c.now(), low)
			}
			if high := heard.Add(w.elapsed - heardAt + tolerance); !heard.IsZero() && c.now().After(high) {
				t.Fatalf("it is %s, the console said at most %s", c.now(), high)
			}
		}
	})
}

func TestASleepingMachineAgesToo(t *testing.T) {
	w := &watchmaker{wall: nine}
	c, _ := w.open(t.TempDir(), "one")
	c.hear(nine)
	w.elapsed += 8 * time.Hour // the boot clock counts, the wall clock was not set after the sleep
	if got := c.now(); !got.Equal(nine.Add(8 * time.Hour)) {
		t.Errorf("it is %s", got)
	}
}

func TestAnAnswerThatHungForMinutesDoesNotSetTheClockBack(t *testing.T) {
	w := &watchmaker{wall: nine.Add(-3 * time.Hour)}
	c, _ := w.open(t.TempDir(), "one")
	if !c.hear(nine) || !c.now().Equal(nine) {
		t.Errorf("it is %s", c.now())
	}
	w.pass(10 * time.Minute)
	if c.hear(nine) || !c.now().Equal(nine.Add(10*time.Minute)) {
		t.Errorf("it is %s", c.now())
	}
	if !c.hear(nine.Add(time.Hour)) || !c.now().Equal(nine.Add(time.Hour)) {
		t.Errorf("it is %s", c.now())
	}
}

func TestASmallDifferenceIsNoClockSetBack(t *testing.T) {
	dir := t.TempDir()
	w := &watchmaker{wall: nine}
	c, _ := w.open(dir, "one")
	if err := c.save(); err != nil {
		t.Fatal(err)
	}
	w.wall, w.elapsed = nine.Add(-time.Second), 0
	if c, found := w.open(dir, "two"); found != clockFine || c.doubted() {
		t.Errorf("found %q", found)
	}
	w.wall = nine.Add(-3 * time.Second)
	if c, found := w.open(dir, "three"); found != clockSetBack || !c.doubted() || c.now().Before(nine) {
		t.Errorf("found %q, it is %s", found, c.now())
	}
}

func TestADamagedNoteIsADoubtAndNotAGuess(t *testing.T) {
	for _, content := range []string{"", "{", "{}", "null", `{"at":"yesterday"}`, "\x00\x00\x00"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, clockFile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		w := &watchmaker{wall: nine}
		c, found := w.open(dir, "one")
		if found != clockUnreadable || !c.doubted() || !c.now().Equal(nine) {
			t.Errorf("%q: found %q, it is %s", content, found, c.now())
		}
		if !c.hear(nine) || c.doubted() {
			t.Errorf("%q: the console's word does not end the doubt", content)
		}
	}
}

func TestANoteThatIsMissingOrCannotBeTrueEndsThePermissions(t *testing.T) {
	for name, note := range map[string]string{
		"missing":        "",
		"year 9999":      `{"at":"9999-12-31T23:59:59Z","elapsed":0,"boot":"one","console":true}`,
		"year 1":         `{"at":"0001-01-01T00:00:00Z","elapsed":0,"boot":"one","console":true}`,
		"from to-morrow": `{"at":"2026-11-23T09:00:00Z","elapsed":9000000000000000,"boot":"one","console":true}`,
	} {
		dir := t.TempDir()
		if err := saveBoot(dir, bootNote{Boot: "one"}); err != nil { // an agent was here before
			t.Fatal(err)
		}
		if note != "" {
			if err := os.WriteFile(filepath.Join(dir, clockFile), []byte(note), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		w := &watchmaker{wall: nine, elapsed: time.Hour}
		c, found := w.open(dir, "one")
		if found != clockUnreadable || !c.doubted() || !c.now().Equal(nine) {
			t.Errorf("%s: %q, doubted %v, it is %s", name, found, c.doubted(), c.now())
		}
	}
}

func FuzzClockNote(f *testing.F) {
	f.Add([]byte(`{"at":"2026-11-23T09:00:00Z","elapsed":5,"boot":"one","console":true}`))
	f.Add([]byte(`{"at":"0001-01-01T00:00:00Z"}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, clockFile), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		w := &watchmaker{wall: nine}
		c, _ := w.open(dir, "two")
		if c.now().Before(nine) {
			t.Errorf("%q: it is %s", raw, c.now())
		}
	})
}

func TestAClockBefore1970IsBelievedByNobodyUntilTheConsoleIsHeard(t *testing.T) {
	dir := t.TempDir()
	w := &watchmaker{wall: time.Date(1965, 1, 1, 0, 0, 0, 0, time.UTC)}
	c, found := w.open(dir, "one")
	if found != clockFine { // the first start on this terminal: there is nothing to compare with
		t.Fatal(found)
	}
	if err := c.save(); err != nil {
		t.Fatal(err)
	}
	if err := saveBoot(dir, bootNote{Boot: "one"}); err != nil {
		t.Fatal(err)
	}
	c, found = w.open(dir, "one")
	if found != clockUnreadable || !c.doubted() {
		t.Fatalf("%s, doubted %v", found, c.doubted())
	}
	body, err := encode(wire.Record{Kind: wire.RecordClock, Code: found, At: c.now()})
	if err != nil || !strings.Contains(string(body), "1965-01-01T") {
		t.Errorf("%s, %v", body, err)
	}
	if !c.hear(nine) || c.doubted() || !c.now().Equal(nine) {
		t.Errorf("%s, doubted %v", c.now(), c.doubted())
	}
}

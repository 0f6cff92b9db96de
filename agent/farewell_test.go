package main

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sekisho/agent/local"
)

// atWork runs an agent that only looks until the test or stop ends it.
func atWork(t *testing.T, c config) (ask func() local.Answer, stop func()) {
	socket := filepath.Join(t.TempDir(), "s")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- guardTerminal(ctx, agentOptions{config: c, root: "/", socket: socket, observe: true,
			getenv: func(string) string { return "" }, log: zerolog.Nop()})
	}()
	askUntilAnswered(t, socket, done)
	ask = func() local.Answer {
		a, err := local.Ask(t.Context(), socket, local.Request{Ask: local.AskStatus})
		mustDo(t, err)
		return a
	}
	return ask, func() { cancel(); mustDo(t, <-done) }
}

// until looks again until it holds. Its limit measures nothing, it only ends what would never come: what takes five seconds of a
// processor, as the list of what is installed here does with the race detector, takes half a minute beside six others.
func until(t *testing.T, about string, holds func() bool) {
	t.Helper()
	tick, end := time.NewTicker(20*time.Millisecond), time.After(2*time.Minute)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("it did not happen: %s", about)
		}
	}
}

func goes(t *testing.T, c config, problem error) string {
	var out bytes.Buffer
	farewell{config: c, root: "/", limit: 5 * time.Second, log: zerolog.Nop(), out: &out}.say(t.Context(), problem, `PC\山田`)
	return out.String()
}

func TestAConsoleThatComesLateLeavesNoFaultBehind(t *testing.T) {
	o := newOffice(t)
	ask, stop := atWork(t, o.invite(t.TempDir()))
	defer stop()
	var last local.Answer
	defer func() {
		if t.Failed() {
			t.Logf("last it said %+v, faults %q", last.Link, last.Status.Faults)
		}
	}()
	complains := func() bool { // of the console; what else is amiss on this machine is none of this test's business
		return slices.ContainsFunc(last.Status.Faults, func(fault string) bool { return strings.Contains(fault, "enrol") })
	}
	until(t, "the terminal says that the console is away", func() bool {
		last = ask()
		return strings.Contains(last.Link.Error, "cannot enrol") && complains()
	})
	o.open()
	until(t, "the terminal arrives, and complains no more", func() bool {
		last = ask()
		return last.Link.Enrolled && last.Link.Error == "" && !complains()
	})
}

func TestTheConsoleHearsOfARemoval(t *testing.T) {
	o := newOffice(t)
	o.open()
	c := o.invite(t.TempDir())
	ask, stop := atWork(t, c)
	until(t, "enrolled", func() bool { return ask().Link.Enrolled })
	stop()
	if said := goes(t, c, errors.New("cannot open the gate")); said != "the console knows of the removal\n" {
		t.Errorf("said %q", said)
	}
	goes(t, c, nil)
	codes, notes := o.heard()
	n := len(codes)
	if n < 4 || !slices.Equal(codes[n-3:], []string{"stopped", "uninstall_failed", "uninstalled"}) {
		t.Fatalf("the console heard %q", codes)
	}
	if notes[n-2] != `version dev, by PC\山田: cannot open the gate` || notes[n-1] != `version dev, by PC\山田` {
		t.Errorf("notes are %q", notes)
	}
}

func TestARemovalWithoutTheConsoleWaitsInTheJournal(t *testing.T) {
	o := newOffice(t)
	c := o.invite(t.TempDir())
	_, stop := atWork(t, c)
	stop()
	if said := goes(t, c, nil); !strings.Contains(said, "the console does not know of the removal: cannot find an identity") || !strings.Contains(said, c.State) {
		t.Errorf("said %q", said)
	}
	o.open()
	ask, stop := atWork(t, c)
	until(t, "the agent that was installed again delivers it", func() bool {
		codes, _ := o.heard()
		return ask().Link.Enrolled && slices.Contains(codes, "uninstalled")
	})
	stop()
}

func TestWhatWasNeverAtWorkSaysNoFarewell(t *testing.T) {
	if said := goes(t, config{State: filepath.Join(t.TempDir(), "none")}, nil); said != "" {
		t.Errorf("said %q", said)
	}
	if said := goes(t, config{}, nil); said != "" {
		t.Errorf("said %q", said)
	}
}

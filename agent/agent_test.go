package main

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sekisho/agent/local"
	"sekisho/agent/outbox"
	"sekisho/internal/wire"
)

// TestAnAgentThatOnlyLooksStartsAnswersAndStops runs the real wiring on this very machine, touching nothing.
func TestAnAgentThatOnlyLooksStartsAnswersAndStops(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- guardTerminal(ctx, agentOptions{
				config: config{State: dir}, root: "/", socket: socket, observe: true,
				getenv: func(string) string { return "" }, log: zerolog.Nop(),
			})
		}()
		a := askUntilAnswered(t, socket, done)
		if a.Status.Gate != "none" || a.Status.Mode != "audit" || a.Status.Kernel == "" || a.Link.Enrolled {
			t.Errorf("%+v", a)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if got := codes(t, dir); got[0] != "started" || got[1] != "builtin_audit" || got[len(got)-1] != "stopped" {
		t.Errorf("the journal says %q", got)
	}
}

func askUntilAnswered(t *testing.T, socket string, done chan error) local.Answer {
	for {
		if a, err := local.Ask(t.Context(), socket, local.Request{Ask: local.AskStatus}); err == nil {
			return a
		}
		select {
		case err := <-done:
			t.Fatalf("the agent ended: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// codes lists what the journal in a state folder says of the agent itself.
func codes(t *testing.T, dir string) []string {
	box, err := outbox.Open(filepath.Join(dir, "outbox"), outbox.Options{Gap: func(uint64) []byte { return nil }, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	req, err := box.Next(wire.MaxEntries)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range req.Entries {
		if r := decodeRecord(t, e.Body); r.Kind != wire.RecordDevice {
			out = append(out, r.Code)
		}
	}
	return out
}

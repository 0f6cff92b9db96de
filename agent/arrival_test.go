package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sekisho/agent/local"
	"sekisho/internal/wire"
)

func TestInstallSaysWhetherTheTerminalArrivedAtTheConsole(t *testing.T) {
	const at = "https://console:8444"
	well := local.Link{Server: at, Enrolled: true, Terminal: "T1", Contact: time.Now()}
	for name, c := range map[string]struct {
		first, then local.Link
		never       bool // it stays so: the wait ends without an arrival
		want        string
	}{
		"after a moment":       {local.Link{Server: at}, well, false, "enrolled as terminal T1 ("},
		"the code is spent":    {local.Link{Server: at, Error: "the code is used"}, local.Link{Server: at, Error: "the code is used"}, true, "not enrolled yet: the code is used"},
		"no network":           {local.Link{Server: at, Enrolled: true, Terminal: "T1"}, local.Link{Server: at, Enrolled: true, Terminal: "T1", Error: "no route"}, true, "not connected yet: no route\n  the agent keeps trying"},
		"no console":           {local.Link{}, local.Link{}, false, "no console is configured"},
		"retired at the other": {well, well, false, "the console answers"},
	} {
		socket := filepath.Join(t.TempDir(), "s")
		l, err := local.Listen(socket)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		waiting, giveUp := context.WithCancel(t.Context())
		var asked atomic.Int64
		go local.Serve(ctx, l, func(local.Request) local.Answer {
			n := asked.Add(1)
			if n > 5 && c.never { // the limit is over: by count, for a busy machine has another idea of time
				giveUp()
			}
			if n < 3 {
				return local.Answer{Status: &wire.Status{}, Link: c.first}
			}
			return local.Answer{Status: &wire.Status{}, Link: c.then}
		}, zerolog.Nop())
		var out bytes.Buffer
		arrival{socket: socket, limit: time.Minute, every: time.Millisecond}.tell(waiting, &out)
		giveUp()
		cancel()
		if !strings.Contains(out.String(), c.want) {
			t.Errorf("%s: %q", name, out.String())
		}
	}
}

func TestInstallSaysThatNobodyAnswers(t *testing.T) {
	var out bytes.Buffer
	arrival{socket: filepath.Join(t.TempDir(), "none"), limit: 10 * time.Millisecond, every: time.Millisecond}.tell(t.Context(), &out)
	if !strings.Contains(out.String(), "cannot reach the agent") {
		t.Errorf("%q", out.String())
	}
}

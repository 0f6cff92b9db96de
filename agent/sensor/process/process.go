// Package process sees programs that start on Windows, by looking at the list of all again and again: what ends between two
// looks is never seen. It never judges and never ends one.
package process

import (
	"context"
	"time"

	"github.com/rs/zerolog"
)

// Started is a program that runs.
type Started struct {
	PID    uint32
	Path   string // of its file, as the system keeps it; "" when it cannot be told
	Began  time.Time
	Parent string // path of the program that started it, when that still runs
	User   string // DOMAIN\name whose it is; "" unknown
	System bool   // it runs for Windows itself, or nobody may look whose it is
	Before bool   // it ran already when it was looked for the first time, or looked for anew
}

// Options of Watch.
type Options struct {
	Every time.Duration   // between two looks; 0 is DefaultEvery
	Again <-chan struct{} // everything that runs is told again; may be nil
	Log   zerolog.Logger
}

// DefaultEvery is how long a program may run before it is seen.
const DefaultEvery = 500 * time.Millisecond

// entry is a line of the list.
type entry struct {
	pid, parent uint32
	name        string
}

// known are those that were told.
type known map[entry]bool

// news gives what is new in a list and forgets what is gone.
func (k known) news(list []entry) []entry {
	var out []entry
	now := make(map[entry]bool, len(list))
	for _, e := range list {
		if now[e] = true; !k[e] {
			k[e] = true
			out = append(out, e)
		}
	}
	for e := range k {
		if !now[e] {
			delete(k, e)
		}
	}
	return out
}

// Watch tells of every program that runs until ctx ends; then it closes the channel. Who is slow to take them delays the next look.
func Watch(ctx context.Context, o Options) <-chan Started {
	out := make(chan Started)
	go func() {
		defer close(out)
		w := watcher{Options: o, out: out, seen: known{}}
		w.run(ctx)
	}()
	return out
}

type watcher struct {
	Options
	out  chan<- Started
	seen known
	deaf bool // the last look failed, and that was said
}

func (w *watcher) run(ctx context.Context) {
	every := w.Every
	if every <= 0 {
		every = DefaultEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	before := true
	for w.look(ctx, before) {
		before = false
		select {
		case <-tick.C:
		case <-w.Again:
			w.seen, before = known{}, true
		case <-ctx.Done():
			return
		}
	}
}

// look says whether to go on.
func (w *watcher) look(ctx context.Context, before bool) bool {
	list, err := processes()
	if err != nil {
		if !w.deaf {
			w.Log.Error().Err(err).Msg("cannot list the programs that run")
		}
		w.deaf = true
		return ctx.Err() == nil
	}
	w.deaf = false
	for _, e := range w.seen.news(list) {
		s, ok := describe(e)
		if !ok {
			continue // it is gone, or it is a part of the kernel
		}
		s.Before = before
		select {
		case w.out <- s:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

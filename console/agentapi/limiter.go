package agentapi

import (
	"sync"
	"time"
)

// limiter counts tries by key and over all within a window. It bounds guessing, not truth:
// each replica counts for itself.
type limiter struct {
	each, all int
	within    time.Duration

	mu    sync.Mutex
	since time.Time
	by    map[string]int
	total int
}

// maxKeys bounds memory; behind it all keys are one.
const maxKeys = 10_000

// open says whether a key may try; it counts nothing.
func (l *limiter) open(key string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn(now)
	return l.total < l.all && l.by[key] < l.each
}

// count notes one try.
func (l *limiter) count(key string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn(now)
	if len(l.by) < maxKeys {
		l.by[key]++
	}
	l.total++
}

func (l *limiter) turn(now time.Time) {
	if l.by == nil || now.Sub(l.since) >= l.within || now.Before(l.since) {
		l.since, l.by, l.total = now, map[string]int{}, 0
	}
}

// perTerminal is how many batches of one terminal are read at the same time: one that trickles holds no other up.
// An honest one sends one after the other; the second is for the connection that was cut unseen.
const perTerminal = 2

// hanging is how many policy requests of one terminal may hang at the same time. An honest one has one, and those of
// connections that were cut unseen, until their time is over.
const hanging = 16

// turns counts who is being served.
type turns struct {
	most int // of one key

	mu sync.Mutex
	by map[string]int
}

func (t *turns) enter(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		t.by = map[string]int{}
	}
	if t.by[key] >= t.most {
		return false
	}
	t.by[key]++
	return true
}

func (t *turns) leave(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by[key]--; t.by[key] <= 0 {
		delete(t.by, key)
	}
}

package store

import "sync"

// watchers wakes those who wait for a terminal's policy. It is a hint within this process:
// who waits must also look by itself now and then.
type watchers struct {
	mu sync.Mutex
	by map[string]map[chan struct{}]struct{}
}

// Watch gives a channel that is filled after a change of a terminal's policy is stored, and what ends the watch.
func (db *DB) Watch(terminal string) (<-chan struct{}, func()) {
	w := &db.watch
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by == nil {
		w.by = map[string]map[chan struct{}]struct{}{}
	}
	if w.by[terminal] == nil {
		w.by[terminal] = map[chan struct{}]struct{}{}
	}
	w.by[terminal][c] = struct{}{}
	return c, func() { w.end(terminal, c) }
}

func (w *watchers) end(terminal string, c chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.by[terminal], c)
	if len(w.by[terminal]) == 0 {
		delete(w.by, terminal)
	}
}

func (w *watchers) wake(terminals ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range terminals {
		for c := range w.by[t] {
			select {
			case c <- struct{}{}:
			default: // it is awake already
			}
		}
	}
}

// Watched says whether anybody waits for a terminal's policy in this process.
func (db *DB) Watched(terminal string) bool {
	db.watch.mu.Lock()
	defer db.watch.mu.Unlock()
	return len(db.watch.by[terminal]) > 0
}

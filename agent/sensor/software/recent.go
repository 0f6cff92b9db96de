package software

import (
	"sync"

	"sekisho/internal/policy"
	"sekisho/internal/roll"
)

// recent is what was seen last, by source, in few bytes: at hand for every look and for everybody else. Behind it is the shelf.
type recent struct {
	shelf shelf

	mu    sync.Mutex
	seen  map[string]*roll.Roll
	loose map[string]bool // seen, and not on the shelf
}

func newRecent(dir string) *recent {
	return &recent{shelf: shelf{dir}, seen: map[string]*roll.Roll{}, loose: map[string]bool{}}
}

// put notes what a look saw; loose is what the shelf does not have.
func (r *recent) put(name string, programs []policy.Program, loose bool) {
	all := roll.Of(programs)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[name] = all
	if loose {
		r.loose[name] = true
	}
}

// last is what was seen last, kept or not; had is false when there was no look.
func (r *recent) last(name string) (programs *roll.Roll, had bool, err error) {
	if all := r.now(name); all != nil {
		return all, true, nil
	}
	return r.shelf.get(name)
}

// now is what was seen since the start; nil when there was no look yet.
func (r *recent) now(name string) *roll.Roll {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen[name]
}

// kept is what a look compares with: what was seen last and is safe.
func (r *recent) kept(name string) (programs *roll.Roll, had bool, err error) {
	r.mu.Lock()
	all, loose := r.seen[name], r.loose[name]
	r.mu.Unlock()
	if all == nil || loose {
		return r.shelf.get(name)
	}
	return all, true, nil
}

// keep puts what was seen on the shelf, unless it is there.
func (r *recent) keep(name string) error {
	r.mu.Lock()
	all, loose := r.seen[name], r.loose[name]
	r.mu.Unlock()
	if !loose {
		return nil
	}
	if err := r.shelf.put(name, all); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.loose, name)
	return nil
}

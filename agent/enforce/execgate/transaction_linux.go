package execgate

import (
	"path"
	"sync"
	"time"
)

// transactions are the package managers at work whose packages were vetted. What they have just unpacked is in no list yet,
// and their scripts run it.
type transactions struct {
	mu    sync.Mutex
	all   map[process]transaction
	ended time.Time // of the last dpkg whose end was seen
}

type transaction struct {
	begun uint64 // when the process began, so that the next one with its number is no heir
	dpkg  bool   // it is the one that unpacks
	until time.Time
	pidfd int  // of a dpkg that is at work; guarded by the lock of transactions
	doubt bool // the policy has become another since
}

// longest is how long one may last; a system upgrade takes an hour on a slow disk.
const longest = 3 * time.Hour

// Vetted says that the package manager with that process id may install what it asked for.
func (g *Gate) Vetted(pid int) {
	p := process(pid)
	_, begun := p.parent()
	if begun == 0 || pid <= 1 {
		return
	}
	dpkg := path.Base(p.program()) == "dpkg"
	if fresh := g.vetted.add(p, transaction{begun: begun, dpkg: dpkg, until: time.Now().Add(longest)}); fresh && dpkg {
		g.hush(p, begun)
	}
}

// add says whether it was not there yet: what is long is asked about in parts.
func (t *transactions) add(p process, tr transaction) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for old, known := range t.all {
		if now.After(known.until) {
			delete(t.all, old)
		}
	}
	if t.all == nil {
		t.all = map[process]transaction{}
	}
	old, had := t.all[p]
	fresh := !had || old.begun != tr.begun
	if !fresh {
		tr.pidfd, tr.doubt = old.pidfd, old.doubt
	}
	t.all[p] = tr
	return fresh
}

// hold keeps what tells whether it still works.
func (t *transactions) hold(p process, begun uint64, pidfd int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if tr, ok := t.all[p]; ok && tr.begun == begun {
		tr.pidfd = pidfd
		t.all[p] = tr
	}
}

// works says whether the process itself is a vetted dpkg, and whether the policy has become another since it was vetted.
// While it lives its number is nobody else's.
func (t *transactions) works(p process) (works, doubted bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tr, ok := t.all[p]
	return ok && tr.pidfd > 0 && time.Now().Before(tr.until) && lives(tr.pidfd), tr.doubt
}

// doubt says that the policy has become another: what is being unpacked may be forbidden now.
func (t *transactions) doubt() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for p, tr := range t.all {
		tr.doubt = true
		t.all[p] = tr
	}
}

// drop forgets one that has ended, so that nobody looks after it any more.
func (t *transactions) drop(p process, begun uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all[p].begun == begun {
		delete(t.all, p)
		t.ended = time.Now()
	}
}

// lull is how long a package manager that lives may let no dpkg work before its run counts as done: apt has dpkg unpack all
// packages, and at once another one configure them. A program with windows lives on for hours.
const lull = 2 * time.Second

// Busy says whether a vetted dpkg is at work, or will be in a moment: what it does was judged, and one look at its end tells all.
func (g *Gate) Busy() bool {
	t := &g.vetted
	t.mu.Lock()
	defer t.mu.Unlock()
	between := time.Since(t.ended) < lull
	for p, tr := range t.all {
		if !tr.dpkg && !between {
			continue
		}
		if _, begun := p.parent(); begun == tr.begun {
			return true
		}
	}
	return false
}

func (t *transactions) has(p process, begun uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	tr, ok := t.all[p]
	return ok && tr.begun == begun && time.Now().Before(tr.until)
}

func (t *transactions) none() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.all) == 0
}

// inTransaction says whether a vetted package manager's descendant runs a file that is root's.
func (c *asked) inTransaction() bool {
	if !c.private() || c.vetted.none() || c.by.uid() != 0 {
		return false
	}
	p := c.by
	for range 64 {
		parent, begun := p.parent()
		if c.vetted.has(p, begun) {
			return true
		}
		if parent <= 1 {
			return false
		}
		p = parent
	}
	return false
}

package software

import (
	"errors"
	"sync"
	"time"

	"sekisho/internal/policy"
)

// Packages are what dpkg says is there at this moment, for who cannot wait for the eyes. It changes nothing that they keep, and
// runs no program: who asks may be who lets programs run.
type Packages struct {
	shelf shelf

	mu   sync.Mutex
	dpkg dpkg
}

// NewPackages looks where eyes with the same options look.
func NewPackages(o Options) *Packages {
	return &Packages{shelf: shelf{o.Dir}, dpkg: dpkg{root: o.Root, alone: true}}
}

// Installed gives the packages with where they came from, judged by what was seen last: one that calls itself essential is
// believed only as the eyes believe it. Where not all could be read, what was known of the rest counts on; where nothing
// could, the error says so. No dpkg, no packages.
func (p *Packages) Installed() ([]policy.Program, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen, had, _ := p.shelf.get("deb") // what cannot be read is as for the eyes: there was no look before
	var before map[string]policy.Program
	if had {
		before = byID(seen)
	}
	r := p.dpkg.read(before, !had)
	if r.torn && len(r.programs) == 0 {
		return nil, errors.New(r.fault)
	}
	_, there := difference(before, r, time.Time{}, false)
	return there, nil
}

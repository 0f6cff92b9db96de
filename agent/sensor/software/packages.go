package software

import (
	"context"
	"errors"
	"sync"
	"time"

	"sekisho/internal/policy"
)

// Packages are what dpkg says is there at this moment, for who cannot wait for the eyes. It changes nothing that they keep, and
// runs no program: who asks may be who lets programs run.
type Packages struct {
	recent *recent

	mu   sync.Mutex
	dpkg dpkg
}

func newPackages(o Options, seen *recent) *Packages {
	return &Packages{recent: seen, dpkg: dpkg{root: o.Root, alone: true}}
}

// Seen says whether the eyes have looked since the start: before that, where a package came from may not be known.
func (p *Packages) Seen() bool { return p.recent.now(debSource) != nil }

// Installed gives the packages with where they came from, judged by what was seen last: one that calls itself essential is
// believed only as the eyes believe it, and of a version that they have seen counts what they found out. Where not all could
// be read, what was known of the rest counts on; where nothing could, the error says so. No dpkg, no packages.
func (p *Packages) Installed() ([]policy.Program, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen, had, _ := p.recent.last(debSource) // what cannot be read is as for the eyes: there was no look before
	var before map[string]policy.Program
	if had {
		before = byID(seen)
	}
	r := p.dpkg.read(context.Background(), before, !had) // it waits for nobody: no program is run
	if r.torn && len(r.programs) == 0 {
		return nil, errors.New(r.fault)
	}
	if p.Seen() {
		believe(r.programs, before)
	}
	_, there := difference(before, r, time.Time{}, false)
	return there, nil
}

// believe takes from the eyes where packages came from: they can read what nobody can who runs no program.
func believe(programs []policy.Program, seen map[string]policy.Program) {
	for n := range programs {
		p := &programs[n]
		if b, had := seen[p.ID]; had && b.Version == p.Version {
			p.Source, p.Origin, p.Signer = b.Source, b.Origin, b.Signer
		}
	}
}

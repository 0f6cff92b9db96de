package update

import (
	"errors"
	"fmt"

	"sekisho/internal/bundle"
	"sekisho/internal/policy"
	"sekisho/internal/seal"
	"sekisho/internal/wire"
)

// refusal is why an offer is not taken, and not looked at again.
type refusal struct {
	code string
	err  error
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

func refuse(code, text string, args ...any) error { return &refusal{code, fmt.Errorf(text, args...)} }

// errSame says that the offered version is at work here.
var errSame = errors.New("this version is at work")

// self is what an offer is measured against.
type self struct {
	version, os, arch string
	keys              map[string][]byte
}

// judge says which program an offer means for this terminal. Whoever offers, the release's signature decides; the clock
// does not take part: a terminal whose clock is wrong can be updated too.
func (s self) judge(u policy.Update) (bundle.Manifest, bundle.Program, error) {
	var none bundle.Program
	m, err := bundle.Open(s.keys, seal.Envelope{Key: u.Key, Payload: u.Manifest, Signature: u.Signature})
	switch {
	case errors.Is(err, bundle.ErrNoKeys):
		return m, none, refuse(wire.ReasonKey, "cannot install %s: this agent was built without release keys; install a package", u.Version)
	case errors.Is(err, seal.ErrUnknownKey), errors.Is(err, seal.ErrBadSignature):
		return m, none, &refusal{wire.ReasonKey, fmt.Errorf("cannot install %s: no release key that this agent knows has signed it: %w", u.Version, err)}
	case err != nil:
		return m, none, &refusal{wire.ReasonManifest, err}
	}
	switch c := bundle.Compare(m.Version, s.version); {
	case c == 0:
		return m, none, errSame
	case c < 0:
		return m, none, refuse(wire.ReasonOlder, "cannot install %s: %s is at work, and an update never goes back", m.Version, s.version)
	}
	p, ok := m.For(s.os, s.arch)
	if !ok {
		return m, none, refuse(wire.ReasonSystem, "cannot install %s: it has no program for %s/%s", m.Version, s.os, s.arch)
	}
	return m, p, nil
}

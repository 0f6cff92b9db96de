package link

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"sekisho/internal/durable"
	"sekisho/internal/policy"
	"sekisho/internal/seal"
	"sekisho/internal/wire"
)

const (
	policyFile = "policy.json"
	maxPolicy  = policy.MaxSize/3*4 + 64<<10 // base64 in an envelope
	hang       = 12 * time.Minute            // the console answers after some minutes, whatever happens
)

// Errors of SavedPolicy that callers tell apart.
var (
	ErrNoPolicy      = errors.New("cannot find a saved policy")
	ErrPolicyDamaged = errors.New("cannot trust the saved policy")
)

// follow asks for the policy again and again; each question hangs until there is another one.
func (l *Link) follow(ctx context.Context) {
	var b backoff
	var refused [sha256.Size]byte // the document that was refused last
	for ctx.Err() == nil {
		begun := time.Now()
		raw, err := l.fetch(ctx)
		switch {
		case err != nil:
			l.failed(ctx, "follow", err)
		case raw != nil:
			err = l.accept(raw, &refused)
		}
		if err != nil {
			pause(ctx, b.grow(err), l.back)
			continue
		}
		b.reset()
		if quick := least - time.Since(begun); quick > 0 && raw == nil {
			pause(ctx, quick)
		}
	}
}

// fetch gives a document, or nothing when the one in force is still right.
func (l *Link) fetch(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, hang)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.base+wire.PathPolicy, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("If-None-Match", l.tag().String())
	res, err := l.caller.Load().do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusNotModified {
		l.reached("follow")
		return nil, nil
	}
	raw, err := readBounded(res.Body, maxPolicy)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, refusalOf(res, raw)
	}
	l.reached("follow")
	return raw, nil
}

func (l *Link) inForce() int64 { return max(l.held.Load().Revision, l.o.Revision()) }

// tag names what is in force, with its content where that is known: a console that was restored from a backup may come
// to the same number with another.
func (l *Link) tag() wire.PolicyTag {
	if held := *l.held.Load(); held.Revision >= l.o.Revision() {
		return held
	}
	return wire.PolicyTag{Revision: l.o.Revision()}
}

// recall names the saved policy; nothing when there is none that can be trusted.
func (l *Link) recall() *wire.PolicyTag {
	raw, err := readSaved(l.o.Dir)
	if err != nil {
		return &wire.PolicyTag{}
	}
	_, tag, err := openPolicy(raw, l.identity)
	if err != nil || tag.Revision != l.o.Revision() { // the guard began with another
		return &wire.PolicyTag{}
	}
	return &tag
}

// accept checks a document, saves it and hands it on; one that is refused is told once, and what was in force stays.
func (l *Link) accept(raw []byte, refused *[sha256.Size]byte) error {
	p, tag, err := l.check(raw)
	if err != nil {
		if sum := sha256.Sum256(raw); sum != *refused {
			*refused = sum
			l.o.Log.Error().Err(err).Msg("policy refused")
			l.o.OnRefused(err)
		}
		return err
	}
	if err := durable.WriteFile(filepath.Join(l.o.Dir, policyFile), raw, 0o600); err != nil {
		// A full disk must not keep a revocation from taking effect; the console sends the document again after a restart.
		l.o.Log.Error().Err(err).Msg("cannot save policy")
	}
	l.held.Store(&tag)
	l.o.OnPolicy(p)
	return nil
}

func (l *Link) check(raw []byte) (*policy.Policy, wire.PolicyTag, error) {
	l.mu.Lock()
	id := l.identity
	l.mu.Unlock()
	p, tag, err := openPolicy(raw, id)
	if err != nil {
		return nil, tag, err
	}
	if have := l.inForce(); p.Revision < have {
		return nil, tag, fmt.Errorf("cannot accept policy: revision %d is older than %d, which is in force", p.Revision, have)
	}
	return p, tag, nil
}

// openPolicy is the one door: signature, form, and whose it is.
func openPolicy(raw []byte, id Identity) (*policy.Policy, wire.PolicyTag, error) {
	var e seal.Envelope
	var none wire.PolicyTag
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, none, fmt.Errorf("cannot read signed policy: %w", err)
	}
	payload, err := seal.Open(id.PolicyKeys, e)
	if err != nil {
		return nil, none, err
	}
	p, err := policy.Parse(payload)
	if err != nil {
		return nil, none, err
	}
	if p.Terminal != id.Terminal {
		return nil, none, fmt.Errorf("cannot accept policy: it is for terminal %q, this is %q", p.Terminal, id.Terminal)
	}
	return p, wire.TagOf(p.Revision, payload), nil
}

// SavedPolicy reads the policy that was in force last and checks it again. ErrNoPolicy when there is none,
// ErrPolicyDamaged when it is not to be trusted.
func SavedPolicy(dir string, id Identity) (*policy.Policy, error) {
	raw, err := readSaved(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNoPolicy
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPolicyDamaged, err)
	}
	p, _, err := openPolicy(raw, id)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPolicyDamaged, err)
	}
	return p, nil
}

func readSaved(dir string) ([]byte, error) {
	f, err := os.Open(filepath.Join(dir, policyFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBounded(f, maxPolicy)
}

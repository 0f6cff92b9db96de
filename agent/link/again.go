package link

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"sekisho/internal/durable"
	"sekisho/internal/wire"
)

// beforeFile is the identity that a new one has replaced, until the console has accepted that one.
const beforeFile = "identity.before.json"

// replace puts a new identity in the place of the old one. When the console refuses it the old one comes back; when the
// console cannot be reached just now the new one stays, because it is of the pinned CA and its code is spent.
func replace(ctx context.Context, base string, o EnrollOptions, id Identity) error {
	path, before := filepath.Join(o.Dir, identityDir, identityFile), filepath.Join(o.Dir, identityDir, beforeFile)
	old, err := durable.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot keep the old identity: %w", err)
	}
	if old != nil {
		if err := durable.WriteFile(before, old, 0o600); err != nil {
			return fmt.Errorf("cannot keep the old identity: %w", err)
		}
	}
	if err := id.save(o.Dir); err != nil {
		return err
	}
	err = o.probe(ctx, base, id)
	var no *refusal
	switch {
	case err == nil:
		os.Remove(before)
	case errors.As(err, &no) && no.forbids() && old != nil:
		return errors.Join(fmt.Errorf("cannot use the new identity, the old one stays: %w", err), durable.WriteFile(path, old, 0o600))
	default:
		o.Log.Warn().Err(err).Msg("enrolled, but the console does not answer the new identity yet; the old one is kept beside it")
	}
	return nil
}

// forbids says that the console does not know who asks; any other answer may be another one tomorrow.
func (r *refusal) forbids() bool {
	return r.status == http.StatusUnauthorized || r.status == http.StatusForbidden
}

// probe asks the console, as this identity, to take no records.
func (o EnrollOptions) probe(ctx context.Context, base string, id Identity) error {
	l := &Link{o: Options{Now: o.Now}, base: base}
	setDefaults(&l.o)
	if err := l.connect(id); err != nil {
		return err
	}
	c := l.caller.Load()
	defer c.close()
	var a wire.EventsAnswer
	return c.post(ctx, wire.PathEvents, wire.EventsRequest{Version: wire.Version}, &a)
}

// SignedBy says whether this identity is of the CA with a fingerprint; an error when that is none.
func (id Identity) SignedBy(fingerprint string) (bool, error) {
	pin, err := parseFingerprint(fingerprint)
	if err != nil {
		return false, err
	}
	return sha256.Sum256(id.CA) == pin, nil
}

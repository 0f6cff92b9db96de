package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/durable"
	"sekisho/internal/policy"
)

const (
	referencesDir = "references"
	maxReference  = 64 << 20
	askAgain      = 10 * time.Minute // after a reference could not be fetched
)

// references keeps what results are held against: texts that the policy names by their hash, which the console gives as
// blobs. What is not the text that was named is thrown away.
type references struct {
	dir   string // the state folder
	fetch func(ctx context.Context, hash string, from int64) (io.ReadCloser, error)
	log   zerolog.Logger
	next  time.Time // of trying again
}

// renew fetches what the policy names and is not here, and forgets what it names no more.
func (r *references) renew(ctx context.Context, p *policy.Policy) {
	if p == nil || p.Health == nil || time.Now().Before(r.next) {
		return
	}
	wanted := map[string]bool{}
	for _, ref := range p.Health.References {
		if ref.SHA256 == "" {
			continue
		}
		if wanted[ref.SHA256] = true; r.has(ref.SHA256) {
			continue
		}
		if err := r.get(ctx, ref); err != nil {
			r.next = time.Now().Add(askAgain)
			r.log.Warn().Err(err).Str("reference", ref.Name).Msg("a reference is missing")
		}
	}
	r.forget(wanted)
}

func (r *references) path(hash string) string { return filepath.Join(r.dir, referencesDir, hash) }

func (r *references) has(hash string) bool {
	_, err := os.Stat(r.path(hash))
	return err == nil
}

func (r *references) get(ctx context.Context, ref policy.Reference) error {
	body, err := r.fetch(ctx, ref.SHA256, 0)
	if err != nil {
		return fmt.Errorf("cannot fetch reference: %w", err)
	}
	defer body.Close()
	if err := os.MkdirAll(filepath.Join(r.dir, referencesDir), 0o700); err != nil {
		return fmt.Errorf("cannot keep reference: %w", err)
	}
	return r.keep(body, ref.SHA256)
}

// keep writes the text down as it comes, for it may be long, and only when it is the one that was named.
func (r *references) keep(body io.Reader, hash string) error {
	f, err := durable.Create(r.path(hash))
	if err != nil {
		return err
	}
	defer f.Discard()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(body, maxReference+1))
	switch {
	case err != nil:
		return fmt.Errorf("cannot fetch reference: %w", err)
	case n > maxReference:
		return errors.New("cannot keep reference: it is too long")
	case hex.EncodeToString(sum.Sum(nil)) != hash:
		return errors.New("cannot keep reference: it is not the text that was signed for")
	}
	return f.Keep(0o600)
}

func (r *references) forget(but map[string]bool) {
	files, err := os.ReadDir(filepath.Join(r.dir, referencesDir))
	if err != nil {
		return
	}
	for _, f := range files {
		if !but[f.Name()] {
			os.Remove(r.path(f.Name()))
		}
	}
}

// text gives the newest reference of a kind, checked again; nil when there is none here.
func (r *references) text(p *policy.Policy, kind string) []byte {
	if p == nil || p.Health == nil {
		return nil
	}
	var newest *policy.Reference
	for i := range p.Health.References {
		ref := &p.Health.References[i]
		if ref.Kind == kind && (newest == nil || ref.MadeAt.After(newest.MadeAt)) {
			newest = ref
		}
	}
	if newest == nil {
		return nil
	}
	text, err := os.ReadFile(r.path(newest.SHA256))
	if err != nil {
		return nil
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != newest.SHA256 {
		os.Remove(r.path(newest.SHA256))
		return nil
	}
	return text
}

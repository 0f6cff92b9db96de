// Package depot keeps the programs of releases and what checks are held against, each in a file that is named by its hash. It verifies what comes in;
// it never decides which terminal gets what, and never names a file after anything but a hash.
package depot

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"sekisho/internal/bundle"
	"sekisho/internal/durable"
	"sekisho/internal/seal"
)

// Depot is one folder.
type Depot struct {
	dir  string
	keys map[string][]byte // release keys that this console was built with
}

// Open makes the folder when it is not there, and takes away what writes that were cut off have left.
func Open(dir string, keys map[string][]byte, now time.Time) (*Depot, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot keep updates: %w", err)
	}
	return &Depot{dir, keys}, durable.Sweep(dir, now)
}

// Take reads a bundle and keeps its programs when all of it is what was signed. What came before it was found bad is
// only a file that nobody names.
func (d *Depot) Take(r io.Reader) (bundle.Manifest, seal.Envelope, error) {
	b, err := bundle.Read(r, d.keys)
	if err != nil {
		return bundle.Manifest{}, seal.Envelope{}, err
	}
	var came []*durable.File
	defer func() {
		for _, f := range came {
			f.Discard()
		}
	}()
	for {
		p, body, err := b.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return bundle.Manifest{}, seal.Envelope{}, err
		}
		f, err := d.write(p, body)
		if err != nil {
			return bundle.Manifest{}, seal.Envelope{}, full(err)
		}
		came = append(came, f)
	}
	for _, f := range came {
		if err := f.Keep(0o600); err != nil {
			return bundle.Manifest{}, seal.Envelope{}, full(err)
		}
	}
	return b.Manifest, b.Envelope, nil
}

func (d *Depot) write(p bundle.Program, body io.Reader) (*durable.File, error) {
	f, err := durable.Create(filepath.Join(d.dir, p.SHA256))
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(f, body); err != nil {
		f.Discard()
		return nil, err
	}
	return f, nil
}

func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w: %w", bundle.ErrFull, err)
	}
	return err
}

// Open gives a program; what is no hash is not there.
func (d *Depot) Open(hash string) (*os.File, error) {
	if !bundle.IsHash(hash) {
		return nil, fs.ErrNotExist
	}
	f, err := os.Open(filepath.Join(d.dir, hash))
	if err != nil {
		return nil, fmt.Errorf("cannot read program: %w", err)
	}
	return f, nil
}

// justCame is how long a program stays that no release names yet: somebody may be carrying one in at this moment.
const justCame = time.Hour

// Clear removes every program that no release in keep names. Whoever reads one at this moment reads it to its end.
func (d *Depot) Clear(keep []bundle.Manifest, now time.Time) error {
	named := map[string]bool{}
	for _, m := range keep {
		for _, p := range m.Programs {
			named[p.SHA256] = true
		}
	}
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return fmt.Errorf("cannot clear updates: %w", err)
	}
	for _, e := range entries {
		info, gone := e.Info()
		if gone != nil || !bundle.IsHash(e.Name()) || named[e.Name()] || now.Sub(info.ModTime()) < justCame {
			continue
		}
		err = errors.Join(err, os.Remove(filepath.Join(d.dir, e.Name())))
	}
	return err
}

// Put keeps what is small enough to be held, and gives its hash.
func (d *Depot) Put(text []byte) (string, error) {
	sum := sha256.Sum256(text)
	hash := hex.EncodeToString(sum[:])
	return hash, full(durable.WriteFile(filepath.Join(d.dir, hash), text, 0o600))
}

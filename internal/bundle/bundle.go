// Package bundle is the form of a release that is carried in offline: a signed manifest, and behind it the programs it
// names by hash and size. It never writes a file, never takes a file's name from a bundle and never decides who installs.
package bundle

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"sekisho/internal/seal"
)

// Format is the version of the manifest.
const Format = 1

// Bounds. A program of the house is ten to twenty megabytes.
const (
	MaxPrograms = 16
	MaxProgram  = 64 << 20 // bytes of one program
	MaxSize     = MaxPrograms*MaxProgram + maxEnvelope + 1024
	maxEnvelope = 64 << 10 // bytes of the signed manifest
	maxManifest = 32 << 10
)

// Errors that callers tell apart.
var (
	ErrNotBundle = errors.New("cannot read update bundle: this file is none")
	ErrCut       = errors.New("cannot read update bundle: it is cut short, copy it again")
	ErrAltered   = errors.New("cannot accept update bundle: a program in it is not the one that was signed")
	ErrFull      = errors.New("cannot keep the update bundle: the disk is full") // nothing of it was kept
	ErrNoKeys    = errors.New("cannot check update bundle: this program was built without release keys")
)

// Manifest says what a release is made of.
type Manifest struct {
	Format   int       `json:"format"`
	Version  string    `json:"version"`
	MadeAt   time.Time `json:"made_at"`
	Programs []Program `json:"programs"` // in the order in which they follow
}

// Program is the agent for one kind of system.
type Program struct {
	OS     string `json:"os"`   // runtime.GOOS
	Arch   string `json:"arch"` // runtime.GOARCH
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

// For gives the program for a system; no when the release has none.
func (m Manifest) For(os, arch string) (Program, bool) {
	i := slices.IndexFunc(m.Programs, func(p Program) bool { return p.OS == os && p.Arch == arch })
	if i < 0 {
		return Program{}, false
	}
	return m.Programs[i], true
}

// Open checks a signed manifest against the release keys that a program was built with.
func Open(keys map[string][]byte, e seal.Envelope) (Manifest, error) {
	if len(keys) == 0 {
		return Manifest{}, ErrNoKeys
	}
	raw, err := seal.OpenRelease(keys, e)
	if err != nil {
		return Manifest{}, err
	}
	return parse(raw)
}

func parse(raw []byte) (m Manifest, err error) {
	if len(raw) > maxManifest {
		return m, fmt.Errorf("cannot read release manifest: longer than %d bytes", maxManifest)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return Manifest{}, fmt.Errorf("cannot read release manifest: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Manifest{}, errors.New("cannot read release manifest: something follows it")
	}
	if err := m.check(); err != nil {
		return Manifest{}, fmt.Errorf("cannot accept release manifest: %w", err)
	}
	return m, nil
}

func (m Manifest) check() error {
	switch {
	case m.Format != Format:
		return fmt.Errorf("format %d is not known, only %d", m.Format, Format)
	case !IsVersion(m.Version):
		return fmt.Errorf("%.40q is not a version", m.Version)
	case len(m.Programs) == 0 || len(m.Programs) > MaxPrograms:
		return fmt.Errorf("it names %d programs; 1 to %d are possible", len(m.Programs), MaxPrograms)
	}
	seen := map[string]bool{}
	for _, p := range m.Programs {
		if err := p.check(); err != nil {
			return err
		}
		if kind := p.OS + "/" + p.Arch; seen[kind] {
			return fmt.Errorf("it names two programs for %s", kind)
		} else {
			seen[kind] = true
		}
	}
	return nil
}

func (p Program) check() error {
	switch {
	case !isWord(p.OS) || !isWord(p.Arch):
		return fmt.Errorf("%.20q/%.20q is not a system", p.OS, p.Arch)
	case !IsHash(p.SHA256):
		return fmt.Errorf("%.70q is not a SHA-256", p.SHA256)
	case p.Size <= 0 || p.Size > MaxProgram:
		return fmt.Errorf("a program of %d bytes is not possible, at most %d", p.Size, MaxProgram)
	}
	return nil
}

// IsHash says whether s is a SHA-256 as this package writes it. Blobs are files of this name, so nothing else may pass.
func IsHash(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == 32 && s == strings.ToLower(s)
}

func isWord(s string) bool {
	return len(s) > 0 && len(s) <= 20 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

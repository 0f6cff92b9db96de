// Package update brings another version of the agent onto this terminal: it checks what is offered, stages it, and the
// watcher, which is the version before, swaps it in and takes it out again when it does not report. It never installs
// what no release key has signed, never goes back to an older version by itself, and never opens a connection.
package update

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"sekisho/internal/bundle"
	"sekisho/internal/durable"
	"sekisho/internal/wire"
)

// Names in the folder. PlanFile is also what the watcher's unit looks for.
const (
	PlanFile    = "plan.json"
	resultFile  = "result.json"
	healthyFile = "healthy.json"
	stagedFile  = "staged"
	partSuffix  = ".part"

	maxFile = 64 << 10
)

// Phases of a plan. Each is on disk before what it names is done.
const (
	phaseStaged  = "staged"  // the program lies ready; nothing was changed
	phaseSwapped = "swapped" // the program in its place may be the new one
	phaseBack    = "back"    // the program before shall be in its place again
	phaseDone    = "done"    // the result is written; what is left is litter
)

// plan is an update that the watcher has to bring to an end, however often it is interrupted.
type plan struct {
	Offer        int64  `json:"offer"`
	Version      string `json:"version"`
	SHA256       string `json:"sha256"`
	Size         int64  `json:"size"`
	Before       string `json:"before"` // version
	BeforeSHA256 string `json:"before_sha256"`
	Phase        string `json:"phase"`
	Code         string `json:"code,omitempty"` // why it goes back
	Reason       string `json:"reason,omitempty"`
	Starts       int    `json:"starts"` // of the watcher since the swap
	Tries        int    `json:"tries"`  // how often this offer was handed over, this time included
}

func (p plan) check() error {
	if !bundle.IsHash(p.SHA256) || !bundle.IsHash(p.BeforeSHA256) || p.Size <= 0 || p.Size > bundle.MaxProgram {
		return errors.New("cannot use the update's plan: it is damaged")
	}
	return nil
}

// result is what became of an offer.
type result struct {
	Offer   int64     `json:"offer"`
	Version string    `json:"version"`
	State   string    `json:"state"`
	Code    string    `json:"code,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Tries   int       `json:"tries,omitempty"`
	At      time.Time `json:"at"`
	Told    bool      `json:"told"` // it is in the journal
}

func (r result) status() *wire.Update {
	return &wire.Update{Offer: r.Offer, Version: r.Version, State: r.State, Code: r.Code, Reason: r.Reason, At: r.At}
}

// healthy is the new version's word that the console has acknowledged a status of it.
type healthy struct {
	SHA256 string    `json:"sha256"`
	At     time.Time `json:"at"`
}

// folder is where an update's files are. The agent and its watcher both write there, each its own.
type folder string

func (d folder) path(name string) string { return filepath.Join(string(d), name) }

func (d folder) make() error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return fmt.Errorf("cannot make the update's folder: %w", err)
	}
	return nil
}

func (d folder) write(name string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return durable.WriteFile(d.path(name), raw, 0o600)
}

// read says fs.ErrNotExist when there is none.
func (d folder) read(name string, v any) error {
	f, err := open(d.path(name))
	if err != nil {
		return err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", name, err)
	}
	return decode(raw, v)
}

func open(path string) (f *os.File, err error) {
	err = patiently(func() error { f, err = os.Open(path); return err })
	return f, err
}

// patiently tries again where the other one of agent and watcher reads or replaces the file at this moment, which
// Windows shows as an error.
func patiently(do func() error) (err error) {
	for range 10 {
		if err = do(); err == nil || gone(err) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return err
}

func decode(raw []byte, v any) error {
	if len(raw) > maxFile {
		return fmt.Errorf("cannot read the update's file: longer than %d bytes", maxFile)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("cannot read the update's file: %w", err)
	}
	return nil
}

func (d folder) plan() (p plan, err error) {
	if err = d.read(PlanFile, &p); err == nil {
		err = p.check()
	}
	return p, err
}

func (d folder) remove(names ...string) error {
	var all error
	for _, name := range names {
		if err := patiently(func() error { return os.Remove(d.path(name)) }); err != nil && !gone(err) {
			all = errors.Join(all, err)
		}
	}
	return all
}

// clean leaves nothing of a plan; the plan itself goes last, so that a cut in the middle is found again.
func (d folder) clean() error {
	parts, err := filepath.Glob(d.path("*" + partSuffix))
	for _, p := range parts {
		err = errors.Join(err, os.Remove(p))
	}
	return errors.Join(err, d.remove(stagedFile, healthyFile), d.remove(PlanFile))
}

// hashOf gives a file's SHA-256; more than a program may have is no program.
func hashOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(f, 4*bundle.MaxProgram))
	if err != nil {
		return "", fmt.Errorf("cannot read %s: %w", path, err)
	}
	if n == 4*bundle.MaxProgram {
		return "", fmt.Errorf("cannot read %s: it is too large for a program", path)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"sekisho/internal/durable"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

const (
	checksFile   = "checks.json"
	maxCheckNote = 4 << 20
)

// checkNotes is what is kept of checks over restarts: what they came to and since when, when something missing was
// noticed first, the hardware of the first look, and what the user was told.
type checkNotes struct {
	path  string
	fault func(error) // told when it cannot be written, and with nil when it can again
	now   func() time.Time

	mu   sync.Mutex
	kept keptChecks
	bad  bool
	new  bool // something was seen first since the last save
}

type keptChecks struct {
	Results  []policy.CheckResult `json:"results,omitempty"`
	Seen     map[string]time.Time `json:"seen,omitempty"`
	Hardware []string             `json:"hardware,omitempty"`
	Told     map[string]string    `json:"told,omitempty"`   // by check: which stage of which failure
	Missed   map[string]string    `json:"missed,omitempty"` // the same, where nobody was there to be told
}

// openCheckNotes reads the notes in dir. What cannot be read is begun anew: then failures begin anew too.
func openCheckNotes(dir string, now func() time.Time, fault func(error)) (*checkNotes, error) {
	n := &checkNotes{path: filepath.Join(dir, checksFile), now: now, fault: fault}
	raw, err := readNoteFile(n.path)
	if err == nil && raw != nil {
		err = json.Unmarshal(raw, &n.kept)
	}
	if err != nil {
		n.kept = keptChecks{}
		err = fmt.Errorf("cannot read the notes about checks: %w", err)
	}
	return n, err
}

func readNoteFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case info.Size() > maxCheckNote:
		return nil, errors.New("they are too long")
	}
	return os.ReadFile(path)
}

func (n *checkNotes) results() []policy.CheckResult {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.kept.Results)
}

// keep replaces the results, and saves.
func (n *checkNotes) keep(results []policy.CheckResult, h *policy.Health) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.kept.Results = results
	for id := range n.kept.Told {
		if r := resultOf(results, id); h == nil || r == nil || r.Result != policy.ResultFail {
			delete(n.kept.Told, id)
			delete(n.kept.Missed, id)
		}
	}
	n.save()
}

// told says whether the user was told of this stage of this failure.
func (n *checkNotes) told(r policy.CheckResult) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.kept.Told[r.Check] == stageOf(r)
}

// tell notes that the user is told of it.
func (n *checkNotes) tell(r policy.CheckResult) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.kept.Told == nil {
		n.kept.Told = map[string]string{}
	}
	n.kept.Told[r.Check] = stageOf(r)
	delete(n.kept.Missed, r.Check)
	n.save()
}

// missed notes that nobody was there to be told of it.
func (n *checkNotes) missed(r policy.CheckResult) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.kept.Missed == nil {
		n.kept.Missed = map[string]string{}
	}
	n.kept.Missed[r.Check] = stageOf(r)
	n.save()
}

func (n *checkNotes) isMissed(r policy.CheckResult) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.kept.Missed[r.Check] == stageOf(r)
}

func stageOf(r policy.CheckResult) string { return r.Since.UTC().Format(time.RFC3339) + " " + r.Stage }

// seen gives when a word was seen first; a new one is seen now.
func (n *checkNotes) seen(word string) time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	if at, ok := n.kept.Seen[word]; ok {
		return at
	}
	if n.kept.Seen == nil {
		n.kept.Seen = map[string]time.Time{}
	}
	at := n.now().UTC().Truncate(time.Second)
	n.kept.Seen[word], n.new = at, true
	return at
}

// forget drops the words that are of no more use, and saves when anything is new; nil keeps all.
func (n *checkNotes) forget(but map[string]bool) {
	if but == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	before := len(n.kept.Seen)
	for w := range n.kept.Seen {
		if !but[w] {
			delete(n.kept.Seen, w)
		}
	}
	if n.new || len(n.kept.Seen) != before {
		n.save()
	}
}

// before gives the hardware of the first look.
func (n *checkNotes) before(now []string) ([]string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.kept.Hardware == nil {
		n.kept.Hardware = slices.Clone(now)
		n.save()
	}
	return slices.Clone(n.kept.Hardware), nil
}

func (n *checkNotes) save() {
	n.new = false
	raw, err := json.Marshal(n.kept)
	if err == nil {
		err = durable.WriteFile(n.path, raw, 0o600)
	}
	if (err != nil) != n.bad && n.fault != nil {
		n.bad = err != nil
		n.fault(err)
	}
}

// healthItems makes the lines of the sheet.
func healthItems(results []policy.CheckResult) []wire.Item {
	items := make([]wire.Item, 0, len(results))
	for _, r := range results {
		if body, err := json.Marshal(r); err == nil && len(body) <= wire.MaxItem {
			items = append(items, wire.Item{ID: r.Check, Body: body})
		}
	}
	return items
}

package software

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"sekisho/internal/durable"
)

// acquaintance remembers of which people everything was seen once, also over a start: what somebody has who is seen for the
// first time is no event, and what comes later is one.
type acquaintance struct {
	path  string // "" keeps it in memory
	sids  map[string]bool
	loose bool // not on the disk yet
}

// meet reads who is known. A list that cannot be read begins anew: then some changes are not told as such.
func meet(path string) (*acquaintance, error) {
	a := &acquaintance{path: path, sids: map[string]bool{}}
	if path == "" {
		return a, nil
	}
	raw, err := durable.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return a, nil
	}
	var sids []string
	if err == nil {
		err = json.Unmarshal(raw, &sids)
	}
	if err != nil {
		return a, fmt.Errorf("cannot read whose programs are known: %w", err)
	}
	for _, sid := range sids {
		a.sids[sid] = true
	}
	return a, nil
}

func (a *acquaintance) has(sid string) bool { return a.sids[sid] }

func (a *acquaintance) add(sid string) {
	a.loose = a.loose || !a.sids[sid]
	a.sids[sid] = true
}

// only forgets all others.
func (a *acquaintance) only(there map[string]bool) {
	for sid := range a.sids {
		if !there[sid] {
			delete(a.sids, sid)
			a.loose = true
		}
	}
}

func (a *acquaintance) keep() error {
	if !a.loose || a.path == "" {
		return nil
	}
	raw, err := json.Marshal(slices.Sorted(maps.Keys(a.sids)))
	if err == nil {
		err = os.MkdirAll(filepath.Dir(a.path), 0o700)
	}
	if err == nil {
		err = durable.WriteFile(a.path, raw, 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot note whose programs are known: %w", err)
	}
	a.loose = false
	return nil
}

package enforce

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sekisho/internal/durable"
)

// regValue is a registry value as it is stored: type and bytes.
type regValue struct {
	Type uint32 `json:"type"`
	Data []byte `json:"data"`
}

func (v regValue) equal(w regValue) bool { return v.Type == w.Type && bytes.Equal(v.Data, w.Data) }

// keys is HKEY_LOCAL_MACHINE in its 64-bit view, or a test's. Paths are below it.
type keys interface {
	Value(key, name string) (v regValue, ok bool, err error)
	Names(key string) ([]string, error) // none when there is no such key
	Below(key string) ([]string, error) // names of the keys below; none when there is no such key
	Set(key, name string, v regValue) error
	Drop(key, name string) error // what is not there is no error
	Has(key string) (bool, error)
	Make(key string) error
	Remove(key string) error // leaves a key that is not empty
}

// wish is one value as we want it. Where somebody else's value stands already it is left alone, unless replace says
// that it is no policy and is put back later.
type wish struct {
	key, name string
	value     regValue
	replace   bool
	or        []regValue // values that are ours as well: another step of the same change
	keyOnly   bool       // the key must be there; nothing is said about values
}

// note is one value that we changed: what was there, what we wrote.
type note struct {
	Key  string     `json:"key"`
	Name string     `json:"name"`
	Had  *regValue  `json:"had,omitempty"` // nil: there was none
	Set  regValue   `json:"set"`
	Or   []regValue `json:"or,omitempty"` // ours as well
}

func (n note) ours(v regValue) bool { return v.equal(n.Set) || slices.ContainsFunc(n.Or, v.equal) }

// notes is the file's content. It is on disk before the registry is touched, so that a kill or a power cut at any
// moment leaves either the old registry or all that is needed to bring it back.
type notes struct {
	Values []note   `json:"values"`
	Keys   []string `json:"keys"` // that were not there, parents first
}

// maxLedger bounds what is read back; AppLocker's rules are the most that is written.
const maxLedger = 16 << 20

// ledger changes registry values and can undo it byte for byte, also in another process after a power cut.
type ledger struct {
	reg  keys
	path string
}

func (l ledger) load() (notes, error) {
	var n notes
	info, err := os.Stat(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	if err == nil && info.Size() > maxLedger {
		err = errors.New("too long")
	}
	if err != nil {
		return n, fmt.Errorf("cannot read what was changed in the registry: %w", err)
	}
	raw, err := os.ReadFile(l.path)
	if err == nil {
		err = json.Unmarshal(raw, &n)
	}
	if err != nil {
		return n, fmt.Errorf("cannot read what was changed in the registry: %w", err)
	}
	return n, nil
}

func (l ledger) save(n notes) error {
	raw, err := json.Marshal(n)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(l.path), 0o700); err != nil {
		return fmt.Errorf("cannot note what is changed in the registry: %w", err)
	}
	return durable.WriteFile(l.path, raw, 0o600)
}

// used says whether something was changed and not undone.
func (l ledger) used() bool {
	_, err := os.Lstat(l.path)
	return err == nil
}

// want makes every wish true that is ours to make true, and tells of the others.
func (l ledger) want(wishes []wish) error {
	n, err := l.load()
	if err != nil {
		return err // without knowing what was there nothing more is changed
	}
	var all error
	for _, w := range wishes {
		all = errors.Join(all, l.one(&n, w))
	}
	return all
}

func (l ledger) one(n *notes, w wish) error {
	if w.keyOnly {
		return l.key(n, w.key)
	}
	have, ok, err := l.reg.Value(w.key, w.name)
	switch {
	case err != nil:
		return fmt.Errorf("cannot read %s: %w", w.full(), err)
	case ok && have.equal(w.value):
		return nil // ours already, or somebody wants the same
	case ok && (!w.replace || n.find(w) >= 0):
		return w.foreign(have)
	}
	if n.find(w) < 0 {
		if err := l.remember(n, w, have, ok); err != nil {
			return err
		}
	}
	if err := l.reg.Set(w.key, w.name, w.value); err != nil {
		return fmt.Errorf("cannot write %s: %w", w.full(), err)
	}
	return nil
}

func (l ledger) key(n *notes, key string) error {
	if has, err := l.reg.Has(key); err != nil || has {
		return err
	}
	if err := errors.Join(l.newKeys(n, key), l.save(*n)); err != nil {
		return err
	}
	return l.reg.Make(key)
}

// newKeys notes the keys that will have to be made.
func (l ledger) newKeys(n *notes, last string) error {
	for _, key := range parents(last) {
		has, err := l.reg.Has(key)
		if err != nil {
			return fmt.Errorf("cannot read HKLM\\%s: %w", key, err)
		}
		if !has && !slices.Contains(n.Keys, key) {
			n.Keys = append(n.Keys, key)
		}
	}
	return nil
}

func (w wish) full() string { return `HKLM\` + w.key + `\` + w.name }

// foreign: a value of somebody else wins. In a domain it comes back with the next refresh of the group policy anyway.
func (w wish) foreign(have regValue) error {
	return fmt.Errorf("cannot use %s: it is set to another value (type %d, %x), by a group policy or an administrator; theirs was left",
		w.full(), have.Type, have.Data[:min(len(have.Data), 32)])
}

func (n *notes) find(w wish) int {
	return slices.IndexFunc(n.Values, func(o note) bool {
		return strings.EqualFold(o.Key, w.key) && strings.EqualFold(o.Name, w.name)
	})
}

func (l ledger) remember(n *notes, w wish, have regValue, ok bool) error {
	if err := l.newKeys(n, w.key); err != nil {
		return err
	}
	n.add(w, have, ok)
	return l.save(*n)
}

func (n *notes) add(w wish, have regValue, ok bool) {
	one := note{Key: w.key, Name: w.name, Set: w.value, Or: w.or}
	if ok {
		one.Had = &have
	}
	n.Values = append(n.Values, one)
}

// wantMany is want for values of which there may be a thousand: all are noted, with one write to the disk, before the first
// is set. When one of them is somebody else's nothing is set.
func (l ledger) wantMany(wishes []wish) error {
	n, err := l.load()
	if err != nil {
		return err
	}
	var todo []wish
	for _, w := range wishes {
		have, ok, err := l.reg.Value(w.key, w.name)
		at := n.find(w)
		switch {
		case err != nil:
			return fmt.Errorf("cannot read %s: %w", w.full(), err)
		case ok && have.equal(w.value):
			continue
		case ok && (at < 0 || !n.Values[at].ours(have)):
			return w.foreign(have)
		case at < 0:
			if err := l.newKeys(&n, w.key); err != nil {
				return err
			}
			n.add(w, have, ok)
		}
		todo = append(todo, w)
	}
	return l.setMany(n, todo)
}

func (l ledger) setMany(n notes, todo []wish) error {
	if len(todo) == 0 {
		return nil
	}
	if err := l.save(n); err != nil {
		return err
	}
	for _, w := range todo {
		if err := l.reg.Set(w.key, w.name, w.value); err != nil {
			return fmt.Errorf("cannot write %s: %w", w.full(), err)
		}
	}
	return nil
}

// parents lists a key and all keys above it, the topmost first.
func parents(key string) []string {
	var out []string
	for i, c := range key {
		if c == '\\' {
			out = append(out, key[:i])
		}
	}
	return append(out, key)
}

// undo brings back what was there. A value that is no longer as we wrote it is somebody else's by now and stays.
func (l ledger) undo() error {
	n, err := l.load()
	if err != nil {
		return err
	}
	var all error
	for _, one := range slices.Backward(n.Values) {
		all = errors.Join(all, l.back(one))
	}
	for _, key := range slices.Backward(n.Keys) {
		all = errors.Join(all, l.reg.Remove(key))
	}
	if all != nil {
		return fmt.Errorf("cannot undo: %w", all)
	}
	if err := os.Remove(l.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot undo: %w", err)
	}
	return nil
}

func (l ledger) back(n note) error {
	have, ok, err := l.reg.Value(n.Key, n.Name)
	switch {
	case err != nil:
		return err
	case !ok, !n.ours(have):
		return nil
	case n.Had != nil:
		return l.reg.Set(n.Key, n.Name, *n.Had)
	}
	return l.reg.Drop(n.Key, n.Name)
}

// missing names the first wish that is not true now; "" when all are.
func missing(reg keys, wishes []wish) string {
	for _, w := range wishes {
		have, ok, err := reg.Value(w.key, w.name)
		switch {
		case w.keyOnly:
		case err != nil:
			return "cannot read " + w.full()
		case !ok:
			return w.full() + " is missing"
		case !have.equal(w.value):
			return w.full() + " was set to another value by somebody else"
		}
	}
	return ""
}

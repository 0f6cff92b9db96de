// Package quarantine puts a forbidden program's file where it cannot be run, and brings it back. It never decides what goes
// there, never follows a link, and never takes or writes another file than the one it was told.
package quarantine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sekisho/internal/durable"
)

// Entry is one file that was put away.
type Entry struct {
	ID   string    `json:"id"`
	Path string    `json:"path"` // where it was
	Hash string    `json:"hash"` // SHA-256 in hex
	Size int64     `json:"size"`
	At   time.Time `json:"at"`
	Rule string    `json:"rule"` // which forbade it
	Name string    `json:"name,omitempty"`
}

// Bounds of what is kept. Beyond them a program is ended and its file stays where it is.
const (
	MaxBytes   = 4 << 30
	MaxEntries = 1000
	maxNote    = 16 << 10
)

// Room is the folder. Its rights keep everybody but the system and administrators out; files in it are content, not programs:
// their names end in .kept and what is written anew has none of the rights of the original.
type Room struct {
	dir     string
	prepare func(dir string) error
	now     func() time.Time
}

// Open names the folder; prepare makes it and sets its rights when a file comes.
func Open(dir string, prepare func(dir string) error, now func() time.Time) Room {
	return Room{dir, prepare, now}
}

// ErrChanged says that the file is no longer the one that was judged.
var ErrChanged = errors.New("it was changed since it was judged")

// Take moves the file away if it still has this hash, and says what it is called from now on.
func (r Room) Take(path, hash, rule string) (Entry, error) {
	e, err := r.take(path, hash, rule)
	if err != nil {
		return e, fmt.Errorf("cannot put %s into quarantine: %w", path, err)
	}
	return e, nil
}

func (r Room) take(path, hash, rule string) (Entry, error) {
	e := Entry{ID: number(path, hash), Path: path, Hash: hash, At: r.now().UTC(), Rule: rule, Name: filepath.Base(path)}
	f, err := seize(path)
	if err != nil {
		return e, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return e, err
	}
	e.Size = info.Size()
	if err := r.fits(e.Size); err != nil {
		return e, err
	}
	if err := r.prepare(r.dir); err != nil {
		return e, err
	}
	if err := r.keep(f, hash); err != nil {
		return e, err
	}
	if err := r.note(e); err != nil { // before the original goes: what is away is always on the list
		return e, err
	}
	if err := f.Remove(); err != nil {
		return e, errors.Join(err, r.forget(e))
	}
	return e, nil
}

// number is short enough to be typed, and the same for the same file at the same place.
func number(path, hash string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(path) + "\x00" + hash))
	return hex.EncodeToString(sum[:4])
}

func (r Room) fits(size int64) error {
	list, _ := r.List() // a note that cannot be read keeps nothing else out
	for _, e := range list {
		size += e.Size
	}
	if len(list) >= MaxEntries || size > MaxBytes {
		return fmt.Errorf("the quarantine is full (%d files); restore or delete some", len(list))
	}
	return nil
}

func (r Room) content(hash string) string { return filepath.Join(r.dir, hash+".kept") }

// keep copies what is read and looks whether it is what was judged.
func (r Room) keep(from io.Reader, hash string) error {
	part, err := os.CreateTemp(r.dir, "coming-")
	if err != nil {
		return err
	}
	defer os.Remove(part.Name()) // it is gone when all went well
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(part, sum), from)
	err = errors.Join(err, part.Sync(), part.Close())
	switch {
	case err != nil:
		return err
	case hex.EncodeToString(sum.Sum(nil)) != hash:
		return ErrChanged
	}
	return os.Rename(part.Name(), r.content(hash))
}

func (r Room) note(e Entry) error {
	raw, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(r.dir, e.ID+".json"), raw, 0o600)
}

// List gives what is there, the oldest first. A note that cannot be read is left out and said.
func (r Room) List() ([]Entry, error) {
	names, err := filepath.Glob(filepath.Join(quoteGlob(r.dir), "*.json"))
	if err != nil {
		return nil, err
	}
	var out []Entry
	var all error
	for _, name := range names {
		e, err := readNote(name)
		if err != nil {
			all = errors.Join(all, fmt.Errorf("cannot read %s: %w", name, err))
			continue
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Entry) int { return a.At.Compare(b.At) })
	return out, all
}

// quoteGlob keeps a folder's name from being taken for a pattern; on Windows no name can be one.
func quoteGlob(dir string) string {
	if filepath.Separator == '\\' {
		return dir
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

func readNote(name string) (Entry, error) {
	var e Entry
	info, err := os.Stat(name)
	if err == nil && info.Size() > maxNote {
		err = errors.New("it is too long")
	}
	if err != nil {
		return e, err
	}
	raw, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(raw, &e)
	}
	if err == nil && (e.ID+".json" != filepath.Base(name) || len(e.Hash) != 64 || strings.Trim(e.Hash, "0123456789abcdef") != "" || !filepath.IsAbs(e.Path)) {
		err = errors.New("it is not a note of ours")
	}
	return e, err
}

// Restore brings a file back to where it was. Something else that stands there now is never replaced.
func (r Room) Restore(id string) (Entry, error) {
	e, err := r.find(id)
	if err != nil {
		return e, err
	}
	if err := r.bringBack(e); err != nil {
		return e, fmt.Errorf("cannot restore %s: %w", e.Path, err)
	}
	return e, r.forget(e)
}

// ErrNone says that no file has this number.
var ErrNone = errors.New("no file in quarantine has this number; `quarantine list` shows all")

func (r Room) find(id string) (Entry, error) {
	list, err := r.List()
	for _, e := range list {
		if e.ID == id {
			return e, nil
		}
	}
	return Entry{}, errors.Join(fmt.Errorf("cannot find %q: %w", id, ErrNone), err)
}

func (r Room) bringBack(e Entry) error {
	from, err := os.Open(r.content(e.Hash))
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := place(e.Path)
	if err != nil {
		return err
	}
	defer to.Close()
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(to, sum), from)
	if err == nil && hex.EncodeToString(sum.Sum(nil)) != e.Hash {
		err = errors.New("what is kept was changed")
	}
	if err = errors.Join(err, to.Sync()); err != nil {
		return errors.Join(err, to.Remove())
	}
	return nil
}

// forget takes the note away, and the content when no other note is about it.
func (r Room) forget(e Entry) error {
	if err := os.Remove(filepath.Join(r.dir, e.ID+".json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	list, err := r.List()
	if err != nil || slices.ContainsFunc(list, func(o Entry) bool { return o.Hash == e.Hash }) {
		return nil // it stays rather than be missed
	}
	if err := os.Remove(r.content(e.Hash)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

package health

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"sekisho/internal/policy"
)

// tree is the terminal's files below a root.
type tree struct{ root string }

func (t tree) path(p string) string {
	if t.root == "" || t.root == "/" || filepath.VolumeName(p) != "" {
		return filepath.FromSlash(p)
	}
	return filepath.Join(t.root, filepath.FromSlash(p))
}

// read gives at most max bytes of a regular file, or one of /proc and /sys, which look like one. What is a pipe or a device
// could keep its reader waiting for ever, and is refused.
func (t tree) read(p string, max int) ([]byte, error) {
	info, err := os.Stat(t.path(p))
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("cannot read %s: it is no file", p)
	}
	f, err := os.Open(t.path(p))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, int64(max)))
}

// text gives a small file's text; one that is not there is "".
func (t tree) text(p string) (string, error) {
	b, err := t.read(p, 1<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(b), err
}

func (t tree) exists(p string) bool {
	_, err := os.Stat(t.path(p))
	return err == nil
}

// glob gives the paths that fit, sorted, without the root.
func (t tree) glob(pattern string) []string {
	found, err := filepath.Glob(t.path(pattern))
	if err != nil {
		return nil
	}
	for i, f := range found {
		if t.root != "" && t.root != "/" {
			f = strings.TrimPrefix(f, filepath.Clean(t.root))
		}
		found[i] = filepath.ToSlash(f)
	}
	sort.Strings(found)
	return found
}

// why gives the code of an error.
func why(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return policy.CodeMissing
	case errors.Is(err, fs.ErrPermission):
		return policy.CodeDenied
	}
	return policy.CodeFailed
}

// unread is a reading that failed.
func unread(o policy.Origin, err error) policy.Reading { return o.Unread(why(err), err.Error()) }

// entries makes lines of a list.
func entries(words []string) []policy.Entry {
	out := make([]policy.Entry, 0, len(words))
	for _, w := range words {
		out = append(out, policy.Entry{Word: clean(w)})
	}
	return out
}

// clean keeps a word to one short line: it may come from who wants to be overlooked.
func clean(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == 0xfffd {
			return -1
		}
		return c
	}, strings.ToValidUTF8(s, ""))
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "")
	}
	return strings.TrimSpace(s)
}

// link gives where a link points to, "" when it is none.
func (t tree) link(p string) string {
	to, err := os.Readlink(t.path(p))
	if err != nil {
		return ""
	}
	return filepath.ToSlash(to)
}

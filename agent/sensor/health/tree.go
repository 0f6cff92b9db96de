package health

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"syscall"

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

// text gives a small file's text; one that is not there is "". Where even the folder at the top is missing, nothing can be
// said: it is another root than a system's.
func (t tree) text(p string) (string, error) {
	b, err := t.read(p, 1<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return "", t.top(p)
	}
	return string(b), err
}

// top looks for the folder that a path begins with: of a path of Windows that is its drive.
func (t tree) top(p string) error {
	drive, rest := split(p)
	first, _, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	if drive != "" {
		first = ""
	}
	_, err := os.Stat(t.path(drive + "/" + first))
	return err
}

func (t tree) exists(p string) bool {
	_, err := os.Stat(t.path(p))
	return err == nil
}

// finder looks for files by patterns. A folder that cannot be read is remembered: what is in it was not seen, which is
// another thing than that nothing is there.
type finder struct {
	tree
	err error
}

// glob gives the paths that fit, sorted, without the root. Stars stand for any characters of one name.
func (f *finder) glob(pattern string) []string {
	if err := f.top(pattern); err != nil {
		f.fail(err)
		return nil
	}
	drive, rest := split(pattern)
	found := []string{drive}
	for _, part := range strings.Split(strings.Trim(rest, "/"), "/") {
		var next []string
		for _, dir := range found {
			next = append(next, f.in(dir, part)...)
		}
		found = next
	}
	sort.Strings(found)
	return found
}

// split takes the drive off a path of Windows and gives the rest with slashes; elsewhere no path has one.
func split(p string) (drive, rest string) {
	drive = filepath.VolumeName(p)
	return drive, filepath.ToSlash(p[len(drive):])
}

// in gives what fits one name in one folder.
func (f *finder) in(dir, part string) []string {
	if !strings.Contains(part, "*") {
		_, err := os.Stat(f.path(dir + "/" + part))
		if err == nil {
			return []string{dir + "/" + part}
		}
		f.miss(err)
		return nil
	}
	names, err := os.ReadDir(f.path(dir + "/"))
	if err != nil {
		if !f.isFile(dir) {
			f.miss(err)
		}
		return nil
	}
	var out []string
	for _, n := range names {
		if ok, err := path.Match(part, n.Name()); ok && err == nil {
			out = append(out, dir+"/"+n.Name())
		}
	}
	return out
}

// isFile: a file stands where a pattern goes on.
func (f *finder) isFile(p string) bool {
	info, err := os.Stat(f.path(p))
	return err == nil && !info.IsDir()
}

// miss remembers what is more than that nothing is there.
func (f *finder) miss(err error) {
	if !errors.Is(err, fs.ErrNotExist) && !isNoFolder(err) {
		f.fail(err)
	}
}

func (f *finder) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

// isNoFolder: a file stands where a pattern goes on.
func isNoFolder(err error) bool { return errors.Is(err, syscall.ENOTDIR) }

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

// link gives where a link points to, "" when it is none.
func (t tree) link(p string) string {
	to, err := os.Readlink(t.path(p))
	if err != nil {
		return ""
	}
	return filepath.ToSlash(to)
}

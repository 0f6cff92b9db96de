package update

import (
	"os"
	"path/filepath"
)

// again gives the program before its place by another name of the same file: that needs no room on a full disk.
func again(from, to string) (swap, error) {
	name := filepath.Join(filepath.Dir(to), "."+filepath.Base(to)+".back")
	if err := os.Remove(name); err != nil && !gone(err) {
		return copied(from, to)
	}
	if err := os.Link(from, name); err != nil {
		return copied(from, to)
	}
	return swap{func() error { return os.Rename(name, to) }, func() { os.Remove(name) }}, nil
}

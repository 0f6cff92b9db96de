//go:build !linux

package sysfs

import (
	"io"
	"os"
)

// Attr gives at most max bytes of an attribute, here of a captured one.
func Attr(path string, max int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, int64(max)))
}

// Names gives the names in a folder, sorted; a folder that cannot be read is empty.
func Names(dir string) (names []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Link gives where a link points to.
func Link(path string) (string, error) { return os.Readlink(path) }

//go:build !linux

package sensor

import (
	"io"
	"os"
)

// slurp reads at most max bytes of a file.
func slurp(file string, max int, _ bool) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, int64(max)))
}

// list gives the names in a folder, sorted; a folder that cannot be read is empty.
func list(dir string) (names []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

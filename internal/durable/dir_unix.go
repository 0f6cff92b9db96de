//go:build unix

package durable

import (
	"fmt"
	"os"
)

// SyncDir makes created, renamed and removed names in a folder durable.
func SyncDir(dir string) error { return syncDir(dir) }

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("cannot sync folder %s: %w", dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("cannot sync folder %s: %w", dir, err)
	}
	return nil
}

// replace gives a file the name of another, which it takes the place of.
func replace(from, to string) error { return os.Rename(from, to) }

func readFile(path string) ([]byte, error) { return os.ReadFile(path) }

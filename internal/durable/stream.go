package durable

import (
	"fmt"
	"os"
	"path/filepath"
)

// File is a file that is being written and is not there yet.
type File struct {
	*os.File
	path   string
	filled bool // closed, with all of it on disk
}

// Create begins a file too large to be held in memory: write to it, then Keep it. Discard, which may always be deferred,
// leaves nothing of one that was not kept. What a power cut leaves is litter for Sweep.
func Create(path string) (*File, error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", path, err)
	}
	return &File{File: tmp, path: path}, nil
}

// Keep puts what was written into its place, whole. When the place is held by somebody else it may be called again.
func (f *File) Keep(mode os.FileMode) error {
	err := f.fill(mode)
	if err == nil {
		err = replace(f.Name(), f.path)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", f.path, err)
	}
	return syncDir(filepath.Dir(f.path))
}

func (f *File) fill(mode os.FileMode) error {
	if f.filled {
		return nil
	}
	err := f.Chmod(mode)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = f.Close()
	}
	f.filled = err == nil
	return err
}

// Discard removes what was not kept; after Keep there is nothing to remove.
func (f *File) Discard() {
	f.Close()
	os.Remove(f.Name())
}

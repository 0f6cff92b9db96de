//go:build unix

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"sekisho/internal/durable"
)

// guise is root working as somebody else, so that what it makes belongs to that user. It is order, not defence:
// the way back stays open.
type guise struct {
	uid  int    // 0: there is none
	file string // the one file that root writes itself
}

// asOwner lets root work as the owner of a folder that is another user's.
func asOwner(folder, rootsFile string) (guise, error) {
	info, err := os.Stat(folder)
	if err != nil || os.Geteuid() != 0 {
		return guise{}, nil // one that is not there is made
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid == 0 {
		return guise{}, nil
	}
	g := guise{int(stat.Uid), rootsFile}
	err = errors.Join(syscall.Setgroups([]int{int(stat.Gid)}), syscall.Setegid(int(stat.Gid)), syscall.Seteuid(g.uid))
	if err != nil {
		return g, fmt.Errorf("cannot work as the owner of %s: %w", folder, err)
	}
	return g, nil
}

// write does something to a file, as root again when it is the one file for that. The folder's owner decides where the
// configuration points to, and must not lead root to any other.
func (g guise) write(path string, do func() error) error {
	if g.uid == 0 || path != g.file {
		return do()
	}
	if err := syscall.Seteuid(0); err != nil {
		return fmt.Errorf("cannot become root again: %w", err)
	}
	return errors.Join(do(), syscall.Seteuid(g.uid))
}

// replace writes a file anew and leaves it to whom it belonged; a new one is for its maker only.
func replace(path string, text []byte) error {
	before, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return durable.WriteFile(path, text, 0o600)
	}
	if err != nil {
		return err
	}
	if err := durable.WriteFile(path, text, before.Mode().Perm()); err != nil {
		return err
	}
	stat, ok := before.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return os.Chown(path, int(stat.Uid), int(stat.Gid))
}

//go:build !windows

package quarantine

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// grip is a file that is held: what is removed is what was read, as far as this system can say so.
type grip struct{ *os.File }

// seize opens a plain file, never a link.
func seize(path string) (grip, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return grip{}, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return grip{}, errors.Join(err, errors.New("it is no plain file"))
	}
	return grip{f}, nil
}

// place makes a file where there is none.
func place(path string) (grip, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	return grip{f}, err
}

// Remove deletes the name if it still stands for the file that is held.
func (g grip) Remove() error {
	held, err := g.Stat()
	if err != nil {
		return err
	}
	now, err := os.Lstat(g.Name())
	if err != nil {
		return err
	}
	if !os.SameFile(held, now) {
		return fmt.Errorf("cannot remove %s: %w", g.Name(), ErrChanged)
	}
	return os.Remove(g.Name())
}

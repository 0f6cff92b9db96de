//go:build unix

package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// makeState makes the folder for this user only.
func makeState(dir string) error { return os.MkdirAll(dir, 0o700) }

// lockFolder waits until nobody else opens the folder (flock(2)); the lock ends with the process at the latest.
func lockFolder(dir string) (unlock func() error, err error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for err = syscall.EINTR; errors.Is(err, syscall.EINTR); {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}

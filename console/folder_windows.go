package main

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"

	"sekisho/internal/private"
)

// makeState makes the folder. The service's own is the system's, the administrators' and the service's before the first key
// is made in it, also when somebody else made the folder. Another one, for a try, has the rights of the folder it stands in.
func makeState(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "ca.key")); err == nil || dir != defaultState {
		return os.MkdirAll(dir, 0o700)
	}
	return protect(dir)
}

// protect gives a folder, and all that is in it, the rights of the console's folder.
func protect(dir string) error { return private.Folder(dir, ownFolder()) }

// lockFolder waits until nobody else opens the folder
// (https://learn.microsoft.com/windows/win32/api/fileapi/nf-fileapi-lockfileex); the lock ends with the process at the latest.
func lockFolder(dir string) (unlock func() error, err error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &windows.Overlapped{}); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}

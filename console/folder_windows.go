package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// makeState makes the folder. The service's own is the system's, the administrators' and the service's from the beginning;
// another one, for a try, has the rights of the folder it stands in.
func makeState(dir string) error {
	_, err := os.Stat(dir)
	if err == nil || dir != defaultState {
		return os.MkdirAll(dir, 0o700)
	}
	return protect(dir)
}

// protect gives a folder, and all that is in it, the rights of the console's folder.
func protect(dir string) error {
	sd, err := windows.SecurityDescriptorFromString(ownFolder())
	if err != nil {
		return fmt.Errorf("cannot protect %s: %w", dir, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot protect %s: %w", dir, err)
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return fmt.Errorf("cannot protect %s: %w", dir, err)
	}
	dacl, _, err := sd.DACL()
	if err != nil {
		return fmt.Errorf("cannot protect %s: %w", dir, err)
	}
	what := windows.SECURITY_INFORMATION(windows.OWNER_SECURITY_INFORMATION | windows.DACL_SECURITY_INFORMATION | windows.PROTECTED_DACL_SECURITY_INFORMATION)
	if err := windows.SetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, what, owner, nil, dacl, nil); err != nil {
		return fmt.Errorf("cannot protect %s: %w", dir, err)
	}
	return nil
}

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

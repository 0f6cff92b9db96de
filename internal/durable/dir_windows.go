package durable

import (
	"errors"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/windows"
)

// SyncDir has nothing to do: NTFS journals names itself, and a folder handle cannot be flushed.
func SyncDir(string) error { return nil }

func syncDir(string) error { return nil }

// How long a file may be held open by somebody else. A virus scanner looks at every new file for a moment.
const (
	patience  = 5 * time.Second
	lookAgain = 5 * time.Millisecond
)

// replace gives a file the name of another, which it takes the place of. Windows refuses that while somebody has the other
// one open (https://learn.microsoft.com/windows/win32/fileio/creating-and-opening-files, sharing).
func replace(from, to string) error {
	return patiently(to, func() error { return os.Rename(from, to) }, windows.ERROR_SHARING_VIOLATION, windows.ERROR_ACCESS_DENIED)
}

// readFile waits for who replaces the file: until the new one has its name, nobody else may open it.
func readFile(path string) (b []byte, err error) {
	err = patiently(path, func() error {
		b, err = os.ReadFile(path)
		return err
	}, windows.ERROR_SHARING_VIOLATION)
	return b, err
}

// patiently tries again while somebody else holds the file, which is what these errors may mean.
func patiently(path string, try func() error, held ...error) error {
	deadline := time.Now().Add(patience)
	for {
		err := try()
		is := func(e error) bool { return errors.Is(err, e) }
		if err == nil || !slices.ContainsFunc(held, is) || isFolder(path) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(lookAgain)
	}
}

func isFolder(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}

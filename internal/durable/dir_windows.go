package durable

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// SyncDir has nothing to do: NTFS journals names itself, and a folder handle cannot be flushed.
func SyncDir(string) error { return nil }

func syncDir(string) error { return nil }

// How long a file may be held open by who reads it. A virus scanner looks at every new file for a moment.
const (
	replaceLimit = 5 * time.Second
	replaceEvery = 5 * time.Millisecond
)

// replace gives a file the name of another, which it takes the place of. Windows refuses that while somebody has the other
// one open (https://learn.microsoft.com/windows/win32/fileio/creating-and-opening-files, sharing).
func replace(from, to string) error {
	deadline := time.Now().Add(replaceLimit)
	for {
		err := os.Rename(from, to)
		if err == nil || !held(err) || isFolder(to) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(replaceEvery)
	}
}

func held(err error) bool {
	return errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, windows.ERROR_SHARING_VIOLATION)
}

func isFolder(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// maxInstallerLog is when the log of the installer's actions begins anew.
const maxInstallerLog = 1 << 20

// noted lets what a package's action says stand in a file too, where the system has an installer that swallows it.
// end writes how it came out and gives the same error. A file that cannot be written keeps nothing from its end.
func noted(s streams, action string, byPackage bool) (_ streams, end func(error) error) {
	return notedIn(installerLog, s, action, byPackage)
}

func notedIn(path string, s streams, action string, byPackage bool) (_ streams, end func(error) error) {
	same := func(err error) error { return err }
	if path == "" || !byPackage {
		return s, same
	}
	f, err := appendTo(path)
	if err != nil {
		fmt.Fprintf(s.err, "cannot keep a log of this: %v\n", err)
		return s, same
	}
	fmt.Fprintf(f, "%s %s, version %s\r\n", time.Now().Format(time.RFC3339), action, version)
	s.out, s.err = io.MultiWriter(s.out, f), io.MultiWriter(s.err, f)
	return s, func(err error) error {
		if err != nil {
			fmt.Fprintf(f, "failed: %v\r\n", err)
		}
		f.Close()
		return err
	}
}

func appendTo(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	mode := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if info, err := os.Stat(path); err == nil && info.Size() > maxInstallerLog {
		mode |= os.O_TRUNC
	}
	return os.OpenFile(path, mode, 0o600)
}

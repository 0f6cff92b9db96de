package durable

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestAWriteThatDoesNotFitKeepsTheOldContent limits the size of files, which fails a write half-way as a full disk does.
func TestAWriteThatDoesNotFitKeepsTheOldContent(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "policy.json")
	if err := WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	restore := limitFiles(t, 4096)
	err := WriteFile(path, make([]byte, 1<<20), 0o600)
	restore()
	if !errors.Is(err, syscall.EFBIG) || !strings.HasPrefix(err.Error(), "cannot write "+path) {
		t.Errorf("%v", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "old" {
		t.Errorf("%q, %v", got, err)
	}
	if got := names(t, dir); got != "policy.json" {
		t.Errorf("the folder holds %s", got)
	}
}

// limitFiles sets RLIMIT_FSIZE (getrlimit(2)); Go ignores the signal that comes with it.
func limitFiles(t *testing.T, size uint64) (restore func()) {
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
			t.Fatal(err)
		}
	}
}

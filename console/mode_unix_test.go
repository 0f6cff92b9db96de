//go:build unix

package main

import (
	"os"
	"testing"
)

// forOneself checks that nobody else may read a file.
func forOneself(t *testing.T, path string) {
	t.Helper()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v %v", path, info, err)
	}
}

//go:build unix

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRootDoesNotWorkInAnotherUsersFolder(t *testing.T) {
	dir := t.TempDir()
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	owned := os.Geteuid() == 0 || os.Getuid() != 0 // by somebody who is not root
	err := foreign(dir, 0)
	var h hinted
	if owned != (err != nil) || err != nil && (!errors.As(err, &h) || !strings.Contains(h.hint, "sudo -u ")) {
		t.Errorf("as root: %v", err)
	}
	if err := foreign(dir, 1000); err != nil {
		t.Errorf("as somebody else the folder's own rights decide: %v", err)
	}
	if err := foreign(filepath.Join(dir, "not yet"), 0); err != nil {
		t.Errorf("a folder that is not there: %v", err)
	}
	for _, command := range []string{"serve", "token", "verify"} {
		if code, _, errs := words(t, command, "--state", dir); os.Geteuid() == 0 && (code != exitFault || !strings.Contains(errs, "sudo -u ")) {
			t.Errorf("%s: %d %q", command, code, errs)
		}
	}
}

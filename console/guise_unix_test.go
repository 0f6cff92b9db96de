//go:build unix

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestRootSetsUpAConsoleThatBelongsToAnotherUser is a package's console: its folder is its own, the configuration is root's.
func TestRootSetsUpAConsoleThatBelongsToAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can be somebody else
	}
	const other = 65534
	top := t.TempDir()
	dir, etc := filepath.Join(top, "state"), filepath.Join(top, "etc")
	err := errors.Join(os.Chmod(filepath.Dir(top), 0o755), os.Chmod(top, 0o755), os.Mkdir(dir, 0o700), os.Mkdir(etc, 0o755), os.Chown(dir, other, other),
		os.WriteFile(filepath.Join(etc, "console.yaml"), []byte("# root's\n"), 0o640), os.Chown(filepath.Join(etc, "console.yaml"), 0, other),
		os.Symlink(filepath.Join(etc, "console.yaml"), filepath.Join(dir, "console.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Seteuid(0); syscall.Setegid(0) })
	code, out, errs := words(t, "setup", "--state", dir, "--name", "sekisho.example.lan")
	if code != exitOK || !strings.HasPrefix(out, "https://sekisho.example.lan:8443/setup/") {
		t.Fatalf("%d %q %q", code, out, errs)
	}
	if err := syscall.Seteuid(0); err != nil {
		t.Fatal(err)
	}
	for file, uid := range map[string]uint32{filepath.Join(etc, "console.yaml"): 0, filepath.Join(dir, "ca.key"): other, filepath.Join(dir, "console.db"): other} {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if s := info.Sys().(*syscall.Stat_t); s.Uid != uid || s.Gid != other {
			t.Errorf("%s belongs to %d:%d", file, s.Uid, s.Gid)
		}
	}
	if info, err := os.Stat(filepath.Join(etc, "console.yaml")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v %v", info, err)
	}
}

func TestAFileThatTheConfigurationPointsToIsWrittenAndNotReplacedByOne(t *testing.T) {
	dir := blank(t)
	etc := filepath.Join(t.TempDir(), "console.yaml")
	own := filepath.Join(dir, "console.yaml")
	for name, prepare := range map[string]func() error{
		"a file":  func() error { return os.WriteFile(etc, []byte("# nothing yet\n"), 0o640) },
		"no file": func() error { return os.Remove(etc) },
	} {
		if err := errors.Join(os.Remove(own), os.Symlink(etc, own), prepare()); err != nil && name == "a file" {
			t.Fatal(err)
		}
		if code, _, errs := words(t, "setup", "--state", dir, "--name", "sekisho.example.lan"); code != exitOK {
			t.Fatalf("%s: %s", name, errs)
		}
		if info, err := os.Lstat(own); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("%s: the link is gone: %v %v", name, info, err)
		}
		if !strings.Contains(read(t, etc), "sekisho.example.lan") {
			t.Errorf("%s: %s", name, read(t, etc))
		}
		if name == "a file" {
			if info, err := os.Stat(etc); err != nil || info.Mode().Perm() != 0o640 {
				t.Errorf("its rights: %v %v", info, err)
			}
		}
	}
}

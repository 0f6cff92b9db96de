//go:build unix

package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// other is a user without any rights.
const other = 65534

// packaged is a package's console: its folder is its own, the configuration it points to is root's.
func packaged(t *testing.T) (dir, etc string) {
	t.Helper()
	top := t.TempDir()
	dir, etc = filepath.Join(top, "state"), filepath.Join(top, "etc", "console.yaml")
	err := errors.Join(os.Chmod(filepath.Dir(top), 0o755), os.Chmod(top, 0o755), os.Mkdir(dir, 0o700), os.Mkdir(filepath.Dir(etc), 0o755), os.Chown(dir, other, other),
		os.WriteFile(etc, []byte("# root's\n"), 0o640), os.Chown(etc, 0, other), os.Symlink(etc, filepath.Join(dir, "console.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Seteuid(0); syscall.Setegid(0) })
	return dir, etc
}

// setUpAs runs setup as root would, and is root again afterwards.
func setUpAs(t *testing.T, dir, etc string) (string, error) {
	t.Helper()
	set := flag.NewFlagSet("setup", flag.ContinueOnError)
	addSetupFlags(set, os.Getenv)
	if err := set.Parse([]string{"--name", "sekisho.example.lan"}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := setup(t.Context(), call{state: dir, etc: etc, flags: set, out: &out, err: &out})
	if as := os.Geteuid(); as != other {
		t.Errorf("it worked as %d", as)
	}
	return out.String(), errors.Join(err, syscall.Seteuid(0))
}

func TestRootSetsUpAConsoleThatBelongsToAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can be somebody else
	}
	dir, etc := packaged(t)
	if out, err := setUpAs(t, dir, etc); err != nil || !strings.HasPrefix(out, "https://sekisho.example.lan:8443/setup/") {
		t.Fatalf("%q %v", out, err)
	}
	for file, uid := range map[string]uint32{etc: 0, filepath.Join(dir, "ca.key"): other, filepath.Join(dir, "console.db"): other} {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if s := info.Sys().(*syscall.Stat_t); s.Uid != uid || s.Gid != other {
			t.Errorf("%s belongs to %d:%d", file, s.Uid, s.Gid)
		}
	}
	if info, err := os.Stat(etc); err != nil || info.Mode().Perm() != 0o640 || !strings.Contains(read(t, etc), "sekisho.example.lan") {
		t.Errorf("%v %v", info, err)
	}
}

// TestTheConsolesUserCannotLeadRootToAnotherFile: the folder is that user's, and so is the link in it.
func TestTheConsolesUserCannotLeadRootToAnotherFile(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can be led
	}
	dir, etc := packaged(t)
	link, victim := filepath.Join(dir, "console.yaml"), filepath.Join(filepath.Dir(etc), "nologin")
	for name, prepare := range map[string]func() error{
		"a file that is not there": func() error { return nil },
		"an empty file of root's":  func() error { return os.WriteFile(victim, nil, 0o644) },
	} {
		if err := errors.Join(os.Remove(link), os.Symlink(victim, link), prepare()); err != nil {
			t.Fatal(err)
		}
		if out, err := setUpAs(t, dir, etc); err == nil || out != "" {
			t.Errorf("%s: %q %v", name, out, err)
		}
		if text, err := os.ReadFile(victim); err == nil && len(text) > 0 {
			t.Errorf("%s: it holds %q", name, text)
		}
		os.Remove(victim)
	}
}

func TestAFileThatTheConfigurationPointsToIsWrittenAndNotReplacedByOne(t *testing.T) {
	for name, mode := range map[string]os.FileMode{"a file": 0o640, "no file": 0} {
		dir, etc := blank(t), filepath.Join(t.TempDir(), "console.yaml")
		own := filepath.Join(dir, "console.yaml")
		if err := errors.Join(os.Remove(own), os.Symlink(etc, own)); err != nil {
			t.Fatal(err)
		}
		if mode != 0 {
			if err := os.WriteFile(etc, []byte("# nothing yet\n"), mode); err != nil {
				t.Fatal(err)
			}
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
		if info, err := os.Stat(etc); err != nil || info.Mode().Perm() != max(mode, 0o600) {
			t.Errorf("%s: its rights: %v %v", name, info, err)
		}
	}
}

package execgate

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sekisho/internal/policy"
)

// TestWhileAVettedDpkgWorksNobodyIsAskedWhoOpensFilesInItsOwnFolders: a program that is read there by a dynamic loader shows
// whether anybody is asked. Where others than root could put one, and for whoever runs one, nothing changes.
func TestWhileAVettedDpkgWorksNobodyIsAskedWhoOpensFilesInItsOwnFolders(t *testing.T) {
	dir, err := os.MkdirTemp("/var/lib", "sekisho-test-") // where only root can put anything
	must(t, err)
	t.Cleanup(func() { _ = os.Remove(dir) })
	must(t, os.Chmod(dir, 0o755))
	s := newStageAt(t, dir, 0)
	must(t, os.CopyFS(dir, os.DirFS(s.gate.Root)))
	s.gate.Root = dir // it is read from when the gate stands on
	for _, d := range dpkgsOwn {
		must(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	must(t, os.Chmod(filepath.Join(dir, "var/lib/dpkg/triggers"), 0o777))
	echo, err := os.ReadFile("/bin/echo")
	must(t, err)
	for _, name := range []string{"updates/prog", "updates/below/prog", "triggers/prog", "info/prog"} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, "var/lib/dpkg", name)), 0o755))
		s.put("var/lib/dpkg/"+name, string(echo))
	}
	loader, _ := filepath.Glob("/lib*/ld-linux*")
	if len(loader) == 0 {
		t.Fatal("no dynamic loader")
	}
	asked := func(name string) bool {
		return !strings.Contains(s.run(loader[0]+" "+filepath.Join(dir, "var/lib/dpkg", name)+" REACHED"), "REACHED")
	}
	runs := func() bool { return strings.Contains(s.run(dir+"/var/lib/dpkg/updates/prog REACHED"), "REACHED") }
	s.enforce(policy.ActionBlock)
	if !asked("updates/prog") || runs() {
		t.Fatal("nobody works: it is asked about")
	}

	dpkg := exec.Command("sleep", "600") // any process: which ones are dpkg's is not what this is about
	must(t, dpkg.Start())
	t.Cleanup(func() { _ = dpkg.Process.Kill() })
	p := process(dpkg.Process.Pid)
	_, begun := p.parent()
	s.gate.hush(p, begun)
	if asked("updates/prog") {
		t.Error("it is asked who opens a file there, on a kernel that could leave it (Linux 6.0)")
	}
	if runs() {
		t.Error("who runs a program there is not asked")
	}
	for _, name := range []string{"updates/below/prog", "triggers/prog", "info/prog"} {
		if !asked(name) {
			t.Errorf("%s: nobody is asked", name)
		}
	}
	s.gate.forget(s.gate.kern)
	if asked("updates/prog") {
		t.Error("it still works, and everything is asked about")
	}

	must(t, dpkg.Process.Kill())
	_ = dpkg.Wait() // killed
	s.wait("it has ended, and everything is asked about again", func() bool { return asked("updates/prog") })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

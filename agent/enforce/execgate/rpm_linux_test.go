package execgate

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sekisho/internal/policy"
)

func rpmOf(name, arch string) policy.Program {
	return policy.Program{ID: "rpm:" + name + ":" + arch, Kind: policy.ProgramRPM, Name: name, Arch: arch, Version: "1"}
}

// lines is what rpm says of files.
func lines(files ...string) func(io.Writer) error {
	return func(w io.Writer) error {
		for _, f := range files {
			if _, err := io.WriteString(w, strings.ReplaceAll(f, "|", "\x1f")+"\x1e"); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestAPathBelongsToTheRpmThatInstalledIt(t *testing.T) {
	root := t.TempDir()
	if err := os.Symlink("usr/bin", filepath.Join(root, "bin")); err != nil {
		t.Fatal(err)
	}
	x, err := readRpm(root, []policy.Program{rpmOf("rpm", "x86_64"), rpmOf("glibc", "x86_64"), rpmOf("glibc", "i686"), deb("dpkg", "amd64")}, 0, lines(
		"rpm|x86_64|100755|/usr/bin/rpm", "rpm|x86_64|40755|/usr/lib/rpm", "rpm|x86_64|120777|/usr/bin/rpmquery", "glibc|x86_64|100755|/bin/ldd",
		"glibc|i686|100755|/lib/ld-linux.so.2", "stranger|noarch|100755|/usr/bin/stranger", "rpm|x86_64|100644|/usr/share/doc/rpm/README", "rpm|x86_64|xyz|/usr/bin/odd", "rpm|x86_64|100755|relative", "half"))
	if err != nil || !x.looks {
		t.Fatalf("%v, looks %t", err, x != nil && x.looks)
	}
	for path, want := range map[string]string{"/usr/bin/rpm": "rpm", "/usr/bin/ldd": "glibc", "/bin/ldd": "", "/lib/ld-linux.so.2": "glibc", "/usr/lib/rpm": "", "/usr/bin/rpmquery": "",
		"/usr/bin/stranger": "", "/usr/share/doc/rpm/README": "", "/usr/bin/odd": "", "relative": ""} {
		if got := ownersOf(x.owners(path)); got != want {
			t.Errorf("%s belongs to %q, not %q", path, got, want)
		}
	}
	if o := x.owners("/lib/ld-linux.so.2"); len(o) != 1 || o[0].Arch != "i686" {
		t.Errorf("%+v", o)
	}
}

func TestARpmDatabaseThatCannotBeReadStopsNothingAndSaysSo(t *testing.T) {
	for what, c := range map[string]struct {
		programs []policy.Program
		list     func(io.Writer) error
		says     string
	}{
		"there is none":                {nil, lines(), "no package database"},
		"it does not name rpm":         {[]policy.Program{rpmOf("bash", "x86_64")}, lines(), "damaged"},
		"rpm complains":                {[]policy.Program{rpmOf("rpm", "x86_64")}, func(io.Writer) error { return errors.New("locked") }, "locked"},
		"rpm complains in the middle":  {[]policy.Program{rpmOf("rpm", "x86_64")}, func(w io.Writer) error { _ = lines("rpm|x86_64|100755|/usr/bin/rpm")(w); return errors.New("killed") }, "killed"},
		"a line longer than any of it": {[]policy.Program{rpmOf("rpm", "x86_64")}, lines("rpm|x86_64|100755|/" + strings.Repeat("a", maxRpmLine)), "too long"},
	} {
		if x, err := readRpm(t.TempDir(), c.programs, 0, c.list); err == nil || x != nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

const rpmSpec = `Name: %{n}
Version: 1
Release: 1
Summary: sample
License: none
BuildArch: noarch
%description
sample
%install
mkdir -p %{buildroot}/usr/bin %{buildroot}/usr/share/doc/%{n}
printf '#!/bin/sh\necho %{n}\n' > "%{buildroot}/usr/bin/%{n}"
chmod 755 %{buildroot}/usr/bin/%{n}
ln -s %{n} %{buildroot}/usr/bin/%{n}-link
echo x > "%{buildroot}/usr/share/doc/%{n}/a file"
%files
/usr/bin/%{n}
/usr/bin/%{n}-link
/usr/share/doc/%{n}
`

// realRpms installs packages with the real rpm below a root of its own.
func realRpms(t *testing.T, names ...string) (root string) {
	t.Helper()
	root, work := t.TempDir(), t.TempDir()
	do := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
	}
	spec := filepath.Join(work, "a.spec")
	if err := os.WriteFile(spec, []byte(rpmSpec), 0o644); err != nil {
		t.Fatal(err)
	}
	do("rpm", "--root", root, "--dbpath", "/var/lib/rpm", "--initdb")
	for _, n := range names {
		do("rpmbuild", "--quiet", "-bb", "--define", "n "+n, "--define", "_topdir "+work+"/build", "--define", "_rpmdir "+work+"/out", spec)
		do("rpm", "--root", root, "--dbpath", "/var/lib/rpm", "--nodeps", "--nosignature", "-i", filepath.Join(work, "out/noarch", n+"-1-1.noarch.rpm"))
	}
	return root
}

// TestTheRealRpmSaysWhatItInstalled, and with it the gate of the real kernel records and stops nothing, whatever the mode is.
func TestTheRealRpmSaysWhatItInstalled(t *testing.T) {
	root := realRpms(t, "rpm", "tool")
	x, err := readRpm(root, []policy.Program{rpmOf("rpm", "noarch"), rpmOf("tool", "noarch")}, 0, listRpm(t.Context(), root))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/usr/bin/tool": "tool", "/usr/bin/rpm": "rpm", "/usr/bin/tool-link": "", "/usr/bin/other": ""} {
		if got := ownersOf(x.owners(path)); got != want {
			t.Errorf("%s belongs to %q, not %q", path, got, want)
		}
	}
	if folder, _, _ := databaseOf(root); folder != "/var/lib/rpm" {
		t.Errorf("the database is watched in %s", folder)
	}
}

func TestWhereRpmRulesTheGateRecordsAndStopsNothing(t *testing.T) {
	s := newStage(t, 0)
	s.gate.Root = realRpms(t, "rpm")
	s.gate.Packages = func() ([]policy.Program, error) { return []policy.Program{rpmOf("rpm", "noarch")}, nil }
	script := s.put("script", "#!/bin/sh\necho REACHED\n")
	s.enforce(policy.ActionBlock)
	if out := s.run(script); out != "REACHED\n" {
		t.Errorf("it was stopped: %q", out)
	}
	s.wait("it is recorded", func() bool { return len(s.saw(policy.OutcomeDetected)) > 0 })
	if got := s.saw(policy.OutcomeDetected)[0]; got.Program.Path != script || len(got.Program.Hash) != 64 || len(s.saw(policy.OutcomeBlocked)) > 0 {
		t.Errorf("%+v", got)
	}
	s.wait("it is said that nothing is stopped", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.fault == errOnlyLooks.Error()
	})
	s.mu.Lock()
	s.decide = func(policy.Program) policy.Decision { time.Sleep(50 * time.Millisecond); return forbidden }
	s.mu.Unlock()
	if other := s.put("other", fmt.Sprintf("#!/bin/sh\necho AGAIN %d\n", 1)); s.run(other) != "AGAIN 1\n" {
		t.Error("a slow answer stopped it")
	}
	if s.gate.stallDenies() {
		t.Error("a stall denies")
	}
}

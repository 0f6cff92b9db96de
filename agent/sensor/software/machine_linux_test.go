package software

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/policy"
)

// machine is a Linux system below a temporary folder, with a dpkg database of its own that the real dpkg changes.
type machine struct {
	t    testing.TB
	root string
	dir  string // of the eyes

	preinst string // of what is built next
}

func newMachine(t testing.TB) *machine {
	m := &machine{t: t, root: t.TempDir(), dir: t.TempDir()}
	for _, dir := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/apt/lists", "var/log/apt", "etc/apt/sources.list.d", "etc", "tmp"} {
		m.must(os.MkdirAll(filepath.Join(m.root, dir), 0o755))
	}
	m.write("var/lib/dpkg/status", "")
	return m
}

func (m *machine) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) write(name, text string) {
	m.t.Helper()
	path := filepath.Join(m.root, name)
	m.must(os.MkdirAll(filepath.Dir(path), 0o755))
	m.must(os.WriteFile(path, []byte(text), 0o644))
}

// build makes a package and gives its file.
func (m *machine) build(name, version string, fields ...string) string {
	m.t.Helper()
	dir := m.t.TempDir()
	m.must(os.MkdirAll(filepath.Join(dir, "DEBIAN"), 0o755))
	m.must(os.MkdirAll(filepath.Join(dir, "usr/bin"), 0o755))
	m.must(os.WriteFile(filepath.Join(dir, "usr/bin", name), []byte("#!/bin/sh\n"), 0o755))
	control := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: 株式会社テスト <test@example.lan>\n%sDescription: test\n", name, version, strings.Join(append(fields, ""), "\n"))
	m.must(os.WriteFile(filepath.Join(dir, "DEBIAN/control"), []byte(control), 0o644))
	if m.preinst != "" {
		m.must(os.WriteFile(filepath.Join(dir, "DEBIAN/preinst"), []byte(m.preinst), 0o755))
	}
	file := filepath.Join(m.t.TempDir(), name+"_"+version+"_all.deb")
	m.run("dpkg-deb", "--root-owner-group", "-b", dir, file)
	return file
}

// dpkg runs the real one below the root.
func (m *machine) dpkg(args ...string) {
	m.t.Helper()
	m.run("dpkg", append([]string{"--root=" + m.root, "--force-not-root", "--force-script-chrootless", "--log=" + filepath.Join(m.root, dpkgLog)}, args...)...)
}

func (m *machine) run(name string, args ...string) {
	m.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		m.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}

// offer makes a repository known to apt that has packages, written "name version".
func (m *machine) offer(site string, signed bool, packages ...string) {
	stem := "var/lib/apt/lists/" + site + "_dists_stable"
	if signed {
		m.write(stem+"_InRelease", "Origin: Test\n")
	} else {
		m.write(stem+"_Release", "Origin: Test\n")
	}
	var b strings.Builder
	for _, p := range packages {
		name, version, _ := strings.Cut(p, " ")
		fmt.Fprintf(&b, "Package: %s\nVersion: %s\nArchitecture: all\nFilename: x.deb\n\n", name, version)
	}
	m.write(stem+"_main_binary-amd64_Packages", b.String())
}

func (m *machine) options() Options {
	return Options{Root: m.root, Dir: m.dir, Log: zerolog.Nop(), Calm: 50 * time.Millisecond}
}

func (m *machine) open() *Eyes { return Open(m.options()) }

// look looks, keeps what was seen, and gives the events as "what name before>version source user command".
func (m *machine) look(e *Eyes) (*Look, string) {
	m.t.Helper()
	l, err := e.Look(m.t.Context())
	m.must(err)
	m.must(e.Keep())
	if l == nil {
		return &Look{}, "nothing"
	}
	return l, eventsOf(l)
}

func eventsOf(l *Look) string {
	var out []string
	for _, ev := range l.Events {
		s := strings.Join([]string{ev.What, ev.Program.Name, ev.Before + ">" + ev.Program.Version, ev.Program.Source, ev.User, ev.Command}, " ")
		if ev.Away {
			s += " away"
		}
		out = append(out, strings.Join(strings.Fields(s), " "))
	}
	return strings.Join(out, ", ")
}

func (l *Look) find(name string) policy.Program {
	for p := range l.Programs.All() {
		if p.Name == name {
			return p
		}
	}
	return policy.Program{}
}

func want[T comparable](t testing.TB, what string, have, want T) {
	t.Helper()
	if have != want {
		t.Errorf("%s: %v, not %v", what, have, want)
	}
}

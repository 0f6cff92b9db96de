package execgate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"sekisho/internal/policy"
)

// database writes a package database below a folder.
func database(t *testing.T, lists map[string]string, more map[string]string) string {
	t.Helper()
	root := t.TempDir()
	put := func(name, text string) {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range lists {
		put("/var/lib/dpkg/info/"+name+".list", text)
	}
	for name, text := range more {
		put(name, text)
	}
	return root
}

func deb(name, arch string) policy.Program {
	return policy.Program{ID: "deb:" + name + ":" + arch, Kind: policy.ProgramDeb, Name: name, Arch: arch, Version: "1"}
}

func ownersOf(all []policy.Program) string {
	var s []string
	for _, p := range all {
		s = append(s, p.Name)
	}
	return strings.Join(s, " ")
}

func TestAPathBelongsToThePackageThatInstalledIt(t *testing.T) {
	root := database(t, map[string]string{
		"dash":        "/.\n/bin\n/bin/dash\n/bin/sh\n/usr\n/usr/share\n/usr/share/doc\n/usr/share/doc/dash\n",
		"bash":        "/.\n/bin\n/bin/bash\n/bin/sh\n",
		"libc6:amd64": "/.\n/lib\n/lib/x86_64-linux-gnu\n/lib/x86_64-linux-gnu/libc.so.6\n",
		"gone":        "/usr/bin/gone\n",
	}, map[string]string{"/var/lib/dpkg/diversions": "/bin/sh\n/bin/sh.distrib\ndash\n"})
	if err := os.Symlink("usr/bin", filepath.Join(root, "bin")); err != nil {
		t.Fatal(err)
	}
	x, err := readDpkg(root, []policy.Program{deb("dash", "amd64"), deb("bash", "amd64"), deb("libc6", "amd64"), deb("dpkg", "amd64")}, noIndex)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/usr/bin/dash": "dash", "/usr/bin/sh": "dash", "/usr/bin/sh.distrib": "bash", "/bin/dash": "", "/usr/bin": "",
		"/lib/x86_64-linux-gnu/libc.so.6": "libc6", "/usr/bin/gone": "", "/usr/bin/dash2": "", "": "",
		"/var/lib/dpkg/info/dash.postinst": "dash", "/var/lib/dpkg/info/libc6:amd64.postinst": "libc6", "/var/lib/dpkg/info/other.postinst": "",
	} {
		if got := ownersOf(x.owners(path)); got != want {
			t.Errorf("%s belongs to %q, not %q", path, got, want)
		}
	}
	if _, err := readDpkg(t.TempDir(), nil, noIndex); err != errNoDatabase {
		t.Errorf("a system without dpkg: %v", err)
	}
	if _, err := readDpkg(root, []policy.Program{deb("dash", "amd64")}, noIndex); err != errDamaged {
		t.Errorf("a database that is cut off: %v", err)
	}
}

func TestOnlyListsThatHaveChangedAreReadAgain(t *testing.T) {
	root := database(t, map[string]string{"dpkg": "/usr/bin/dpkg\n", "curl": "/usr/bin/curl\n", "tree": "/usr/bin/tree\n"}, nil)
	list := func(name string) string { return filepath.Join(root, dpkgInfo, name+".list") }
	write := func(name, text string, at time.Time) {
		t.Helper()
		if err := errors.Join(os.WriteFile(list(name), []byte(text), 0o644), os.Chtimes(list(name), at, at)); err != nil {
			t.Fatal(err)
		}
	}
	read := func(old *index, programs ...policy.Program) *index {
		t.Helper()
		x, err := readDpkg(root, programs, old)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	yesterday := time.Now().Add(-24 * time.Hour)
	for _, name := range []string{"dpkg", "curl", "tree"} {
		write(name, "/usr/bin/"+name+"\n", yesterday)
	}
	allowed := func(p policy.Program) bool { return p.Version != "bad" }
	before := read(noIndex, deb("dpkg", "amd64"), deb("curl", "amd64"), deb("tree", "amd64"))
	newer := deb("curl", "amd64")
	newer.Version = "2"
	if x := read(before, deb("dpkg", "amd64"), newer, deb("tree", "amd64")); !x.likens(before, allowed) {
		t.Error("another version of the same files, permitted too, changes who is trusted")
	}
	if newer.Version = "bad"; read(before, deb("dpkg", "amd64"), newer, deb("tree", "amd64")).likens(before, allowed) {
		t.Error("a version that is not permitted is trusted on")
	}
	write("curl", "/usr/bin/curl2\n", yesterday.Add(time.Hour)) // a newer version
	write("dpkg", "/usr/bin/other\n", yesterday)                // nothing that dpkg does: it shows whether it is read
	x := read(before, deb("ant", "all"), deb("curl", "amd64"), deb("dpkg", "amd64"))
	for path, want := range map[string]string{"/usr/bin/dpkg": "dpkg", "/usr/bin/other": "", "/usr/bin/curl": "", "/usr/bin/curl2": "curl", "/usr/bin/tree": ""} {
		if got := ownersOf(x.owners(path)); got != want {
			t.Errorf("%s belongs to %q, not %q", path, got, want)
		}
	}
	if x.likens(before, allowed) {
		t.Error("paths have gone, and are trusted on")
	}
	write("curl", "/usr/bin/curl3\n", time.Now()) // so lately that it may change again without showing it
	write("curl", "/usr/bin/curl4\n", time.Now())
	if got := ownersOf(read(read(x, deb("dpkg", "amd64"), newer), deb("dpkg", "amd64"), newer).owners("/usr/bin/curl4")); got != "curl" {
		t.Errorf("what was just written is not read: %q", got)
	}
	if err := os.WriteFile(filepath.Join(root, "/var/lib/dpkg/diversions"), []byte("/usr/bin/other\n/usr/bin/elsewhere\nant\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := ownersOf(read(x, deb("dpkg", "amd64")).owners("/usr/bin/elsewhere")); got != "dpkg" {
		t.Errorf("a new diversion counts for nobody: %q", got)
	}
}

func TestWhatAnEssentialPackageNeedsIsEssential(t *testing.T) {
	root := database(t, nil, map[string]string{"/var/lib/dpkg/status": `Package: bash
Essential: yes
Pre-Depends: libc6 (>= 2.36), libtinfo6 (>= 6)
Depends: base-files (>= 2.1.12), debianutils | other:any

Package: libtinfo6-t64
Provides: libtinfo6 (= 6)

Package: game
Depends: bash
`})
	bash := deb("bash", "amd64")
	bash.Essential = true
	got, err := needed(root, []policy.Program{bash, deb("libc6", "amd64"), deb("libtinfo6-t64", "amd64"), deb("debianutils", "amd64"), deb("game", "amd64")})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range got {
		if p.Essential != (p.Name != "game") {
			t.Errorf("%s: essential is %v", p.Name, p.Essential)
		}
	}
}

func TestManyPathsTakeEightBytesEach(t *testing.T) {
	x := newIndex([]policy.Program{deb("a", "amd64"), deb("b", "amd64")}, policy.ProgramDeb)
	for i := range 200_000 {
		x.add(fmt.Sprintf("/usr/lib/p%d/file", i), i&1)
	}
	x.sort()
	if len(x.entries) < 199_990 || ownersOf(x.owners("/usr/lib/p77/file")) != "b" || ownersOf(x.owners("/usr/lib/p200000/file")) != "" {
		t.Errorf("%d entries, %q", len(x.entries), ownersOf(x.owners("/usr/lib/p77/file")))
	}
}

// BenchmarkIndex shows the bytes that knowing 6,000 packages of 40 files each keeps, and what reading them takes.
func BenchmarkIndex(b *testing.B) {
	root := b.TempDir()
	info := filepath.Join(root, dpkgInfo)
	if err := os.MkdirAll(info, 0o755); err != nil {
		b.Fatal(err)
	}
	programs := []policy.Program{deb("dpkg", "amd64")}
	for n := range 6000 {
		p := deb(fmt.Sprintf("libexample-part%d", n), "amd64")
		p.Version, p.Publisher, p.Source = fmt.Sprintf("1:%d.2.3-4+deb12u1", n), "Example Maintainers <maintainers@example.org>", policy.SourceRepository
		programs = append(programs, p)
		list := "/.\n/usr\n/usr/lib\n"
		for i := range 40 {
			list += fmt.Sprintf("/usr/lib/%s/part%d.so\n", p.Name, i)
		}
		if err := os.WriteFile(filepath.Join(info, p.Name+".list"), []byte(list), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	before := alive()
	x, err := readDpkg(root, programs, noIndex)
	if err != nil || len(x.entries) != 6000*40 {
		b.Fatal(len(x.entries), err)
	}
	kept := alive() - before
	for b.Loop() {
		if _, err := readDpkg(root, programs, x); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(kept), "bytes/6000")
	runtime.KeepAlive(programs)
}

func alive() uint64 {
	runtime.GC()
	runtime.GC() // the first only empties the pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestNobodyKnowsThatAllIsPermittedBeforeDpkgsListsWereRead: of rpm's packages neither.
func TestNobodyKnowsThatAllIsPermittedBeforeDpkgsListsWereRead(t *testing.T) {
	root := database(t, map[string]string{"dpkg": "/usr/bin/dpkg\n", "bad": "/usr/bin/bad\n"}, nil)
	all := func(policy.Program) bool { return true }
	x, err := readDpkg(root, []policy.Program{deb("dpkg", "amd64"), deb("bad", "amd64")}, noIndex)
	if err != nil || !x.permitted(all) || x.permitted(func(p policy.Program) bool { return p.Name != "bad" }) {
		t.Errorf("%v", err)
	}
	if noIndex.permitted(all) || newIndex([]policy.Program{deb("dpkg", "amd64")}, policy.ProgramDeb).permitted(all) {
		t.Error("nothing was read of dpkg's, and all of it is permitted")
	}
}

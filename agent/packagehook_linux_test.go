package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const aptList = `VERSION 3
APT::Architecture=amd64
Dir::Log::Terminal=term.log

good - - none < 1.0 amd64 none /var/cache/apt/archives/good_1.0_amd64.deb
libx 1.0 amd64 same < 1.1 amd64 same /tmp/a b/libx.deb
old 1.0 amd64 none > - - none **REMOVE**
good - - none < 1.0 amd64 none **CONFIGURE**
`

func TestAptsListNamesTheFilesThatWillBeUnpacked(t *testing.T) {
	got, err := aptFiles(strings.NewReader(aptList))
	if want := []string{"/var/cache/apt/archives/good_1.0_amd64.deb", "/tmp/a b/libx.deb"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	got, err = aptFiles(strings.NewReader("VERSION 2\n\ngood - < 1.0 /x/good.deb\nold 1 > - **REMOVE**\n"))
	if err != nil || !slices.Equal(got, []string{"/x/good.deb"}) {
		t.Errorf("version 2: %q, %v", got, err)
	}
	for _, bad := range []string{"", "/var/cache/apt/archives/good_1.0_amd64.deb\n", "VERSION 4\n\n", "VERSION 3\n\n" + strings.Repeat("x", maxAptLine+1)} {
		if _, err := aptFiles(strings.NewReader(bad)); err == nil {
			t.Errorf("%.40q is understood", bad)
		}
	}
}

func FuzzAptFiles(f *testing.F) {
	f.Add(aptList)
	f.Fuzz(func(t *testing.T, s string) {
		files, _ := aptFiles(strings.NewReader(s))
		for _, name := range files {
			if !filepath.IsAbs(name) {
				t.Errorf("%q is no file", name)
			}
		}
	})
}

func TestDpkgsCommandLineNamesTheFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.deb", "b.deb", "in/c.deb", "in/readme"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../a.deb", filepath.Join(dir, "in", "0-link.deb")); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"dpkg -i a.deb b.deb": "a.deb b.deb",
		"dpkg --status-fd 21 --unpack --auto-deconfigure " + dir + "/b.deb": "b.deb",
		"dpkg -iR in":                      "a.deb in/c.deb",
		"dpkg --unpack --recursive in":     "a.deb in/c.deb",
		"dpkg -i in":                       "", // dpkg refuses a folder
		"dpkg --configure a":               "",
		"dpkg -r a.deb":                    "",
		"dpkg --force-all --install a.deb": "a.deb",
		"dpkg -i missing.deb":              "",
	} {
		var got []string
		for _, f := range dpkgArguments(strings.Fields(line), dir) {
			rel, _ := filepath.Rel(dir, f)
			got = append(got, rel)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, not %q", line, got, want)
		}
	}
}

func TestThePackageManagerIsWhoRunsTheShellThatRunsTheHook(t *testing.T) {
	q := packageQuestion{ancestors: []ancestor{{pid: 9, program: "dash"}, {pid: 8, program: "dpkg", args: []string{"dpkg", "-r", "x"}}, {pid: 7, program: "apt-get"}}}
	if q.manager() != 8 || q.dpkgFiles() != nil {
		t.Errorf("%d %v", q.manager(), q.dpkgFiles())
	}
	n := 0
	for range batches(make([]string, 401), 200) {
		n++
	}
	if n != 3 {
		t.Errorf("%d questions", n)
	}
	for b := range batches(nil, 200) {
		if len(b) != 0 {
			t.Error("a run without files asks for some")
		}
		n++
	}
	if n != 4 {
		t.Error("a run without files is not vetted")
	}
}

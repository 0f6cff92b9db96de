package aptlist

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func equal(t *testing.T, what, have, want string) {
	t.Helper()
	if have != want {
		t.Errorf("%s: %q, not %q", what, have, want)
	}
}

func TestListsAreKnownByTheirNames(t *testing.T) {
	names := []string{
		"deb.debian.org_debian_dists_bookworm_InRelease", "deb.debian.org_debian_dists_bookworm_main_binary-amd64_Packages.lz4",
		"deb.debian.org_debian_dists_bookworm-updates_Release", "deb.debian.org_debian_dists_bookworm-updates_Release.gpg",
		"deb.debian.org_debian_dists_bookworm-updates_non-free_binary-all_Packages",
		"flat.example_repo_._Release", "flat.example_repo_._Packages.xz",
		"mirror.example_my%5fplace_dists_x_InRelease", "mirror.example_my%5fplace_dists_x_main_binary-amd64_Packages",
		"partial", "lock", "auxfiles",
	}
	var have []string
	for _, l := range listsOf(names, []string{asFile("https://user:geheim@mirror.example/my_place/")}) {
		have = append(have, fmt.Sprint(l.Origin, " ", l.Signed))
	}
	equal(t, "lists", strings.Join(have, "\n"), "deb.debian.org/debian bookworm main true\ndeb.debian.org/debian bookworm-updates non-free true\n"+
		"flat.example/repo false\nmirror.example/my_place x main false")
}

func TestAReleaseHasTheListsOfItsOwnRepository(t *testing.T) {
	names := []string{"a_dists_b-security_InRelease", "a_dists_b-security_main_binary-amd64_Packages", "a_dists_b_Release", "a_dists_b_Release.gpg",
		"a_dists_b_main_binary-amd64_Packages.xz", "a_dists_b_main_binary-i386_Packages", "empty_._InRelease", "empty_._Release", "lock", "nobody_._Packages"}
	var have []string
	for _, r := range releasesIn(names, listsOf(names, nil)) {
		line := r.File
		for _, l := range r.Lists {
			line += " " + l.File
		}
		have = append(have, line)
	}
	equal(t, "releases", strings.Join(have, "\n"), "a_dists_b-security_InRelease a_dists_b-security_main_binary-amd64_Packages\n"+
		"a_dists_b_Release a_dists_b_main_binary-amd64_Packages.xz a_dists_b_main_binary-i386_Packages\nempty_._InRelease")
}

func TestSourcesThatNeedNoSignatureAreFound(t *testing.T) {
	text := "# deb [trusted=yes] http://no/ x main\ndeb [ arch=amd64 trusted=yes ] http://one.example/a stable main\ndeb http://two.example/b stable main\n\n" +
		"Types: deb\nURIs: https://three.example/c/ https://four.example/d\nSuites: x\nTrusted: yes\n\nTypes: deb\nURIs: https://five.example\nSuites: x\n"
	equal(t, "sources", strings.Join(carelessIn(text), " "), "one.example_a three.example_c four.example_d")
}

func TestEveryWordForYesNeedsNoSignature(t *testing.T) {
	for text, want := range map[string]string{
		"deb [trusted=true] http://a.example/r ./":                      "a.example_r",
		"deb [ allow-insecure=1 ] http://a.example:8080/~me/x=y s main": "a.example:8080_%7eme_x%3dy",
		"deb [trusted=no] http://a.example/r ./":                        "",
		"deb [signed-by=/trusted=yes.gpg] http://a.example/r ./":        "",
		"deb [trusted=yes]":                    "",
		"deb file:/srv/r ./":                   "",
		"deb-src [TRUSTED=Yes] file:/srv/r ./": "_srv_r",
		"trusted: on\r\nURIs: http://a.example/r\r\n http://b.example\r\n\r\nURIs: http://c": "a.example_r b.example",
		"URIs: http://a\n# a remark\nAllow-Insecure: yes\n \nURIs: http://b\n":               "a",
		"Types: deb\nURIs: http://a\nTrusted: no\n":                                          "",
	} {
		equal(t, text, strings.Join(carelessIn(text), " "), want)
	}
}

// terminal writes files below a root.
func terminal(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestAListIsSignedUnlessItsSourceNeedsNoSignature(t *testing.T) {
	files := map[string]string{
		Folder + "/lab_r_._InRelease": "", Folder + "/lab_r_._Packages": "Package: x\n",
		"etc/apt/sources.list.d/lab.sources.bak": "URIs: http://lab/r\nTrusted: yes\n", // apt passes it over
	}
	lists, err := Read(terminal(t, files))
	if err != nil || len(lists) != 1 || !lists[0].Signed || lists[0].Origin != "lab/r" {
		t.Errorf("%+v, %v", lists, err)
	}
	files["etc/apt/sources.list.d/lab.sources"] = "URIs: http://user@lab/r/\nTrusted: yes\n"
	lists, err = Read(terminal(t, files))
	if err != nil || len(lists) != 1 || lists[0].Signed {
		t.Errorf("%+v, %v", lists, err)
	}
	files["etc/apt/sources.list"] = strings.Repeat("#", maxConfig+1)
	if lists, err = Read(terminal(t, files)); err == nil {
		t.Errorf("%+v", lists)
	}
	if lists, err = Read(t.TempDir()); err != nil || len(lists) != 0 {
		t.Errorf("without apt: %+v, %v", lists, err)
	}
}

func TestAPackedListIsRead(t *testing.T) {
	var z strings.Builder
	w := gzip.NewWriter(&z)
	fmt.Fprint(w, "Package: x\n")
	w.Close()
	root := terminal(t, map[string]string{Folder + "/a_Packages": "plain", Folder + "/b_Packages.gz": z.String(), Folder + "/c_Packages.xz": "?", Folder + "/d_Packages.lz4": "?"})
	text := func(name string) (text string, err error) {
		err = List{File: name}.ReadAlone(root, func(r io.Reader) error {
			b, err := io.ReadAll(r)
			text = string(b)
			return err
		})
		return text, err
	}
	if s, err := text("a_Packages"); err != nil || s != "plain" {
		t.Errorf("%q, %v", s, err)
	}
	if s, err := text("b_Packages.gz"); err != nil || s != "Package: x\n" {
		t.Errorf("%q, %v", s, err)
	}
	if _, err := text("c_Packages.xz"); !errors.Is(err, ErrPacked) {
		t.Error(err)
	}
	if _, err := text("d_Packages.lz4"); !errors.Is(err, errLZ4) {
		t.Error(err)
	}
}

func FuzzNames(f *testing.F) {
	f.Add("a_dists_b_InRelease\na_dists_b_main_binary-amd64_Packages", "deb [trusted=yes] http://a b main\n\nURIs: http://b\n c\nTrusted: yes")
	f.Fuzz(func(t *testing.T, names, sources string) {
		listsOf(strings.Split(names, "\n"), carelessIn(sources))
	})
}

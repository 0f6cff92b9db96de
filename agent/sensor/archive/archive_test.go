package archive

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"sekisho/internal/policy"
)

// desk is a terminal with repositories' lists, and package files.
type desk struct {
	*testing.T
	root string
	r    Reader
}

func newDesk(t *testing.T) *desk {
	d := &desk{T: t, root: t.TempDir()}
	d.r = Reader{Root: d.root, Control: func(_ context.Context, file string) ([]byte, error) {
		raw, err := os.ReadFile(file)
		if err != nil || strings.HasPrefix(string(raw), "broken") {
			return nil, errors.New("it is no Debian package")
		}
		return []byte(fmt.Sprintf("Package: %s\nVersion: 1.0\nArchitecture: amd64\nEssential: yes\nMaintainer: Me\n", raw)), nil
	}}
	return d
}

func (d *desk) put(name, text string) string {
	d.Helper()
	file := filepath.Join(d.root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		d.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		d.Fatal(err)
	}
	return file
}

func stanza(name, content string) string {
	return fmt.Sprintf("Package: %s\nVersion: 1.0\nArchitecture: amd64\nMaintainer: Debian\nDescription: x\n more\nSHA256: %x\n\n", name, sha256.Sum256([]byte(content)))
}

func (d *desk) look(name string) policy.Program {
	return d.r.Look(d.Context(), []File{{At: filepath.Join(d.root, name), Name: "/" + name}})[0]
}

const lists = "var/lib/apt/lists/"

func TestOnlyAHashInASignedListMakesARepositorysPackage(t *testing.T) {
	d := newDesk(t)
	d.put("good.deb", "good")
	d.put("odd.deb", "odd")
	d.put("loose.deb", "loose")
	d.put("var/cache/apt/archives/good_1.0_amd64.deb", "not what the list says")
	d.put(lists+"deb.debian.org_debian_dists_bookworm_InRelease", "signed")
	d.put(lists+"deb.debian.org_debian_dists_bookworm_main_binary-amd64_Packages", stanza("other", "other")+stanza("good", "good"))
	d.put(lists+"odd.example_r_._Release", "not signed")
	d.put(lists+"odd.example_r_._Packages", stanza("odd", "odd"))
	for name, want := range map[string]string{
		"good.deb": policy.SourceRepository, "odd.deb": policy.SourceLocal, "loose.deb": policy.SourceLocal,
		"var/cache/apt/archives/good_1.0_amd64.deb": policy.SourceLocal,
	} {
		if p := d.look(name); p.Source != want || len(p.Hash) != 64 || p.Essential || p.Kind != policy.ProgramDeb {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if p := d.look("good.deb"); p.ID != "deb:good:amd64" || p.Publisher != "Debian" || !strings.HasPrefix(p.Origin, "deb.debian.org/debian bookworm main") {
		t.Errorf("%+v", p)
	}
}

func TestASourceThatIsBelievedWithoutASignatureIsNone(t *testing.T) {
	d := newDesk(t)
	d.put("good.deb", "good")
	d.put(lists+"lab_r_._InRelease", "signed by somebody")
	d.put(lists+"lab_r_._Packages", stanza("good", "good"))
	if p := d.look("good.deb"); p.Source != policy.SourceRepository {
		t.Fatalf("%+v", p)
	}
	for _, source := range []string{"deb [arch=amd64 trusted=yes] http://lab/r ./\n"} {
		d.r.known = nil
		d.put("etc/apt/sources.list", source)
		if p := d.look("good.deb"); p.Source != policy.SourceLocal {
			t.Errorf("%s: %+v", source, p)
		}
	}
	d.r.known = nil
	d.put("etc/apt/sources.list", "")
	d.put("etc/apt/sources.list.d/lab.sources", "Types: deb\nURIs: http://user@lab/r/\nSuites: ./\nTrusted: yes\n")
	if p := d.look("good.deb"); p.Source != policy.SourceLocal {
		t.Errorf("%+v", p)
	}
}

func TestWhatCannotBeReadIsSaid(t *testing.T) {
	d := newDesk(t)
	d.put("broken.deb", "broken")
	if p := d.look("broken.deb"); !strings.Contains(p.Fault, "no Debian package") || p.Name != "broken.deb" || p.Source != policy.SourceLocal {
		t.Errorf("%+v", p)
	}
	if p := d.look("missing.deb"); p.Fault == "" {
		t.Errorf("%+v", p)
	}
	d.put("x.deb", "x")
	d.put(lists+"a_InRelease", "")
	d.put(lists+"a_Packages.lz4", "?")
	if p := d.look("x.deb"); p.Source != policy.SourceUnknown || !strings.Contains(p.Fault, "lz4") {
		t.Errorf("%+v", p)
	}
	if err := os.Remove(filepath.Join(d.root, lists, "a_Packages.lz4")); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(d.root, lists, "a_Packages.gz"))
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	if _, err := z.Write([]byte(stanza("x", "x"))); err != nil {
		t.Fatal(err)
	}
	z.Close()
	f.Close()
	if p := d.look("x.deb"); p.Source != policy.SourceRepository {
		t.Errorf("%+v", p)
	}
}

// BenchmarkKeep shows the bytes that are kept of a paragraph of two kilobytes of a list.
func BenchmarkKeep(b *testing.B) {
	text := []byte("Package: libexample\nVersion: 1.0-2\nArchitecture: amd64\nMaintainer: Debian\nDescription: " + strings.Repeat("long ", 400) + "\n")
	all := make([]policy.Program, 0, 2000)
	before := alive()
	for range 2000 {
		all = append(all, program(paragraph(string(text))))
	}
	kept := (alive() - before) / 2000
	for b.Loop() {
		program(paragraph(string(text)))
	}
	b.ReportMetric(float64(kept), "bytes/package")
	runtime.KeepAlive(all)
}

func alive() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func FuzzStanzas(f *testing.F) {
	f.Add(stanza("a", "b"))
	f.Fuzz(func(t *testing.T, s string) {
		_ = stanzas(strings.NewReader(s), func(b []byte) { hashIn(b); program(paragraph(string(b))) })
	})
}

package depot

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sekisho/internal/bundle"
	"sekisho/internal/seal"
)

// packed is a signed bundle of these programs.
func packed(t *testing.T, key ed25519.PrivateKey, version string, programs ...string) (raw []byte, hashes []string) {
	t.Helper()
	m := bundle.Manifest{Format: bundle.Format, Version: version}
	for i, text := range programs {
		sum := sha256.Sum256([]byte(text))
		hashes = append(hashes, hex.EncodeToString(sum[:]))
		m.Programs = append(m.Programs, bundle.Program{OS: "linux", Arch: []string{"amd64", "arm64"}[i], SHA256: hashes[i], Size: int64(len(text))})
	}
	var b bytes.Buffer
	must(t, bundle.Write(&b, key, m, func(i int) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(programs[i])), nil }))
	return b.Bytes(), hashes
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newDepot(t *testing.T) (*Depot, ed25519.PrivateKey) {
	t.Helper()
	public, key, err := ed25519.GenerateKey(nil)
	must(t, err)
	d, err := Open(filepath.Join(t.TempDir(), "updates"), map[string][]byte{seal.KeyID(public): public}, time.Now())
	must(t, err)
	return d, key
}

func (d *Depot) names(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(d.dir)
	must(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestProgramsAreKeptByTheirHashes(t *testing.T) {
	d, key := newDepot(t)
	raw, hashes := packed(t, key, "1.2.3", "for amd64", "for arm64")
	m, _, err := d.Take(bytes.NewReader(raw))
	must(t, err)
	if m.Version != "1.2.3" || len(d.names(t)) != 2 {
		t.Errorf("%+v, %v", m, d.names(t))
	}
	f, err := d.Open(hashes[1])
	must(t, err)
	defer f.Close()
	if text, err := io.ReadAll(f); err != nil || string(text) != "for arm64" {
		t.Errorf("%q, %v", text, err)
	}
	for _, strange := range []string{"../console.db", "", strings.Repeat("0", 64), strings.ToUpper(hashes[0])} {
		if _, err := d.Open(strange); err == nil {
			t.Errorf("%q was opened", strange)
		}
	}
}

func TestABadBundleLeavesNothing(t *testing.T) {
	d, key := newDepot(t)
	raw, _ := packed(t, key, "1.2.3", "for amd64", "for arm64")
	_, stranger, err := ed25519.GenerateKey(nil)
	must(t, err)
	forged, _ := packed(t, stranger, "1.2.4", "evil")
	bent := bytes.Clone(raw)
	bent[len(bent)-1] ^= 1
	for name, c := range map[string]struct {
		raw  []byte
		want error
	}{
		"cut": {raw[:len(raw)-3], bundle.ErrCut}, "bent": {bent, bundle.ErrAltered},
		"another key": {forged, seal.ErrUnknownKey}, "no bundle": {[]byte("MZ…"), bundle.ErrNotBundle},
	} {
		if _, _, err := d.Take(bytes.NewReader(c.raw)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if left := d.names(t); len(left) != 0 {
			t.Errorf("%s: %v is left", name, left)
		}
	}
}

func TestWhatNoReleaseNamesIsCleared(t *testing.T) {
	d, key := newDepot(t)
	first, _ := packed(t, key, "1.0", "shared", "old")
	second, hashes := packed(t, key, "1.1", "shared", "new")
	_, _, err := d.Take(bytes.NewReader(first))
	must(t, err)
	m, _, err := d.Take(bytes.NewReader(second))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(d.dir, "note.txt"), nil, 0o600))
	must(t, d.Clear([]bundle.Manifest{m}, time.Now()))
	if left := d.names(t); len(left) != 4 {
		t.Errorf("what came just now was cleared: %v", left)
	}
	must(t, d.Clear([]bundle.Manifest{m}, time.Now().Add(justCame)))
	if left := d.names(t); len(left) != 3 {
		t.Errorf("left is %v, not %v and the note", left, hashes)
	}
}

func TestWhatIsPutIsFoundByItsHash(t *testing.T) {
	d, err := Open(t.TempDir(), nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	hash, err := d.Put([]byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := d.Open(hash)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if text, err := io.ReadAll(f); string(text) != "{}" || err != nil {
		t.Errorf("%q %v", text, err)
	}
}

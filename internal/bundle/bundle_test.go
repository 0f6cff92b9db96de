package bundle

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"

	"sekisho/internal/seal"
)

var programs = []string{"the agent for linux", "the agent for windows, which is longer"}

func key(t testing.TB) (ed25519.PrivateKey, map[string][]byte) {
	t.Helper()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	public := private.Public().(ed25519.PublicKey)
	return private, map[string][]byte{seal.KeyID(public): public}
}

func manifest() Manifest {
	m := Manifest{Format: Format, Version: "1.2.3", MadeAt: time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)}
	for i, kind := range []string{"linux", "windows"} {
		sum := sha256.Sum256([]byte(programs[i]))
		m.Programs = append(m.Programs, Program{kind, "amd64", hex.EncodeToString(sum[:]), int64(len(programs[i]))})
	}
	return m
}

func made(t testing.TB, m Manifest) []byte {
	t.Helper()
	private, _ := key(t)
	var b bytes.Buffer
	err := Write(&b, private, m, func(i int) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(programs[i])), nil })
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// contents reads a bundle whole.
func contents(raw []byte, keys map[string][]byte) (m Manifest, got []string, err error) {
	r, err := Read(bytes.NewReader(raw), keys)
	if err != nil {
		return m, nil, err
	}
	for {
		_, body, err := r.Next()
		if err == io.EOF {
			return r.Manifest, got, nil
		}
		if err != nil {
			return r.Manifest, got, err
		}
		text, err := io.ReadAll(body)
		if err != nil {
			return r.Manifest, got, err
		}
		got = append(got, string(text))
	}
}

func TestWhatWasPackedComesOut(t *testing.T) {
	_, keys := key(t)
	m, got, err := contents(made(t, manifest()), keys)
	if err != nil || m.Version != "1.2.3" || len(got) != 2 || got[0] != programs[0] || got[1] != programs[1] {
		t.Fatalf("%+v %q %v", m, got, err)
	}
	if p, ok := m.For("windows", "amd64"); !ok || p.Size != int64(len(programs[1])) {
		t.Errorf("for Windows there is %+v, %v", p, ok)
	}
	if _, ok := m.For("linux", "arm64"); ok {
		t.Error("there is a program for an architecture that nobody packed")
	}
}

func TestABundleCutShortAnywhereIsRefused(t *testing.T) {
	_, keys := key(t)
	whole := made(t, manifest())
	for n := range whole {
		_, _, err := contents(whole[:n], keys)
		if n == 0 && !errors.Is(err, ErrNotBundle) || n > 0 && !errors.Is(err, ErrCut) {
			t.Fatalf("cut to %d of %d bytes: %v", n, len(whole), err)
		}
	}
}

func TestAnyOtherByteIsRefused(t *testing.T) {
	_, keys := key(t)
	whole := made(t, manifest())
	for i := range whole {
		bent := bytes.Clone(whole)
		bent[i] ^= 0x20
		m, got, err := contents(bent, keys)
		if err == nil && (m.Version != "1.2.3" || strings.Join(got, "") != strings.Join(programs, "")) {
			t.Fatalf("byte %d bent: %+v", i, m)
		}
	}
	if _, _, err := contents(append(whole, 'x'), keys); !errors.Is(err, ErrAltered) {
		t.Errorf("something behind the last program: %v", err)
	}
}

func TestWithoutTheRightKeyNothingIsBelieved(t *testing.T) {
	whole := made(t, manifest())
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	if _, _, err := contents(whole, map[string][]byte{seal.KeyID(other): other}); !errors.Is(err, seal.ErrUnknownKey) {
		t.Errorf("another key: %v", err)
	}
	if _, _, err := contents(whole, nil); !errors.Is(err, ErrNoKeys) {
		t.Errorf("no key: %v", err)
	}
	if _, _, err := contents([]byte("PK\x03\x04 a zip file that somebody took for a bundle"), nil); !errors.Is(err, ErrNotBundle) {
		t.Errorf("another file: %v", err)
	}
	private, keys := key(t)
	policy := seal.Sign(private, []byte(`{"format":1}`))
	if _, err := Open(keys, policy); !errors.Is(err, seal.ErrBadSignature) {
		t.Errorf("a policy's signature was taken for a release's: %v", err)
	}
}

func TestABrokenDiskIsNotABundleCutShort(t *testing.T) {
	_, keys := key(t)
	bad := errors.New("input/output error")
	whole := made(t, manifest())
	for _, n := range []int{0, 5, 100, len(whole) - 3} {
		r, err := Read(io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(bad)), keys)
		for err == nil {
			_, _, err = r.Next()
		}
		if !errors.Is(err, bad) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

func TestAManifestThatCannotBeIsRefused(t *testing.T) {
	private, keys := key(t)
	sum := strings.Repeat("ab", 32)
	program := func(p Program) Manifest {
		m := manifest()
		m.Programs[0] = p
		return m
	}
	twice := manifest()
	twice.Programs[1].OS = "linux"
	future, nameless, nothing := manifest(), manifest(), manifest()
	future.Format, nameless.Version, nothing.Programs = 2, "latest", nil
	for name, m := range map[string]Manifest{
		"path": program(Program{"../etc", "amd64", sum, 1}), "hash": program(Program{"linux", "amd64", "../../x", 1}),
		"upper case": program(Program{"linux", "amd64", strings.ToUpper(sum), 1}), "empty": program(Program{"linux", "amd64", sum, 0}),
		"huge": program(Program{"linux", "amd64", sum, MaxProgram + 1}), "twice": twice, "future": future, "nameless": nameless, "nothing": nothing,
	} {
		if err := Write(io.Discard, private, m, nil); err == nil {
			t.Errorf("%s: was written", name)
		}
		if _, err := Open(keys, seal.SignRelease(private, raw(t, m))); err == nil {
			t.Errorf("%s: was read", name)
		}
	}
	for _, text := range []string{`{"format":1,"extra":true}`, `{} {}`, `[]`, ``, `{"format":1` + strings.Repeat(" ", maxManifest) + `}`} {
		if _, err := Open(keys, seal.SignRelease(private, []byte(text))); err == nil {
			t.Errorf("%.30q was read", text)
		}
	}
}

func TestVersionsSortAsPackagesDo(t *testing.T) {
	sorted := []string{"dev", "0.0+9.gabc", "0.9", "0.10", "1.0~rc1", "1.0~rc2", "1.0", "1.0+3.gabc", "1.0.1", "1.2", "1.10", "2"}
	for i := range sorted {
		for j := range sorted {
			got, want := Compare(sorted[i], sorted[j]), i-j
			if (got < 0) != (want < 0) || (got > 0) != (want > 0) {
				t.Errorf("%s and %s: %d", sorted[i], sorted[j], got)
			}
		}
	}
	if Compare("1.0", "1.00") != 0 || Compare("dev", "unknown") != 0 {
		t.Error("the same is not the same")
	}
}

func TestComparingIsAnOrder(t *testing.T) {
	version := rapid.StringMatching(`[0-9][0-9a-c.+~]{0,6}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := version.Draw(t, "a"), version.Draw(t, "b"), version.Draw(t, "c")
		if Compare(a, b) != -Compare(b, a) && Compare(a, b)*Compare(b, a) >= 0 && Compare(a, b) != 0 {
			t.Fatalf("%s, %s: %d and %d", a, b, Compare(a, b), Compare(b, a))
		}
		if Compare(a, b) <= 0 && Compare(b, c) <= 0 && Compare(a, c) > 0 {
			t.Fatalf("%s ≤ %s ≤ %s, but not %s ≤ %s", a, b, c, a, c)
		}
	})
}

// FuzzRead: a foreign file is refused, or is exactly what was signed.
func FuzzRead(f *testing.F) {
	_, keys := key(f)
	whole := made(f, manifest())
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte(magic + "\x00\x00\x00\x02{}"))
	f.Add([]byte(magic + "\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, got, err := contents(raw, keys)
		if err == nil && strings.Join(got, "") != strings.Join(programs, "") {
			t.Fatalf("accepted %q", got)
		}
	})
}

// FuzzManifest: whatever passes can be kept to.
func FuzzManifest(f *testing.F) {
	f.Add(raw(f, manifest()))
	f.Add([]byte(`{"format":1,"version":"1","programs":[{"os":"linux","arch":"amd64","sha256":"","size":1}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := parse(text)
		if err != nil {
			return
		}
		for _, p := range m.Programs {
			if !IsHash(p.SHA256) || strings.ContainsAny(p.OS+p.Arch, "/\\.") || p.Size > MaxProgram {
				t.Fatalf("%+v", p)
			}
		}
	})
}

func raw(t testing.TB, m Manifest) []byte {
	t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

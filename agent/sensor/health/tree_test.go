package health

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"sekisho/internal/policy"
)

var noon = time.Date(2026, 11, 26, 3, 0, 0, 0, time.UTC)

// machine is a made-up terminal below a folder.
type machine struct {
	t    *testing.T
	root string
}

// newMachine has the folders that every system has, and nothing in them.
func newMachine(t *testing.T) machine {
	m := machine{t, t.TempDir()}
	for _, dir := range []string{"etc", "usr", "var", "sys", "proc"} {
		if err := os.Mkdir(filepath.Join(m.root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m machine) write(path, text string) machine {
	m.t.Helper()
	at := filepath.Join(m.root, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
	return m
}

func (m machine) link(path, to string) machine {
	m.t.Helper()
	at := filepath.Join(m.root, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Symlink(to, at); err != nil {
		m.t.Fatal(err)
	}
	return m
}

func (m machine) remove(path string) machine {
	m.t.Helper()
	if err := os.RemoveAll(filepath.Join(m.root, filepath.FromSlash(path))); err != nil {
		m.t.Fatal(err)
	}
	return m
}

func (m machine) eyes() *Eyes {
	return New(Options{Root: m.root, Now: func() time.Time { return noon }})
}

// says is a reading in short: its value, or why there is none.
func says(r policy.Reading) string {
	if r.Read() {
		return r.Value()
	}
	code, _ := r.Why()
	return "?" + code
}

func expect(t *testing.T, what string, r policy.Reading, want string) {
	t.Helper()
	if got := says(r); got != want {
		_, fault := r.Why()
		t.Errorf("%s: %q, not %q (%s)", what, got, want, fault)
	}
}

func reading(t *testing.T, list []policy.Reading, fact string) policy.Reading {
	t.Helper()
	for _, r := range list {
		if r.Fact() == fact {
			return r
		}
	}
	t.Fatalf("nobody looked for %s", fact)
	return policy.Reading{}
}

func TestAPipeIsNotReadAsAFile(t *testing.T) {
	m := newMachine(t).write("etc/x", "text")
	if _, err := m.eyes().tree.read("/etc", 10); err == nil {
		t.Error("a folder was read")
	}
	if b, err := m.eyes().tree.read("/etc/x", 2); err != nil || string(b) != "te" {
		t.Errorf("%q %v", b, err)
	}
}

package durable

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestWhatAnInterruptedWriteLeftIsSweptAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	cut, err := os.CreateTemp(dir, ".policy.json.tmp-*") // as WriteFile makes it, and a power cut leaves it
	if err != nil {
		t.Fatal(err)
	}
	cut.Close()
	for _, name := range []string{"policy.json", ".hidden", "notes.tmp-1", ".policy.json.tmp-", ".policy.json.tmp-12x"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, ".folder.tmp-12"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Sweep(dir, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(cut.Name()); err != nil {
		t.Errorf("a file that another process may be writing is gone: %v", err)
	}
	if err := Sweep(dir, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); got != ".folder.tmp-12 .hidden .policy.json.tmp- .policy.json.tmp-12x notes.tmp-1 policy.json" {
		t.Errorf("the folder holds %s", got)
	}
}

func TestLitterFromBeforeTheClockWasSetBackIsSweptToo(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".a.tmp-1"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Sweep(dir, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); got != "" {
		t.Errorf("the folder holds %s", got)
	}
}

func TestAFolderThatIsNotThereHasNothingToSweep(t *testing.T) {
	if err := Sweep(filepath.Join(t.TempDir(), "missing"), time.Now()); err != nil {
		t.Error(err)
	}
}

package durable

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestAStreamIsThereWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	for _, keep := range []bool{false, true} {
		f, err := Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, "whole"); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("it is there before it was kept")
		}
		if keep {
			if err := f.Keep(0o600); err != nil {
				t.Fatal(err)
			}
		}
		f.Discard()
		left, err := os.ReadDir(dir)
		if err != nil || len(left) != map[bool]int{false: 0, true: 1}[keep] {
			t.Errorf("kept %v: %v, %v", keep, left, err)
		}
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "whole" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestAStreamIntoAFolderThatIsNotThereSaysSo(t *testing.T) {
	if _, err := Create(filepath.Join(t.TempDir(), "no", "a")); err == nil {
		t.Error("nothing was said")
	}
}

func TestAPlaceThatIsHeldCanBeTakenLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Discard()
	if err := f.Keep(0o600); err == nil {
		t.Fatal("a folder was replaced")
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	if err := f.Keep(0o600); err != nil {
		t.Error(err)
	}
}

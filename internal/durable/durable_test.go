package durable

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// names lists a folder.
func names(t *testing.T, dir string) string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return strings.Join(list, " ")
}

func TestAFileIsReplacedAndNothingElseIsLeft(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "policy.json")
	for _, content := range []string{"first", "second, longer", "", "x"} {
		if err := WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != content {
			t.Errorf("%q, %v", got, err)
		}
	}
	if got := names(t, dir); got != "policy.json" {
		t.Errorf("the folder holds %s", got)
	}
}

func TestAReaderSeesTheOldOrTheNewAndNeverAMixture(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	contents := [][]byte{bytes.Repeat([]byte("a"), 300_000), bytes.Repeat([]byte("b"), 100_000)}
	if err := WriteFile(path, contents[0], 0o600); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	done := make(chan struct{})
	defer close(done)
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			got, err := ReadFile(path)
			if err != nil || (!bytes.Equal(got, contents[0]) && !bytes.Equal(got, contents[1])) {
				t.Errorf("a reader saw %d bytes, %v", len(got), err)
				return
			}
		}
	})
	for i := range 20 {
		if err := WriteFile(path, contents[i%2], 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAMissingFolderIsSaid(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "policy.json")
	err := WriteFile(path, []byte("x"), 0o600)
	if !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "cannot write "+path) {
		t.Errorf("%v", err)
	}
}

func TestWhatCannotBeReplacedIsSaidAndLeavesNoLitter(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "policy.json")
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o700); err != nil { // a folder stands where the file should
		t.Fatal(err)
	}
	if err := WriteFile(path, []byte("x"), 0o600); err == nil || !strings.HasPrefix(err.Error(), "cannot write "+path) {
		t.Errorf("%v", err)
	}
	if got := names(t, dir); got != "policy.json" {
		t.Errorf("the folder holds %s", got)
	}
}

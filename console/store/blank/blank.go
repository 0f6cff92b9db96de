// Package blank gives tests empty databases whose schema is there already: bringing it up to date takes longer than most tests do.
// It is never part of a program.
package blank

import (
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Of gives a function that puts an empty database into a folder of its own and tells its path. The first comes from open, which
// makes one; the others are copies of it.
func Of(open func(path string) (io.Closer, error)) func(t testing.TB) string {
	first := sync.OnceValues(func() ([]byte, error) { return made(open) })
	return func(t testing.TB) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "console.db")
		whole, err := first()
		if err == nil {
			err = os.WriteFile(path, whole, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
}

func made(open func(path string) (io.Closer, error)) ([]byte, error) {
	folder, err := os.MkdirTemp("", "blank")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "console.db")
	db, err := open(path)
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

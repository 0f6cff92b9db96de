//go:build unix

package store

import (
	"os"
	"path/filepath"
	"testing"
)

func TestNobodyElseOnTheMachineReadsTheDatabaseOrItsCopy(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	db := reopen(t, filepath.Join(dir, "console.db"))
	must(t, db.Backup(t.Context(), filepath.Join(dir, "copy.db")))
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		info, err := e.Info()
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s is %v", e.Name(), info.Mode())
		}
	}
}

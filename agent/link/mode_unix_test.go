//go:build unix

package link

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheKeyCanBeReadByNobodyElse(t *testing.T) {
	c, dir := newConsole(t), t.TempDir()
	c.enrolled(t, dir)
	info, err := os.Stat(filepath.Join(dir, identityDir, identityFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
}

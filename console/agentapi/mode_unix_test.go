//go:build unix

package agentapi

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestNobodyElseOnTheMachineReadsTheAuthoritysKey(t *testing.T) {
	dir := t.TempDir()
	_, err := OpenCA(dir, time.Now())
	must(t, err)
	if info, err := os.Stat(filepath.Join(dir, "ca.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("key's mode %v, %v", info, err)
	}
}

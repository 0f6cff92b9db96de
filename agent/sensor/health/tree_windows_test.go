package health

import (
	"os"
	"path/filepath"
	"testing"
)

// TestAPatternMayBeginWithADrive: probes write paths as Windows does.
func TestAPatternMayBeginWithADrive(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "KES.12"), 0o700); err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(dir, "KES.12", "avp.exe")
	if err := os.WriteFile(want, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	find := finder{tree: tree{"/"}}
	got := find.glob(dir + `\*\avp.exe`)
	if len(got) != 1 || filepath.Clean(got[0]) != want || find.err != nil {
		t.Errorf("%q %v, should be %s", got, find.err, want)
	}
	for _, pattern := range []string{dir + `\no\*\avp.exe`, dir + `\*\other.exe`, dir + `\KES.12\avp.exe\*`} {
		if got := find.glob(pattern); len(got) != 0 || find.err != nil {
			t.Errorf("%s: %q %v", pattern, got, find.err)
		}
	}
	if find.glob(`Q:\*\x`); find.err == nil {
		t.Log("a drive that is not there has nothing on it")
	}
}

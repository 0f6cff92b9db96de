package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAServicesAccountHasTheNameThatWindowsGivesIt knows one that is on every Windows (whoami /groups of the installer).
func TestAServicesAccountHasTheNameThatWindowsGivesIt(t *testing.T) {
	if got := serviceSID("TrustedInstaller"); got != "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464" {
		t.Errorf("got %s", got)
	}
	if sd := ownFolder(); !strings.HasPrefix(sd, "O:BAD:PAI(") || !strings.Contains(sd, serviceSID(serviceName)+")") || strings.Contains(sd, ";;;WD)") || strings.Contains(sd, ";;;BU)") {
		t.Errorf("the folder's rights are %s", sd)
	}
}

func TestTheLogOfAServiceHasTwoFilesOfBoundedSize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.log")
	if err := os.WriteFile(path, []byte("from before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := openLog(path, 100)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 30 {
		if n, err := l.Write([]byte("twenty letters long\n")); n != 20 || err != nil {
			t.Fatal(n, err)
		}
	}
	for _, name := range []string{path, path + ".1"} {
		text := read(t, name)
		if len(text) == 0 || len(text) > 100 || !strings.HasSuffix(text, "twenty letters long\n") {
			t.Errorf("%s holds %q", name, text)
		}
	}
	if text := read(t, path+".1"); strings.Contains(text, "before") {
		t.Errorf("the oldest words are still there: %q", text)
	}
}

func TestALogThatCannotBeOpenedIsAnError(t *testing.T) {
	if _, err := openLog(filepath.Join(t.TempDir(), "no", "folder"), 100); err == nil {
		t.Error("it was opened")
	}
}

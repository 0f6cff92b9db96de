package hivefile

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/windows"
)

func TestOnlyAPlainFileInItsPlaceIsRead(t *testing.T) {
	dir := t.TempDir()
	q := ask("DisplayName")
	q.Folder, q.File = dir, `sub\NTUSER.DAT`
	if a := Read(q); a.Code != Missing {
		t.Errorf("%+v", a)
	}
	if err := os.MkdirAll(filepath.Join(dir, "sub", "NTUSER.DAT"), 0o700); err != nil {
		t.Fatal(err)
	}
	if a := Read(q); a.Code != Failed || a.Fault != errElsewhere.text {
		t.Errorf("a folder: %+v", a)
	}
	put(t, filepath.Join(dir, "NTUSER.DAT"), hanako(program("a", "b")))
	q.File = `sub\..\NTUSER.DAT`
	if a := Read(q); a.Code != Failed || a.Fault != errElsewhere.text {
		t.Errorf("another place: %+v", a)
	}
	q.File = "ntuser.dat"
	if a := Read(q); a.Code != "" || len(a.Entries) != 1 {
		t.Errorf("%+v", a)
	}
}

func TestAFileOfManyMegabytesIsReadInParts(t *testing.T) {
	q := ask("DisplayName")
	q.Folder, q.File = t.TempDir(), "NTUSER.DAT"
	path := filepath.Join(q.Folder, q.File)
	put(t, path, append(hanako(program("a", "b")), make([]byte, 5*chunk+1)...))
	if a := Read(q); a.Code != "" || len(a.Entries) != 1 {
		t.Errorf("%+v", a)
	}
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		t.Fatal(err)
	}
	h, err := windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE, 0, nil, windows.OPEN_EXISTING, 0, 0)
	if err != nil {
		t.Fatalf("it is still open here: %v", err)
	}
	defer windows.CloseHandle(h)
	if a := Read(q); a.Code != Busy {
		t.Errorf("%+v", a)
	}
}

// TestWhoWaitsIsGivenTheFile: a Wine grants no such promise, and then the file is read without one.
func TestWhoWaitsIsGivenTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "NTUSER.DAT")
	put(t, path, hanako())
	f, err := openFile(filepath.Dir(path), "NTUSER.DAT")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("promised: %v", f.lock != nil)
	if f.lock.broken() {
		t.Error("somebody waits")
	}
	if f.lock != nil {
		_ = windows.SetEvent(f.lock.told) // as the kernel does
		if _, err := f.all(1); !is(err, Busy) {
			t.Error(err)
		}
	}
	f.close()
}

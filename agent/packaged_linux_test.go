package main

import (
	"os"
	"path/filepath"
	"testing"

	"sekisho/installer/linux"
)

// putFile writes a file below root.
func putFile(t *testing.T, root, path string, data []byte) string {
	t.Helper()
	full := filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return full
}

func TestAPackageIsNotShadowedByAnInstallByHand(t *testing.T) {
	root := t.TempDir()
	for _, f := range linux.Files() {
		putFile(t, root, f.Path, append(append([]byte{}, f.Data...), "# of an older version\n"...))
	}
	link := filepath.Join(root, enabledLink)
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(unitPath, link); err != nil {
		t.Fatal(err)
	}
	for range 2 { // once more does nothing
		if err := unshadow(root); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range linux.Files() {
		if _, err := os.Lstat(filepath.Join(root, f.Path)); err == nil {
			t.Errorf("%s still shadows the package's", f.Path)
		}
	}
	if target, err := os.Readlink(link); err != nil || target != packageUnit {
		t.Errorf("what was enabled is %q, %v", target, err)
	}
}

func TestWhatAnAdministratorMadeStays(t *testing.T) {
	root := t.TempDir()
	own := putFile(t, root, "/etc/initramfs-tools/hooks/sekisho", []byte("#!/bin/sh\n# mine\n"))
	dropIn := putFile(t, root, unitPath+".d/override.conf", []byte("[Service]\n"))
	mask := filepath.Join(root, unitPath)
	if err := os.MkdirAll(filepath.Dir(mask), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/null", mask); err != nil {
		t.Fatal(err)
	}
	if err := unshadow(root); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{own, dropIn, mask} {
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("%s is gone", path)
		}
	}
}

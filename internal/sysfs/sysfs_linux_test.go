package sysfs

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTheRealKernelIsReadAsOtherProgramsReadIt(t *testing.T) {
	for _, file := range []string{"/sys/kernel/uevent_seqnum", "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/kernel/notes"} {
		want, err := os.ReadFile(file)
		if err != nil {
			continue // not every kernel has all of them; the folder below must be there
		}
		if got, err := Attr(file, 1<<16); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %q instead of %q: %v", file, got, want, err)
		}
	}
	entries, err := os.ReadDir("/sys/class")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, e := range entries {
		want = append(want, e.Name())
	}
	if got := Names("/sys/class"); !slices.Equal(got, want) {
		t.Errorf("names are %q instead of %q", got, want)
	}
}

func TestAnAttributeIsGivenUpToItsBound(t *testing.T) {
	file := filepath.Join(t.TempDir(), "descriptors")
	whole := strings.Repeat("0123456789", 2000)
	if err := os.WriteFile(file, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	for max, want := range map[int]string{30000: whole, 20000: whole, 511: whole[:511], 513: whole[:513], 1: "0"} {
		if got, err := Attr(file, max); err != nil || string(got) != want {
			t.Errorf("at most %d: %d bytes: %v", max, len(got), err)
		}
	}
}

func TestWhatIsNotThereIsAnErrorThatNamesIt(t *testing.T) {
	dir := t.TempDir()
	_, err1 := Attr(filepath.Join(dir, "idVendor"), 10)
	_, err2 := Attr(filepath.Join(dir, "serial"), 10) // read the patient way
	_, err3 := Link(filepath.Join(dir, "driver"))
	_, err4 := Attr("bad\x00name", 10)
	for _, err := range []error{err1, err2, err3, Set(filepath.Join(dir, "authorized"), "0")} {
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%v", err)
		}
	}
	if err4 == nil || Names(filepath.Join(dir, "none")) != nil {
		t.Errorf("something that cannot be there was found: %v", err4)
	}
	if _, err := os.Lstat(filepath.Join(dir, "authorized")); err == nil {
		t.Error("writing made an attribute that is not there")
	}
}

func TestAnAttributeIsSetAndALinkIsFollowedOnce(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "authorized"), filepath.Join(dir, "driver")
	if err := errors.Join(os.WriteFile(file, []byte("1"), 0o600), os.Symlink("../drivers/uas", link), Set(file, "0")); err != nil {
		t.Fatal(err)
	}
	if got, err := Attr(file, MaxAttr); err != nil || string(got) != "0" {
		t.Errorf("%q: %v", got, err)
	}
	if to, err := Link(link); err != nil || to != "../drivers/uas" {
		t.Errorf("%q: %v", to, err)
	}
}

func BenchmarkAttr(b *testing.B) {
	for b.Loop() {
		if _, err := Attr("/sys/kernel/uevent_seqnum", MaxAttr); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPeerReadFile(b *testing.B) {
	for b.Loop() {
		if _, err := os.ReadFile("/sys/kernel/uevent_seqnum"); err != nil {
			b.Fatal(err)
		}
	}
}

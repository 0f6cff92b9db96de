package binary

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOnlyFilesThatNobodyElseCanChangeAreRemembered(t *testing.T) {
	dir := t.TempDir()
	reads := 0
	c := NewCache(func(ctx context.Context, p string) Facts { reads++; return Read(ctx, p) }, func(p string) bool { return strings.Contains(p, "windows") })
	for name, want := range map[string]int{"windows.exe": 1, "download.exe": 3} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("one"), 0o600); err != nil {
			t.Fatal(err)
		}
		reads = 0
		for range 3 {
			c.Read(t.Context(), path)
		}
		if reads != want {
			t.Errorf("%s was read %d times", name, reads)
		}
		before := c.Read(t.Context(), path)
		if err := os.WriteFile(path, []byte("two!"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Unix(5, 0), time.Unix(5, 0)); err != nil {
			t.Fatal(err)
		}
		if after := c.Read(t.Context(), path); after.Hash == before.Hash {
			t.Errorf("%s was changed and is taken for the same", name)
		}
	}
}

func TestWhatCouldNotBeReadIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	reads := 0
	c := NewCache(func(context.Context, string) Facts { reads++; return Facts{Fault: "in use"} }, func(string) bool { return true })
	c.Read(t.Context(), path)
	c.Read(t.Context(), path)
	if reads != 2 {
		t.Errorf("it was read %d times", reads)
	}
}

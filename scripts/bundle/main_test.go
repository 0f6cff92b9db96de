package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAKeyIsMadeABundleIsPackedAndShown(t *testing.T) {
	dir := t.TempDir()
	key, program, out := filepath.Join(dir, "release.key"), filepath.Join(dir, "agent"), filepath.Join(dir, "x.skb")
	if err := os.WriteFile(program, []byte("the agent"), 0o755); err != nil {
		t.Fatal(err)
	}
	say(t, "key", key)
	if err := run([]string{"key", key}, &bytes.Buffer{}); err == nil {
		t.Error("a key was replaced")
	}
	public := strings.TrimSpace(say(t, "public", key))
	say(t, "make", "-key", key, "-version", "1.2.3", "-epoch", "1764000000", "-out", out, "linux/amd64="+program)
	if got := say(t, "show", "-keys", public, out); !strings.HasPrefix(got, "1.2.3, made 2025-11-24") || !strings.Contains(got, "linux/amd64 9 bytes") {
		t.Errorf("%q", got)
	}
	for _, wrong := range [][]string{
		{"make", "-key", key, "-version", "newest", "-out", out, "linux/amd64=" + program},
		{"make", "-key", key, "-version", "1", "-out", out, "linux/amd64=" + filepath.Join(dir, "none")},
		{"make", "-key", program, "-version", "1", "-out", out, "linux/amd64=" + program},
		{"show", "-keys", "", out}, {"sign", "x"},
	} {
		if err := run(wrong, &bytes.Buffer{}); err == nil {
			t.Errorf("%v: nothing was said", wrong)
		}
	}
}

func say(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if err := run(args, &out); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return out.String()
}

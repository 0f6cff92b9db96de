//go:build linux

package quarantine

import (
	"os"
	"testing"
)

func TestALinkIsNotFollowed(t *testing.T) {
	r, path := desk(t, "system file")
	link := path + ".lnk"
	must(t, os.Symlink(path, link))
	if _, err := r.Take(link, hashOf("system file"), "x"); err == nil {
		t.Error("a link was followed")
	}
	if raw, _ := os.ReadFile(path); string(raw) != "system file" {
		t.Errorf("%q", raw)
	}
}

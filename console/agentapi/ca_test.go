package agentapi

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheAuthorityIsTheSameAfterARestart(t *testing.T) {
	dir := t.TempDir()
	first, err := OpenCA(dir, time.Now())
	must(t, err)
	second, err := OpenCA(dir, time.Now())
	must(t, err)
	if first.Fingerprint() != second.Fingerprint() || len(first.Fingerprint()) != 64 {
		t.Fatalf("%s became %s", first.Fingerprint(), second.Fingerprint())
	}
}

func TestADamagedOrForeignKeyIsSaidAndNeverReplaced(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	_, err := OpenCA(dir, time.Now())
	must(t, err)
	_, err = OpenCA(other, time.Now())
	must(t, err)
	foreign, err := os.ReadFile(filepath.Join(other, "ca.key"))
	must(t, err)
	for name, key := range map[string][]byte{"damaged": []byte("-----BEGIN"), "foreign": foreign, "empty": nil} {
		must(t, os.WriteFile(filepath.Join(dir, "ca.key"), key, 0o600))
		if _, err := OpenCA(dir, time.Now()); err == nil || !strings.Contains(err.Error(), "cannot open the certificate authority") {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, os.Remove(filepath.Join(dir, "ca.key")))
	if _, err := OpenCA(dir, time.Now()); err == nil {
		t.Error("a lost key was made anew beside the old certificate")
	}
}

func TestTheServersCertificateRenewsItselfAndFollowsItsNames(t *testing.T) {
	dir := t.TempDir()
	c := &clock{}
	ca, err := OpenCA(dir, c.now())
	must(t, err)
	serial := func(names ...string) string {
		t.Helper()
		s, err := ca.Server(dir, names, c.now)
		must(t, err)
		shown, err := s.Get(nil)
		must(t, err)
		for _, n := range names {
			must(t, shown.Leaf.VerifyHostname(n))
		}
		if len(shown.Certificate) != 2 {
			t.Fatal("the authority's certificate must be shown behind the server's")
		}
		return shown.Leaf.SerialNumber.String()
	}
	first := serial("console.example", "192.0.2.1")
	if again := serial("console.example", "192.0.2.1"); again != first {
		t.Fatal("it was made anew without need")
	}
	named := serial("console.example", "192.0.2.1", "::1")
	if named == first {
		t.Fatal("a new name is not in it")
	}
	c.advance(serverLife * 3 / 4)
	if late := serial("console.example"); late == named {
		t.Fatal("it was not renewed past two thirds of its life")
	}
}

package link

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

func (c *console) again(t *testing.T, dir string) (Identity, error) {
	t.Helper()
	c.set(func() { c.token = "twice" })
	return Enroll(t.Context(), EnrollOptions{URL: c.url(), Token: "twice", Fingerprint: c.pin(), Dir: dir, Log: zerolog.Nop(), Again: true})
}

func TestEnrollingAgainReplacesTheIdentityOnceTheConsoleAcceptsIt(t *testing.T) {
	c, dir := newConsole(t), t.TempDir()
	old := c.enrolled(t, dir)
	id := must(c.again(t, dir))
	now := must(Load(dir))
	if string(now.Key) != string(id.Key) || string(now.Key) == string(old.Key) || c.posted != 1 {
		t.Fatal("the new identity is not the one in use, or nobody tried it")
	}
	if _, err := os.Stat(filepath.Join(dir, identityDir, beforeFile)); !os.IsNotExist(err) {
		t.Fatalf("the old one was left: %v", err)
	}
}

func TestTheOldIdentityStaysWhenTheConsoleRefusesTheNewOne(t *testing.T) {
	c, dir := newConsole(t), t.TempDir()
	old := c.enrolled(t, dir)
	c.refuse = http.StatusForbidden
	if _, err := c.again(t, dir); err == nil || !strings.Contains(err.Error(), "the old one stays") {
		t.Fatal(err)
	}
	if now := must(Load(dir)); string(now.Key) != string(old.Key) {
		t.Fatal("the old identity is gone")
	}
	if _, err := Enroll(t.Context(), EnrollOptions{URL: c.url(), Token: "spent", Fingerprint: c.pin(), Dir: dir, Log: zerolog.Nop(), Again: true}); err == nil {
		t.Fatal("a spent code was taken")
	}
	if now := must(Load(dir)); string(now.Key) != string(old.Key) {
		t.Fatal("a refused code cost the old identity")
	}
}

func TestADamagedIdentityIsReplacedToo(t *testing.T) {
	c, dir := newConsole(t), t.TempDir()
	c.enrolled(t, dir)
	if err := os.WriteFile(filepath.Join(dir, identityDir, identityFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(c.again(t, dir))
	must(Load(dir))
}

func TestAnIdentityKnowsWhoseItIs(t *testing.T) {
	c, dir := newConsole(t), t.TempDir()
	id := c.enrolled(t, dir)
	if same, err := id.SignedBy(strings.ToUpper(c.pin()[:2]) + ":" + c.pin()[2:]); err != nil || !same {
		t.Error(same, err)
	}
	if same, err := id.SignedBy(strings.Repeat("ab", 32)); err != nil || same {
		t.Error(same, err)
	}
	if _, err := id.SignedBy("ab"); err == nil {
		t.Error("half a fingerprint was taken")
	}
}

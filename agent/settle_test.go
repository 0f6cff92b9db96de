package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sekisho/agent/link"
)

// identityIn writes an identity of a CA that nobody else knows, and gives that CA's fingerprint.
func identityIn(t *testing.T, dir, terminal string) string {
	t.Helper()
	caKey, key := newTestKey(t), newTestKey(t)
	ca := issueTest(t, "CA", &caKey.PublicKey, nil, caKey)
	cert := issueTest(t, terminal, &key.PublicKey, ca, caKey)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	mustDo(t, err)
	pub, _, err := ed25519.GenerateKey(rand.Reader)
	mustDo(t, err)
	raw, err := json.Marshal(link.Identity{Terminal: terminal, Certificate: cert.Raw, Key: der, CA: ca.Raw, PolicyKeys: map[string][]byte{"k": pub}})
	mustDo(t, err)
	mustDo(t, os.MkdirAll(filepath.Join(dir, "identity"), 0o700))
	mustDo(t, os.WriteFile(filepath.Join(dir, "identity", "identity.json"), raw, 0o600))
	sum := sha256.Sum256(ca.Raw)
	return hex.EncodeToString(sum[:])
}

func newTestKey(t *testing.T) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	mustDo(t, err)
	return key
}

func issueTest(t *testing.T, name string, pub any, parent *x509.Certificate, signer *ecdsa.PrivateKey) *x509.Certificate {
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true, IsCA: parent == nil,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	if parent == nil {
		parent = tpl
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, parent, pub, signer)
	mustDo(t, err)
	cert, err := x509.ParseCertificate(der)
	mustDo(t, err)
	return cert
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestInstallSaysWhatACodeMeansOnATerminalThatIsEnrolled(t *testing.T) {
	dir := t.TempDir()
	pin := identityIn(t, dir, "T1")
	other := strings.Repeat("ab", 32)
	const nowhere = "https://127.0.0.1:1" // nobody listens there
	for name, c := range map[string]struct {
		given     config
		says, err string
	}{
		"nothing given":          {config{State: dir, Server: nowhere}, "", ""},
		"a code of its console":  {config{State: dir, Server: nowhere, Fingerprint: strings.ToUpper(pin), Token: "X"}, "already enrolled as terminal T1 at this console", ""},
		"another without a code": {config{State: dir, Server: nowhere, Fingerprint: other}, "", "enrolled as T1 at a console with another fingerprint"},
		"another with a code":    {config{State: dir, Server: nowhere, Fingerprint: other, Token: "X"}, "enrolled as T1 at another console; enrolling it at " + nowhere, "cannot enrol at"},
		"half a fingerprint":     {config{State: dir, Server: nowhere, Fingerprint: "ab", Token: "X"}, "", "64 hexadecimal digits"},
		"a terminal that is not": {config{State: t.TempDir(), Server: nowhere, Fingerprint: other, Token: "X"}, "", ""},
	} {
		var out, errs bytes.Buffer
		got, err := settle(context.Background(), streams{out: &out, err: &errs}, c.given)
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(out.String(), c.says) || c.says == "" && out.Len() > 0 {
			t.Errorf("%s: it says %q", name, out.String())
		}
		if enrolled := c.given.State == dir; err == nil && (got.Token == "") != enrolled && c.given.Token != "" {
			t.Errorf("%s: the code is kept as %q", name, got.Token)
		}
	}
	if id, err := link.Load(dir); err != nil || id.Terminal != "T1" {
		t.Errorf("the identity was lost: %v %v", id.Terminal, err)
	}
}

func TestEnrollSaysHowToEnrolAgain(t *testing.T) {
	dir := t.TempDir()
	identityIn(t, dir, "T1")
	path := filepath.Join(dir, "agent.yaml")
	mustDo(t, config{State: dir, Server: "https://127.0.0.1:1", Fingerprint: strings.Repeat("ab", 32)}.write(path))
	if code, out, _ := say(t, "enroll", "--config", path); code != exitOK || !strings.Contains(out, "--again") {
		t.Errorf("%d %q", code, out)
	}
	if code, _, errs := say(t, "enroll", "--again", "--config", path); code != exitFailed || !strings.Contains(errs, "--token") {
		t.Errorf("without a code: %d %q", code, errs)
	}
	if code, _, errs := say(t, "enroll", "--again", "--token", "X", "--config", path); code != exitFailed || !strings.Contains(errs, "cannot enrol at") {
		t.Errorf("without a console: %d %q", code, errs)
	}
	if id, err := link.Load(dir); err != nil || id.Terminal != "T1" {
		t.Errorf("the identity was lost: %v %v", id.Terminal, err)
	}
}

package link

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/durable"
	"sekisho/internal/wire"
)

// EnrollOptions is what an administrator was given, and what this terminal says of itself.
type EnrollOptions struct {
	URL         string // of the terminals' listener
	Token       string // one-time code
	Fingerprint string // SHA-256 of the CA certificate; colons, spaces and upper case do not matter
	Name        string // host name, for people
	Agent       string // agent version
	Dir         string // state folder
	Log         zerolog.Logger
	Now         func() time.Time // nil is time.Now
	Again       bool             // there is an identity, which goes when the console accepts the new one
}

// Enroll makes a key, proves that the console is the one whose fingerprint was given, and exchanges the code for a certificate.
// The key is on disk before the code is used, so that a second try after a crash goes on with it.
func Enroll(ctx context.Context, o EnrollOptions) (Identity, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	pin, err := parseFingerprint(o.Fingerprint)
	if err != nil {
		return Identity{}, err
	}
	base, err := parseURL(o.URL)
	if err != nil {
		return Identity{}, err
	}
	key, err := pendingKey(o.Dir)
	if err != nil {
		return Identity{}, err
	}
	id, err := exchange(ctx, o, base, pin, key)
	if err != nil {
		return Identity{}, fmt.Errorf("cannot enrol at %s: %w", base, err)
	}
	if o.Again {
		err = replace(ctx, base, o, id)
	} else {
		err = id.save(o.Dir)
	}
	if err != nil {
		return Identity{}, err
	}
	os.Remove(filepath.Join(o.Dir, identityDir, pendingFile)) // a leftover is only used for another try
	o.Log.Info().Str("terminal", id.Terminal).Msg("enrolled")
	return id, nil
}

func exchange(ctx context.Context, o EnrollOptions, base string, pin [32]byte, key []byte) (Identity, error) {
	csr, err := request(key)
	if err != nil {
		return Identity{}, err
	}
	c := newCaller(base, &tls.Config{
		MinVersion: tls.VersionTLS13, InsecureSkipVerify: true, // the chain is checked below, against the pin
		VerifyConnection: func(s tls.ConnectionState) error { return verifyPinned(s, hostOf(base), pin, o.Now()) },
	})
	defer c.close()
	var a wire.EnrollAnswer
	err = c.post(ctx, wire.PathEnroll, wire.EnrollRequest{
		Version: wire.Version, Token: strings.TrimSpace(o.Token), CSR: csr,
		Name: o.Name, OS: runtime.GOOS, Arch: runtime.GOARCH, Agent: o.Agent,
	}, &a)
	if err != nil {
		return Identity{}, err
	}
	if sha256.Sum256(a.CA) != pin {
		return Identity{}, errors.New("the console gave a CA with another fingerprint")
	}
	id := Identity{Terminal: a.Terminal, Certificate: a.Certificate, Key: key, CA: a.CA, PolicyKeys: a.PolicyKeys}
	return id, id.check()
}

// verifyPinned accepts a server whose chain ends in the CA with this fingerprint, and no other. The host comes from the URL:
// the state of a connection to an address instead of a name does not carry it.
func verifyPinned(s tls.ConnectionState, host string, pin [32]byte, now time.Time) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("the server showed no certificate")
	}
	seen := ""
	for _, cert := range s.PeerCertificates {
		sum := sha256.Sum256(cert.Raw)
		if sum == pin {
			roots := x509.NewCertPool()
			roots.AddCert(cert)
			_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: host, Roots: roots, CurrentTime: now})
			return err
		}
		seen = hex.EncodeToString(sum[:]) // the last of the chain is the one nearest to a CA
	}
	return &hinted{fmt.Errorf("the server is not the console you named: wanted CA fingerprint %x, the server has %s", pin, seen),
		"compare the fingerprint with the one on the console's enrolment page"}
}

func parseFingerprint(s string) (pin [32]byte, err error) {
	clean := strings.NewReplacer(":", "", " ", "", "\t", "", "\n", "", "\r", "").Replace(s)
	raw, err := hex.DecodeString(clean)
	if err != nil || len(raw) != len(pin) {
		return pin, fmt.Errorf("cannot use fingerprint %q: it must be 64 hexadecimal digits, as the console's enrolment page shows it", s)
	}
	return [32]byte(raw), nil
}

// pendingKey gives the key of an enrolment that was cut off, or makes one.
func pendingKey(dir string) ([]byte, error) {
	path := filepath.Join(dir, identityDir, pendingFile)
	if key, err := os.ReadFile(path); err == nil {
		if _, err := parseKey(key); err == nil {
			return key, nil
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("cannot make a key: %w", err)
	}
	key, err := newKey()
	if err != nil {
		return nil, fmt.Errorf("cannot make a key: %w", err)
	}
	return key, durable.WriteFile(path, key, 0o600)
}

// Package link is the voice: the only agent package with a network socket. It enrols, uploads what a queue holds, follows the
// policy and renews its certificate. It never judges an event, never speaks to anyone but the pinned console,
// and never lets a policy through that is not signed for this terminal.
package link

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sekisho/internal/durable"
)

const (
	identityDir  = "identity"
	identityFile = "identity.json"
	pendingFile  = "enroll.key"
)

// ErrNotEnrolled says that this terminal has no identity yet.
var ErrNotEnrolled = errors.New("cannot find an identity: this terminal is not enrolled; run `sekisho-agent enroll`")

// Identity is who this terminal is and whom it trusts. Key and certificate are one file, so that they always belong together.
type Identity struct {
	Terminal    string            `json:"terminal"`
	Certificate []byte            `json:"certificate"` // DER
	Key         []byte            `json:"key"`         // PKCS#8; made here, never leaves
	CA          []byte            `json:"ca"`          // DER
	PolicyKeys  map[string][]byte `json:"policy_keys"` // key id -> Ed25519 public key
}

// Load reads the identity in dir and checks that its parts belong together.
func Load(dir string) (Identity, error) {
	var id Identity
	path := filepath.Join(dir, identityDir, identityFile)
	raw, err := durable.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return id, ErrNotEnrolled
	}
	if err != nil {
		return id, fmt.Errorf("cannot read identity: %w", err)
	}
	if err := json.Unmarshal(raw, &id); err != nil {
		return Identity{}, fmt.Errorf("cannot read identity %s: it is damaged, enrol this terminal again: %w", path, err)
	}
	if err := id.check(); err != nil {
		return Identity{}, fmt.Errorf("cannot use identity %s: it is damaged, enrol this terminal again: %w", path, err)
	}
	return id, nil
}

func (id Identity) save(dir string) error {
	raw, err := json.Marshal(id)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, identityDir), 0o700); err != nil {
		return fmt.Errorf("cannot save identity: %w", err)
	}
	return durable.WriteFile(filepath.Join(dir, identityDir, identityFile), raw, 0o600)
}

// check says what is wrong with an identity, whatever the time is.
func (id Identity) check() error {
	cert, err := id.certificate()
	if err != nil {
		return err
	}
	ca, err := x509.ParseCertificate(id.CA)
	if err != nil {
		return fmt.Errorf("cannot read the console's CA: %w", err)
	}
	if err := cert.Leaf.CheckSignatureFrom(ca); err != nil {
		return fmt.Errorf("cannot trust the certificate: %w", err)
	}
	if id.Terminal == "" || cert.Leaf.Subject.CommonName != id.Terminal {
		return fmt.Errorf("cannot use a certificate for %q as terminal %q", cert.Leaf.Subject.CommonName, id.Terminal)
	}
	if len(id.PolicyKeys) == 0 {
		return errors.New("cannot find a policy key")
	}
	return nil
}

// certificate gives the pair for TLS; an error when key and certificate do not belong together.
func (id Identity) certificate() (tls.Certificate, error) {
	leaf, err := x509.ParseCertificate(id.Certificate)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cannot read the certificate: %w", err)
	}
	key, err := parseKey(id.Key)
	if err != nil {
		return tls.Certificate{}, err
	}
	if !key.PublicKey.Equal(leaf.PublicKey) {
		return tls.Certificate{}, errors.New("cannot use the certificate: it is for another key")
	}
	return tls.Certificate{Certificate: [][]byte{id.Certificate}, PrivateKey: key, Leaf: leaf}, nil
}

// renewAt is two thirds into the certificate's life.
func (id Identity) renewAt() (time.Time, error) {
	cert, err := x509.ParseCertificate(id.Certificate)
	if err != nil {
		return time.Time{}, err
	}
	return cert.NotBefore.Add(cert.NotAfter.Sub(cert.NotBefore) / 3 * 2), nil
}

func parseKey(der []byte) (*ecdsa.PrivateKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("cannot read the key: %w", err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("cannot use the key: it is not ECDSA")
	}
	return key, nil
}

func newKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

func request(keyDER []byte) ([]byte, error) {
	key, err := parseKey(keyDER)
	if err != nil {
		return nil, err
	}
	return x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
}

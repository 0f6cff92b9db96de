package agentapi

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"sekisho/console/store"
)

// How long certificates live. The agent renews at two thirds.
const (
	caLife       = 10 * 365 * 24 * time.Hour
	terminalLife = 90 * 24 * time.Hour
	serverLife   = 397 * 24 * time.Hour // browsers accept no more than 398 days
	backdate     = 24 * time.Hour       // a terminal whose clock is behind must still be able to speak
)

// CA is the console's own certificate authority. It certifies this console's servers and the terminals, nobody else.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// OpenCA reads ca.crt and ca.key of a folder, and makes both when there is neither.
func OpenCA(dir string, now time.Time) (*CA, error) {
	crt, key := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key")
	pair, err := readPair(crt, key)
	if errors.Is(err, fs.ErrNotExist) && missing(crt) && missing(key) {
		pair, err = makeCA(now)
		if err == nil {
			err = pair.save(crt, key)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open the certificate authority: %w", err)
	}
	if !pair.cert.IsCA {
		return nil, fmt.Errorf("cannot open the certificate authority: %s is not one", crt)
	}
	if err := pair.cert.CheckSignatureFrom(pair.cert); err != nil {
		return nil, fmt.Errorf("cannot open the certificate authority: %s is damaged: %w", crt, err)
	}
	return &CA{cert: pair.cert, key: pair.key}, nil
}

// Made is when this CA was made.
func (c *CA) Made() time.Time { return c.cert.NotBefore.Add(backdate) }

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func makeCA(now time.Time) (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, err
	}
	t := template("Sekisho CA", now, caLife)
	t.IsCA, t.BasicConstraintsValid, t.MaxPathLenZero = true, true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	return sign(t, t, &key.PublicKey, key, key)
}

func template(name string, now time.Time, life time.Duration) *x509.Certificate {
	return &x509.Certificate{
		Subject:   pkix.Name{CommonName: name, Organization: []string{"Sekisho"}},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(life), // the serial number is drawn by CreateCertificate
	}
}

// Fingerprint is what is read out or typed to pin this CA: SHA-256 of its certificate, hex.
func (c *CA) Fingerprint() string {
	sum := sha256.Sum256(c.cert.Raw)
	return hex.EncodeToString(sum[:])
}

// issueTerminal certifies a terminal's key; the name is its id and nothing it said itself.
func (c *CA) issueTerminal(key any, terminal string, now time.Time) (der []byte, kept store.Certificate, err error) {
	t := template(terminal, now, terminalLife)
	t.KeyUsage, t.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	p, err := sign(t, c.cert, key, c.key, nil)
	if err != nil {
		return nil, kept, err
	}
	return p.cert.Raw, store.Certificate{Serial: serialText(p.cert.SerialNumber), Issued: now, Expires: p.cert.NotAfter}, nil
}

func serialText(n *big.Int) string { return hex.EncodeToString(n.Bytes()) }

// TerminalTLS is for the terminals' listener: a certificate is asked for, and one that is given must be ours.
// Who has none can only enrol.
func (c *CA) TerminalTLS(server *ServerCertificate) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(c.cert)
	return &tls.Config{
		MinVersion: tls.VersionTLS13, GetCertificate: server.Get, Time: server.now,
		ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool, NextProtos: []string{"h2", "http/1.1"},
	}
}

// PeopleTLS is for the people's listener.
func (c *CA) PeopleTLS(server *ServerCertificate) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: server.Get, NextProtos: []string{"h2", "http/1.1"}}
}

package agentapi

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// ServerCertificate is what this console shows to browsers and terminals; it renews itself.
type ServerCertificate struct {
	ca       *CA
	crt, key string
	names    []string
	now      func() time.Time

	mu      sync.Mutex
	current pair
	shown   *tls.Certificate
}

// Server reads server.crt and server.key of a folder, and makes them anew when they are missing, damaged,
// of another CA, for other names, or past two thirds of their life.
func (c *CA) Server(dir string, names []string, now func() time.Time) (*ServerCertificate, error) {
	s := &ServerCertificate{ca: c, crt: filepath.Join(dir, "server.crt"), key: filepath.Join(dir, "server.key"), names: names, now: now}
	if p, err := readPair(s.crt, s.key); err == nil && p.cert.CheckSignatureFrom(c.cert) == nil {
		s.show(p)
	}
	_, err := s.Get(nil)
	return s, err
}

// Get gives the certificate to show now, with the CA behind it so that an enrolling terminal can compare the fingerprint.
func (s *ServerCertificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown != nil && s.good() {
		return s.shown, nil
	}
	p, err := s.issue()
	if err == nil {
		err = p.save(s.crt, s.key)
	}
	if err != nil && s.shown == nil {
		return nil, fmt.Errorf("cannot make the server's certificate: %w", err)
	}
	if err == nil {
		s.show(p) // when the disk is full the old one goes on as long as it lasts
	}
	return s.shown, nil
}

func (s *ServerCertificate) show(p pair) {
	s.current = p
	s.shown = &tls.Certificate{Certificate: [][]byte{p.cert.Raw, s.ca.cert.Raw}, PrivateKey: p.key, Leaf: p.cert}
}

func (s *ServerCertificate) good() bool {
	c := s.current.cert
	twoThirds := c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore) / 3 * 2)
	if s.now().After(twoThirds) || s.now().Before(c.NotBefore) {
		return false
	}
	return !slices.ContainsFunc(s.names, func(name string) bool { return c.VerifyHostname(name) != nil })
}

func (s *ServerCertificate) issue() (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, err
	}
	t := template("Sekisho console", s.now(), serverLife)
	t.KeyUsage, t.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, name := range s.names {
		if ip := net.ParseIP(name); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, name)
		}
	}
	return sign(t, s.ca.cert, &key.PublicKey, s.ca.key, key)
}

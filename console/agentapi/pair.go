package agentapi

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"

	"sekisho/internal/durable"
)

// pair is a certificate and its key as they lie in two files.
type pair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// sign makes a certificate; own is the key that goes with it, nil when another holds it.
func sign(t, parent *x509.Certificate, public any, signer, own *ecdsa.PrivateKey) (pair, error) {
	der, err := x509.CreateCertificate(rand.Reader, t, parent, public, signer)
	if err != nil {
		return pair{}, fmt.Errorf("cannot sign certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return pair{}, fmt.Errorf("cannot sign certificate: %w", err)
	}
	return pair{cert, own}, nil
}

// save writes the key first: a certificate without key would be useless, a key without certificate is made anew.
func (p pair) save(crt, key string) error {
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", key, err)
	}
	if err := durable.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return err
	}
	return durable.WriteFile(crt, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw}), 0o644)
}

func readPair(crt, key string) (pair, error) {
	certDER, err := readPEM(crt, "CERTIFICATE")
	if err != nil {
		return pair{}, err
	}
	keyDER, err := readPEM(key, "PRIVATE KEY")
	if err != nil {
		return pair{}, err
	}
	cert, err := x509.ParseCertificate(certDER)
	if err != nil {
		return pair{}, fmt.Errorf("cannot read %s: %w", crt, err)
	}
	any, err := x509.ParsePKCS8PrivateKey(keyDER)
	if err != nil {
		return pair{}, fmt.Errorf("cannot read %s: %w", key, err)
	}
	own, ok := any.(*ecdsa.PrivateKey)
	if !ok || !own.PublicKey.Equal(cert.PublicKey) {
		return pair{}, fmt.Errorf("cannot use %s: it is not the key of %s", key, crt)
	}
	return pair{cert, own}, nil
}

func readPEM(path, kind string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("cannot read %s: it is damaged: no %s in it", path, kind)
	}
	return block.Bytes, nil
}

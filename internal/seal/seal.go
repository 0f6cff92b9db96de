// Package seal signs policy documents and checks their signatures.
// It never decides what a document may say, and never keeps a key of its own.
package seal

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// Envelope is a signed document: the signature is over the exact payload bytes, so nothing is canonicalised.
type Envelope struct {
	Key       string `json:"key"`     // KeyID of the signer
	Payload   []byte `json:"payload"` // JSON
	Signature []byte `json:"signature"`
}

// policyDomain keeps a policy signature from being taken for another document's.
const policyDomain = "sekisho policy v1\n"

// ErrUnknownKey says that the signer is not one of the pinned keys.
var ErrUnknownKey = errors.New("cannot check signature: signed by an unknown key")

// ErrBadSignature says that payload and signature do not belong together.
var ErrBadSignature = errors.New("cannot accept document: its signature is wrong")

// KeyID names a public key: the first 16 hex digits of its SHA-256.
func KeyID(pub ed25519.PublicKey) string {
	sum := sha256.Sum256(pub)
	return hex.EncodeToString(sum[:8])
}

// Sign seals a policy document.
func Sign(key ed25519.PrivateKey, payload []byte) Envelope {
	return Envelope{
		Key:       KeyID(key.Public().(ed25519.PublicKey)),
		Payload:   payload,
		Signature: ed25519.Sign(key, append([]byte(policyDomain), payload...)),
	}
}

// Open gives the payload when one of the pinned keys (id -> public key) signed it.
func Open(keys map[string][]byte, e Envelope) ([]byte, error) {
	pub, ok := keys[e.Key]
	if !ok {
		return nil, ErrUnknownKey
	}
	if len(pub) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("cannot check signature: pinned key %s has %d bytes", e.Key, len(pub))
	}
	if !ed25519.Verify(pub, append([]byte(policyDomain), e.Payload...), e.Signature) {
		return nil, ErrBadSignature
	}
	return e.Payload, nil
}

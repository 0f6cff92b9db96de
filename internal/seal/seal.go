// Package seal signs policy documents, release manifests and references, and checks their signatures.
// It never decides what a document may say, and never keeps a key of its own.
package seal

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Envelope is a signed document: the signature is over the exact payload bytes, so nothing is canonicalised.
type Envelope struct {
	Key       string `json:"key"`     // KeyID of the signer
	Payload   []byte `json:"payload"` // JSON
	Signature []byte `json:"signature"`
}

// A domain stands before what is signed, so that a signature of one kind of document is never taken for another's.
const (
	policyDomain  = "sekisho policy v1\n"
	releaseDomain = "sekisho release v1\n"

	referenceDomain = "sekisho reference v1\n"
)

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
func Sign(key ed25519.PrivateKey, payload []byte) Envelope { return sign(policyDomain, key, payload) }

// Open gives a policy document when one of the pinned keys (id -> public key) signed it.
func Open(keys map[string][]byte, e Envelope) ([]byte, error) { return open(policyDomain, keys, e) }

// SignRelease seals the manifest of a release, with a key that no console has.
func SignRelease(key ed25519.PrivateKey, manifest []byte) Envelope {
	return sign(releaseDomain, key, manifest)
}

// OpenRelease gives the manifest when one of the release keys signed it.
func OpenRelease(keys map[string][]byte, e Envelope) ([]byte, error) {
	return open(releaseDomain, keys, e)
}

// SignReference seals what checks are held against, a baseline or a list, with a key that no console has.
func SignReference(key ed25519.PrivateKey, text []byte) Envelope {
	return sign(referenceDomain, key, text)
}

// OpenReference gives it when one of the keys signed it that this office trusts for that.
func OpenReference(keys map[string][]byte, e Envelope) ([]byte, error) {
	return open(referenceDomain, keys, e)
}

func sign(domain string, key ed25519.PrivateKey, payload []byte) Envelope {
	return Envelope{
		Key:       KeyID(key.Public().(ed25519.PublicKey)),
		Payload:   payload,
		Signature: ed25519.Sign(key, append([]byte(domain), payload...)),
	}
}

func open(domain string, keys map[string][]byte, e Envelope) ([]byte, error) {
	pub, ok := keys[e.Key]
	if !ok {
		return nil, ErrUnknownKey
	}
	if len(pub) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("cannot check signature: pinned key %s has %d bytes", e.Key, len(pub))
	}
	if !ed25519.Verify(pub, append([]byte(domain), e.Payload...), e.Signature) {
		return nil, ErrBadSignature
	}
	return e.Payload, nil
}

// ReadKeys reads public keys as they are built into a program: standard base64 of 32 bytes each, with commas between.
func ReadKeys(text string) (map[string][]byte, error) {
	keys := map[string][]byte{}
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(word)
		if err != nil || len(raw) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("cannot read public key %.50q: it must be 32 bytes in base64", word)
		}
		keys[KeyID(raw)] = raw
	}
	return keys, nil
}

package seal

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// keyOf makes a key that is the same in every run.
func keyOf(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func pinned(keys ...ed25519.PrivateKey) map[string][]byte {
	pins := map[string][]byte{}
	for _, k := range keys {
		pub := k.Public().(ed25519.PublicKey)
		pins[KeyID(pub)] = pub
	}
	return pins
}

func TestASealedDocumentOpensWithThePinnedKey(t *testing.T) {
	doc := []byte(`{"schema":1}`)
	got, err := Open(pinned(keyOf(1), keyOf(2)), Sign(keyOf(2), doc))
	if err != nil || !bytes.Equal(got, doc) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestASealSurvivesTheJourneyAsJSON(t *testing.T) {
	sent, err := json.Marshal(Sign(keyOf(1), []byte("<&>\u2028\x00\xff")))
	if err != nil {
		t.Fatal(err)
	}
	var e Envelope
	if err := json.Unmarshal(sent, &e); err != nil {
		t.Fatal(err)
	}
	if got, err := Open(pinned(keyOf(1)), e); err != nil || string(got) != "<&>\u2028\x00\xff" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAnUnknownSignerIsRefused(t *testing.T) {
	for what, pins := range map[string]map[string][]byte{"another key": pinned(keyOf(1)), "no keys": {}, "nothing": nil} {
		if got, err := Open(pins, Sign(keyOf(2), []byte("doc"))); !errors.Is(err, ErrUnknownKey) || got != nil {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
}

func TestAStrangerWhoUsesThePinnedNameIsRefused(t *testing.T) {
	e := Sign(keyOf(2), []byte("doc"))
	e.Key = KeyID(keyOf(1).Public().(ed25519.PublicKey))
	if got, err := Open(pinned(keyOf(1)), e); !errors.Is(err, ErrBadSignature) || got != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestEveryChangedBitIsNoticed(t *testing.T) {
	whole := Sign(keyOf(1), []byte(`{"schema":1}`))
	for _, part := range []string{"payload", "signature"} {
		size := map[string]int{"payload": len(whole.Payload), "signature": len(whole.Signature)}[part]
		for bit := range size * 8 {
			e := Envelope{Key: whole.Key, Payload: bytes.Clone(whole.Payload), Signature: bytes.Clone(whole.Signature)}
			map[string][]byte{"payload": e.Payload, "signature": e.Signature}[part][bit/8] ^= 1 << (bit % 8)
			if got, err := Open(pinned(keyOf(1)), e); !errors.Is(err, ErrBadSignature) || got != nil {
				t.Fatalf("%s, bit %d: %q, %v", part, bit, got, err)
			}
		}
	}
}

func TestACutOrMissingSignatureIsRefused(t *testing.T) {
	for _, n := range []int{0, 1, 63, 65} {
		e := Sign(keyOf(1), []byte("doc"))
		e.Signature = append(e.Signature, 0)[:n]
		if _, err := Open(pinned(keyOf(1)), e); !errors.Is(err, ErrBadSignature) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// TestAPinnedKeyOfTheWrongLengthIsSaidAndNotAPanic: ed25519.Verify panics on such a key, and a damaged file can hold one.
func TestAPinnedKeyOfTheWrongLengthIsSaidAndNotAPanic(t *testing.T) {
	e := Sign(keyOf(1), []byte("doc"))
	for _, n := range []int{0, 31, 33} {
		_, err := Open(map[string][]byte{e.Key: make([]byte, n)}, e)
		if err == nil || !strings.HasPrefix(err.Error(), "cannot check signature: pinned key") {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestASignatureForAnotherPurposeDoesNotSealAPolicy(t *testing.T) {
	e := Sign(keyOf(1), []byte("doc"))
	e.Signature = ed25519.Sign(keyOf(1), []byte("doc"))
	if _, err := Open(pinned(keyOf(1)), e); !errors.Is(err, ErrBadSignature) {
		t.Errorf("%v", err)
	}
}

// FuzzOpen: nothing that was not signed opens, and nothing panics.
func FuzzOpen(f *testing.F) {
	good := Sign(keyOf(1), []byte("doc"))
	f.Add(good.Key, good.Payload, good.Signature)
	f.Add("", []byte(nil), []byte(nil))
	f.Add(good.Key, []byte("other"), good.Signature[:10])
	f.Fuzz(func(t *testing.T, key string, payload, signature []byte) {
		got, err := Open(pinned(keyOf(1)), Envelope{Key: key, Payload: payload, Signature: signature})
		if err == nil && (string(got) != "doc" || !bytes.Equal(signature, good.Signature)) {
			t.Fatalf("opened %q", got)
		}
	})
}

func TestPublicKeysAreReadAsTheyAreBuiltIn(t *testing.T) {
	first, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	second, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.StdEncoding.EncodeToString(first) + ", " + base64.StdEncoding.EncodeToString(second) + ","
	keys, err := ReadKeys(text)
	if err != nil || len(keys) != 2 || !bytes.Equal(keys[KeyID(first)], first) || !bytes.Equal(keys[KeyID(second)], second) {
		t.Errorf("%v, %v", keys, err)
	}
	if keys, err := ReadKeys(""); err != nil || len(keys) != 0 {
		t.Errorf("none: %v, %v", keys, err)
	}
	for _, bad := range []string{"x", "AAAA", text + "AAAA", string(first)} {
		if _, err := ReadKeys(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestAReleasesSignatureIsNoPolicys(t *testing.T) {
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string][]byte{KeyID(public): public}
	release := SignRelease(key, []byte("{}"))
	if _, err := Open(keys, release); !errors.Is(err, ErrBadSignature) {
		t.Errorf("as a policy: %v", err)
	}
	if _, err := OpenRelease(keys, release); err != nil {
		t.Error(err)
	}
}

func TestAReferencesSignatureIsNoOthers(t *testing.T) {
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string][]byte{KeyID(public): public}
	e := SignReference(key, []byte("{}"))
	if _, err := Open(keys, e); !errors.Is(err, ErrBadSignature) {
		t.Errorf("as a policy: %v", err)
	}
	if _, err := OpenRelease(keys, e); !errors.Is(err, ErrBadSignature) {
		t.Errorf("as a release: %v", err)
	}
	if text, err := OpenReference(keys, e); err != nil || string(text) != "{}" {
		t.Errorf("%q %v", text, err)
	}
	if _, err := OpenReference(keys, SignRelease(key, []byte("{}"))); !errors.Is(err, ErrBadSignature) {
		t.Errorf("a release as a reference: %v", err)
	}
}

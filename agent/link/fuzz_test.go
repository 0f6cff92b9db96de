package link

import (
	"crypto/ed25519"
	"encoding/json"
	"testing"

	"sekisho/internal/seal"
)

// FuzzOpenPolicy: what was not signed for this terminal never gets through, whatever it looks like.
func FuzzOpenPolicy(f *testing.F) {
	pub, signer, err := ed25519.GenerateKey(nil)
	if err != nil {
		f.Fatal(err)
	}
	id := Identity{Terminal: "T1", PolicyKeys: map[string][]byte{seal.KeyID(pub): pub}}
	signed := (&console{signer: signer}).sealed(good(1))
	f.Add(signed)
	f.Add(signed[:len(signed)/2])
	f.Add([]byte(`{"key":"","payload":null,"signature":""}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, _, err := openPolicy(raw, id)
		if (p == nil) == (err == nil) {
			t.Fatalf("%v and %v", p, err)
		}
		if p == nil {
			return
		}
		var e seal.Envelope
		if json.Unmarshal(raw, &e) != nil || !ed25519.Verify(pub, append([]byte("sekisho policy v1\n"), e.Payload...), e.Signature) || p.Terminal != "T1" {
			t.Fatal("a policy that was not signed for this terminal got through")
		}
	})
}

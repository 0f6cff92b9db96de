package debs

import (
	"bytes"
	"crypto"
	"fmt"
	"io"

	"golang.org/x/crypto/openpgp"           //nolint:staticcheck // frozen, and all that signing a test's repository needs
	"golang.org/x/crypto/openpgp/clearsign" //nolint:staticcheck
	"golang.org/x/crypto/openpgp/packet"    //nolint:staticcheck
)

// Key signs releases.
type Key struct{ entity *openpgp.Entity }

// NewKey makes one.
func NewKey() (*Key, error) {
	e, err := openpgp.NewEntity("Lab", "", "lab@example.org", config())
	if err != nil {
		return nil, fmt.Errorf("cannot make a key: %w", err)
	}
	return &Key{e}, nil
}

func config() *packet.Config { return &packet.Config{RSABits: 2048, DefaultHash: crypto.SHA256} }

// Public is what apt is given (/etc/apt/trusted.gpg.d).
func (k *Key) Public() ([]byte, error) {
	var out bytes.Buffer
	for _, id := range k.entity.Identities {
		if err := id.SelfSignature.SignUserId(id.UserId.Id, k.entity.PrimaryKey, k.entity.PrivateKey, config()); err != nil {
			return nil, err
		}
	}
	err := k.entity.Serialize(&out)
	return out.Bytes(), err
}

func (k *Key) clear(text string) ([]byte, error) {
	var out bytes.Buffer
	w, err := clearsign.Encode(&out, k.entity.PrivateKey, config())
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(w, text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

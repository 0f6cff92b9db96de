package wire

import (
	"encoding/hex"
	"fmt"
)

// String gives lower-case hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText gives lower-case hex.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads hex of exactly 32 bytes; empty text is the zero hash.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*h = Hash{}
		return nil
	}
	if hex.DecodedLen(len(text)) != len(h) {
		return fmt.Errorf("cannot read hash: %d characters instead of %d", len(text), hex.EncodedLen(len(h)))
	}
	_, err := hex.Decode(h[:], text)
	return err
}

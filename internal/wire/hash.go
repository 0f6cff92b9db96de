package wire

import (
	"encoding/hex"
	"fmt"
)

// String gives lower-case hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText gives lower-case hex.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads hex of exactly 32 bytes; empty text is the zero hash. What it cannot read leaves h as it was.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*h = Hash{}
		return nil
	}
	if len(text) != hex.EncodedLen(len(h)) {
		return fmt.Errorf("cannot read hash: %d characters instead of %d", len(text), hex.EncodedLen(len(h)))
	}
	var read Hash
	if _, err := hex.Decode(read[:], text); err != nil {
		return fmt.Errorf("cannot read hash: %w", err)
	}
	*h = read
	return nil
}

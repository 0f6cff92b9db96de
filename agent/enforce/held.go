package enforce

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sekisho/internal/durable"
)

// releaseAll gives back everything that was ever taken, also what is not plugged in now.
func (h windowsHand) releaseAll() error {
	files, err := os.ReadDir(h.heldDir())
	if gone(err) {
		return nil
	}
	for _, f := range files {
		raw, e := os.ReadFile(filepath.Join(h.heldDir(), f.Name()))
		if e == nil {
			e = h.nodes.Enable(string(raw))
		}
		if e == nil {
			e = os.Remove(filepath.Join(h.heldDir(), f.Name()))
		}
		if e != nil {
			err = errors.Join(err, fmt.Errorf("cannot give back %q: %w", string(raw), e))
		}
	}
	return err
}

// sweep removes what is empty.
func (h windowsHand) sweep() {
	for _, dir := range []string{h.heldDir(), filepath.Join(h.ladder.dir, "allowed"), h.ladder.dir} {
		_ = os.Remove(dir) // it stays when something is in it
	}
}

func (h windowsHand) heldDir() string { return filepath.Join(h.ladder.dir, "held") }

func (h windowsHand) heldFile(id string) string {
	sum := sha256.Sum256([]byte(strings.ToUpper(id)))
	return filepath.Join(h.heldDir(), hex.EncodeToString(sum[:16]))
}

func (h windowsHand) held(id string) bool {
	_, err := os.Lstat(h.heldFile(id))
	return err == nil
}

func (h windowsHand) remember(id string) error {
	if h.held(id) {
		return nil
	}
	if err := os.MkdirAll(h.heldDir(), 0o700); err != nil {
		return fmt.Errorf("cannot note what is disabled: %w", err)
	}
	return durable.WriteFile(h.heldFile(id), []byte(id), 0o600)
}

func (h windowsHand) forget(id string) error {
	if err := os.Remove(h.heldFile(id)); err != nil && !gone(err) {
		return fmt.Errorf("cannot note what is enabled: %w", err)
	}
	return nil
}

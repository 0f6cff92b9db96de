package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mattn/go-isatty"

	"sekisho/console/store"
)

// setupFile holds the link that makes the first administrator, where nobody looks on while the console starts.
const setupFile = "setup-link"

// greet tells who starts the console for the first time where to go on. The link is a secret: what is printed by a service
// ends in a log that others read, so there only the name of a file is said.
func greet(ctx context.Context, c call, h *house) error {
	has, err := h.db.HasAdmin(ctx)
	if err != nil {
		return err
	}
	path := filepath.Join(h.state, setupFile)
	if has {
		return forget(path)
	}
	link, err := h.openSetupLink(ctx, time.Now())
	if err != nil {
		return err
	}
	if !isTerminal(c.out) {
		link = "the link in " + path
	}
	fmt.Fprintf(c.out, "Make the first administrator here (once, within one hour):\n  %s\nFingerprint of this console's CA:\n  %s\n", link, h.ca.Fingerprint())
	return nil
}

// openSetupLink gives the link that was made last as long as it can be used: who has just been shown one by setup
// restarts the console before opening it.
func (h *house) openSetupLink(ctx context.Context, now time.Time) (string, error) {
	text, err := os.ReadFile(filepath.Join(h.state, setupFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("cannot read the setup link: %w", err)
	}
	_, secret, _ := strings.Cut(strings.TrimSpace(string(text)), setupPath)
	switch err := h.db.SetupOpen(ctx, sha256.Sum256([]byte(secret)), now); {
	case err == nil:
		return h.peopleURL() + setupPath + secret, nil
	case !errors.Is(err, store.ErrConflict):
		return "", err
	}
	return h.newSetupLink(ctx, now)
}

func forget(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove the used setup link: %w", err)
	}
	return nil
}

// isTerminal says whether a person is there.
func isTerminal(at any) bool {
	f, ok := at.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

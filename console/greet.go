package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/mattn/go-isatty"

	"sekisho/console/store"
	"sekisho/internal/durable"
)

// setupFile holds the link that makes the first administrator, where nobody looks on while the console starts.
const setupFile = "setup-link"

// greet tells who starts the console for the first time where to go on. The link is a secret: what is printed by a service
// ends in a log that others read, so there only the name of a file is said.
func greet(ctx context.Context, c call, h *house) error {
	path := filepath.Join(h.state, setupFile)
	link, err := h.setupLink(ctx, time.Now())
	if errors.Is(err, store.ErrConflict) {
		return forget(path) // there is an administrator
	}
	if err != nil {
		return err
	}
	if !isTerminal(c.out) {
		if err := durable.WriteFile(path, []byte(link+"\n"), 0o600); err != nil {
			return err
		}
		link = "the link in " + path
	}
	fmt.Fprintf(c.out, "Make the first administrator here (once, within one hour):\n  %s\nFingerprint of this console's CA:\n  %s\n", link, h.ca.Fingerprint())
	return nil
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

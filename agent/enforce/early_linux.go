package enforce

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sekisho/internal/durable"
	"sekisho/internal/osexec"
)

// earlyLimit is what renewing the initramfs of every kernel may take on a slow disk.
const earlyLimit = 30 * time.Minute

// Units that renew the initramfs outside of the agent's sandbox, which hides kernel modules and /boot.
const (
	unitInitramfs = "sekisho-initramfs.service" // Debian, Ubuntu
	unitDracut    = "sekisho-dracut.service"    // RHEL family
)

// Settle brings what Shut or Open changed into the initramfs, so that the gate stands as wanted before the
// agent's own disk is mounted. It takes seconds to minutes: call it beside the guard, never from it.
// With nothing changed it does nothing; one that was interrupted is done by the next call.
func (g *Gate) Settle(ctx context.Context) error {
	if _, err := os.Lstat(g.tree.path(staleFile)); gone(err) {
		return nil
	}
	unit, err := g.earlyUnit()
	if err != nil {
		return err
	}
	if g.busy(ctx, unit) { // a start would join the run that is under way, which may have read older rules
		_ = g.run(ctx, osexec.Systemctl, earlyLimit, "start", unit) // whatever came of it, ours follows
	}
	if err := g.run(ctx, osexec.Systemctl, earlyLimit, "start", unit); err != nil {
		return fmt.Errorf("cannot renew the initramfs: %w", err)
	}
	if err := os.Remove(g.tree.path(staleFile)); err != nil && !gone(err) {
		return fmt.Errorf("cannot note that the initramfs is new: %w", err)
	}
	return nil
}

// busy says that systemd is running the unit at this moment.
func busy(ctx context.Context, unit string) bool {
	out, err := osexec.Run(ctx, osexec.Systemctl, osexec.Options{}, "show", "--property=ActiveState", "--value", unit)
	return err == nil && strings.TrimSpace(string(out)) == "activating"
}

// Early reads from the system how far the gate stands before the system disk is mounted.
func (g *Gate) Early() string {
	rules, err := os.ReadFile(g.rulesPath())
	_, due := os.Lstat(g.tree.path(staleFile))
	switch {
	case err != nil:
		return EarlyNone
	case !gone(due):
		return EarlyStale
	case strings.HasPrefix(string(rules), earlyLine):
		return EarlyHeld
	}
	return EarlyLate
}

func (g *Gate) earlyUnit() (string, error) {
	switch {
	case g.hasIt(osexec.UpdateInitramfs):
		return unitInitramfs, nil
	case g.hasIt(osexec.Dracut):
		return unitDracut, nil
	}
	return "", errors.New("cannot close the gate before the system disk is mounted: no known initramfs tool")
}

func (g *Gate) markStale() error {
	path := g.tree.path(staleFile)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("cannot note that the initramfs is stale: %w", err)
	}
	return durable.WriteFile(path, nil, 0o600)
}

package enforce

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/durable"
	"sekisho/internal/osexec"
	"sekisho/internal/policy"
)

// The udev rules of the shut gate. They are on the machine only while it is shut.
var (
	//go:embed gate.rules
	gateRules string
	//go:embed cards.rules
	cardRules string
)

const (
	rulesFile = "51-sekisho-gate.rules" // after 50-udev-default.rules, before distributions' own rules
	rulesDir  = "etc/udev/rules.d"

	// earlyLine is what the initramfs hooks look for; lateLines make the file do nothing in there, because
	// initramfs-tools carries every local rules file in whether asked or not.
	earlyLine = "# sekisho: initramfs\n"
	lateLines = "TEST==\"/conf/initramfs.conf\", GOTO=\"sekisho_end\"\nTEST==\"/etc/initrd-release\", GOTO=\"sekisho_end\"\n"
	endLabel  = "LABEL=\"sekisho_end\"\n"

	// staleFile says that the initramfs does not yet hold what the rules folder holds.
	staleFile = "var/lib/sekisho/initramfs-stale"
)

// Gate is the kernel's own default: shut, nothing that a policy could forbid starts by itself, with or
// without the agent; open, everything is as the kernel was made. Its state is in the system, never remembered.
type Gate struct {
	tree  tree
	etc   string
	log   zerolog.Logger
	now   func() time.Time
	sys   system
	run   func(ctx context.Context, p osexec.Program, limit time.Duration, args ...string) error
	hasIt func(osexec.Program) bool
	busy  func(ctx context.Context, unit string) bool
}

// NewGate makes a gate for the machine below o.Root.
func NewGate(o Options) *Gate {
	h := New(o)
	g := &Gate{tree: h.sys.tree, etc: o.Etc, log: o.Log, now: o.Now, sys: h.sys, run: run, hasIt: osexec.Has, busy: busy}
	if g.etc == "" {
		g.etc = rulesDir
	}
	return g
}

func run(ctx context.Context, p osexec.Program, limit time.Duration, args ...string) error {
	_, err := osexec.Run(ctx, p, osexec.Options{Timeout: limit}, args...)
	return err
}

// Shut holds every interface and card that appears from now on, also after a reboot without the agent.
// What is attached already stays as it is until it is judged. A half-done Shut is completed by the next.
func (g *Gate) Shut(ctx context.Context) error {
	err := g.setDefaults("0")
	err = errors.Join(err, g.putRules(ctx, g.rules()))
	// again, for a root hub that came before udev had read the rules
	return errors.Join(err, g.setDefaults("0"))
}

// Open gives back the kernel's default and everything that the gate or the hand held.
func (g *Gate) Open(ctx context.Context) error {
	err := g.dropRules(ctx)
	err = errors.Join(err, g.setDefaults("1"))
	return errors.Join(err, g.releaseAll(ctx))
}

// State reads the system: "shut", "open", or "failed: …" with what is neither.
func (g *Gate) State() string {
	shut, open := g.differs("0"), g.differs("1")
	have, err := os.ReadFile(g.rulesPath())
	switch {
	case err == nil && string(have) != g.rules():
		return "failed: udev rules were changed"
	case err == nil && shut == "":
		return "shut"
	case err == nil:
		return "failed: " + shut
	case !gone(err):
		return "failed: cannot read the udev rules"
	case open != "":
		return "failed: " + open
	}
	return "open"
}

// differs names the first of the kernel's switches that does not stand as wanted.
func (g *Gate) differs(want string) string {
	for _, path := range g.switches() {
		have, err := attr(filepath.Dir(path), filepath.Base(path))
		if err != nil && !gone(err) || err == nil && have != want {
			return fmt.Sprintf("%s is %q, not %q", g.tree.short(path), have, want)
		}
	}
	return ""
}

// switches are the kernel's own gates: one for each USB root hub, one for memory cards.
func (g *Gate) switches() []string {
	var out []string
	for _, name := range g.tree.names(g.tree.path("sys/bus/usb/devices")) {
		if strings.HasPrefix(name, "usb") {
			out = append(out, g.tree.path("sys/bus/usb/devices", name, "interface_authorized_default"))
		}
	}
	cards := g.tree.path("sys/bus/mmc/drivers_autoprobe")
	if _, err := os.Lstat(cards); err == nil {
		out = append(out, cards)
	}
	return out
}

func (g *Gate) setDefaults(value string) error {
	var all error
	for _, path := range g.switches() {
		if have, err := attr(filepath.Dir(path), filepath.Base(path)); err == nil && have == value {
			continue
		}
		if err := g.tree.write(path, value); err != nil && !gone(err) {
			all = errors.Join(all, fmt.Errorf("cannot set %s: %w", g.tree.short(path), err))
		}
	}
	return all
}

// rules composes the file for this machine. Soldered-in memory that the system may live on keeps the rules
// for cards out, and for a system that boots from USB the gate begins after the initramfs: neither may be locked out.
func (g *Gate) rules() string {
	text := earlyLine + gateRules
	if g.livesOn(policy.BusUSB) {
		text = lateLines + gateRules
	}
	if !g.hasSoldered() && !g.livesOn(policy.BusMMC) {
		text += cardRules
	}
	return text + endLabel
}

// livesOn says that the machine itself stands on a device of a bus.
func (g *Gate) livesOn(bus string) bool {
	for _, name := range g.tree.names(g.tree.path("sys/bus", bus, "devices")) {
		dir, err := g.tree.device(bus, name)
		if err != nil || bus == policy.BusUSB && !strings.Contains(name, ":") {
			continue // interfaces carry block devices; hubs would claim their neighbours'
		}
		if nodes := g.tree.nodes(dir + "/"); g.sys.lives(nodes) != "" {
			return true
		}
	}
	return false
}

func (g *Gate) hasSoldered() bool {
	for _, name := range g.tree.names(g.tree.path("sys/bus/mmc/devices")) {
		if kind, _ := attr(g.tree.path("sys/bus/mmc/devices", name), "type"); kind == "MMC" {
			return true
		}
	}
	return false
}

func (g *Gate) rulesPath() string { return g.tree.path(g.etc, rulesFile) }

// putRules writes the file when it differs. The note that the initramfs is stale comes first: a power cut
// in between costs one superfluous renewal, never a missing one.
func (g *Gate) putRules(ctx context.Context, text string) error {
	have, err := os.ReadFile(g.rulesPath())
	if err == nil && bytes.Equal(have, []byte(text)) {
		return nil
	}
	if err := g.markStale(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(g.rulesPath()), 0o755); err != nil {
		return fmt.Errorf("cannot make the rules folder: %w", err)
	}
	if err := durable.WriteFile(g.rulesPath(), []byte(text), 0o644); err != nil {
		return err
	}
	return g.reload(ctx)
}

func (g *Gate) dropRules(ctx context.Context) error {
	if _, err := os.Lstat(g.rulesPath()); gone(err) {
		return nil
	}
	if err := g.markStale(); err != nil {
		return err
	}
	if err := os.Remove(g.rulesPath()); err != nil && !gone(err) {
		return fmt.Errorf("cannot remove the udev rules: %w", err)
	}
	return errors.Join(durable.SyncDir(filepath.Dir(g.rulesPath())), g.reload(ctx))
}

func (g *Gate) reload(ctx context.Context) error {
	if err := g.run(ctx, osexec.Udevadm, 0, "control", "--reload"); err != nil {
		return fmt.Errorf("cannot make udev read its rules: %w", err)
	}
	return nil
}

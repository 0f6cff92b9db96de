package enforce

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sekisho/internal/policy"
)

// devnode is one node of Windows' device tree.
type devnode struct {
	id       string
	started  bool
	disabled bool   // problem 22: by a hand, ours or an administrator's
	system   string // why the machine cannot do without it, "" when it can
}

// pnp is Windows' plug and play, or a test's. errNoNode says that the device is gone.
type pnp interface {
	Node(id string) (devnode, error)
	Below(id string) ([]devnode, error)  // everything that hangs on it, nearest first
	Disable(id string, force bool) error // also over a reboot; without force programs may refuse
	Enable(id string) error              //
	Media(nodes []devnode) []string      // what of them could be opened as disk or volume
	Opens(path string) (bool, error)     // whether it still can be
}

var errNoNode = errors.New("device is gone")

// How long Windows is given: a program may be asked whether it lets a medium go.
const (
	writeLimitWindows = 20 * time.Second
	politeTries       = 5
	disableTries      = 50
	disableTick       = 100 * time.Millisecond
)

// Codes of steps that only Windows has.
const (
	stepDisabled = "disabled"
	stepEnabled  = "enabled"
	stepPermit   = "permitted" // a standing policy got an exception, or lost it
)

// windowsHand holds and lets go device nodes. What it disables stays so over a reboot and without the agent; it
// notes every one before, so that it gives back what it took and nothing that an administrator took.
type windowsHand struct {
	nodes  pnp
	ladder ladder
}

func (h windowsHand) block(a *act, dev policy.Device) policy.Outcome {
	node, err := h.nodes.Node(dev.ID)
	if err != nil {
		return h.without(a, err, policy.OutcomeBlockFailed)
	}
	below, err := h.nodes.Below(dev.ID)
	if err != nil {
		return h.without(a, err, policy.OutcomeBlockFailed)
	}
	all := append([]devnode{node}, below...)
	if why := spare(dev, all); why != "" {
		a.failed("cannot block %s: %s", dev.ID, why)
		return policy.OutcomeBlockFailed
	}
	if err := h.ladder.forbid(dev.ID); err != nil {
		a.failed("%v", err) // the device itself is taken all the same
	}
	return h.hold(a, dev, targets(dev, node, below), h.nodes.Media(all))
}

// without is the outcome for a node that cannot be read.
func (h windowsHand) without(a *act, err error, otherwise policy.Outcome) policy.Outcome {
	if errors.Is(err, errNoNode) {
		a.did(stepVerified, "unplugged")
		return policy.OutcomeRemoved
	}
	a.failed("%v", err)
	return otherwise
}

// harmless are the kinds without which nobody could work on the terminal or repair it.
var harmless = []policy.Kind{policy.KindKeyboard, policy.KindMouse, policy.KindHID, policy.KindHub, policy.KindSmartCard}

// spare gives the reason why a device is never taken away, whatever the decision says.
func spare(dev policy.Device, all []devnode) string {
	other := slices.ContainsFunc(dev.Kinds, func(k policy.Kind) bool { return !slices.Contains(harmless, k) })
	switch {
	case dev.Has(policy.KindSystem):
		return "it was there when the machine started"
	case dev.Has(policy.KindHub):
		return "other devices hang on it"
	case len(dev.Kinds) > 0 && !other:
		return "it is keyboard, mouse or card reader only"
	}
	for _, n := range all {
		if n.system != "" {
			return n.system
		}
	}
	return ""
}

// targets are the nodes to disable: each function of a composite device, else the device. A composite device itself
// is never disabled, because its functions, and with them what it is, would not be seen any more. Where nothing is known
// of a USB device and nothing of it runs, nothing is: it could be a keyboard that waits for its driver.
func targets(dev policy.Device, node devnode, below []devnode) []string {
	var functions []string
	for _, n := range below {
		if strings.HasPrefix(strings.ToUpper(n.id), `USB\`) && strings.Contains(strings.ToUpper(n.id), "&MI_") {
			functions = append(functions, n.id)
		}
	}
	switch {
	case len(functions) > 0:
		return functions
	case dev.Bus == policy.BusUSB && len(dev.Interfaces) == 0 && len(below) == 0:
		return nil
	}
	return []string{node.id}
}

// hold disables until nothing of the device can be opened any more: first with a question to the programs that use it,
// which may save their files, then without.
func (h windowsHand) hold(a *act, dev policy.Device, ids, media []string) policy.Outcome {
	for try := 0; ; try++ {
		for _, id := range ids {
			h.take(a, id, try > politeTries)
		}
		seen, err := h.closed(ids, media)
		switch {
		case err == nil:
			a.did(stepVerified, "%s", seen)
			return policy.OutcomeBlocked
		case errors.Is(err, errNoNode):
			a.did(stepVerified, "unplugged")
			return policy.OutcomeRemoved
		case try == disableTries || !a.pause(disableTick):
			a.failed("cannot block %s: %v", dev.ID, err)
			return policy.OutcomeBlockFailed
		}
	}
}

func (h windowsHand) take(a *act, id string, force bool) {
	node, err := h.nodes.Node(id)
	if err != nil || node.disabled {
		return
	}
	if err := h.remember(id); err != nil {
		a.failed("%v", err)
		return // what cannot be noted could not be given back
	}
	if err := within(a.ctx, writeLimitWindows, func() error { return h.nodes.Disable(id, force) }); err != nil {
		a.failed("%v", err)
		return
	}
	a.did(stepDisabled, "%s", id)
}

// closed looks whether really nothing is left: no node runs, nothing below runs, no disk or volume opens.
func (h windowsHand) closed(ids, media []string) (string, error) {
	for _, id := range ids {
		node, err := h.nodes.Node(id)
		if err != nil {
			return "", err
		}
		if node.started {
			return "", fmt.Errorf("%s still runs", id)
		}
		below, err := h.nodes.Below(id)
		if err != nil {
			return "", err
		}
		for _, n := range below {
			if n.started {
				return "", fmt.Errorf("%s still runs", n.id)
			}
		}
	}
	for _, path := range media {
		if opens, err := h.nodes.Opens(path); err != nil || opens {
			return "", fmt.Errorf("%s can still be opened (%v)", path, err)
		}
	}
	return fmt.Sprintf("%d of its functions disabled, %d disks and volumes closed", len(ids), len(media)), nil
}

func (h windowsHand) allow(a *act, dev policy.Device) policy.Outcome {
	node, err := h.nodes.Node(dev.ID)
	if err != nil {
		return h.without(a, err, policy.OutcomeAllowFailed)
	}
	below, err := h.nodes.Below(dev.ID)
	if err != nil {
		return h.without(a, err, policy.OutcomeAllowFailed)
	}
	ids := targets(dev, node, below)
	lifted := h.permit(a, dev, ids)
	return h.give(a, dev, ids, lifted)
}

// permit makes an exception of the standing policies for a medium; other devices need none.
func (h windowsHand) permit(a *act, dev policy.Device, ids []string) bool {
	if !h.ladder.isShut() || !policy.StorageCapable(dev.Kinds) || dev.Has(policy.KindSystem) {
		return false
	}
	lifted, err := h.ladder.allow(dev.ID, ids)
	if err != nil {
		a.failed("%v", err)
	} else if lifted {
		a.did(stepPermit, "%s", dev.ID)
	}
	return lifted
}

// give enables what was held. A device that runs while a policy is lifted is started again: the policy
// acts on it only then.
func (h windowsHand) give(a *act, dev policy.Device, ids []string, restart bool) policy.Outcome {
	for _, id := range ids {
		if restart {
			h.take(a, id, false)
		}
		if !h.held(id) {
			continue
		}
		if err := h.release(a, id); err != nil {
			a.failed("%v", err)
		}
	}
	for try := 0; ; try++ {
		err := h.working(ids)
		switch {
		case err == nil:
			return policy.OutcomeAllowed
		case errors.Is(err, errNoNode):
			a.did(stepVerified, "unplugged")
			return policy.OutcomeRemoved
		case try == disableTries || !a.pause(disableTick):
			a.failed("cannot let %s work: %v", dev.ID, err)
			return policy.OutcomeAllowFailed
		}
	}
}

func (h windowsHand) release(a *act, id string) error {
	if err := within(a.ctx, writeLimitWindows, func() error { return h.nodes.Enable(id) }); err != nil {
		return err
	}
	a.did(stepEnabled, "%s", id)
	return h.forget(id)
}

// working: what an administrator disabled, or has no driver, is not ours to complain about.
func (h windowsHand) working(ids []string) error {
	for _, id := range ids {
		node, err := h.nodes.Node(id)
		if err != nil {
			return err
		}
		if node.disabled && h.held(id) {
			return fmt.Errorf("%s is still disabled", id)
		}
	}
	return nil
}

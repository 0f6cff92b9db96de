package enforce

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sekisho/internal/policy"
	"sekisho/internal/sysfs"
)

// How long the kernel is given. A write waits for a driver that is still probing; a module may be loading.
const (
	writeLimit   = 20 * time.Second
	syncLimit    = 10 * time.Second
	unmountLimit = 3 * time.Second
	busyTries    = 15 // × tick until a busy mount is cut off
	blockTries   = 50 // × tick until a device that does not go is an alarm
	allowTries   = 150
	tick         = 20 * time.Millisecond
)

// way is how the devices of one bus are held and let go; each bus has its own switch in sysfs.
// take and give do only what is still to do, so that they can be tried again.
type way interface {
	below() string            // what hangs on the device has a real folder that begins with this
	gone() bool               // it was unplugged
	spared() string           // why it must never be taken away, "" when it may
	take(a *act)              // cut it off
	give(a *act)              // let it work
	closed() (string, error)  // what was found; an error says what still stands open
	working() (string, error) // what was found; an error says what is still missing
}

// system is the hands' grip on a Linux kernel.
type system struct {
	tree   tree
	mounts mounter
}

// mounter is the host's mounts, or a test's.
type mounter interface {
	Sync(point string) error
	Unmount(point string, lazy bool) error
}

// New makes a hand for the machine below o.Root.
func New(o Options) *Hand {
	t := tree{root: o.Root, write: sysfs.Set}
	return &Hand{log: o.Log, now: o.Now, sys: system{tree: t, mounts: hostMounts{t.path("proc")}}}
}

func (s system) way(dev policy.Device) (way, error) {
	switch dev.Bus {
	case policy.BusUSB:
		return newUSB(s.tree, dev)
	case policy.BusMMC:
		return newCard(s.tree, dev.ID)
	case policy.BusSCSI:
		return newSCSI(s.tree, dev.ID)
	case policy.BusNVMe:
		return newNVMe(s.tree, dev.ID)
	case policy.BusThunderbolt:
		return newThunderbolt(s.tree, dev.ID)
	}
	return nil, fmt.Errorf("cannot act on %s: unknown bus %q", dev.ID, dev.Bus)
}

func (s system) block(a *act, dev policy.Device) policy.Outcome {
	w, err := s.way(dev)
	if err != nil {
		return a.without(err, policy.OutcomeBlockFailed)
	}
	nodes := s.tree.nodes(w.below())
	if why := s.spare(dev, w, nodes); why != "" {
		a.failed("cannot block %s: %s", dev.ID, why)
		return policy.OutcomeBlockFailed
	}
	s.unmount(a, nodes)
	return s.hold(a, w, nodes)
}

// without is the outcome for a device that could not be found.
func (a *act) without(err error, otherwise policy.Outcome) policy.Outcome {
	if gone(err) {
		a.did(stepVerified, "unplugged")
		return policy.OutcomeRemoved
	}
	a.failed("%v", err)
	return otherwise
}

// spare gives the reason why a device is never taken away, whatever the decision says.
func (s system) spare(dev policy.Device, w way, nodes []node) string {
	if dev.Has(policy.KindSystem) {
		return "it was there when the machine started"
	}
	if why := w.spared(); why != "" {
		return why
	}
	return s.lives(nodes)
}

// lives says what of the machine itself stands on the nodes.
func (s system) lives(nodes []node) string {
	for _, m := range on(s.mounted(nodes), nodes) {
		if systemPoint(m.point) {
			return "the machine lives on it: " + m.point
		}
	}
	for _, swap := range s.swaps(nodes) {
		for _, n := range nodes {
			if n.carries(mount{source: swap}) || filepath.Base(swap) == n.name {
				return "the machine swaps on it: " + swap
			}
		}
	}
	return ""
}

// hold takes the device until nothing of it stands open any more.
func (s system) hold(a *act, w way, before []node) policy.Outcome {
	for try := 1; ; try++ {
		w.take(a)
		seen, err := s.shut(w, before)
		if err == nil {
			a.did(stepVerified, "%s", seen)
			return policy.OutcomeBlocked
		}
		if w.gone() {
			a.did(stepVerified, "unplugged")
			return policy.OutcomeRemoved
		}
		if try == blockTries || !a.pause(tick) {
			a.failed("cannot block: %v", err)
			return policy.OutcomeBlockFailed
		}
	}
}

// shut verifies: the bus' own switch, no block device, no name left in /dev.
func (s system) shut(w way, before []node) (string, error) {
	seen, err := w.closed()
	if err != nil {
		return "", err
	}
	for _, n := range s.tree.nodes(w.below()) {
		if !n.upper {
			return "", errors.New("block device " + n.name + " is still there")
		}
	}
	if left := s.leftOver(before); left != "" {
		return "", errors.New(left + " is still there")
	}
	return seen + ", no block device" + s.remains(before), nil
}

// leftOver finds a name in /dev behind which there is no device of that name any more.
func (s system) leftOver(before []node) string {
	for _, n := range before {
		_, noDevice := os.Lstat(s.tree.path("sys/class/block", n.name))
		_, noName := os.Lstat(s.tree.path("dev", n.name))
		if !n.upper && noDevice != nil && noName == nil {
			return "/dev/" + n.name
		}
	}
	return ""
}

// remains tells what was built upon the device and stays behind, dead, until it is taken apart.
func (s system) remains(before []node) string {
	var out []string
	for _, n := range before {
		if _, err := os.Lstat(s.tree.path("sys/class/block", n.name)); n.upper && err == nil {
			out = append(out, n.name)
		}
	}
	if len(out) == 0 {
		return ""
	}
	return "; upper device remains without its disk: " + strings.Join(out, " ")
}

func (s system) allow(a *act, dev policy.Device) policy.Outcome {
	w, err := s.way(dev)
	if err != nil {
		return a.without(err, policy.OutcomeAllowFailed)
	}
	for try := 1; ; try++ {
		w.give(a)
		seen, err := w.working()
		if err == nil {
			a.did(stepVerified, "%s", seen)
			return policy.OutcomeAllowed
		}
		if w.gone() {
			a.did(stepVerified, "unplugged")
			return policy.OutcomeRemoved
		}
		if try == allowTries || !a.pause(tick) {
			a.failed("cannot make it work: %v", err)
			return policy.OutcomeAllowFailed
		}
	}
}

// set writes one attribute and tells of it; a device that is gone is no failure.
func (t tree) set(a *act, code, path, value string) {
	err := within(a.ctx, writeLimit, func() error { return t.write(path, value) })
	switch {
	case err == nil:
		a.did(code, "%s > %s", strings.TrimSpace(value), t.short(path))
	case gone(err):
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		a.failed("cannot write %s: the kernel has not answered yet", t.short(path))
	default:
		a.failed("cannot write %s: %v", t.short(path), reason(err))
	}
}

// reason is an error without the path that the step names already.
func reason(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// short is a path as the steps tell it: the last two elements.
func (t tree) short(path string) string {
	return filepath.Join(filepath.Base(filepath.Dir(path)), filepath.Base(path))
}

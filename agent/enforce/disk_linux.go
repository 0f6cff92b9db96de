package enforce

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// bound is a device that is held by taking its driver away and let go by asking the bus to probe:
// memory cards, SATA disks and drives, NVMe disks. Unlike sysfs' delete and remove this can be undone
// without touching the plug.
//
// BUG: for SATA and NVMe the kernel has bound its driver before anybody can say no. Switching the SCSI
// bus' drivers_autoprobe off would close that, but an agent that is dead while a slow internal disk or a
// storage network comes up would lock the machine out; so it is taken away after the fact.
type bound struct {
	tree tree
	bus  string
	name string
	dir  string
	// state is the attribute by which a SCSI device refuses every command, also those of the raw
	// node /dev/sg that stays behind without a driver
	// (drivers/scsi/scsi_sysfs.c, store_state_field, which wants the newline); "" where there is none.
	state string
}

func newBound(t tree, bus, name, state string) (*bound, error) {
	dir, err := t.device(bus, name)
	if err != nil {
		return nil, err
	}
	return &bound{tree: t, bus: bus, name: name, dir: dir, state: state}, nil
}

func newCard(t tree, name string) (way, error) { return newBound(t, "mmc", name, "") }

func newSCSI(t tree, name string) (way, error) { return newBound(t, "scsi", name, "state") }

// newNVMe takes the controller's name (nvme0) or its PCI address: the name goes with the driver,
// the address stays.
func newNVMe(t tree, name string) (way, error) {
	if !strings.HasPrefix(name, "nvme") {
		return newBound(t, "pci", name, "")
	}
	if !plain(name) {
		return nil, fmt.Errorf("cannot find device %q: not a name", name)
	}
	dir, err := filepath.EvalSymlinks(t.path("sys/class/nvme", name, "device"))
	if err != nil {
		return nil, err
	}
	return newBound(t, "pci", filepath.Base(dir), "")
}

func (b *bound) below() string { return b.dir + "/" }

func (b *bound) gone() bool {
	_, err := os.Lstat(b.dir)
	return gone(err)
}

// pciStorage is the class of mass storage controllers whose subclass is non-volatile memory
// (PCI Code and ID Assignment, 01/08).
const pciStorage = "0x0108"

func (b *bound) spared() string {
	if b.bus != "pci" {
		return ""
	}
	if class, err := attr(b.dir, "class"); err != nil || !strings.HasPrefix(class, pciStorage) {
		return "it is not an NVMe disk"
	}
	return ""
}

func (b *bound) take(a *act) {
	if on, err := b.reads(); err == nil && on != "offline" {
		b.tree.set(a, stepDeauthorized, filepath.Join(b.dir, b.state), "offline\n")
	}
	if d := driver(b.dir); d != "" {
		b.tree.set(a, stepUnbound, b.tree.path("sys/bus", b.bus, "drivers", d, "unbind"), b.name)
	}
}

// reads gives the state attribute where this bus has one.
func (b *bound) reads() (string, error) {
	if b.state == "" {
		return "", os.ErrNotExist
	}
	return attr(b.dir, b.state)
}

func (b *bound) closed() (string, error) {
	if d := driver(b.dir); d != "" {
		return "", fmt.Errorf("%s still has driver %s", b.name, d)
	}
	on, err := b.reads()
	switch {
	case b.gone():
		return "", errors.New("device is gone") // the caller asks gone() next
	case b.state == "":
		return b.name + " without driver", nil
	case err != nil || on != "offline":
		return "", fmt.Errorf("%s is still %s", b.name, on)
	}
	return b.name + " offline without driver", nil
}

func (b *bound) give(a *act) {
	if on, err := b.reads(); err == nil && on == "offline" {
		b.tree.set(a, stepAuthorized, filepath.Join(b.dir, b.state), "running\n")
	}
	if driver(b.dir) == "" {
		b.tree.probe(a, b.bus, b.name)
	}
}

func (b *bound) working() (string, error) {
	d := driver(b.dir)
	if d == "" {
		return "", fmt.Errorf("%s found no driver", b.name)
	}
	if on, err := b.reads(); err == nil && on == "offline" {
		return "", fmt.Errorf("%s is still offline", b.name)
	}
	return b.name + "=" + d, nil
}

// thunderbolt is the tunnel to a device: without it nothing behind it is on the PCI bus
// (https://docs.kernel.org/admin-guide/thunderbolt.html).
type thunderbolt struct {
	tree tree
	name string
	dir  string
}

func newThunderbolt(t tree, name string) (way, error) {
	dir, err := t.device("thunderbolt", name)
	if err != nil {
		return nil, err
	}
	return &thunderbolt{tree: t, name: name, dir: dir}, nil
}

func (t *thunderbolt) below() string { return t.dir + "/" }

func (t *thunderbolt) gone() bool {
	_, err := os.Lstat(t.dir)
	return gone(err)
}

func (t *thunderbolt) spared() string { return "" }

func (t *thunderbolt) take(a *act) { t.put(a, stepDeauthorized, "0") }

func (t *thunderbolt) give(a *act) { t.put(a, stepAuthorized, "1") }

func (t *thunderbolt) put(a *act, code, want string) {
	on, err := attr(t.dir, "authorized")
	if err == nil && (on == "0") != (want == "0") {
		t.tree.set(a, code, filepath.Join(t.dir, "authorized"), want)
	}
}

func (t *thunderbolt) closed() (string, error) {
	on, err := attr(t.dir, "authorized")
	if err != nil || on != "0" {
		return "", fmt.Errorf("tunnel %s is still authorised", t.name)
	}
	return "tunnel " + t.name + " not authorised", nil
}

func (t *thunderbolt) working() (string, error) {
	on, err := attr(t.dir, "authorized")
	if err != nil || on == "0" {
		return "", fmt.Errorf("tunnel %s is not authorised", t.name)
	}
	return "tunnel " + t.name + " authorised", nil
}

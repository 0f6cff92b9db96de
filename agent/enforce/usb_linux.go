package enforce

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sekisho/internal/policy"
)

// usb is one USB device. It is held interface by interface, so that its descriptors stay readable and a
// grant can let it in again without pulling it out
// (https://docs.kernel.org/usb/authorization.html#interface-authorization).
type usb struct {
	tree  tree
	name  string // 1-1.2
	dir   string // real folder
	told  []policy.Interface
	tries int
}

// stubborn is after how many tries the whole device is deauthorised instead of its interfaces.
const stubborn = 5

func newUSB(t tree, dev policy.Device) (*usb, error) {
	dir, err := t.device("usb", dev.ID)
	if err != nil {
		return nil, err
	}
	return &usb{tree: t, name: dev.ID, dir: dir, told: dev.Interfaces}, nil
}

func (u *usb) below() string { return u.dir + "/" + u.name + ":" }

func (u *usb) gone() bool {
	_, err := os.Lstat(filepath.Join(u.dir, "authorized"))
	return gone(err)
}

// interfaces gives the folders of the interfaces of the active configuration.
func (u *usb) interfaces() []string {
	var out []string
	for _, name := range u.tree.names(u.dir) {
		if strings.HasPrefix(name, u.name+":") {
			out = append(out, filepath.Join(u.dir, name))
		}
	}
	return out
}

// spared: a device that is only keyboard, mouse, hub or card reader, by what the kernel shows
// and by all that its descriptors told.
func (u *usb) spared() string {
	for _, i := range u.told { // first, since it costs nothing: most of what is blocked ends here
		if !safeClass(fmt.Sprintf("%02x", i.Class)) {
			return ""
		}
	}
	all := u.interfaces()
	for _, dir := range all {
		if class, err := attr(dir, "bInterfaceClass"); err != nil || !safeClass(class) {
			return ""
		}
	}
	if len(all)+len(u.told) == 0 {
		return ""
	}
	return "it is only keyboard, mouse, hub or card reader"
}

// safeClass: HID, hub and smart card, as the built-in rule and the gate's udev rules have them
// (https://www.usb.org/defined-class-codes).
func safeClass(hex string) bool { return hex == "03" || hex == "09" || hex == "0b" }

func (u *usb) take(a *act) {
	u.tries++
	for _, dir := range u.interfaces() {
		if on, err := attr(dir, "authorized"); err != nil || on != "0" || driver(dir) != "" {
			u.tree.set(a, stepDeauthorized, filepath.Join(dir, "authorized"), "0")
		}
	}
	if u.tries != stubborn {
		return
	}
	if _, err := u.closed(); err != nil {
		u.tree.set(a, stepDeauthorized, filepath.Join(u.dir, "authorized"), "0")
	}
}

func (u *usb) closed() (string, error) {
	all := u.interfaces()
	for _, dir := range all {
		if err := shutInterface(dir); err != nil {
			return "", err
		}
	}
	if u.gone() {
		return "", errors.New("device is gone") // the caller asks gone() next
	}
	return fmt.Sprintf("%d interfaces unauthorised without driver", len(all)), nil
}

func shutInterface(dir string) error {
	name := filepath.Base(dir)
	on, err := attr(dir, "authorized")
	switch d := driver(dir); {
	case gone(err):
		return nil // the interface went, with the device or with its configuration
	case err != nil:
		return fmt.Errorf("interface %s does not tell its state: %w", name, err)
	case on != "0":
		return fmt.Errorf("interface %s is still authorised", name)
	case d != "":
		return fmt.Errorf("interface %s still has driver %s", name, d)
	}
	return nil
}

// give authorises all interfaces before any is probed: a driver of a function of several interfaces
// (CDC) claims its neighbours while it probes.
func (u *usb) give(a *act) {
	if on, _ := attr(u.dir, "authorized"); on == "0" {
		u.tree.set(a, stepAuthorized, filepath.Join(u.dir, "authorized"), "1")
	}
	all := u.interfaces()
	for _, dir := range all {
		if on, _ := attr(dir, "authorized"); on != "1" {
			u.tree.set(a, stepAuthorized, filepath.Join(dir, "authorized"), "1")
		}
	}
	for _, dir := range all {
		if driver(dir) == "" {
			u.tree.probe(a, "usb", filepath.Base(dir))
		}
	}
}

// probe asks a bus to find a driver. The answer tells nothing (no driver at hand is an error on some
// kernels and none on others), so working() looks.
func (t tree) probe(a *act, bus, name string) {
	err := within(a.ctx, writeLimit, func() error { return t.write(t.path("sys/bus", bus, "drivers_probe"), name) })
	if err == nil {
		a.did(stepProbed, "%s", name)
	}
}

func (u *usb) working() (string, error) {
	if on, err := attr(u.dir, "authorized"); err != nil || on == "0" {
		return "", errors.New("device is not authorised")
	}
	var drivers []string
	for _, dir := range u.interfaces() {
		if err := works(dir); err != nil {
			return "", err
		}
		if d := driver(dir); d != "" {
			drivers = append(drivers, filepath.Base(dir)+"="+d)
		}
	}
	return strings.TrimSpace("all interfaces authorised " + strings.Join(drivers, " ")), nil
}

// works wants a driver only of storage: for a vendor's own class this system may have none.
func works(dir string) error {
	if on, err := attr(dir, "authorized"); err != nil || on != "1" {
		return fmt.Errorf("interface %s is not authorised", filepath.Base(dir))
	}
	if class, _ := attr(dir, "bInterfaceClass"); class == "08" && driver(dir) == "" {
		return fmt.Errorf("interface %s found no driver", filepath.Base(dir))
	}
	return nil
}

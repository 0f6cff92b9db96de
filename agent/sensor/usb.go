package sensor

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"slices"
	"strconv"
	"strings"

	"sekisho/internal/policy"
)

// describeUSB reads one usb_device. All of it is there from the kernel's "add" on, before any driver binds.
func (t tree) describeUSB(dir string, d *policy.Device) {
	d.Port = d.ID
	d.Vendor, d.Product = t.hex(dir, "idVendor"), t.hex(dir, "idProduct")
	d.Serial = t.words(dir, "serial", &d.Unclean)
	d.Manufacturer = t.words(dir, "manufacturer", &d.Unclean)
	d.Name = t.words(dir, "product", &d.Unclean)
	if d.Vendor == "" || d.Product == "" {
		d.Fault = "vendor or product id cannot be read"
	}
	t.describeInterfaces(dir, d)
}

func (t tree) describeInterfaces(dir string, d *policy.Device) {
	raw, ok := t.read(path.Join(dir, "descriptors"), maxDescriptors)
	if ok {
		sum := sha256.Sum256(raw)
		d.Digest = hex.EncodeToString(sum[:])
	}
	said := parseDescriptors(raw)
	d.Class, d.Interfaces = said.class.String(), said.interfaces
	d.Unclean = d.Unclean || said.unclean || said.fault != ""
	if d.Fault == "" {
		d.Fault = said.fault
	}
	hidden, mtp := t.crossCheck(dir, d)
	if hidden && d.Fault == "" {
		d.Fault = "the kernel shows an interface that the descriptors do not"
	}
	d.Kinds = usbKinds(said.class, d.Interfaces, mtp, d.Fault != "")
}

// crossCheck adds the interfaces that the kernel made and we did not see, so that no trick with descriptors
// makes us see less than a driver does. It also finds phones that speak MTP over a vendor-specific
// interface: only the interface's own string says so (libmtp looks at the same one).
func (t tree) crossCheck(dir string, d *policy.Device) (hidden, mtp bool) {
	for _, name := range t.interfaces(dir) {
		made, ok := t.triplet(path.Join(dir, name))
		if !ok {
			continue
		}
		if !slices.Contains(d.Interfaces, made) {
			hidden = true
			d.Interfaces = append(d.Interfaces, made)
		}
		mtp = mtp || made.Class == 0xff && strings.Contains(t.attr(path.Join(dir, name), "interface"), "MTP")
	}
	return hidden, mtp
}

func usbKinds(class policy.Interface, interfaces []policy.Interface, mtp, broken bool) []policy.Kind {
	kinds := slices.Clone(policy.KindsOf(class, interfaces))
	if mtp {
		kinds = append(kinds, policy.KindPortable)
	}
	if broken {
		kinds = append(kinds, policy.KindUnknown)
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// interfaces names the interfaces that the kernel has made of a usb_device: "1-2:1.0".
func (t tree) interfaces(dir string) []string {
	var made []string
	for _, name := range t.names(dir) {
		if strings.HasPrefix(name, path.Base(dir)+":") {
			made = append(made, name)
		}
	}
	return made
}

func (t tree) triplet(dir string) (policy.Interface, bool) {
	class, ok1 := t.byteAt(dir, "bInterfaceClass")
	sub, ok2 := t.byteAt(dir, "bInterfaceSubClass")
	protocol, ok3 := t.byteAt(dir, "bInterfaceProtocol")
	return policy.Interface{Class: class, Subclass: sub, Protocol: protocol}, ok1 && ok2 && ok3
}

// settled says whether the hands can already work on the device: its interfaces are all there, or
// will not come because the whole device is held back.
func (t tree) settled(sub subject) bool {
	switch sub.bus {
	case policy.BusUSB:
		return t.settledUSB(sub.dir)
	case policy.BusNVMe:
		return t.ready(t.controller(sub.dir))
	}
	return true
}

// settledUSB asks the kernel how many interfaces it is making: the attribute is empty until it has chosen a
// configuration, and then counts those that it really found in it (Linux drivers/usb/core/config.c, nintf).
func (t tree) settledUSB(dir string) bool {
	want, err := strconv.Atoi(t.attr(dir, "bNumInterfaces"))
	if err != nil {
		return t.attr(dir, "authorized") == "0"
	}
	return want > 0 && len(t.interfaces(dir)) >= want
}

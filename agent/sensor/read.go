package sensor

import (
	"path"
	"strings"

	"sekisho/internal/policy"
)

// list finds what is attached now, on every bus.
func (t tree) list() []subject {
	var found []subject
	for _, dir := range []string{
		"sys/bus/usb/devices", "sys/bus/mmc/devices", "sys/bus/scsi/devices",
		"sys/bus/pci/devices", "sys/bus/thunderbolt/devices",
	} {
		for _, name := range t.names(dir) {
			if sub, ok := t.listed(path.Join(dir, name)); ok {
				found = append(found, sub)
			}
		}
	}
	return found
}

// listed keeps links to the device itself: not to its interfaces, hosts or targets, and not to SCSI disks behind USB.
func (t tree) listed(link string) (subject, bool) {
	dir, ok := t.real(link)
	if !ok {
		return subject{}, false
	}
	if path.Base(path.Dir(path.Dir(link))) == "pci" {
		return subject{policy.BusNVMe, dir}, t.isNVMe(dir)
	}
	sub, ok := subjectOf("/" + strings.TrimPrefix(dir, "sys/"))
	return sub, ok && sub.dir == dir
}

// isNVMe looks at the class of a PCI device: mass storage, non-volatile memory (PCI Code and ID Assignment, 01/08).
func (t tree) isNVMe(dir string) bool { return strings.HasPrefix(t.attr(dir, "class"), "0x0108") }

// describe reads all facts of one device; false is for what is no business of the gate or is gone.
func (t tree) describe(sub subject) (policy.Device, bool) {
	if !t.exists(sub.dir) {
		return policy.Device{}, false
	}
	d := policy.Device{ID: sub.id(), Bus: sub.bus, External: t.external(sub.dir)}
	reported := true
	switch sub.bus {
	case policy.BusUSB:
		t.describeUSB(sub.dir, &d)
	case policy.BusMMC:
		reported = t.describeCard(sub.dir, &d)
	case policy.BusSCSI:
		reported = t.describeSCSI(sub.dir, &d)
	case policy.BusNVMe:
		t.describeNVMe(sub.dir, &d)
	case policy.BusThunderbolt:
		reported = t.describeThunderbolt(sub.dir, &d)
	}
	d.Capacity, _ = t.capacity(sub)
	return d, reported
}

// external says whether the device, or a bridge or hub it sits behind, is on a port that firmware calls
// reachable (Linux Documentation/ABI/testing/sysfs-devices-removable).
func (t tree) external(dir string) bool {
	for ; dir != "sys/devices" && dir != "sys" && dir != "."; dir = path.Dir(dir) {
		if t.attr(dir, "removable") == "removable" {
			return true
		}
	}
	return false
}

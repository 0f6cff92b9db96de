package sensor

import (
	"path"
	"strings"

	"sekisho/internal/policy"
)

// subject is one device we report, and where sysfs shows it.
type subject struct {
	bus string
	dir string // "sys/devices/…", the real path
}

func (s subject) id() string  { return path.Base(s.dir) }
func (s subject) key() string { return s.bus + "/" + s.id() } // ids of USB and Thunderbolt look alike

// subjectOf finds the device that an event's path belongs to: itself or what it sits in.
// Only the shape of the path is looked at, so that it also works for what is gone already.
// The deepest wins, except that a SCSI disk behind USB is the USB device's. An NVMe disk is known by its PCI address:
// the name nvme0 goes when its driver is taken away, and the disk is still there.
func subjectOf(devpath string) (subject, bool) {
	parts := strings.Split(strings.Trim(devpath, "/"), "/")
	for i := len(parts) - 1; i > 0; i-- {
		bus := busAt(parts, i)
		if bus == "" {
			continue
		}
		switch sub := (subject{bus, "sys/" + strings.Join(parts[:i+1], "/")}); bus {
		case policy.BusSCSI:
			if usb, ok := usbAbove(parts[:i]); ok {
				return usb, true
			}
			return sub, true
		case policy.BusNVMe:
			return subject{bus, path.Dir(path.Dir(sub.dir))}, true
		default:
			return sub, true
		}
	}
	return subject{}, false
}

func usbAbove(parts []string) (subject, bool) {
	for i := len(parts) - 1; i > 0; i-- {
		if busAt(parts, i) == policy.BusUSB {
			return subject{policy.BusUSB, "sys/" + strings.Join(parts[:i+1], "/")}, true
		}
	}
	return subject{}, false
}

// busAt says what bus the i-th part of a path is a device of, by its name and its parent's.
func busAt(parts []string, i int) string {
	name, parent := parts[i], parts[i-1]
	switch {
	case isUSBDevice(name) && usbChild(name, parent):
		return policy.BusUSB
	case strings.HasPrefix(name, parent+":") && numbered(parent, "mmc"):
		return policy.BusMMC
	case isSCSIDevice(name) && strings.HasPrefix(parent, "target"):
		return policy.BusSCSI
	case numbered(name, "nvme") && parent == "nvme" && i > 1 && isPCI(parts[i-2]):
		return policy.BusNVMe // not one of nvme-fabrics, which is reached over a network
	case isThunderbolt(name) && (isThunderbolt(parent) || numbered(parent, "domain")):
		return policy.BusThunderbolt
	}
	return ""
}

// isUSBDevice accepts bus-port[.port…]; root hubs (usbN) and interfaces (…:c.i) are not devices to us
// (Linux Documentation/ABI/testing/sysfs-bus-usb).
func isUSBDevice(name string) bool {
	bus, ports, ok := strings.Cut(name, "-")
	return ok && digits(bus) && all(strings.Split(ports, "."), digits)
}

// usbChild: 1-2 sits on usb1, and 1-2.3 on 1-2.
func usbChild(name, parent string) bool {
	bus, root := strings.CutPrefix(parent, "usb")
	return root && strings.HasPrefix(name, bus+"-") && !strings.Contains(name, ".") ||
		strings.HasPrefix(name, parent+".")
}

// isSCSIDevice accepts host:channel:target:lun.
func isSCSIDevice(name string) bool {
	parts := strings.Split(name, ":")
	return len(parts) == 4 && all(parts, digits)
}

// isThunderbolt accepts domain-route with the route in hex (Linux drivers/thunderbolt/switch.c).
func isThunderbolt(name string) bool {
	domain, route, ok := strings.Cut(name, "-")
	return ok && digits(domain) && made(route, "0123456789abcdef")
}

// isPCI accepts domain:bus:device.function, all hex but the last.
func isPCI(name string) bool {
	parts := strings.FieldsFunc(name, func(r rune) bool { return r == ':' || r == '.' })
	return len(parts) == 4 && strings.Count(name, ":") == 2 && all(parts, func(s string) bool { return made(s, "0123456789abcdef") })
}

func numbered(name, prefix string) bool {
	number, ok := strings.CutPrefix(name, prefix)
	return ok && digits(number)
}

func digits(s string) bool { return made(s, "0123456789") }

func made(s, of string) bool { return s != "" && strings.Trim(s, of) == "" }

func all(list []string, ok func(string) bool) bool {
	for _, s := range list {
		if !ok(s) {
			return false
		}
	}
	return true
}

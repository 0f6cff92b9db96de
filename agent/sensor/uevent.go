package sensor

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"time"
)

// uevent is one message of the kernel, cut down to the keys we use.
// Format: "ACTION@DEVPATH" NUL "KEY=VALUE" NUL … (Linux lib/kobject_uevent.c).
type uevent struct {
	action    string    // add, remove, change, bind, unbind, move
	path      string    // "/devices/…"
	subsystem string    // usb, block, mmc, scsi, nvme, pci, thunderbolt
	devtype   string    // usb_device, usb_interface, disk, scsi_device, …
	product   string    // usb: vendor/product/revision, hex without leading zeros
	devnum    string    // usb: the address on its bus, new with every insertion
	at        time.Time // when we read it
}

var errNotUEvent = errors.New("not a kernel device event")

// parseUEvent reads one kernel message. Whatever is not one is refused, never repaired.
func parseUEvent(b []byte) (uevent, error) {
	head, rest, _ := bytes.Cut(b, []byte{0})
	action, devpath, ok := strings.Cut(string(head), "@")
	if !ok || action == "" || !cleanDevpath(devpath) {
		return uevent{}, errNotUEvent
	}
	ev := uevent{path: devpath}
	for _, field := range bytes.Split(rest, []byte{0}) {
		if key, value, ok := strings.Cut(string(field), "="); ok {
			ev.set(key, value)
		}
	}
	if ev.action != action || ev.subsystem == "" {
		return uevent{}, errNotUEvent
	}
	return ev, nil
}

func (ev *uevent) set(key, value string) {
	switch key {
	case "ACTION":
		ev.action = value
	case "SUBSYSTEM":
		ev.subsystem = value
	case "DEVTYPE":
		ev.devtype = value
	case "PRODUCT":
		ev.product = value
	case "DEVNUM":
		ev.devnum = strings.TrimLeft(value, "0")
	}
}

// cleanDevpath accepts what can be joined to "sys" and stays below it.
func cleanDevpath(p string) bool {
	return strings.HasPrefix(p, "/devices/") && fs.ValidPath(p[1:])
}

// watched says whether we act on this kind of event at all; the rest of a storm costs nothing more.
func (ev uevent) watched() bool {
	switch ev.subsystem {
	case "usb", "mmc", "nvme", "pci", "thunderbolt":
		return true
	case "scsi":
		return ev.devtype == "scsi_device"
	case "block":
		return ev.devtype == "disk"
	}
	return false
}

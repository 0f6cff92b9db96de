//go:build libusb

package main

import (
	"fmt"

	"github.com/google/gousb"

	"sekisho/agent/sensor"
	"sekisho/internal/policy"

	"github.com/rs/zerolog"
	"time"
)

// descriptorFindings counts what libusb sees and what sysfs shows: two readers of the same bus must agree. The context
// is opened for one scan and closed, because an open one wakes up all the time; and no device is opened.
func descriptorFindings() (found []finding) {
	defer func() {
		if r := recover(); r != nil { // gousb panics where libusb cannot be initialised
			found = []finding{{"descriptors", checkUnknown, fmt.Sprint(r), "libusb does not work here; the agent does not need it"}}
		}
	}()
	usb := gousb.NewContext()
	defer usb.Close()
	seen := map[string]bool{}
	_, err := usb.OpenDevices(func(d *gousb.DeviceDesc) bool {
		if d.Port > 0 { // root hubs have none, and are no devices to us
			seen[fmt.Sprintf("%s:%s", d.Vendor, d.Product)] = true
		}
		return false
	})
	if err != nil {
		return []finding{unknown("descriptors", err, "run doctor as root")}
	}
	return []finding{compareDescriptors(seen)}
}

func compareDescriptors(seen map[string]bool) finding {
	devices, err := sensor.Enumerate(sensor.Options{Root: "/", Log: zerolog.Nop(), Now: time.Now, System: []string{}})
	if err != nil {
		return unknown("descriptors", err, "sysfs must be mounted on /sys")
	}
	for _, d := range devices {
		if id := d.Vendor + ":" + d.Product; d.Bus == policy.BusUSB && !seen[id] {
			return finding{"descriptors", checkFail, id + " is in sysfs and not seen by libusb", "plug it in again; a device that shows two faces is suspicious"}
		}
	}
	return finding{"descriptors", checkPass, fmt.Sprintf("libusb and sysfs agree on %d kinds of devices", len(seen)), ""}
}

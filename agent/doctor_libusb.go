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

// descriptors counts what libusb sees and what sysfs shows: two readers of the same bus must agree. The context
// is opened for one scan and closed, because an open one wakes up all the time; and no device is opened.
func (p patient) descriptors() (found []finding) {
	defer func() {
		if r := recover(); r != nil { // gousb panics where libusb cannot be initialised
			found = []finding{{p.say("記述子", "descriptors"), checkUnknown, fmt.Sprint(r), p.say("ここでは libusb が動きません。エージェントには要りません", "libusb does not work here; the agent does not need it")}}
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
		return []finding{unknown(p.say("記述子", "descriptors"), err, p.asRoot())}
	}
	return []finding{p.compareDescriptors(seen)}
}

func (p patient) compareDescriptors(seen map[string]bool) finding {
	name := p.say("記述子", "descriptors")
	devices, err := sensor.Enumerate(sensor.Options{Root: "/", Log: zerolog.Nop(), Now: time.Now, System: []string{}})
	if err != nil {
		return unknown(name, err, p.say("/sys に sysfs が必要です", "sysfs must be mounted on /sys"))
	}
	for _, d := range devices {
		if id := d.Vendor + ":" + d.Product; d.Bus == policy.BusUSB && !seen[id] {
			return finding{name, checkFail, id + p.say(" は sysfs にあり、libusb からは見えません", " is in sysfs and not seen by libusb"),
				p.say("挿し直してください。2つの顔を見せる装置は疑わしいものです", "plug it in again; a device that shows two faces is suspicious")}
		}
	}
	return finding{name, checkPass, fmt.Sprintf(p.say("libusb と sysfs が %d種類の装置で一致しています", "libusb and sysfs agree on %d kinds of devices"), len(seen)), ""}
}

package sensor

import (
	"encoding/binary"
	"fmt"

	"sekisho/internal/policy"
)

// Descriptor types and sizes: USB 2.0 specification, 9.4 table 9-5, 9.6.1, 9.6.3, 9.6.5.
const (
	typeDevice    = 1
	typeConfig    = 2
	typeInterface = 4

	sizeDevice    = 18
	sizeConfig    = 9
	sizeInterface = 9
)

// maxInterfaces bounds what one device can make us remember; real ones have a few dozen with all alternates.
const maxInterfaces = 256

// descriptors is what a device says it can do, in every configuration and alternate setting.
type descriptors struct {
	class      policy.Interface   // of the device itself
	interfaces []policy.Interface // in order
	configs    int                // how many
	end        int                // where the device says that the last of them ends
	unclean    bool               // sloppy, but nothing is hidden from us
	fault      string             // broken: there may be more than we see
}

// parseDescriptors reads sysfs' "descriptors": the device descriptor, then each configuration with all that follows it.
// It walks by length and type alone, as the kernel does (Linux drivers/usb/core/config.c), and stops where the kernel would.
func parseDescriptors(b []byte) descriptors {
	var d descriptors
	if len(b) < sizeDevice || b[0] < sizeDevice || b[1] != typeDevice {
		d.broken("device descriptor is missing or broken")
		return d
	}
	d.class = policy.Interface{Class: b[4], Subclass: b[5], Protocol: b[6]}
	d.walk(b, sizeDevice)
	if want := int(b[17]); d.fault == "" && d.configs != want {
		d.broken(fmt.Sprintf("%d configurations promised, %d found", want, d.configs))
	}
	if d.fault == "" && len(d.interfaces) == 0 {
		d.broken("no interface is described")
	}
	return d
}

func (d *descriptors) broken(why string) {
	if d.fault == "" {
		d.fault = "descriptors: " + why
	}
}

func (d *descriptors) walk(b []byte, at int) {
	for at < len(b) && d.fault == "" {
		rest := b[at:]
		if len(rest) < 2 || rest[0] < 2 || int(rest[0]) > len(rest) {
			d.broken(fmt.Sprintf("impossible length at byte %d", at))
			return
		}
		d.take(rest[:rest[0]], at)
		at += int(rest[0])
	}
	d.checkEnd(at)
}

func (d *descriptors) take(one []byte, at int) {
	switch one[1] {
	case typeConfig:
		d.checkEnd(at)
		d.addConfig(one, at)
	case typeInterface:
		d.addInterface(one, at)
	}
}

// checkEnd compares where a configuration ends with where it said it would. Cheap devices get this wrong and the
// kernel cuts the rest off, so it is no more than unclean: every byte the kernel has was walked.
func (d *descriptors) checkEnd(at int) {
	if d.configs > 0 && d.end != at {
		d.unclean = true
	}
}

func (d *descriptors) addConfig(one []byte, at int) {
	if len(one) < sizeConfig {
		d.broken(fmt.Sprintf("short configuration at byte %d", at))
		return
	}
	d.configs++
	d.end = at + int(binary.LittleEndian.Uint16(one[2:]))
}

func (d *descriptors) addInterface(one []byte, at int) {
	switch {
	case len(one) < sizeInterface:
		d.broken(fmt.Sprintf("short interface at byte %d", at))
	case d.configs == 0:
		d.broken(fmt.Sprintf("interface outside a configuration at byte %d", at))
	case len(d.interfaces) == maxInterfaces:
		d.broken(fmt.Sprintf("more than %d interfaces", maxInterfaces))
	default:
		d.interfaces = append(d.interfaces, policy.Interface{Class: one[5], Subclass: one[6], Protocol: one[7]})
	}
}

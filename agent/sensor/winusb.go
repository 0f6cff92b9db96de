package sensor

import (
	"slices"
	"strings"

	"sekisho/internal/policy"
)

// usb describes a USB device from what Windows' bus driver made of its descriptors: the functions of a composite
// device have ids of their own, any other device says itself what it is.
//
// BUG: Windows shows the first alternate setting of the first configuration in most cases; what a telephone would be in
// another configuration is seen only when it changes. There is no digest of the descriptors, so that
// a medium without a serial number cannot be granted.
func (f forest) usb(n node, id instance) sighting {
	d := policy.Device{Bus: policy.BusUSB, Port: n.location, External: n.removable}
	d.Vendor, d.Product, _ = id.usb()
	words(&d, id.serial(), n.maker, n.name)
	parts := f.below(n)
	class, own := triplets(n)
	functions := slices.DeleteFunc(slices.Clone(parts), func(p node) bool { return !isFunction(p) })
	d.Interfaces = own
	for _, fn := range functions {
		_, more := triplets(fn)
		d.Interfaces = append(d.Interfaces, more...)
	}
	d.Class = class.String()
	kinds := policy.KindsOf(class, d.Interfaces)
	silent := len(d.Interfaces) == 0
	if silent {
		d.Fault = "Windows shows no interface of it"
	}
	d.Kinds = extraKinds(kinds, n, parts)
	for _, p := range parts {
		d.Capacity += p.capacity
	}
	// Without a problem Windows is still at it: composite devices get their functions one by one.
	settled := !silent || n.problem != 0
	return sighting{device: d, settled: settled, system: slices.ContainsFunc(parts, func(p node) bool { return p.system })}
}

func words(d *policy.Device, serial, maker, name string) {
	var ok1, ok2, ok3 bool
	d.Serial, ok1 = cleanWords(serial)
	d.Manufacturer, ok2 = cleanWords(maker)
	d.Name, ok3 = cleanWords(name)
	d.Unclean = d.Unclean || !ok1 || !ok2 || !ok3
}

func isFunction(n node) bool {
	id, ok := parseInstance(n.id)
	return ok && id.function()
}

// triplets reads the compatible ids of a node. The device's own triplet is told apart from those of interfaces;
// a device without functions says its interface's as its own.
func triplets(n node) (class policy.Interface, interfaces []policy.Interface) {
	for _, id := range n.compatible {
		c, ok := parseCompatible(id)
		switch {
		case !ok:
		case c.device:
			class = c.triplet
		case !slices.Contains(interfaces, c.triplet):
			interfaces = append(interfaces, c.triplet)
		}
	}
	return class, interfaces
}

// extraKinds adds what only Windows' own reading shows: the Microsoft descriptor, and disks and drives that
// really hang on the device, whatever its interfaces pretend.
func extraKinds(kinds []policy.Kind, n node, parts []node) []policy.Kind {
	out := slices.Clone(kinds)
	for _, p := range append([]node{n}, parts...) {
		for _, id := range slices.Concat(p.hardware, p.compatible) {
			if k, ok := msKind(id); ok {
				out = append(out, k)
			}
		}
		if k, ok := classKind(p); ok {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func classKind(p node) (policy.Kind, bool) {
	switch p.class {
	case classDiskDrive, classFloppy, classTape:
		return policy.KindStorage, true
	case classCDROM:
		return policy.KindOptical, true
	case classWPD:
		// Windows also shows every drive letter as a portable device; that shadow is software.
		return policy.KindPortable, strings.HasPrefix(strings.ToUpper(p.id), `USB\`)
	}
	return "", false
}

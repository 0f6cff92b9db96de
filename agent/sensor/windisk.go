package sensor

import (
	"slices"
	"strings"

	"sekisho/internal/policy"
)

// card describes a memory card in an internal reader. An SDIO device is a network card and no medium; only
// memory has SD\CLASS_STORAGE (https://learn.microsoft.com/windows-hardware/drivers/install/identifiers-for-secure-digital--sd--devices).
func (f forest) card(n node, id instance) (sighting, bool) {
	storage := func(s string) bool { return strings.EqualFold(s, `SD\CLASS_STORAGE`) }
	parts := f.below(n)
	hasDisk := slices.ContainsFunc(parts, func(p node) bool { return p.class == classDiskDrive })
	if !hasDisk && !slices.ContainsFunc(n.compatible, storage) && id.field("OID_") == "" {
		return sighting{}, false
	}
	d := policy.Device{Bus: policy.BusMMC, Port: n.location, External: n.removable, Kinds: []policy.Kind{policy.KindCard}}
	d.Vendor, d.Product = fourDigits(id.field("VID_")), fourDigits(id.field("OID_"))
	words(&d, "", n.maker, id.field("PID_"))
	s := sighting{settled: true}
	for _, p := range parts {
		d.Capacity += p.capacity
		s.system = s.system || p.system || p.medium != nil && p.medium.bus == storageBusMMC
		if p.medium != nil && d.Serial == "" {
			d.Serial = p.medium.serial
		}
	}
	s.device = d
	return s, true
}

// disk describes a disk or drive that hangs on no USB device.
func (f forest) disk(n node) (sighting, bool) {
	kind, ok := diskKind(n)
	if !ok || f.inHypervisor(n) {
		return sighting{}, false
	}
	m := medium{}
	switch {
	case n.medium != nil:
		m = *n.medium
	case strings.Contains(strings.ToUpper(n.id), "&VEN_NVME&"): // disabled: only its name still tells the bus
		m.bus = storageBusNVMe
	}
	d := policy.Device{Port: n.location, External: n.removable, Kinds: []policy.Kind{kind}, Capacity: n.capacity}
	switch m.bus {
	case storageBusVirtual, storageBusFile, storageBusSpaces, storageBusISCSI:
		return sighting{}, false // made by software out of files, disks or a network: nobody can carry it in
	case storageBusNVMe:
		d.Bus = policy.BusNVMe
	case storageBusSD, storageBusMMC: // a reader on the PCI bus with a driver of its own
		d.Bus, d.Kinds = policy.BusMMC, []policy.Kind{policy.KindCard}
	case storageBusUSB: // Windows says so, although no USB device is above it
		d.Bus, d.Kinds = policy.BusUSB, []policy.Kind{policy.KindStorage}
	default:
		d.Bus = policy.BusSCSI
	}
	f.name(&d, n, m)
	return sighting{device: d, settled: n.medium != nil || n.problem != 0, system: n.system || ownDisk(d, n, m)}, true
}

// problemDisabled is CM_PROB_DISABLED (https://learn.microsoft.com/windows-hardware/drivers/install/cm-prob-disabled).
const problemDisabled = 22

// inHypervisor: the disk of a virtual machine is a part of it, nobody can carry it in.
func (f forest) inHypervisor(n node) bool {
	for range maxDepth {
		up, ok := f.byID[strings.ToUpper(n.parent)]
		if !ok {
			return false
		}
		id, _ := parseInstance(up.id)
		if id.enumerator == "VMBUS" || id.enumerator == "XENBUS" || id.enumerator == "PCI" && id.field("VEN_") == "1AF4" {
			return true
		}
		n = up
	}
	return false
}

// ownDisk: as on Linux, a disk that was there at the first look of a boot is the machine's own; media that people
// take out are not.
func ownDisk(d policy.Device, n node, m medium) bool {
	switch {
	case n.problem == problemDisabled: // an agent of an earlier boot took it away
		return false
	case d.Has(policy.KindOptical), d.Bus == policy.BusUSB, m.removable, n.class == classFloppy, n.class == classTape:
		return false
	case d.Bus == policy.BusMMC:
		return m.bus == storageBusMMC
	}
	return true
}

func (f forest) name(d *policy.Device, n node, m medium) {
	words(d, m.serial, m.vendor, m.product)
	d.Unclean = d.Unclean || m.unclean
	if d.Name == "" {
		d.Name, _ = cleanWords(n.name)
	}
	if n.medium == nil {
		d.Fault = "the disk does not answer: bus and serial cannot be read"
	}
	if up, ok := f.byID[strings.ToUpper(n.parent)]; ok && d.Bus == policy.BusNVMe {
		id, _ := parseInstance(up.id)
		d.Vendor, d.Product = fourDigits(id.field("VEN_")), fourDigits(id.field("DEV_"))
	}
}

func diskKind(n node) (policy.Kind, bool) {
	id, ok := parseInstance(n.id)
	if !ok || id.enumerator == "SWD" || id.enumerator == "ROOT" {
		return "", false
	}
	switch n.class {
	case classDiskDrive, classFloppy, classTape:
		return policy.KindDisk, true
	case classCDROM:
		return policy.KindOptical, true
	case classWPD:
		return policy.KindPortable, id.enumerator == "BTHENUM"
	}
	return "", false
}

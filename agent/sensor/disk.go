package sensor

import (
	"path"
	"strconv"
	"strings"

	"sekisho/internal/policy"
)

// describeCard reads a card in an internal reader (Linux Documentation/driver-api/mmc/mmc-dev-attrs.rst).
// SDIO is a network card soldered to the same bus and no medium.
func (t tree) describeCard(dir string, d *policy.Device) bool {
	kind := t.attr(dir, "type")
	if kind == "SDIO" {
		return false
	}
	d.Port = path.Base(path.Dir(dir))
	d.Vendor, d.Product = t.hex(dir, "manfid"), t.hex(dir, "oemid")
	d.Serial = t.words(dir, "serial", &d.Unclean)
	d.Name = t.words(dir, "name", &d.Unclean)
	d.Kinds = []policy.Kind{policy.KindCard}
	if kind != "SD" && kind != "MMC" && kind != "SDcombo" {
		d.Fault = "type of card cannot be read"
		d.Kinds = append(d.Kinds, policy.KindUnknown)
	}
	return true
}

// scsiKinds are the SCSI peripheral device types that hold data (SPC-4, table 138); enclosures,
// processors and controllers hold none.
var scsiKinds = map[string]policy.Kind{
	"0": policy.KindDisk, "14": policy.KindDisk, "20": policy.KindDisk, // direct access, simplified, host-managed zones
	"1": policy.KindDisk,                                                      // tape
	"4": policy.KindOptical, "5": policy.KindOptical, "7": policy.KindOptical, // write-once, CD/DVD/BD, magneto-optical
}

func (t tree) describeSCSI(dir string, d *policy.Device) bool {
	kind, ok := scsiKinds[t.attr(dir, "type")]
	if !ok || behindVirtio(dir) {
		return false
	}
	d.Port = scsiPort(dir)
	d.Manufacturer = t.words(dir, "vendor", &d.Unclean)
	d.Name = t.words(dir, "model", &d.Unclean)
	d.Serial = t.scsiSerial(dir, &d.Unclean)
	d.Kinds = []policy.Kind{kind}
	return true
}

// scsiSerial reads vital product data page 80h: four bytes of head, then the serial (SPC-4, 7.8.18).
func (t tree) scsiSerial(dir string, unclean *bool) string {
	page, ok := t.read(path.Join(dir, "vpd_pg80"), maxText)
	if !ok || len(page) < 4 || page[1] != 0x80 {
		return ""
	}
	serial, clean := cleanWords(strings.Trim(string(page[4:]), "\x00"))
	*unclean = *unclean || !clean
	return serial
}

// scsiPort is the cable's end where there is one name for it: "ata3".
func scsiPort(dir string) string {
	for _, part := range strings.Split(dir, "/") {
		if numbered(part, "ata") {
			return part
		}
	}
	return path.Base(dir)
}

// behindVirtio: a hypervisor's disk is part of the machine, nobody can carry it in.
func behindVirtio(dir string) bool {
	for _, part := range strings.Split(dir, "/") {
		if numbered(part, "virtio") {
			return true
		}
	}
	return false
}

// describeNVMe reads the PCI device, and the controller below it once there is a driver.
func (t tree) describeNVMe(dir string, d *policy.Device) {
	d.Port = d.ID
	d.Vendor, d.Product = t.hex(dir, "vendor"), t.hex(dir, "device")
	d.Kinds = []policy.Kind{policy.KindDisk}
	controller := t.controller(dir)
	if !t.ready(controller) {
		d.Fault = "no driver yet: serial and size cannot be read"
		return
	}
	d.Serial = t.words(controller, "serial", &d.Unclean)
	d.Name = t.words(controller, "model", &d.Unclean)
}

// ready: a controller has read its own serial some time after its "add"; before that the attribute holds
// nothing, or what the kernel prints for a text at no address.
func (t tree) ready(controller string) bool {
	if controller == "" {
		return false
	}
	serial := t.attr(controller, "serial")
	return serial != "" && serial != "(efault)" && serial != "(null)"
}

// controller is the nvmeN that the driver made of a PCI device; "" when there is none.
func (t tree) controller(dir string) string {
	for _, name := range t.names(path.Join(dir, "nvme")) {
		if numbered(name, "nvme") {
			return path.Join(dir, "nvme", name)
		}
	}
	return ""
}

// describeThunderbolt takes a tunnel for a disk: it can carry any PCIe device, and is the last place to stop one.
// The host's own router (route 0) is not a device.
func (t tree) describeThunderbolt(dir string, d *policy.Device) bool {
	if strings.HasSuffix(d.ID, "-0") {
		return false
	}
	d.Port, d.External = d.ID, true
	d.Vendor, d.Product = t.hex(dir, "vendor"), t.hex(dir, "device")
	d.Serial = t.words(dir, "unique_id", &d.Unclean)
	d.Manufacturer = t.words(dir, "vendor_name", &d.Unclean)
	d.Name = t.words(dir, "device_name", &d.Unclean)
	d.Kinds = []policy.Kind{policy.KindDisk}
	return true
}

// blocks says where sysfs keeps the block devices of a device, relative to it.
var blocks = map[string][]string{
	policy.BusUSB:  {"*:*/host*/target*/*:*:*:*/block/*"},
	policy.BusMMC:  {"block/*"},
	policy.BusSCSI: {"block/*"},
	policy.BusNVMe: {"nvme/nvme*/nvme*n*"},
}

// capacity adds up all media in a device, in bytes; known is false while it has no block device.
func (t tree) capacity(sub subject) (sum int64, known bool) {
	for _, pattern := range blocks[sub.bus] {
		for _, block := range t.match(sub.dir, pattern) {
			sum += t.size(block)
			known = true
		}
	}
	return sum, known
}

// size is in sectors of 512 bytes whatever the medium uses (Linux Documentation/ABI/stable/sysfs-block).
func (t tree) size(block string) int64 {
	sectors, err := strconv.ParseInt(t.attr(block, "size"), 10, 64)
	if err != nil || sectors < 0 || sectors > 1<<53 {
		return 0
	}
	return sectors * 512
}

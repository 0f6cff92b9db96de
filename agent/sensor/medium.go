package sensor

import (
	"encoding/binary"
	"strings"
)

// Bus types of STORAGE_BUS_TYPE (https://learn.microsoft.com/windows-hardware/drivers/ddi/ntddstor/ne-ntddstor-storage_bus_type).
const (
	storageBusUnknown = 0x00
	storageBus1394    = 0x04
	storageBusUSB     = 0x07
	storageBusISCSI   = 0x09
	storageBusSD      = 0x0c
	storageBusMMC     = 0x0d
	storageBusVirtual = 0x0e
	storageBusFile    = 0x0f // a mounted image
	storageBusSpaces  = 0x10 // made of disks that are seen themselves
	storageBusNVMe    = 0x11
)

// medium is what a disk or drive answers about itself.
type medium struct {
	bus       uint8
	removable bool // the medium, not the device: a USB hard disk says no
	vendor    string
	product   string
	serial    string
	unclean   bool
}

// sizeDescriptor is the fixed part of a STORAGE_DEVICE_DESCRIPTOR
// (https://learn.microsoft.com/windows/win32/api/winioctl/ns-winioctl-storage_device_descriptor).
const sizeDescriptor = 36

// parseMedium reads the answer of IOCTL_STORAGE_QUERY_PROPERTY. Offsets in it come from the device's driver.
func parseMedium(b []byte) (medium, bool) {
	if len(b) < sizeDescriptor {
		return medium{}, false
	}
	if size := binary.LittleEndian.Uint32(b[4:]); size >= sizeDescriptor && uint64(size) < uint64(len(b)) {
		b = b[:size]
	}
	var m medium
	m.removable = b[10] != 0
	m.vendor = m.text(b, 12)
	m.product = m.text(b, 16)
	m.serial = m.text(b, 24)
	m.bus = uint8(min(binary.LittleEndian.Uint32(b[28:]), 0xff))
	return m, true
}

// text follows one offset; 0 and everything outside is none.
func (m *medium) text(b []byte, at int) string {
	from := binary.LittleEndian.Uint32(b[at:])
	if from < sizeDescriptor || uint64(from) >= uint64(len(b)) {
		return ""
	}
	s, _, _ := strings.Cut(string(b[from:]), "\x00")
	s, clean := cleanWords(s)
	m.unclean = m.unclean || !clean
	return s
}

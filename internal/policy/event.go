package policy

import (
	"fmt"
	"time"
)

// Buses a device can sit on.
const (
	BusUSB         = "usb"
	BusMMC         = "mmc"         // memory card in an internal reader
	BusSCSI        = "scsi"        // SATA, SAS, eSATA; not what sits behind USB
	BusNVMe        = "nvme"        // PCIe disks, also in Thunderbolt enclosures
	BusThunderbolt = "thunderbolt" // the tunnel itself
)

// Kind is what a device is, judged from its interfaces and never from its name.
type Kind string

// The kinds.
const (
	KindStorage   Kind = "storage"  // disk or stick behind USB
	KindPortable  Kind = "portable" // phone or camera (MTP, PTP)
	KindCard      Kind = "card"     // memory card in an internal reader
	KindOptical   Kind = "optical"  // optical drive
	KindDisk      Kind = "disk"     // hot-plugged SATA, NVMe or Thunderbolt disk
	KindSystem    Kind = "system"   // disk that was there when the machine started
	KindKeyboard  Kind = "keyboard" // HID boot keyboard
	KindMouse     Kind = "mouse"    // HID boot mouse
	KindHID       Kind = "hid"      // any other HID
	KindHub       Kind = "hub"
	KindSmartCard Kind = "smartcard" // IC-card reader
	KindNetwork   Kind = "network"   // network card, tether, modem
	KindWireless  Kind = "wireless"  // Bluetooth and other radio
	KindPrinter   Kind = "printer"
	KindAudio     Kind = "audio"
	KindVideo     Kind = "video"
	KindSerial    Kind = "serial"
	KindVendor    Kind = "vendor" // vendor-specific: could be anything
	KindOther     Kind = "other"
	KindUnknown   Kind = "unknown" // descriptors missing or broken
)

// Interface is one function a USB device offers, as USB-IF numbers them
// (https://www.usb.org/defined-class-codes).
type Interface struct {
	Class    uint8 `json:"class"`
	Subclass uint8 `json:"subclass"`
	Protocol uint8 `json:"protocol"`
}

// String gives the triplet as people write it: 08/06/50.
func (i Interface) String() string {
	return fmt.Sprintf("%02x/%02x/%02x", i.Class, i.Subclass, i.Protocol)
}

// Device is what a sensor read of something attached. Strings come from the device and are
// cleaned by the sensor: no control characters, at most 256 bytes; Unclean says that it had to.
type Device struct {
	ID           string      `json:"id"` // unique among attached devices: sysfs name or instance id
	Bus          string      `json:"bus"`
	Kinds        []Kind      `json:"kinds"`             // sorted, without repeats; the most dangerous first is not implied
	Vendor       string      `json:"vendor,omitempty"`  // 4 hex digits
	Product      string      `json:"product,omitempty"` // 4 hex digits
	Serial       string      `json:"serial,omitempty"`
	Manufacturer string      `json:"manufacturer,omitempty"` // the device's own words
	Name         string      `json:"name,omitempty"`         // the device's own words
	Port         string      `json:"port,omitempty"`
	Class        string      `json:"class,omitempty"`      // device triplet "00/00/00"
	Interfaces   []Interface `json:"interfaces,omitempty"` // of every configuration and alternate setting, in order
	Capacity     int64       `json:"capacity,omitempty"`   // bytes; 0 is unknown
	Digest       string      `json:"digest,omitempty"`     // SHA-256 hex of the raw descriptors
	External     bool        `json:"external,omitempty"`   // firmware says that a user can reach the port
	Unclean      bool        `json:"unclean,omitempty"`    // a string or descriptor was cut or cleaned
	Fault        string      `json:"fault,omitempty"`      // what could not be read, in English, for the raw facts
}

// Has says whether the device shows a kind.
func (d Device) Has(k Kind) bool {
	for _, have := range d.Kinds {
		if have == k {
			return true
		}
	}
	return false
}

// What an event says happened.
const (
	EventAttach = "attach"
	EventChange = "change" // the same device, new facts (medium put in, capacity known)
	EventDetach = "detach"
)

// Event is one thing a sensor saw.
type Event struct {
	What    string    `json:"what"`
	Device  Device    `json:"device"`
	SeenAt  time.Time `json:"seen_at"`           // terminal's wall clock when the kernel told
	Present bool      `json:"present,omitempty"` // it was there before the agent started
	User    string    `json:"user,omitempty"`    // who sits at the terminal; "" unknown or nobody
}

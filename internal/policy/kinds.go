package policy

import "slices"

// KindsOf tells what a USB device is from its device class and the interfaces of every configuration
// and alternate setting. It never looks at a name, and never at which driver happens to be bound:
// what no driver takes today is a tether with the next kernel.
//
// BUG: older Android kernels speak MTP over a vendor-specific interface (drivers/usb/gadget/function/f_mtp.c: mostly
// ff/ff/00), which other devices use too; such a telephone is KindVendor here. Only its interface string ("MTP")
// or its Microsoft descriptor gives it away, and that is the sensor's to read.
func KindsOf(device Interface, interfaces []Interface) []Kind {
	if len(interfaces) == 0 {
		return []Kind{KindUnknown} // nothing was readable, or it hides what it is
	}
	var kinds []Kind
	if ownClass(device) {
		kinds = append(kinds, kindsOfInterface(device)...)
	}
	for _, i := range interfaces {
		kinds = append(kinds, kindsOfInterface(i)...)
	}
	if len(kinds) == 0 {
		return []Kind{KindUnknown}
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// USB-IF class codes, https://www.usb.org/defined-class-codes.
const (
	classPerInterface = 0x00
	classAudio        = 0x01
	classComm         = 0x02
	classHID          = 0x03
	classImage        = 0x06
	classPrinter      = 0x07
	classStorage      = 0x08
	classHub          = 0x09
	classData         = 0x0a
	classSmartCard    = 0x0b
	classVideo        = 0x0e
	classAudioVideo   = 0x10
	classWireless     = 0xe0
	classMisc         = 0xef
	classApplication  = 0xfe
	classVendor       = 0xff
)

// ownClass says whether a device's class adds anything to what its interfaces say:
// 00 and ef (interface associations) point to the interfaces, 02 is told apart only there.
func ownClass(d Interface) bool {
	return d.Class != classPerInterface && d.Class != classMisc && d.Class != classComm
}

// simple holds the classes that are one kind whatever subclass and protocol say.
// The ones named KindOther have no function of interest to the gate, but are assigned:
// 05 physical, 0d content security, 0f health, 11 billboard, 12 Type-C bridge, 13 bulk display, 14 MCTP, 3c I3C, dc diagnostic.
var simple = map[uint8]Kind{
	classAudio: KindAudio, classImage: KindPortable, classPrinter: KindPrinter,
	classStorage: KindStorage, classHub: KindHub, classSmartCard: KindSmartCard, classVideo: KindVideo,
	0x05: KindOther, 0x0d: KindOther, 0x0f: KindOther, 0x11: KindOther,
	0x12: KindOther, 0x13: KindOther, 0x14: KindOther, 0x3c: KindOther, 0xdc: KindOther,
}

func kindsOfInterface(i Interface) []Kind {
	switch i.Class {
	case classHID:
		return []Kind{hidKind(i)}
	case classComm:
		return []Kind{commKind(i)}
	case classData:
		return nil // the data pipe of a communication interface, which says what it is
	case classAudioVideo:
		return []Kind{KindAudio, KindVideo}
	case classWireless:
		return []Kind{wirelessKind(i)}
	case classMisc:
		return []Kind{miscKind(i)}
	case classApplication:
		return []Kind{applicationKind(i)}
	case classVendor:
		return vendorKinds(i)
	}
	if k, ok := simple[i.Class]; ok {
		return []Kind{k}
	}
	return []Kind{KindUnknown} // not assigned by USB-IF: a driver could still take it by vendor and product
}

// hidKind tells the boot protocols; any other HID can also type, its report descriptor decides (HID 1.11, 4.3).
func hidKind(i Interface) Kind {
	if i.Subclass == 0x01 && i.Protocol == 0x01 {
		return KindKeyboard
	}
	if i.Subclass == 0x01 && i.Protocol == 0x02 {
		return KindMouse
	}
	return KindHID
}

// commKind: an abstract control model is a serial line (also with AT commands: nearly every barcode reader and
// many phones show one), except with the vendor protocol, which is RNDIS (Linux drivers/net/usb/rndis_host.c).
// All the rest of CDC carries a network: ECM 06, EEM 0c, NCM 0d, MBIM 0e and the telephone models.
func commKind(i Interface) Kind {
	if i.Subclass == 0x02 && i.Protocol != 0xff {
		return KindSerial
	}
	return KindNetwork
}

func wirelessKind(i Interface) Kind {
	if i.Subclass == 0x01 && i.Protocol == 0x03 { // RNDIS: the tether of Android
		return KindNetwork
	}
	return KindWireless
}

func miscKind(i Interface) Kind {
	switch i.Subclass {
	case 0x01: // ActiveSync, which Linux takes as RNDIS
		return KindNetwork
	case 0x03: // cable based association of wireless USB
		return KindWireless
	case 0x04: // RNDIS over Ethernet, Wi-Fi, WiMAX, WWAN
		return KindNetwork
	case 0x05: // USB3 Vision
		return KindVideo
	}
	return KindOther
}

func applicationKind(i Interface) Kind {
	if i.Subclass == 0x02 { // IrDA bridge
		return KindWireless
	}
	return KindOther // firmware update, test and measurement
}

// vendorKinds knows one vendor-specific triplet: Android's debug bridge and fastboot, ff/42,
// both of which copy files (AOSP adb/adb.h: ADB_CLASS, ADB_SUBCLASS).
func vendorKinds(i Interface) []Kind {
	if i.Subclass == 0x42 {
		return []Kind{KindPortable, KindVendor}
	}
	return []Kind{KindVendor}
}

// StorageCapable says whether the device can carry files out.
func StorageCapable(kinds []Kind) bool { return hasAny(kinds, carriers) }

// Composite says whether something that stores can also act on the terminal by itself: the shape of BadUSB
// (a stick that types), of a stick that is a modem, of a telephone that is a network card.
//
// A stick, card or disk needs no second language, so a vendor-specific part is enough.
// An ordinary telephone or camera has more parts and is no attack: MTP with PTP, with a debug bridge, with Samsung's
// serial line, with Apple's audio and remote-control HID in another configuration. It becomes composite
// as soon as it is a boot keyboard, a mouse, a network card or a radio.
func Composite(kinds []Kind) bool {
	if hasAny(kinds, sticks) {
		return hasAny(kinds, actors) || hasAny(kinds, phoneParts)
	}
	return slices.Contains(kinds, KindPortable) && hasAny(kinds, actors)
}

// Grantable says whether a grant can cover the device: it stores, and does nothing else. A telephone or camera
// may have a vendor-specific part beside it. A grant for anything else would let in more than a medium.
func Grantable(kinds []Kind) bool {
	if !StorageCapable(kinds) || Composite(kinds) {
		return false
	}
	for _, k := range kinds {
		if !slices.Contains(carriers, k) && k != KindVendor {
			return false
		}
	}
	return true
}

var (
	sticks     = []Kind{KindStorage, KindCard, KindOptical, KindDisk}
	carriers   = []Kind{KindStorage, KindPortable, KindCard, KindOptical, KindDisk}
	actors     = []Kind{KindKeyboard, KindMouse, KindNetwork, KindWireless}
	phoneParts = []Kind{KindHID, KindSerial, KindVendor}
	safe       = []Kind{KindKeyboard, KindMouse, KindHID, KindHub, KindSmartCard}
	systems    = []Kind{KindSystem, KindDisk, KindStorage, KindCard}
	all        = []Kind{
		KindStorage, KindPortable, KindCard, KindOptical, KindDisk, KindSystem, KindKeyboard, KindMouse, KindHID, KindHub,
		KindSmartCard, KindNetwork, KindWireless, KindPrinter, KindAudio, KindVideo, KindSerial, KindVendor, KindOther, KindUnknown,
	}
)

func hasAny(kinds, of []Kind) bool {
	return slices.ContainsFunc(kinds, func(k Kind) bool { return slices.Contains(of, k) })
}

func only(kinds, of []Kind) bool {
	return len(kinds) > 0 && !slices.ContainsFunc(kinds, func(k Kind) bool { return !slices.Contains(of, k) })
}

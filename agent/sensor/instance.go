package sensor

import (
	"strconv"
	"strings"

	"sekisho/internal/policy"
)

// Bounds of what Windows says about one device: an instance id has at most 199 characters
// (MAX_DEVICE_ID_LEN, https://learn.microsoft.com/windows-hardware/drivers/install/device-instance-ids).
const (
	maxInstance = 200
	maxIDs      = 64
)

// instance is a Windows device instance id in its three parts: USB \ VID_0781&PID_5583 \ 4C531001.
// Case means nothing in it; enumerator and device are upper case here, the last part is as it came.
type instance struct {
	enumerator string
	device     string
	own        string // unique below the bus, or together with it
}

func parseInstance(id string) (instance, bool) {
	parts := strings.SplitN(id, `\`, 3)
	if len(id) >= maxInstance || len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return instance{}, false
	}
	return instance{strings.ToUpper(parts[0]), strings.ToUpper(parts[1]), parts[2]}, true
}

// field gives what follows a key in a device part such as VID_0781&PID_5583.
func (i instance) field(key string) string {
	for _, part := range strings.Split(i.device, "&") {
		if value, ok := strings.CutPrefix(part, key); ok {
			return value
		}
	}
	return ""
}

// usb gives vendor and product of a USB device; ok is false for root hubs, functions and everything else.
func (i instance) usb() (vendor, product string, ok bool) {
	vendor, product = fourDigits(i.field("VID_")), fourDigits(i.field("PID_"))
	return vendor, product, i.enumerator == "USB" && vendor != "" && product != "" && !i.function()
}

// function says whether this is one function of a composite device: …&MI_02.
func (i instance) function() bool { return i.enumerator == "USB" && i.field("MI_") != "" }

// serial is the device's own, "" where Windows made the id from the port: then there is an & in it
// (https://learn.microsoft.com/windows-hardware/drivers/install/instance-ids).
func (i instance) serial() string {
	if strings.Contains(i.own, "&") {
		return ""
	}
	return i.own
}

// compatible is one compatible or hardware id of a USB node, as far as it tells what the node is
// (https://learn.microsoft.com/windows-hardware/drivers/install/standard-usb-identifiers).
type compatible struct {
	device  bool // of the whole composite device: DevClass
	triplet policy.Interface
}

// parseCompatible reads USB\Class_08&SubClass_06&Prot_50 and USB\DevClass_EF&SubClass_02&Prot_01.
// Shorter forms say less than the longest, which always stands beside them.
func parseCompatible(id string) (compatible, bool) {
	rest, ok := strings.CutPrefix(strings.ToUpper(id), `USB\`)
	parts := strings.Split(rest, "&")
	if !ok || len(parts) != 3 {
		return compatible{}, false
	}
	var c compatible
	if device, is := strings.CutPrefix(parts[0], "DEV"); is {
		c.device, parts[0] = true, device
	}
	var ok1, ok2, ok3 bool
	c.triplet.Class, ok1 = hexAfter(parts[0], "CLASS_")
	c.triplet.Subclass, ok2 = hexAfter(parts[1], "SUBCLASS_")
	c.triplet.Protocol, ok3 = hexAfter(parts[2], "PROT_")
	return c, ok1 && ok2 && ok3
}

func hexAfter(s, prefix string) (uint8, bool) {
	digits, ok := strings.CutPrefix(s, prefix)
	n, err := strconv.ParseUint(digits, 16, 8)
	return uint8(n), ok && err == nil && len(digits) == 2
}

// msKind is what the Microsoft descriptor of a function says it is, which its class may hide: Windows makes
// an id USB\MS_COMP_… of it
// (https://learn.microsoft.com/windows-hardware/drivers/usbcon/microsoft-os-1-0-descriptors-specification).
func msKind(id string) (policy.Kind, bool) {
	switch strings.ToUpper(id) {
	case `USB\MS_COMP_MTP`, `USB\MS_COMP_PTP`:
		return policy.KindPortable, true
	case `USB\MS_COMP_RNDIS`:
		return policy.KindNetwork, true
	}
	return "", false
}

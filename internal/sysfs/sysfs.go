// Package sysfs reads and writes what Linux shows of its devices, in as few steps as possible: dozens of readings lie
// between a plug and its verdict. It never interprets what it reads, and it is not for files that may keep a reader
// waiting, such as pipes.
package sysfs

import "path"

// MaxAttr bounds an attribute: the kernel itself never gives more than a page, and all of it at the first read
// (https://docs.kernel.org/filesystems/sysfs.html). Binary attributes are longer.
const MaxAttr = 4096

// waits says whether reading an attribute takes the lock of its USB device, which the kernel holds while it sets up the
// device or waits for an answer from it (Linux drivers/usb/core/sysfs.c, usb_lock_device_interruptible).
func waits(name string) bool {
	switch path.Base(name) {
	case "serial", "manufacturer", "product", "configuration", "interface", "bConfigurationValue", "bNumInterfaces", "bmAttributes", "bMaxPower":
		return true
	}
	return false
}

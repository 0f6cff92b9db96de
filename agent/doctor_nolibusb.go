//go:build !libusb

package main

// descriptorFindings needs a build with the tag libusb.
func descriptorFindings() []finding { return nil }

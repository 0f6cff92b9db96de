//go:build libusb

package internal

import _ "github.com/google/gousb"

package sensor

import "testing"

// Descriptor builders: what a device would answer.

type iface struct{ number, alternate, class, sub, protocol uint8 }

func deviceDescriptor(class, configs uint8) []byte {
	return []byte{18, 1, 0, 2, class, 0, 0, 64, 0x81, 0x07, 0x83, 0x55, 0, 1, 1, 2, 3, configs}
}

func config(value uint8, list ...iface) []byte {
	body := []byte{}
	for _, i := range list {
		body = append(body, 9, 4, i.number, i.alternate, 2, i.class, i.sub, i.protocol, 0)
		body = append(body, 7, 5, 0x81, 2, 0, 2, 0, 7, 5, 2, 2, 0, 2, 0) // two bulk endpoints
	}
	total := len(body) + 9
	return append([]byte{9, 2, byte(total), byte(total >> 8), 1, value, 0, 0x80, 50}, body...)
}

func describes(list ...iface) []byte { return append(deviceDescriptor(0, 1), config(1, list...)...) }

var (
	bot      = iface{0, 0, 8, 6, 0x50}
	uas      = iface{0, 1, 8, 6, 0x62}
	keyboard = iface{1, 0, 3, 1, 1}
)

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

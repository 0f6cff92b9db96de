package health

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"

	"sekisho/internal/policy"
)

// Types of registry values (Microsoft, "Registry value types").
const (
	regSZ       = 1
	regExpandSZ = 2
	regBinary   = 3
	regDWORD    = 4
	regMultiSZ  = 7
	regQWORD    = 11
)

// Roots of the registry (Microsoft, "Predefined keys").
const (
	rootMachine = 0x80000002
	rootUsers   = 0x80000003
)

// splitKey parts HKLM\… into root and rest.
func splitKey(key string) (root uintptr, sub string) {
	head, rest, _ := strings.Cut(key, `\`)
	if strings.EqualFold(head, "HKU") {
		return rootUsers, rest
	}
	return rootMachine, rest
}

// registryRaw turns a value's bytes into what a form reads. A number of the wrong length is none.
func registryRaw(kind uint32, b []byte) policy.Raw {
	switch {
	case len(b) > policy.MaxValue:
		return policy.Raw{Code: policy.CodeTooLong, Fault: "cannot use the value: it is too long"}
	case kind == regDWORD && len(b) == 4:
		n := uint64(binary.LittleEndian.Uint32(b))
		return policy.Raw{Number: &n}
	case kind == regQWORD && len(b) == 8:
		n := binary.LittleEndian.Uint64(b)
		return policy.Raw{Number: &n}
	case kind == regBinary:
		return policy.Raw{Bytes: append([]byte{}, b...)}
	case kind == regSZ || kind == regExpandSZ || kind == regMultiSZ:
		return policy.Raw{Text: utf16Text(b)}
	}
	return policy.Raw{Code: policy.CodeWrongType, Fault: fmt.Sprintf("cannot use a value of type %d with %d bytes", kind, len(b))}
}

func utf16Text(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	text, _, _ := strings.Cut(string(utf16.Decode(units)), "\x00")
	return text
}

// Package smbios reads what the firmware says of its machine: a table that every operating system hands out as it is. It never
// asks for the table itself.
package smbios

import (
	"bytes"
	"encoding/binary"
)

// structures gives the firmware's structures (DMTF DSP0134, 6.1): a head with its length, and strings up to an empty one. A
// table that is cut short ends where it is.
func structures(table []byte, each func(kind byte, body []byte)) {
	for len(table) >= 4 {
		length := int(table[1])
		if length < 4 || length > len(table) || table[0] == 127 {
			return
		}
		end := bytes.Index(table[length:], []byte{0, 0})
		each(table[0], table[:length])
		if end < 0 {
			return
		}
		table = table[length+end+2:]
	}
}

// PowerOnPassword reads structure 24 (7.25 Hardware Security): bits 7:6 are 0 disabled, 1 enabled, 2 not implemented, 3 unknown.
func PowerOnPassword(table []byte) (set, known bool) {
	structures(table, func(kind byte, body []byte) {
		if kind == 24 && len(body) >= 5 && !known {
			state := body[4] >> 6
			set, known = state == 1, state <= 1
		}
	})
	return set, known
}

// Memory adds the modules of structure 17 (7.18 Memory Device), in MiB: a word in MiB, or in KiB with bit 15; 0x7fff stands for
// the double word behind; 0 is an empty slot, 0xffff unknown.
func Memory(table []byte) (size uint64) {
	structures(table, func(kind byte, body []byte) {
		if kind != 17 || len(body) < 14 {
			return
		}
		switch n := binary.LittleEndian.Uint16(body[12:]); {
		case n == 0xffff:
		case n == 0x7fff && len(body) >= 32:
			size += uint64(binary.LittleEndian.Uint32(body[28:]) &^ (1 << 31))
		case n&0x8000 != 0:
			size += uint64(n&0x7fff) / 1024
		default:
			size += uint64(n)
		}
	})
	return size
}

package sensor

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
)

// decodeStrings reads a REG_MULTI_SZ, or a REG_SZ as a list of one: UTF-16 texts with a zero after each. Drivers leave
// the last zeros out, add bytes of their own and cut surrogates in half; what can be read is read
// (https://learn.microsoft.com/windows/win32/sysinfo/registry-value-types).
func decodeStrings(b []byte) []string {
	units := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		units = append(units, binary.LittleEndian.Uint16(b))
	}
	var out []string
	for _, s := range strings.Split(string(utf16.Decode(units)), "\x00") {
		if s != "" && len(out) < maxIDs {
			out = append(out, cut(s, 4*maxWord))
		}
	}
	return out
}

// decodeString gives the first of them.
func decodeString(b []byte) string {
	if all := decodeStrings(b); len(all) > 0 {
		return all[0]
	}
	return ""
}

// decodeNumber reads a REG_DWORD; another length is none.
func decodeNumber(b []byte) (uint32, bool) {
	if len(b) != 4 {
		return 0, false
	}
	return binary.LittleEndian.Uint32(b), true
}

package software

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
)

// Types of registry values (https://learn.microsoft.com/windows/win32/sysinfo/registry-value-types).
const (
	regSZ       = 1
	regExpandSZ = 2
	regDWORD    = 4
	regMultiSZ  = 7
)

// regValue is a value as the registry holds it: what an installer wrote need be neither of the right type nor whole.
type regValue struct {
	kind uint32
	data []byte
	long bool // it was too long to be read
}

// regEntry is a key with those of its values that are looked at; names are as they were asked for.
type regEntry struct {
	name   string
	values map[string]regValue
}

// text is a string value: up to its first zero, of a list the first. problem says what is wrong with it.
func (v regValue) text() (s, problem string) {
	switch {
	case v.long:
		return "", "too long"
	case v.kind != regSZ && v.kind != regExpandSZ && v.kind != regMultiSZ:
		return "", fmt.Sprintf("of type %d", v.kind)
	case len(v.data)%2 != 0:
		problem = "cut off in the middle of a letter"
	}
	units := make([]uint16, 0, min(len(v.data)/2, maxRead))
	for at := 0; at+1 < len(v.data) && len(units) < maxRead; at += 2 {
		unit := binary.LittleEndian.Uint16(v.data[at:])
		if unit == 0 {
			break
		}
		units = append(units, unit)
	}
	return string(utf16.Decode(units)), problem
}

func (v regValue) number() (n uint32, ok bool) {
	if v.kind != regDWORD || len(v.data) != 4 {
		return 0, false
	}
	return binary.LittleEndian.Uint32(v.data), true
}

// entryReader reads the words of one key and notes what was wrong with them.
type entryReader struct {
	regEntry
	cleaner
	problems []string
}

func (r *entryReader) raw(name string) string {
	v, has := r.values[name]
	if !has {
		return ""
	}
	s, problem := v.text()
	if problem != "" {
		r.unclean = true
		r.problems = append(r.problems, name+" is "+problem)
	}
	return s
}

func (r *entryReader) fault() string {
	if len(r.problems) == 0 {
		return ""
	}
	return "cannot read all values: " + strings.Join(r.problems, ", ")
}

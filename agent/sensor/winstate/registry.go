package winstate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"

	"sekisho/internal/policy"
)

// Types of registry values (https://learn.microsoft.com/windows/win32/sysinfo/registry-value-types).
const (
	regSZ       = 1
	regExpandSZ = 2
	regBinary   = 3
	regDWORD    = 4
	regMultiSZ  = 7
	regQWORD    = 11
)

const (
	maxKeys  = 5000 // names of one key
	maxFound = 20   // keys that fit one pattern
)

// Found is what one place gave.
type Found struct {
	policy.Raw
	Source string
}

// Look reads a place of the registry; a * in the key stands for any name, and a value is cut where the place says so.
func (e *Eyes) Look(p policy.Place) []Found {
	keys, err := e.keys(p.Path, p.View)
	switch {
	case err != nil:
		return []Found{{failed(err), p.Path}}
	case len(keys) > maxFound:
		return []Found{{policy.Raw{Code: policy.CodeTooLong, Fault: fmt.Sprintf("cannot read %d keys", len(keys))}, p.Path}}
	case len(keys) == 0:
		return []Found{{policy.Raw{Code: policy.CodeMissing, Fault: "cannot find a key that fits"}, p.Path}}
	}
	var out []Found
	for _, key := range keys {
		out = append(out, Found{p.Trim(e.Machine.Value(key, p.Value, p.View)), key + `\` + p.Value})
	}
	return out
}

// keys gives the keys that fit a pattern with one * for a whole name.
func (e *Eyes) keys(pattern, view string) ([]string, error) {
	head, tail, star := strings.Cut(pattern, `\*`)
	if !star {
		return []string{pattern}, nil
	}
	var out []string
	views := []string{view}
	if view == "" {
		views = []string{"64", "32"}
	}
	var last error
	seen := map[string]bool{}
	for _, v := range views {
		names, err := e.Machine.Keys(head, v)
		if err != nil && last == nil {
			last = err
		}
		for _, n := range names {
			if !seen[n] {
				seen[n] = true
				out = append(out, head+`\`+n+tail)
			}
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	return nil, last
}

// value makes of a value's bytes what a form reads. A number of the wrong length is none.
func value(kind uint32, b []byte) policy.Raw {
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
		return policy.Raw{Text: text16(b)}
	}
	return policy.Raw{Code: policy.CodeWrongType, Fault: fmt.Sprintf("cannot use a value of type %d with %d bytes", kind, len(b))}
}

func text16(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	text, _, _ := strings.Cut(string(utf16.Decode(units)), "\x00")
	return text
}

// errAbsent: the value is not there, which has a meaning of its own for settings.
var errAbsent = errors.New("the value is not there")

// number reads a number, also one that somebody wrote as text.
func (e *Eyes) number(key, name string) (uint64, error) {
	raw := e.Machine.Value(key, name, "64")
	if raw.Code == policy.CodeMissing {
		return 0, errAbsent
	}
	if raw.Code != "" {
		return 0, rawError{raw}
	}
	if raw.Number != nil {
		return *raw.Number, nil
	}
	n, err := strconv.ParseUint(strings.TrimSpace(raw.Text), 10, 32)
	if err != nil || raw.Bytes != nil {
		return 0, rawError{policy.Raw{Code: policy.CodeWrongType, Fault: fmt.Sprintf(`cannot read %s\%s: it is no number`, key, name)}}
	}
	return n, nil
}

// words reads a text.
func (e *Eyes) words(key, name string) (string, error) {
	raw := e.Machine.Value(key, name, "64")
	switch {
	case raw.Code == policy.CodeMissing:
		return "", errAbsent
	case raw.Code != "":
		return "", rawError{raw}
	case raw.Number != nil:
		return strconv.FormatUint(*raw.Number, 10), nil
	case raw.Bytes != nil:
		return "", rawError{policy.Raw{Code: policy.CodeWrongType, Fault: fmt.Sprintf(`cannot read %s\%s: it is no text`, key, name)}}
	}
	return strings.TrimSpace(raw.Text), nil
}

// rawError is why a value was not read.
type rawError struct{ raw policy.Raw }

func (r rawError) Error() string { return r.raw.Fault }

// not makes a reading of why there is no value.
func not(o policy.Origin, err error) policy.Reading {
	var r rawError
	switch {
	case errors.As(err, &r):
		return o.Unread(r.raw.Code, r.raw.Fault)
	case errors.Is(err, errAbsent):
		return o.Unread(policy.CodeMissing, "cannot find the value")
	}
	return unread(o, err)
}

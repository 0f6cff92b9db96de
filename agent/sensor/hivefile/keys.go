package hivefile

import (
	"unicode/utf16"
	"unicode/utf8"
)

// Of a key's cell.
const (
	nodeSize  = 76   // bytes before its name
	plainName = 0x20 // flag: the name has a byte for each letter
	maxName   = 510  // bytes: 255 letters (https://learn.microsoft.com/windows/win32/sysinfo/registry-element-size-limits)
	maxDeep   = 2    // a list of keys, or a list of such lists
)

// node is a key.
type node struct {
	name    string
	keys    uint32 // how many are below it
	list    uint32 // where they are listed
	values  uint32
	valueAt uint32
}

func (m *image) node(at uint32) (node, error) {
	c, err := m.cell(at, nodeSize)
	if err != nil {
		return node{}, err
	}
	long := int(le.Uint16(c[72:]))
	if string(c[:2]) != "nk" || long > len(c)-nodeSize || long > maxName {
		return node{}, damaged("a key of it is none")
	}
	return node{name: text(c[nodeSize:nodeSize+long], le.Uint16(c[2:])&plainName != 0), keys: le.Uint32(c[20:]), list: le.Uint32(c[28:]),
		values: le.Uint32(c[36:]), valueAt: le.Uint32(c[40:])}, nil
}

// text decodes a name: a byte for each letter of the first 256 of Unicode, or UTF-16. Half a pair becomes what it becomes of a
// key that is asked of Windows and is then made small: three replacement signs, for its three bytes.
func text(raw []byte, plain bool) string {
	out := make([]byte, 0, len(raw))
	if plain {
		for _, c := range raw {
			out = utf8.AppendRune(out, rune(c))
		}
		return string(out)
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = le.Uint16(raw[2*i:])
	}
	for i := 0; i < len(units); i++ {
		r := rune(units[i])
		switch {
		case !utf16.IsSurrogate(r):
			out = utf8.AppendRune(out, r)
		case i+1 < len(units) && utf16.DecodeRune(r, rune(units[i+1])) != utf8.RuneError:
			out = utf8.AppendRune(out, utf16.DecodeRune(r, rune(units[i+1])))
			i++
		default:
			out = append(out, "\uFFFD\uFFFD\uFFFD"...)
		}
	}
	return string(out)
}

// children gives the keys below one, until do has enough. The error tells of those that cannot be read.
func (m *image) children(of node, do func(node) bool) (err error) {
	if of.keys == 0 || of.list == none {
		return nil
	}
	_, err = m.listed(of.list, maxDeep, do)
	return err
}

// listed goes through one list; what is behind a part that cannot be read is read all the same.
func (m *image) listed(at uint32, deep int, do func(node) bool) (more bool, err error) {
	c, err := m.cell(at, 4)
	if err != nil {
		return true, err
	}
	wide, lists := 4, false
	switch string(c[:2]) {
	case "ri":
		lists = true
	case "lf", "lh": // with a part of the name, or a sum of it, that is not looked at
		wide = 8
	case "li":
	default:
		return true, damaged("a list of keys is none")
	}
	count := int(le.Uint16(c[2:]))
	if count*wide > len(c)-4 || lists && deep < 2 {
		return true, damaged("a list of keys is longer, or deeper, than it can be")
	}
	for i := range count {
		more, e := m.element(le.Uint32(c[4+i*wide:]), lists, deep, do)
		if e != nil {
			err = e
		}
		if !more || m.steps <= 0 {
			return more && m.steps > 0, err
		}
	}
	return true, err
}

func (m *image) element(at uint32, list bool, deep int, do func(node) bool) (more bool, err error) {
	if list {
		return m.listed(at, deep-1, do)
	}
	n, err := m.node(at)
	if err != nil {
		return true, err
	}
	return do(n), nil
}

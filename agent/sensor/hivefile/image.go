package hivefile

import "strings"

// image is a hive's data in memory, with what may still be spent on reading it.
type image struct {
	bins  []byte
	root  uint32
	steps int // still to be made
	room  int // bytes that the answer may still have
}

// none is where a list is said to be that there is none of.
const none = 0xffffffff

var errLoops = &trouble{TooMuch, "it leads in circles, or holds more than is looked at"}

// step counts.
func (m *image) step() error {
	if m.steps--; m.steps < 0 {
		return errLoops
	}
	return nil
}

// take says whether there is room for so many bytes more in the answer.
func (m *image) take(n int) bool {
	m.room -= n
	return m.room >= 0
}

// cell gives what one cell holds, at least so many bytes. The size before it is negative where it is in use.
func (m *image) cell(at uint32, least int) ([]byte, error) {
	if err := m.step(); err != nil {
		return nil, err
	}
	if at%8 != 0 || int64(at)+4 > int64(len(m.bins)) {
		return nil, damaged("it points out of itself")
	}
	size := -int64(int32(le.Uint32(m.bins[at:])))
	if size < 8 || int64(at)+size > int64(len(m.bins)) || size-4 < int64(least) {
		return nil, damaged("a part of it is free, cut off or too short")
	}
	return m.bins[at+4 : int64(at)+size], nil
}

// find goes down from the root; there is none where a part of the path is not there.
func (m *image) find(path string) (at node, there bool, err error) {
	if at, err = m.node(m.root); err != nil {
		return at, false, err
	}
	for _, name := range strings.Split(path, `\`) {
		if at, there, err = m.child(at, name); !there {
			return at, false, err
		}
	}
	return at, true, nil
}

// child looks for a key below another. One that cannot be read may be the one that is looked for.
func (m *image) child(of node, name string) (found node, there bool, err error) {
	e := m.children(of, func(n node) bool {
		found, there = n, same(n.name, name)
		return !there
	})
	if there {
		return found, true, nil
	}
	return found, false, e
}

// same compares as the registry does; the names that are looked for are plain ASCII, and no other letter is taken for one.
func same(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// entries reads the keys below a key; none where it is not there. The error says that some are lacking.
func (m *image) entries(q Question) (out []Entry, err error) {
	at, there, err := m.find(q.Key)
	if !there {
		return nil, err
	}
	e := m.children(at, func(n node) bool {
		if len(out) == maxKeys || !m.take(len(n.name)) {
			err = errFull
			return false
		}
		values, e := m.values(n, q.Values)
		if e != nil {
			err = e
		}
		out = append(out, Entry{Name: n.name, Values: values})
		return m.steps > 0
	})
	if e != nil {
		err = e
	}
	return out, err
}

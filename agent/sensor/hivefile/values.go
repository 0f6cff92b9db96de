package hivefile

// Of a value's cell.
const (
	valueSize  = 20      // bytes before its name
	plainValue = 1       // flag: the name has a byte for each letter
	inPlace    = 1 << 31 // of its length: four bytes at most, that stand where else their place would
	segment    = 16344   // bytes in one part of a value that is longer than that
)

// values reads those of a key that are asked for; where a name stands twice, the first counts.
func (m *image) values(of node, names []string) (out map[string]Value, err error) {
	if of.values == 0 || of.valueAt == none {
		return nil, nil
	}
	if of.values > uint32(m.steps) {
		return nil, errLoops
	}
	list, err := m.cell(of.valueAt, int(of.values)*4)
	if err != nil {
		return nil, err
	}
	out = map[string]Value{}
	for i := range int(of.values) {
		name, v, wanted, e := m.value(le.Uint32(list[4*i:]), names)
		if e != nil {
			err = e
		}
		if _, twice := out[name]; wanted && !twice {
			out[name] = v
		}
	}
	return out, err
}

func (m *image) value(at uint32, names []string) (name string, v Value, wanted bool, err error) {
	c, err := m.cell(at, valueSize)
	if err != nil {
		return "", v, false, err
	}
	long := int(le.Uint16(c[2:]))
	if string(c[:2]) != "vk" || long > len(c)-valueSize {
		return "", v, false, damaged("a value of it is none")
	}
	has := text(c[valueSize:valueSize+long], le.Uint16(c[16:])&plainValue != 0)
	for _, name = range names {
		if same(has, name) {
			if !m.take(len(name)) {
				return name, v, false, errFull
			}
			v, err = m.data(c)
			return name, v, err == nil, err
		}
	}
	return "", v, false, nil
}

// data is what a value holds.
func (m *image) data(c []byte) (v Value, err error) {
	v.Kind = le.Uint32(c[12:])
	size := le.Uint32(c[4:])
	if size&inPlace != 0 {
		if size &^= inPlace; size > 4 {
			return v, damaged("a value of it is longer than its place")
		}
		v.Data = c[8 : 8+size]
		return v, nil
	}
	if size == 0 {
		return v, nil
	}
	if v.Long = size > MaxValue; v.Long {
		return v, nil
	}
	if !m.take(int(size)) {
		return v, errFull
	}
	v.Data, err = m.bytes(le.Uint32(c[8:]), int(size))
	return v, err
}

// bytes are a value's own, in one cell, or in several that a list names.
func (m *image) bytes(at uint32, size int) ([]byte, error) {
	c, err := m.cell(at, min(size, 8))
	if err != nil {
		return nil, err
	}
	if len(c) >= size {
		return c[:size], nil
	}
	if size <= segment || string(c[:2]) != "db" {
		return nil, damaged("a value of it is cut off")
	}
	list, err := m.cell(le.Uint32(c[4:]), 4*int(le.Uint16(c[2:])))
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, size)
	for i := 0; i < int(le.Uint16(c[2:])) && len(out) < size; i++ {
		part := min(segment, size-len(out))
		c, err := m.cell(le.Uint32(list[4*i:]), part)
		if err != nil {
			return nil, err
		}
		out = append(out, c[:part]...)
	}
	if len(out) < size {
		return nil, damaged("a value of it is cut off")
	}
	return out, nil
}

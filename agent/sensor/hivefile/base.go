package hivefile

import (
	"encoding/binary"
	"slices"
)

// Microsoft does not publish the form of a hive's file. What follows is what is publicly known of it:
// https://github.com/msuhanov/regf/blob/master/Windows%20registry%20file%20format%20specification.md
const (
	baseSize   = 4096 // of the base block, the file's head
	summed     = 508  // bytes that its checksum is of
	inMemory   = 1    // file format: "direct memory load"
	newestForm = 6    // minor version, of Windows 10
	blockSize  = 4096 // the data behind the head is a multiple of it
)

var le = binary.LittleEndian

// base is what the head says.
type base struct {
	first, second uint32 // sequence numbers, before and after a write: not equal where one was not finished
	root          uint32
	size          int // of the data
}

func (b base) dirty() bool { return b.first != b.second }

func parseBase(raw []byte) (base, error) {
	switch {
	case len(raw) == 0:
		return base{}, damaged("it is empty")
	case len(raw) < baseSize:
		return base{}, damaged("it is cut off after %d bytes", len(raw))
	case string(raw[:4]) != "regf":
		return base{}, damaged("it is no registry hive")
	}
	b := base{first: le.Uint32(raw[4:]), second: le.Uint32(raw[8:]), root: le.Uint32(raw[36:]), size: int(le.Uint32(raw[40:]))}
	major, minor, kind, form := le.Uint32(raw[20:]), le.Uint32(raw[24:]), le.Uint32(raw[28:]), le.Uint32(raw[32:])
	if major != 1 || minor > newestForm || kind != 0 || form != inMemory {
		return base{}, damaged("it is a hive of a form that is not known (version %d.%d, type %d, format %d)", major, minor, kind, form)
	}
	if le.Uint32(raw[summed:]) != checksum(raw) {
		return base{}, damaged("the checksum of its head is wrong")
	}
	return b, nil
}

func checksum(raw []byte) (sum uint32) {
	for at := 0; at < summed; at += 4 {
		sum ^= le.Uint32(raw[at:])
	}
	switch sum { // two values are kept for other ends
	case 0:
		return 1
	case 0xffffffff:
		return 0xfffffffe
	}
	return sum
}

// open gives a hive's data with what its logs add. The error says what is lacking, the image is nil where all of it is.
func open(f files) (*image, error) {
	b, err := parseBase(f.hive)
	if err != nil {
		return nil, err
	}
	m := &image{bins: f.hive[baseSize:], root: b.root, steps: maxSteps, room: maxData}
	var behind error
	if b.dirty() {
		b.size, behind = m.apply(b, f.log1, f.log2)
	}
	if b.size%blockSize != 0 || b.size > len(m.bins) {
		return nil, damaged("it is cut off: %d bytes of %d are there", len(m.bins), b.size)
	}
	m.bins = m.bins[:b.size]
	return m, behind
}

// grow makes room for data of a size that a log says.
func (m *image) grow(size int) bool {
	if size > MaxFile-baseSize {
		return false
	}
	if size > len(m.bins) {
		m.bins = slices.Concat(m.bins, make([]byte, size-len(m.bins)))
	}
	return true
}

package aptlist

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

// LZ4 frames (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md), which apt packs its lists in where it is told to
// save space. Checksums are passed over: apt has checked the signature of what is inside.
const (
	lz4Magic     = 0x184D2204
	lz4Plain     = 1 << 31 // of a block's size: it is not packed
	lz4Window    = 64 << 10
	lz4MaxBlock  = 4 << 20
	lz4BlockSum  = 1 << 4
	lz4Size      = 1 << 3
	lz4Dict      = 1 << 0
	lz4MinMatch  = 4
	lz4LongCount = 15
)

var errLZ4 = errors.New("cannot unpack: it is no whole LZ4")

// lz4Reader unpacks one frame; it holds a block and the window before it.
type lz4Reader struct {
	in    *bufio.Reader
	sums  bool
	most  int    // bytes of an unpacked block, as the frame says
	block []byte // what was packed
	out   []byte // window and what was unpacked last; both are used again and again
	ready []byte // of that, what was not read yet
	err   error
}

func newLZ4(r io.Reader) (*lz4Reader, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	var head [7]byte
	if _, err := io.ReadFull(in, head[:]); err != nil || binary.LittleEndian.Uint32(head[:]) != lz4Magic {
		return nil, errLZ4
	}
	flags, skip := head[4], 0
	if flags&lz4Size != 0 {
		skip += 8
	}
	if flags&lz4Dict != 0 {
		skip += 4
	}
	if _, err := in.Discard(skip); err != nil { // the checksum of the head is the byte after what is skipped, which was read in its place
		return nil, errLZ4
	}
	most := 1 << (8 + 2*uint(head[5]>>4&7)) // 64 KiB to 4 MiB
	if most < lz4Window || most > lz4MaxBlock {
		return nil, errLZ4
	}
	return &lz4Reader{in: in, sums: flags&lz4BlockSum != 0, most: most}, nil
}

func (z *lz4Reader) Read(p []byte) (int, error) {
	for len(z.ready) == 0 && z.err == nil {
		z.err = z.next()
	}
	if len(z.ready) == 0 {
		return 0, z.err
	}
	n := copy(p, z.ready)
	z.ready = z.ready[n:]
	return n, nil
}

// next unpacks one block behind the last 64 KiB of what came before, which it may repeat.
func (z *lz4Reader) next() error {
	var word [4]byte
	if _, err := io.ReadFull(z.in, word[:]); err != nil {
		return errLZ4
	}
	size := binary.LittleEndian.Uint32(word[:])
	if size == 0 {
		return io.EOF
	}
	plain := size&lz4Plain != 0
	if size &^= lz4Plain; int(size) > z.most {
		return errLZ4
	}
	if cap(z.block) < int(size) {
		z.block = make([]byte, size)
	}
	z.block = z.block[:size]
	if _, err := io.ReadFull(z.in, z.block); err != nil {
		return errLZ4
	}
	if z.sums {
		if _, err := z.in.Discard(4); err != nil {
			return errLZ4
		}
	}
	if z.out == nil {
		z.out = make([]byte, 0, lz4Window+z.most)
	}
	window := copy(z.out[:cap(z.out)], z.out[max(0, len(z.out)-lz4Window):])
	z.out = z.out[:window]
	var err error
	if plain {
		z.out = append(z.out, z.block...)
	} else {
		z.out, err = unpackLZ4(z.out, z.block, z.most)
	}
	z.ready = z.out[window:]
	return err
}

// unpackLZ4 reads sequences of literals and repetitions (lz4_Block_format.md).
func unpackLZ4(out, in []byte, most int) ([]byte, error) {
	start := len(out)
	for len(in) > 0 {
		token := in[0]
		in = in[1:]
		n, rest, ok := lz4Length(int(token>>4), in)
		if !ok || n > len(rest) || len(out)-start+n > most {
			return out, errLZ4
		}
		out, in = append(out, rest[:n]...), rest[n:]
		if len(in) == 0 {
			return out, nil // the last sequence has literals only
		}
		if len(in) < 2 {
			return out, errLZ4
		}
		back := int(binary.LittleEndian.Uint16(in))
		n, in, ok = lz4Length(int(token&15), in[2:])
		n += lz4MinMatch
		if !ok || back == 0 || back > len(out) || len(out)-start+n > most {
			return out, errLZ4
		}
		for begin := len(out) - back; n > 0; { // it may repeat what it is just writing: what is there to be taken doubles
			some := min(n, len(out)-begin)
			out, n = append(out, out[begin:begin+some]...), n-some
		}
	}
	return out, nil
}

func lz4Length(n int, in []byte) (int, []byte, bool) {
	if n != lz4LongCount {
		return n, in, true
	}
	for len(in) > 0 {
		b := in[0]
		in = in[1:]
		if n += int(b); n > lz4MaxBlock {
			return 0, nil, false
		}
		if b != 255 {
			return n, in, true
		}
	}
	return 0, nil, false
}

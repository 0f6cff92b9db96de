package aptlist

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"
	"testing/iotest"
)

// lz4Frame is a frame of blocks that are linked, as apt writes it; each block is literals and one repetition.
func lz4Frame(blocks ...[]byte) []byte {
	out := []byte{0x04, 0x22, 0x4d, 0x18, 0x40, 0x40, 0xc0}
	for _, b := range blocks {
		out = binary.LittleEndian.AppendUint32(out, uint32(len(b)))
		out = append(out, b...)
	}
	return append(out, 0, 0, 0, 0)
}

func TestLZ4BlocksRepeatWhatCameBeforeThem(t *testing.T) {
	one := []byte{0x31, 'a', 'b', 'c', 3, 0, 0x10, '.'} // abc, five bytes from three back, one more
	two := []byte{0x01, 9, 0, 0x10, '!'}                // five bytes from the block before
	z, err := newLZ4(bytes.NewReader(lz4Frame(one, two)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(iotest.OneByteReader(z))
	if err != nil || string(text) != "abcabcab.abcab!" {
		t.Errorf("%q, %v", text, err)
	}
	for what, b := range map[string][]byte{
		"back beyond the beginning": lz4Frame([]byte{0x10, 'a', 9, 0, 0}), "cut short": lz4Frame(one)[:12], "no end": lz4Frame(one)[:len(lz4Frame(one))-4],
		"longer than a block may be": lz4Frame(append(append([]byte{0x1f, 'a', 1, 0}, bytes.Repeat([]byte{255}, 300)...), 0, 0)), "no distance": lz4Frame([]byte{0x10, 'a', 0, 0, 0}),
	} {
		z, err := newLZ4(bytes.NewReader(b))
		if err == nil {
			_, err = io.ReadAll(z)
		}
		if err == nil {
			t.Errorf("%s was unpacked", what)
		}
	}
}

func TestARepetitionMayReachIntoItself(t *testing.T) {
	for back := 1; back <= 9; back++ {
		text := []byte("abcdefghi")
		in := append([]byte{0x9f}, text...)
		in = append(in, byte(back), 0, 255, 20, 0x10, '.') // 15+255+20+4 bytes
		out, err := unpackLZ4(nil, in, lz4MaxBlock)
		want := bytes.Clone(text)
		for range 294 {
			want = append(want, want[len(want)-back])
		}
		if want = append(want, '.'); err != nil || !bytes.Equal(out, want) {
			t.Errorf("%d back: %q, %v", back, out, err)
		}
	}
}

func FuzzLZ4(f *testing.F) {
	f.Add([]byte("\x04\x22\x4d\x18\x40\x40\xc0\x05\x00\x00\x80hello\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if z, err := newLZ4(bytes.NewReader(b)); err == nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(z, 1<<24))
		}
	})
}

package software

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxLine is how much of a line is looked at; of a longer one the rest is left out.
const maxLine = 64 << 10

// stanzas reads paragraphs of "Key: value" lines with blank lines between them, the form of dpkg's database, of apt's lists
// and of apt's history (https://manpages.debian.org/bookworm/dpkg-dev/deb-control.5.en.html). each gets the first lines of
// the values of keys, in their order, nil for what is missing; they are only good until it returns. It says no to end.
// torn says that the text does not end behind a blank line, or that it holds a zero: a write that a power cut has torn.
func stanzas(r io.Reader, keys []string, each func(values [][]byte) bool) (torn bool, err error) {
	p := paragraph{keys: keys, values: make([][]byte, len(keys)), buffers: make([][]byte, len(keys))}
	in := bufio.NewReaderSize(r, maxLine)
	ended := true
	for {
		line, err := readLine(in)
		if len(line) == 0 && err != nil {
			if !errors.Is(err, io.EOF) {
				return true, err
			}
			p.end(each)
			return torn || !ended, nil
		}
		whole := bytes.HasSuffix(line, []byte("\n"))
		line = bytes.TrimRight(line, "\r\n")
		torn = torn || !whole && err != nil || bytes.IndexByte(line, 0) >= 0
		if ended = whole && len(bytes.TrimSpace(line)) == 0; !ended {
			p.add(line)
		} else if !p.end(each) {
			return torn, nil
		}
	}
}

// readLine gives a line, or the beginning of a long one.
func readLine(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	line = append(bytes.Clone(line[:1024]), '\n') // nothing that is wanted is this long
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = in.ReadSlice('\n')
	}
	return line, nil
}

// paragraph collects one.
type paragraph struct {
	keys            []string
	values, buffers [][]byte
	any             bool
}

func (p *paragraph) add(line []byte) {
	p.any = true
	if line[0] == ' ' || line[0] == '\t' {
		return // goes on: only first lines are wanted
	}
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return
	}
	for i, key := range p.keys {
		if p.values[i] == nil && string(line[:colon]) == key {
			p.buffers[i] = append(p.buffers[i][:0], bytes.TrimSpace(line[colon+1:])...)
			p.values[i] = p.buffers[i]
			return
		}
	}
}

func (p *paragraph) end(each func([][]byte) bool) (more bool) {
	if !p.any {
		return true
	}
	more = each(p.values)
	clear(p.values)
	p.any = false
	return more
}

package outbox

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sort"

	"sekisho/internal/durable"
	"sekisho/internal/wire"
)

// A segment is a header and records, numbers big endian, checksums CRC32C (RFC 3720, appendix B.4):
//
//	header  magic 8 | identity 16 | number of the first record 8 | chain hash before it 32 | checksum of the 64 bytes before 4
//	record  body length 4 | number 8 | chain hash before it 32 | checksum of the body 4 | checksum of the 48 bytes before 4 | body
//
// A record says by itself where it belongs, so that one damaged byte costs one record: the reader looks for the next
// head whose checksum is right. No body can imitate a head, for a head begins with a zero byte and JSON has none.
const (
	magic      = "SKSHOJ\x00\x01"
	idBytes    = 16
	headerSize = 8 + idBytes + 8 + 32 + 4
	headSize   = 4 + 8 + 32 + 4 + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// file is what is needed of a segment that is written.
type file interface {
	io.Writer
	Sync() error
	Truncate(size int64) error
	Close() error
}

// segment is one file of the journal.
type segment struct {
	path  string
	first uint64 // number of its first record; part of its name
	size  int64
}

// record is one entry as the file holds it.
type record struct {
	seq    uint64
	prev   wire.Hash
	body   []byte // valid until the next record is read
	offset int64  // where it ends
}

func (r record) hash() wire.Hash { return wire.Chain(r.prev, r.seq, r.body) }

func segmentName(generation, first uint64) string {
	return fmt.Sprintf("%08x-%016x.seg", generation, first)
}

func openFile(path string) (file, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
}

// listSegments gives the segments of every generation on disk, each oldest first.
func listSegments(dir string) (map[uint64][]segment, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil {
		return nil, err
	}
	found := map[uint64][]segment{}
	for _, path := range names {
		var generation, first uint64
		if _, err := fmt.Sscanf(filepath.Base(path), "%08x-%016x.seg", &generation, &first); err != nil {
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		found[generation] = append(found[generation], segment{path, first, info.Size()})
	}
	for _, s := range found {
		sort.Slice(s, func(i, j int) bool { return s[i].first < s[j].first })
	}
	return found, nil
}

func encodeHeader(id string, first uint64, prev wire.Hash) ([]byte, error) {
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != idBytes {
		return nil, fmt.Errorf("cannot use journal identity %q", id)
	}
	b := append([]byte(magic), raw...)
	b = binary.BigEndian.AppendUint64(b, first)
	b = append(b, prev[:]...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)), nil
}

// header is what the first bytes of a segment say.
type header struct {
	id    string
	first uint64
	prev  wire.Hash
}

func decodeHeader(b []byte) (h header, ok bool) {
	if len(b) < headerSize || !bytes.HasPrefix(b, []byte(magic)) {
		return h, false
	}
	if binary.BigEndian.Uint32(b[headerSize-4:]) != crc32.Checksum(b[:headerSize-4], castagnoli) {
		return h, false
	}
	h.id = hex.EncodeToString(b[8 : 8+idBytes])
	h.first = binary.BigEndian.Uint64(b[8+idBytes:])
	copy(h.prev[:], b[8+idBytes+8:])
	return h, true
}

func readHeader(path string) (header, bool) {
	f, err := os.Open(path)
	if err != nil {
		return header{}, false
	}
	defer f.Close()
	b := make([]byte, headerSize)
	n, _ := io.ReadFull(f, b) // too short is no header
	return decodeHeader(b[:n])
}

func appendRecord(b []byte, seq uint64, prev wire.Hash, body []byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	b = binary.BigEndian.AppendUint64(b, seq)
	b = append(b, prev[:]...)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(body, castagnoli))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
	return append(b, body...)
}

// decodeHead reads the head of a record; false when its checksum or its length is wrong.
func decodeHead(b []byte) (r record, length int, sum uint32, ok bool) {
	length = int(binary.BigEndian.Uint32(b))
	if length == 0 || length > wire.MaxRecord {
		return r, 0, 0, false
	}
	if binary.BigEndian.Uint32(b[headSize-4:]) != crc32.Checksum(b[:headSize-4], castagnoli) {
		return r, 0, 0, false
	}
	r.seq = binary.BigEndian.Uint64(b[4:])
	copy(r.prev[:], b[12:])
	return r, length, binary.BigEndian.Uint32(b[44:]), true
}

// scanner reads the records of a segment in order and steps over damage.
type scanner struct {
	r      *bufio.Reader
	offset int64
	size   int64
	after  uint64 // numbers up to here are not wanted any more
	torn   bool   // the file ends within a record whose head is whole: an append that never ended
	err    error  // what the disk said
}

// newScanner begins at an offset; at 0 it skips the header when that is whole, and looks for records from the start otherwise.
func newScanner(r io.ReaderAt, size, offset int64) *scanner {
	room := max(headerSize, min(size-offset, headSize+wire.MaxRecord))
	s := &scanner{r: bufio.NewReaderSize(io.NewSectionReader(r, offset, size-offset), int(room)), offset: offset, size: size}
	if offset == 0 {
		b, _ := s.r.Peek(headerSize) // too short is no header
		if _, ok := decodeHeader(b); ok {
			s.skip(headerSize)
		}
	}
	return s
}

// next gives the next readable record; false at the end.
func (s *scanner) next() (record, bool) {
	for s.err == nil {
		head, err := s.r.Peek(headSize)
		if err != nil {
			s.fail(err)
			return record{}, false
		}
		if r, ok := s.try(head); ok {
			return r, true
		}
		s.skip(1)
	}
	return record{}, false
}

func (s *scanner) try(head []byte) (record, bool) {
	r, length, sum, ok := decodeHead(head)
	if !ok || r.seq <= s.after {
		return r, false
	}
	if s.offset+headSize+int64(length) > s.size {
		s.torn = r.seq == s.after+1
		return r, false
	}
	whole, err := s.r.Peek(headSize + length)
	if err != nil {
		s.fail(err)
		return r, false
	}
	r.body = whole[headSize:]
	if crc32.Checksum(r.body, castagnoli) != sum {
		return r, false
	}
	s.after, s.torn = r.seq, false
	s.skip(len(whole))
	r.offset = s.offset
	return r, true
}

func (s *scanner) skip(n int) {
	n, err := s.r.Discard(n)
	s.offset += int64(n)
	s.fail(err)
}

func (s *scanner) fail(err error) {
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
}

// create begins a segment on disk, whole and durable, or leaves nothing behind.
func create(open func(string) (file, error), path string, head []byte) (file, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	if err := begin(f, path, head); err != nil {
		f.Close()
		os.Remove(path)
		return nil, err
	}
	return f, nil
}

func begin(f file, path string, head []byte) error {
	if err := f.Truncate(0); err != nil { // left over from an attempt that was cut off
		return err
	}
	if _, err := f.Write(head); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(path))
}

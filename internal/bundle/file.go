package bundle

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"sekisho/internal/seal"
)

// A bundle file is: magic, length of the envelope (4 bytes, big endian), the envelope (JSON), then the programs, one
// behind the other without anything between. Order and sizes come from the manifest, which is verified first.
const magic = "sekisho bundle 1\n"

// Reader reads a bundle whose manifest has been verified, program by program.
type Reader struct {
	Manifest Manifest
	Envelope seal.Envelope
	from     io.Reader
	next     int
	body     *body // the program that is being read
}

// Read verifies the beginning of a bundle. Nothing behind it is read yet.
func Read(r io.Reader, keys map[string][]byte) (*Reader, error) {
	head := make([]byte, len(magic)+4)
	if n, err := io.ReadFull(r, head); err != nil || string(head[:len(magic)]) != magic {
		if broken(err) {
			return nil, fmt.Errorf("cannot read update bundle: %w", err)
		}
		if n > 0 && n < len(head) && bytes.HasPrefix([]byte(magic), head[:min(n, len(magic))]) {
			return nil, ErrCut
		}
		return nil, ErrNotBundle
	}
	size := binary.BigEndian.Uint32(head[len(magic):])
	if size > maxEnvelope {
		return nil, ErrNotBundle
	}
	raw := make([]byte, size)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, short(err)
	}
	b := &Reader{from: r}
	if err := json.Unmarshal(raw, &b.Envelope); err != nil {
		return nil, ErrNotBundle
	}
	var err error
	b.Manifest, err = Open(keys, b.Envelope)
	return b, err
}

// Next gives the next program and its bytes, which end with io.EOF only when they are the ones that were signed.
// After the last program comes io.EOF, when the file ends there too. What was left unread of a program is checked first.
func (b *Reader) Next() (Program, io.Reader, error) {
	if b.body != nil {
		if _, err := io.Copy(io.Discard, b.body); err != nil {
			return Program{}, nil, err
		}
		b.body = nil
	}
	if b.next == len(b.Manifest.Programs) {
		return Program{}, nil, b.end()
	}
	p := b.Manifest.Programs[b.next]
	b.next++
	b.body = &body{want: p, left: p.Size, from: b.from, sum: sha256.New()}
	return p, b.body, nil
}

func (b *Reader) end() error {
	var one [1]byte
	switch _, err := io.ReadFull(b.from, one[:]); {
	case err == io.EOF:
		return io.EOF
	case err != nil:
		return fmt.Errorf("cannot read update bundle: %w", err)
	}
	return fmt.Errorf("%w: something follows the programs", ErrAltered)
}

// body is one program, hashed while it is read.
type body struct {
	want Program
	left int64
	from io.Reader
	sum  interface {
		io.Writer
		Sum([]byte) []byte
	}
}

func (b *body) Read(p []byte) (int, error) {
	if b.left == 0 {
		if hex.EncodeToString(b.sum.Sum(nil)) != b.want.SHA256 {
			return 0, ErrAltered
		}
		return 0, io.EOF
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.left)])
	b.sum.Write(p[:n])
	b.left -= int64(n)
	if err == io.EOF && b.left == 0 {
		err = nil
	}
	return n, short(err)
}

// short says that a file ended too early; other errors stay what they are.
func short(err error) error {
	switch {
	case err == nil:
		return nil
	case broken(err):
		return fmt.Errorf("cannot read update bundle: %w", err)
	}
	return ErrCut
}

func broken(err error) bool {
	return err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF)
}

// Write makes a bundle. The manifest's sizes and hashes are those of what open gives for each of its programs.
func Write(w io.Writer, key ed25519.PrivateKey, m Manifest, open func(i int) (io.ReadCloser, error)) error {
	if err := m.check(); err != nil {
		return fmt.Errorf("cannot write update bundle: %w", err)
	}
	payload, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("cannot write update bundle: %w", err)
	}
	envelope, err := json.Marshal(seal.SignRelease(key, payload))
	if err != nil {
		return fmt.Errorf("cannot write update bundle: %w", err)
	}
	head := binary.BigEndian.AppendUint32([]byte(magic), uint32(len(envelope)))
	if _, err := w.Write(append(head, envelope...)); err != nil {
		return fmt.Errorf("cannot write update bundle: %w", err)
	}
	for i, p := range m.Programs {
		if err := pack(w, p, func() (io.ReadCloser, error) { return open(i) }); err != nil {
			return fmt.Errorf("cannot write update bundle: %w", err)
		}
	}
	return nil
}

// pack copies one program, and notices when it is another than the manifest says.
func pack(w io.Writer, p Program, open func() (io.ReadCloser, error)) error {
	in, err := open()
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(w, &body{want: p, left: p.Size, from: in, sum: sha256.New()})
	return err
}

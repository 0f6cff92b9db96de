package binary

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
)

// pe is where a Windows program keeps what its signature leaves out
// (https://learn.microsoft.com/windows/win32/debug/pe-format).
type pe struct {
	checksum  int64  // offset of four bytes
	directory int64  // offset of eight bytes that say where signatures are
	table     int64  // offset of the signatures; 0 none
	signature []byte // the first one, PKCS#7
}

const (
	maxHeader    = 1 << 16
	maxSignature = 4 << 20
)

var errNoPE = errors.New("it is no Windows program")

func readPE(r io.ReaderAt, size int64) (pe, error) {
	var p pe
	b := make([]byte, min(size, maxHeader))
	if _, err := r.ReadAt(b, 0); err != nil {
		return p, err
	}
	if len(b) < 0x40 || b[0] != 'M' || b[1] != 'Z' {
		return p, errNoPE
	}
	at := int64(binary.LittleEndian.Uint32(b[0x3c:]))
	optional := at + 24 // behind signature and COFF header
	if optional+160 > int64(len(b)) || string(b[at:at+4]) != "PE\x00\x00" {
		return p, errNoPE
	}
	var directories int64
	switch binary.LittleEndian.Uint16(b[optional:]) {
	case 0x10b:
		directories = optional + 96
	case 0x20b:
		directories = optional + 112
	default:
		return p, errNoPE
	}
	p.checksum, p.directory = optional+64, directories+4*8
	if binary.LittleEndian.Uint32(b[directories-4:]) < 5 {
		return p, errNoPE // no room for a signature
	}
	return p, p.readTable(r, size, b[p.directory:])
}

// readTable reads the first WIN_CERTIFICATE.
func (p *pe) readTable(r io.ReaderAt, size int64, entry []byte) error {
	at, length := int64(binary.LittleEndian.Uint32(entry)), int64(binary.LittleEndian.Uint32(entry[4:]))
	if at == 0 || length == 0 {
		return nil
	}
	if at < p.directory+8 || at+length != size {
		return errors.New("its signature does not stand at its end")
	}
	p.table = at
	var head [8]byte
	if _, err := r.ReadAt(head[:], at); err != nil {
		return err
	}
	n, kind := int64(binary.LittleEndian.Uint32(head[:])), binary.LittleEndian.Uint16(head[6:])
	if n < 8 || n > length || n > maxSignature || kind != 2 { // WIN_CERT_TYPE_PKCS_SIGNED_DATA
		return nil
	}
	p.signature = make([]byte, n-8)
	_, err := r.ReadAt(p.signature, at+8)
	return err
}

// authenticode hashes what a signature is made over: all but the checksum, the place of signatures, and they themselves
// (https://aka.ms/AuthenticodePE). What is not signed would be filled up first, and tools differ in whether they do.
func (p pe) authenticode(r io.ReaderAt, size int64) (string, error) {
	end := size
	if p.table > 0 {
		end = p.table
	}
	if end%8 != 0 {
		return "", errors.New("its length is no multiple of eight")
	}
	h := sha256.New()
	for _, part := range [][2]int64{{0, p.checksum}, {p.checksum + 4, p.directory}, {p.directory + 8, end}} {
		if _, err := io.Copy(h, io.NewSectionReader(r, part[0], part[1]-part[0])); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

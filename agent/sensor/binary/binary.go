// Package binary reads what a program's file is: its hashes, who signed it, what it says of itself. It never judges, and
// never runs or changes a file.
package binary

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Facts is what is known of a file. What could not be read is empty and Fault says why.
type Facts struct {
	Path         string // as the system finally calls it: no links, no short names
	Hash         string // SHA-256 of all bytes, in hex
	Authenticode string // SHA-256 over what a signature is made over, in hex; "" when it is no program that can have one
	Size         int64
	Signer       string // of a signature that the system trusts, as AppLocker writes it; "" none
	Publisher    string // company, as the program says of itself
	Version      string // four numbers, as the program says of itself
	Fault        string
}

// MaxSize bounds what is read of one file.
const MaxSize = 2 << 30

// Read looks at one file. It is opened once: all facts are of the same bytes. When ctx ends a big file is left half read.
func Read(ctx context.Context, path string) Facts {
	out := Facts{Path: path}
	f, err := os.Open(path)
	if err != nil {
		out.Fault = cut(err.Error())
		return out
	}
	defer f.Close()
	if err := out.read(ctx, f); err != nil {
		out.Fault = cut(err.Error())
	}
	return out
}

func (f *Facts) read(ctx context.Context, file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	f.Size = info.Size()
	switch {
	case !info.Mode().IsRegular():
		return errors.New("it is no file")
	case f.Size > MaxSize:
		return fmt.Errorf("%d bytes are too many to read", f.Size)
	}
	f.Path = finalPath(file, f.Path)
	if f.Hash, err = hashOf(io.NewSectionReader(patient{ctx, file}, 0, f.Size)); err != nil {
		return err
	}
	f.Publisher, f.Version = selfSaid(f.Path)
	f.signature(ctx, file)
	return ctx.Err()
}

// signature leaves the fields empty where there is none, or none that can be read.
func (f *Facts) signature(ctx context.Context, file *os.File) {
	p, err := readPE(file, f.Size)
	if err != nil {
		return
	}
	if f.Authenticode, err = p.authenticode(patient{ctx, file}, f.Size); err != nil {
		f.Authenticode = ""
	}
	name, err := signerOf(p.signature)
	if err == nil && trusted(f.Path, file) {
		f.Signer = name
	}
}

// patient reads until it is told to stop.
type patient struct {
	ctx context.Context
	io.ReaderAt
}

func (p patient) ReadAt(b []byte, at int64) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	return p.ReaderAt.ReadAt(b, at)
}

func hashOf(r io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// maxWord bounds a word of the program's own, in bytes.
const maxWord = 256

// clean makes a word of a file fit to be shown and compared.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, norm.NFKC.String(s))
	return strings.TrimSpace(cut(s))
}

func cut(s string) string {
	for len(s) > maxWord {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}

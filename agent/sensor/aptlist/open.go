package aptlist

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// ErrPacked says that a list is packed in a way that only apt's own helper reads.
var ErrPacked = errors.New("only apt's own helper unpacks it")

// Read hands on what a list below a root says, unpacked. All but gzip is left to apt's own helper, which is quicker at it.
func (l List) Read(ctx context.Context, root string, read func(io.Reader) error) error {
	if packed := path.Ext(l.File); packed != ".gz" && slices.Contains(endings[1:], packed) {
		return helped(ctx, filepath.Join(root, Folder, l.File), read)
	}
	return l.ReadAlone(root, read)
}

// ReadAlone is Read without running another program: ErrPacked where it takes one.
func (l List) ReadAlone(root string, read func(io.Reader) error) error {
	f, err := os.Open(filepath.Join(root, Folder, l.File))
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := unpack(f, l.File)
	if err != nil {
		return err
	}
	return read(r)
}

// unpack reads what is packed as the ending of its name says.
func unpack(r io.Reader, name string) (io.Reader, error) {
	switch packed := path.Ext(name); {
	case packed == ".gz":
		return gzip.NewReader(r)
	case packed == ".lz4":
		return newLZ4(r)
	case packed != "" && slices.Contains(endings, packed):
		return nil, fmt.Errorf("it is packed as %s: %w", packed, ErrPacked)
	}
	return r, nil
}

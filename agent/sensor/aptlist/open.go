package aptlist

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// ErrPacked says that a list is packed in a way that only apt's own helper reads.
var ErrPacked = errors.New("this agent does not unpack it")

// Open reads a list below a root, unpacked.
func (l List) Open(root string) (io.ReadCloser, error) {
	f, err := os.Open(filepath.Join(root, Folder, l.File))
	if err != nil {
		return nil, err
	}
	r, err := Unpack(f, l.File)
	if err != nil {
		f.Close()
		return nil, err
	}
	return file{r, f}, nil
}

type file struct {
	io.Reader
	io.Closer
}

// Unpack reads what is packed as the ending of its name says.
func Unpack(r io.Reader, name string) (io.Reader, error) {
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

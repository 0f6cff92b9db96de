//go:build !windows

package hivefile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// snapshot: hives are Windows' own; elsewhere they are read to look into them.
func snapshot(folder, file string, most int64) ([]byte, error) {
	f, err := os.Open(filepath.Join(folder, file))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &trouble{Missing, "there is no such file"}
	case err != nil:
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && info.Size() > most {
		return nil, tooLong(most)
	}
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, most))
}

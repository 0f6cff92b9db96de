package quarantine

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/windows"
)

// grip is a file that is held: it is removed through the same handle that it was read through, wherever its name leads meanwhile.
type grip struct {
	*os.File
	handle windows.Handle
}

var errLink = errors.New("its path leads over a link to another place")

// seize opens a plain file for reading and removing. Nobody can write it as long as it is held.
func seize(path string) (grip, error) {
	return open(path, windows.GENERIC_READ|windows.DELETE, windows.FILE_SHARE_READ|windows.FILE_SHARE_DELETE, windows.OPEN_EXISTING)
}

// place makes a file where there is none.
func place(path string) (grip, error) {
	g, err := open(path, windows.GENERIC_WRITE|windows.DELETE, 0, windows.CREATE_NEW)
	if errors.Is(err, errLink) && g.File != nil {
		err = errors.Join(err, g.Remove(), g.Close())
	}
	return g, err
}

// open never opens what a link points to (https://learn.microsoft.com/windows/win32/fileio/symbolic-link-effects-on-file-systems-functions),
// and looks whether a folder above was one.
func open(path string, access, share, how uint32) (grip, error) {
	p, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return grip{}, err
	}
	h, err := windows.CreateFile(p, access, share, nil, how, windows.FILE_FLAG_OPEN_REPARSE_POINT|windows.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return grip{}, &os.PathError{Op: "open", Path: path, Err: err}
	}
	g := grip{os.NewFile(uintptr(h), path), h}
	if err := g.plain(path); err != nil {
		if how == windows.CREATE_NEW {
			return g, err
		}
		g.Close()
		return grip{}, err
	}
	return g, nil
}

func (g grip) plain(path string) error {
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(g.handle, &info); err != nil {
		return err
	}
	if info.FileAttributes&(windows.FILE_ATTRIBUTE_REPARSE_POINT|windows.FILE_ATTRIBUTE_DIRECTORY) != 0 {
		return fmt.Errorf("cannot take %s: %w", path, errLink)
	}
	buf := make([]uint16, windows.MAX_LONG_PATH)
	n, err := windows.GetFinalPathNameByHandle(g.handle, &buf[0], uint32(len(buf)), 0)
	if err != nil {
		return err
	}
	if final := windows.UTF16ToString(buf[:min(int(n), len(buf))]); !samePath(final, path) {
		return fmt.Errorf("cannot take %s, which is %s: %w", path, final, errLink)
	}
	return nil
}

func samePath(final, path string) bool {
	if rest, ok := strings.CutPrefix(final, `\\?\UNC\`); ok {
		final = `\\` + rest
	}
	return strings.EqualFold(strings.TrimPrefix(final, `\\?\`), strings.TrimPrefix(path, `\\?\`))
}

// Remove deletes the file that is held
// (https://learn.microsoft.com/windows/win32/api/winbase/ns-winbase-file_disposition_info); its name is gone when it is closed.
func (g grip) Remove() error {
	yes := byte(1)
	if err := windows.SetFileInformationByHandle(g.handle, windows.FileDispositionInfo, &yes, 1); err != nil {
		return fmt.Errorf("cannot remove it: %w", err)
	}
	return g.Close()
}

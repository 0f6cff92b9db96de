package enforce

import (
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"
)

// Sysfs is read and written with bare system calls. An os.File asks the kernel how it was opened and offers itself to
// the poller first, which is more calls than the reading takes; the hands make dozens of readings between a plug and
// its verdict.

// maxAttr bounds what is read of one sysfs attribute; the kernel itself never gives more than a page, and all of it
// at the first read (https://docs.kernel.org/filesystems/sysfs.html).
const maxAttr = 4096

func fetch(path string) (string, error) {
	fd, err := openAttr(path, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	var page [maxAttr]byte
	n, err := again(func() (int, error) { return unix.Read(fd, page[:]) })
	if err != nil {
		return "", &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return string(page[:n]), nil
}

func store(path, value string) error {
	fd, err := openAttr(path, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if _, err = again(func() (int, error) { return unix.Write(fd, []byte(value)) }); err != nil {
		return &fs.PathError{Op: "write", Path: path, Err: err}
	}
	return nil
}

// list gives the names in a folder, sorted; a folder that cannot be read is empty.
func list(dir string) (names []string) {
	fd, err := openAttr(dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	var page [maxAttr]byte
	for {
		n, err := again(func() (int, error) { return unix.ReadDirent(fd, page[:]) })
		if err != nil || n <= 0 {
			slices.Sort(names)
			return names
		}
		_, _, names = unix.ParseDirent(page[:n], -1, names)
	}
}

func openAttr(path string, flags int) (int, error) {
	fd, err := again(func() (int, error) { return unix.Open(path, flags|unix.O_CLOEXEC, 0) })
	if err != nil {
		return fd, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// again repeats a call that a signal cut off: the runtime sends itself such signals (https://go.dev/doc/go1.14#runtime).
func again(call func() (int, error)) (n int, err error) {
	for n, err = call(); err == unix.EINTR; n, err = call() {
	}
	return n, err
}

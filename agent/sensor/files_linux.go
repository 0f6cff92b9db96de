package sensor

import (
	"slices"

	"golang.org/x/sys/unix"
)

// The eyes read with bare system calls. An os.File asks the kernel how it was opened and offers itself to the poller
// first, which is more calls than the reading takes, and the hands wait for what is read.

// slurp reads at most max bytes of a file. A short read is the end of a file of sysfs, which gives all it has at once
// (https://docs.kernel.org/filesystems/sysfs.html); elsewhere only an empty one is.
func slurp(file string, max int, sysfs bool) ([]byte, error) {
	fd, err := again(func() (int, error) { return unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	b := make([]byte, 0, min(max, 512))
	for len(b) < max {
		if len(b) == cap(b) {
			b = slices.Grow(b, min(max, 8*cap(b))-len(b))
		}
		room := b[len(b):min(max, cap(b))]
		n, err := again(func() (int, error) { return unix.Read(fd, room) })
		if err != nil {
			return nil, err
		}
		b = b[:len(b)+n]
		if n == 0 || sysfs && n < len(room) {
			break
		}
	}
	return b, nil
}

// list gives the names in a folder, sorted; a folder that cannot be read is empty.
func list(dir string) (names []string) {
	fd, err := again(func() (int, error) { return unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	var page [4096]byte
	for {
		n, err := again(func() (int, error) { return unix.ReadDirent(fd, page[:]) })
		if err != nil || n <= 0 {
			slices.Sort(names)
			return names
		}
		_, _, names = unix.ParseDirent(page[:n], -1, names)
	}
}

// again repeats a call that a signal cut off: the runtime sends itself such signals (https://go.dev/doc/go1.14#runtime).
func again(call func() (int, error)) (n int, err error) {
	for n, err = call(); err == unix.EINTR; n, err = call() {
	}
	return n, err
}

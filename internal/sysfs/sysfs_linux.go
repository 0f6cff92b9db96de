package sysfs

import (
	"io/fs"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The scheduler is not told of calls that cannot wait: telling it costs more than the call, and its watchman, who looks
// every 20 µs after a thread that was announced as waiting, is what the hands would wait for on a machine with few
// processors. What may wait is announced as usual.

// Attr gives at most max bytes of an attribute.
func Attr(path string, max int) ([]byte, error) {
	if waits(path) {
		return patient(path, max)
	}
	fd, err := open(path, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer shut(fd)
	return fill(path, max, func(room []byte) (int, error) { return raw(unix.SYS_READ, fd, room) })
}

// patient reads what may keep its reader waiting.
func patient(path string, max int) ([]byte, error) {
	fd, err := again(func() (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	return fill(path, max, func(room []byte) (int, error) { return unix.Read(fd, room) })
}

// fill reads until a read gives less than it could: that is the end of what the kernel has.
func fill(path string, max int, read func([]byte) (int, error)) ([]byte, error) {
	b := make([]byte, 0, min(max, 512))
	for len(b) < max {
		if len(b) == cap(b) {
			b = slices.Grow(b, min(max, 8*cap(b))-len(b))
		}
		room := b[len(b):min(max, cap(b))]
		n, err := again(func() (int, error) { return read(room) })
		if err != nil {
			return nil, &fs.PathError{Op: "read", Path: path, Err: err}
		}
		b = b[:len(b)+n]
		if n < len(room) {
			break
		}
	}
	return b, nil
}

// Set writes an attribute without creating it: one that is not there is a device that is gone. It may wait for a driver.
func Set(path, value string) error {
	fd, err := again(func() (int, error) { return unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	if _, err = again(func() (int, error) { return unix.Write(fd, []byte(value)) }); err != nil {
		return &fs.PathError{Op: "write", Path: path, Err: err}
	}
	return nil
}

// Names gives the names in a folder, sorted; a folder that cannot be read is empty.
func Names(dir string) (names []string) {
	fd, err := open(dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil
	}
	defer shut(fd)
	var page [MaxAttr]byte
	for {
		n, err := again(func() (int, error) { return raw(unix.SYS_GETDENTS64, fd, page[:]) })
		if err != nil || n <= 0 {
			slices.Sort(names)
			return names
		}
		_, _, names = unix.ParseDirent(page[:n], -1, names)
	}
}

// Link gives where a link points to.
func Link(path string) (string, error) {
	var target [unix.PathMax]byte
	n, err := byName(path, func(name *byte) (uintptr, unix.Errno) {
		n, _, errno := unix.RawSyscall6(unix.SYS_READLINKAT, here(), uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(&target[0])), uintptr(len(target)), 0, 0)
		return n, errno
	})
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: path, Err: err}
	}
	return string(target[:n]), nil
}

func open(path string, flags int) (int, error) {
	fd, err := byName(path, func(name *byte) (uintptr, unix.Errno) {
		n, _, errno := unix.RawSyscall6(unix.SYS_OPENAT, here(), uintptr(unsafe.Pointer(name)), uintptr(flags|unix.O_CLOEXEC), 0, 0, 0)
		return n, errno
	})
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// here is the working folder, which a whole path does not use.
func here() uintptr {
	dir := unix.AT_FDCWD
	return uintptr(dir)
}

func byName(path string, call func(*byte) (uintptr, unix.Errno)) (int, error) {
	name, err := unix.BytePtrFromString(path)
	if err != nil {
		return -1, err
	}
	return again(func() (int, error) { return result(call(name)) })
}

func shut(fd int) { _, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

// raw fills room by one call.
func raw(call uintptr, fd int, room []byte) (int, error) {
	n, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&room[0])), uintptr(len(room)))
	return result(n, errno)
}

func result(n uintptr, errno unix.Errno) (int, error) {
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}

// again repeats a call that a signal cut off: the runtime sends itself such signals (https://go.dev/doc/go1.14#runtime).
func again(call func() (int, error)) (n int, err error) {
	for n, err = call(); err == unix.EINTR; n, err = call() {
	}
	return n, err
}

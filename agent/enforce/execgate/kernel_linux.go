package execgate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// kernel is one fanotify group (https://man7.org/linux/man-pages/man7/fanotify.7.html).
type kernel struct {
	fd      int
	wake    int // an eventfd that ends waiting
	turn    sync.Mutex
	evict   uint            // FAN_MARK_EVICTABLE where the kernel knows it
	marked  map[uint64]bool // of what somebody else serves, by device; watchMounts owns it
	mounted map[mount]bool  // at the last look; watchMounts owns it
	onClose sync.Once
}

// openKernel begins a group. Its queue is unlimited: every question is a thread that waits, so that the kernel's own limits
// bound it, and a queue that overflows would let through what does not fit.
func openKernel() (*kernel, error) {
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_CONTENT|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK|unix.FAN_UNLIMITED_QUEUE|unix.FAN_UNLIMITED_MARKS,
		unix.O_RDONLY|unix.O_LARGEFILE|unix.O_CLOEXEC|unix.O_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("cannot stand before programs (fanotify): %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot stand before programs: %w", err)
	}
	return &kernel{fd: fd, wake: wake, evict: unix.FAN_MARK_EVICTABLE, marked: map[uint64]bool{}}, nil
}

// questionMask is what is asked about. Folders are not: nobody runs one.
const questionMask = unix.FAN_OPEN_EXEC_PERM | unix.FAN_OPEN_PERM

// watch asks for the questions of the whole file system that a path lies on.
func (k *kernel) watch(path string, mask uint64) error {
	return unix.FanotifyMark(k.fd, unix.FAN_MARK_ADD|unix.FAN_MARK_FILESYSTEM, mask, unix.AT_FDCWD, path)
}

// trust lets the kernel answer by itself from now on, until the file is changed; lasting outlives changes.
// Without FAN_MARK_EVICTABLE (before Linux 5.19) each mark keeps an inode in memory.
func (k *kernel) trust(fd int, mask uint64, lasting bool) error {
	flags := uint(unix.FAN_MARK_ADD | unix.FAN_MARK_IGNORED_MASK)
	if lasting {
		flags |= unix.FAN_MARK_IGNORED_SURV_MODIFY
	}
	err := unix.FanotifyMark(k.fd, flags|k.evict, mask, fd, "")
	if errors.Is(err, unix.EINVAL) && k.evict != 0 {
		if err = unix.FanotifyMark(k.fd, flags, mask, fd, ""); err == nil {
			k.evict = 0
		}
	}
	return err
}

// distrust takes all that back.
func (k *kernel) distrust() error {
	return unix.FanotifyMark(k.fd, unix.FAN_MARK_FLUSH, 0, unix.AT_FDCWD, "/")
}

// Of the files in a folder, not of those below it, it is not asked who opens them; who runs one is a question of its own
// (fanotify_mark(2), FAN_MARK_IGNORE, since Linux 6.0).
const (
	ignoreFlags = unix.FAN_MARK_IGNORE | unix.FAN_MARK_ONLYDIR | unix.FAN_MARK_DONT_FOLLOW
	ignoreMask  = unix.FAN_OPEN_PERM | unix.FAN_EVENT_ON_CHILD
)

func (k *kernel) ignore(dir string) error {
	return unix.FanotifyMark(k.fd, unix.FAN_MARK_ADD|unix.FAN_MARK_IGNORED_SURV_MODIFY|ignoreFlags, ignoreMask, unix.AT_FDCWD, dir)
}

// heed takes that back; a folder that is not ignored stays as it is.
func (k *kernel) heed(dir string) {
	_ = unix.FanotifyMark(k.fd, unix.FAN_MARK_REMOVE|ignoreFlags, ignoreMask, unix.AT_FDCWD, dir)
}

var errClosed = errors.New("the gate is closed")

// next waits for one question that quick does not answer at once. One thread waits at a time: the kernel would wake them all.
func (k *kernel) next(quick func(question) bool) (question, error) {
	k.turn.Lock()
	defer k.turn.Unlock()
	var b [metadataSize]byte
	for {
		p := []unix.PollFd{{Fd: int32(k.fd), Events: unix.POLLIN}, {Fd: int32(k.wake), Events: unix.POLLIN}}
		if _, err := unix.Poll(p, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return question{}, os.NewSyscallError("poll", err)
		}
		if p[1].Revents != 0 {
			return question{}, errClosed
		}
		n, err := unix.Read(k.fd, b[:])
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			// The kernel could not open the file for us and has said no to that one question.
			if errors.Is(err, unix.EBADF) || errors.Is(err, unix.EINVAL) {
				return question{}, os.NewSyscallError("read", err)
			}
			continue
		}
		all, err := parseQuestions(b[:n])
		if err != nil {
			return question{}, err
		}
		if len(all) == 1 && !quick(all[0]) {
			return all[0], nil
		}
	}
}

// answer lets the process go on.
func (k *kernel) answer(fd int32, allow bool) error {
	var b [8]byte
	response := uint32(unix.FAN_DENY)
	if allow {
		response = unix.FAN_ALLOW
	}
	binary.NativeEndian.PutUint32(b[:4], uint32(fd))
	binary.NativeEndian.PutUint32(b[4:], response)
	_, err := unix.Write(k.fd, b[:])
	return err
}

// stop ends everybody's waiting.
func (k *kernel) stop() { _, _ = unix.Write(k.wake, one) }

// close lets every process go that still waits: the kernel answers yes for a group that is gone.
func (k *kernel) close() {
	k.onClose.Do(func() {
		unix.Close(k.fd)
		unix.Close(k.wake)
	})
}

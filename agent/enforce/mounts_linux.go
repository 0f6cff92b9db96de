package enforce

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// mounted reads the mounts of the host (of process 1), not those of the service's own sandbox.
// Without block devices there is nothing to read for.
func (s system) mounted(nodes []node) []mount {
	if len(nodes) == 0 {
		return nil
	}
	f, err := os.Open(s.tree.path("proc/1/mountinfo"))
	if err != nil {
		return nil
	}
	defer f.Close()
	return parseMounts(f)
}

func (s system) swaps(nodes []node) []string {
	if len(nodes) == 0 {
		return nil
	}
	text, _ := attr(s.tree.path("proc"), "swaps") // no file, no swap
	return parseSwaps(text)
}

// unmount brings what was written to the medium and takes its file systems off the tree, upper ones first.
// What does not let go in time is cut off all the same: a user must not hold a stick by writing to it.
func (s system) unmount(a *act, nodes []node) {
	for _, m := range on(s.mounted(nodes), nodes) {
		if err := within(a.ctx, syncLimit, func() error { return s.mounts.Sync(m.point) }); err != nil {
			a.failed("cannot sync %s: %v", m.point, err)
		} else {
			a.did(stepSynced, "%s", m.point)
		}
		s.unmountOne(a, m.point)
	}
}

func (s system) unmountOne(a *act, point string) {
	err := s.unmountPatiently(a, point)
	if err == nil {
		a.did(stepUnmounted, "%s", point)
		return
	}
	lazy := within(a.ctx, unmountLimit, func() error { return s.mounts.Unmount(point, true) })
	if lazy == nil {
		a.did(stepUnmounted, "%s lazily: %v", point, err)
		return
	}
	a.failed("cannot unmount %s: %v", point, errors.Join(err, lazy))
}

// unmountPatiently gives who is just looking (a file manager making thumbnails) a moment to let go.
func (s system) unmountPatiently(a *act, point string) error {
	for try := 1; ; try++ {
		err := within(a.ctx, unmountLimit, func() error { return s.mounts.Unmount(point, false) })
		if !errors.Is(err, unix.EBUSY) || try == busyTries || !a.pause(tick) {
			return err
		}
	}
}

// hostMounts unmounts where people see it. The service's sandbox has a mount namespace of its own, and
// what is unmounted there stays mounted for everybody else.
type hostMounts struct{ proc string }

func (h hostMounts) Sync(point string) error {
	return h.inside(func() error {
		fd, err := unix.Open(point, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Syncfs(fd)
	})
}

func (h hostMounts) Unmount(point string, lazy bool) error {
	flags := unix.UMOUNT_NOFOLLOW
	if lazy {
		flags |= unix.MNT_DETACH
	}
	return h.inside(func() error { return unix.Unmount(point, flags) })
}

// inside runs f in the mount namespace of process 1.
func (h hostMounts) inside(f func() error) error {
	mine, err := os.Readlink(filepath.Join(h.proc, "thread-self/ns/mnt"))
	theirs, err2 := os.Readlink(filepath.Join(h.proc, "1/ns/mnt"))
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	if mine == theirs {
		return f()
	}
	done := make(chan error, 1)
	go func() { done <- h.enter(f) }()
	return <-done
}

// enter changes the thread it runs on for good; it never unlocks it, so that the runtime throws the
// thread away with the goroutine. The kernel lets a thread change its mount namespace only when it does
// not share its root and working folder with others, hence unshare(CLONE_FS) (setns(2)). The first thread
// is never the one: it cannot be thrown away, and /proc/self tells its namespace as everybody's.
func (h hostMounts) enter(f func() error) error {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		defer runtime.UnlockOSThread() // only after the other goroutine found a thread of its own
		done := make(chan error, 1)
		go func() { done <- h.enter(f) }()
		return <-done
	}
	ns, err := os.Open(filepath.Join(h.proc, "1/ns/mnt"))
	if err != nil {
		return err
	}
	defer ns.Close()
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNS); err != nil {
		return err
	}
	return f()
}

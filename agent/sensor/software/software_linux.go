package software

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"sekisho/internal/osexec"
)

// sources of Linux.
func sources(o Options) []source {
	return []source{(&dpkg{root: o.Root}).source()}
}

// told is what inotify is asked for: files that were written, moved and removed (inotify(7)). What is only read says nothing.
const toldOf = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_CREATE | unix.IN_MODIFY | unix.IN_ONLYDIR

// listen rings whenever something changes in a folder that holds programs or notes of them. It is told of everything from its
// return on: a look after it misses nothing.
func (e *Eyes) listen(ctx context.Context, stirred chan<- struct{}) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		e.o.Log.Error().Err(err).Msg("cannot watch for programs, looking every quarter of an hour only")
		return
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		unix.Close(fd)
		e.o.Log.Error().Err(err).Msg("cannot watch for programs, looking every quarter of an hour only")
		return
	}
	e.mark(fd)
	var closing sync.WaitGroup
	closing.Add(1)
	context.AfterFunc(ctx, func() {
		_, _ = unix.Write(wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // it always takes one
		closing.Wait()
		unix.Close(wake)
	})
	go func() {
		defer closing.Done()
		defer unix.Close(fd)
		for e.await(fd, wake, stirred) {
			e.mark(fd)
		}
	}()
}

// mark asks to be told of every folder. Asking again for one that is told of already changes nothing, and catches folders
// that came into being meanwhile.
func (e *Eyes) mark(fd int) {
	for _, dir := range watched(e.o.Root) {
		_, _ = unix.InotifyAddWatch(fd, filepath.Join(e.o.Root, dir), toldOf) // most terminals do not have most of them
	}
}

// await waits for a word of the kernel, or for so long that new folders may have come; it says no at the end. What the words
// are is not looked at: they only say that it is time to look.
func (e *Eyes) await(fd, wake int, stirred chan<- struct{}) bool {
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(wake), Events: unix.POLLIN}}
	n, err := unix.Poll(poll, int(e.o.Often.Milliseconds()))
	if errors.Is(err, unix.EINTR) {
		return true
	}
	if err != nil || poll[1].Revents != 0 {
		return false
	}
	if n > 0 {
		drain(fd)
		ring(stirred)
	}
	return true
}

func drain(fd int) {
	buf := make([]byte, 64<<10)
	for {
		if n, err := unix.Read(fd, buf); err != nil || n < int(unsafe.Sizeof(unix.InotifyEvent{})) {
			return
		}
	}
}

// watched are the folders to be told of, below the root.
func watched(string) []string { return []string{dpkgFolder, dpkgFolder + "/updates"} }

// unpacked writes a list of apt's to w, whatever it is packed with.
func unpacked(path string, w io.Writer) error {
	_, err := osexec.Run(context.Background(), osexec.AptHelper, osexec.Options{Stdout: w, Timeout: time.Minute}, "cat-file", path)
	return err
}

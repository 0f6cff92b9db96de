package software

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sekisho/internal/osexec"
	"sekisho/internal/policy"
)

// noWait keeps the opening of a pipe, which somebody put where a file was, from waiting for its other end.
const noWait = unix.O_NONBLOCK

// sources of Linux.
func sources(o Options) []source {
	m := linux{o.Root}
	return []source{(&dpkg{root: o.Root}).source(), rpmSource(m), m.snaps(), m.flatpaks(), m.appImages()}
}

// What inotify is asked for (inotify(7)): of databases every change, of folders in which people work only what has come whole
// or gone. What is only read says nothing.
const (
	toldOfDatabase = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_CREATE | unix.IN_MODIFY | unix.IN_ONLYDIR
	toldOfFolder   = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_ONLYDIR
)

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
	w := &watcher{fd: fd, root: e.o.Root, folders: map[int32]string{}, debs: map[int32]bool{}}
	w.mark()
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
		e.follow(w, wake, stirred)
	}()
}

// follow passes on what the kernel tells until wake ends it. dpkg changes its database many times a second: what it says is
// taken together, and whether it has brought new folders is looked at when it is quiet.
func (e *Eyes) follow(w *watcher, wake int, stirred chan<- struct{}) {
	most := e.o.Often
	for {
		word, ok := w.await(wake, most)
		if !ok {
			return
		}
		if word != tellsNothing {
			e.hear(word == tellsOfDebs)
			ring(stirred)
		}
		if word == tellsOfDebs {
			most = patient
			time.Sleep(settle)
			continue
		}
		w.mark()
		most = e.o.Often
	}
}

// settle is how long what the kernel tells of dpkg's database is collected.
const settle = 300 * time.Millisecond

// watcher is what the kernel tells of.
type watcher struct {
	fd      int
	root    string
	folders map[int32]string // in which people work, by their number; the others are databases
	debs    map[int32]bool   // dpkg's
}

// mark asks to be told of every folder. Asking again for one that is told of already changes nothing, and catches folders
// that came into being meanwhile.
func (w *watcher) mark() {
	m := linux{w.root}
	for mask, dirs := range map[uint32][]string{toldOfDatabase: m.databases(), toldOfFolder: m.folders()} {
		for _, dir := range dirs {
			dir = filepath.Join(w.root, dir)
			wd, err := unix.InotifyAddWatch(w.fd, dir, mask)
			switch {
			case err != nil: // most terminals do not have most of them
			case mask == toldOfFolder:
				w.folders[int32(wd)] = dir
			case strings.HasPrefix(dir, filepath.Join(w.root, dpkgFolder)):
				w.debs[int32(wd)] = true
			}
		}
	}
}

// await waits for a word of the kernel, or for so long that new folders may have come; it says no at the end.
func (w *watcher) await(wake int, most time.Duration) (word int32, ok bool) {
	poll := []unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}, {Fd: int32(wake), Events: unix.POLLIN}}
	n, err := unix.Poll(poll, int(most.Milliseconds()))
	if errors.Is(err, unix.EINTR) {
		return tellsNothing, true
	}
	if err != nil || poll[1].Revents != 0 {
		return tellsNothing, false
	}
	if n > 0 {
		word = w.drain()
	}
	return word, true
}

// drain reads what the kernel says, and tells which of it is about programs.
func (w *watcher) drain() (word int32) {
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.Read(w.fd, buf)
		if err != nil || n <= 0 {
			return word
		}
		for _, t := range parseTold(buf[:n]) {
			word = max(word, w.about(t))
		}
	}
}

func (w *watcher) about(t told) int32 {
	dir, isFolder := w.folders[t.wd]
	switch {
	case w.debs[t.wd]:
		return tellsOfDebs
	case !isFolder || w.isProgram(dir, t):
		return tellsMore
	}
	return tellsNothing
}

// isProgram looks at what came to a folder in which people work; what went can only be told by its name.
func (w *watcher) isProgram(dir string, t told) bool {
	if t.mask&(unix.IN_MOVED_FROM|unix.IN_DELETE) != 0 {
		return namedImage(t.name)
	}
	if t.mask&unix.IN_ISDIR != 0 {
		return false
	}
	fd, err := unix.Open(filepath.Join(dir, t.name), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	head := make([]byte, 11)
	n, err := unix.Read(fd, head)
	return err == nil && isAppImage(head[:n])
}

// rpmSource asks rpm itself, which knows every form of its database and respects its locks.
func rpmSource(m linux) source {
	return source{name: "rpm", mark: func() string { return markOf(m.rpmFiles()...) }, read: func(ctx context.Context, _ map[string]policy.Program, _ bool) reading {
		dir := m.rpmFolder()
		if dir == "" {
			return reading{}
		}
		args := []string{"--dbpath", dir, "-qa", "--qf", rpmFormat}
		if m.root != "/" {
			args = append([]string{"--root", m.root}, args...)
		}
		var out bytes.Buffer
		_, err := osexec.Run(ctx, osexec.RPM, osexec.Options{Stdout: &out, Timeout: time.Minute}, args...)
		r := rpms(&out, func() error { return err })
		twoOfOne(r.programs)
		return r
	}}
}

package execgate

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// dpkgsOwn are folders in which dpkg opens a dozen files for every package, and nobody keeps programs.
// Not its folder info: the packages' scripts lie there.
var dpkgsOwn = []string{"/var/lib/dpkg", "/var/lib/dpkg/updates", "/var/lib/dpkg/triggers"}

// hush keeps the kernel from asking who opens files in dpkg's own folders until that vetted dpkg has ended. Who runs one is
// asked as ever.
func (g *Gate) hush(p process, begun uint64) {
	fd, err := unix.PidfdOpen(int(p), 0)
	if err != nil {
		return // before Linux 5.3: it is asked about everything
	}
	if _, still := p.parent(); still != begun {
		unix.Close(fd)
		return
	}
	g.hushed(1)
	go func() {
		defer unix.Close(fd)
		waitForEnd(fd)
		g.vetted.drop(p, begun)
		g.hushed(-1)
	}()
}

// waitForEnd waits until the process has ended (pidfd_open(2)), at most for longest.
func waitForEnd(pidfd int) {
	p := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	_ = again(func() error { _, err := unix.Poll(p, int(longest.Milliseconds())); return err })
}

func again(do func() error) error {
	for {
		if err := do(); err != unix.EINTR {
			return err
		}
	}
}

// hushed counts the vetted dpkgs at work.
func (g *Gate) hushed(by int) {
	g.age.Lock()
	defer g.age.Unlock()
	g.hushes += by
	switch {
	case g.kern == nil:
	case by > 0 && g.hushes == 1:
		g.ignore(g.kern)
	case g.hushes == 0:
		for _, dir := range dpkgsOwn {
			g.kern.heed(filepath.Join(g.Root, dir))
		}
	}
}

// ignore needs the lock of age. A folder into which anybody but root could bring a file is not ignored.
func (g *Gate) ignore(k *kernel) {
	for _, dir := range dpkgsOwn {
		dir = filepath.Join(g.Root, dir)
		if f, err := statPlace(dir); err == nil && f.private() && f.mode&unix.S_IFMT == unix.S_IFDIR && privatePlace(dir) {
			if err := k.ignore(dir); err != nil {
				g.Log.Debug().Err(err).Str("path", dir).Msg("the kernel asks about every file there") // before Linux 6.0
			}
		}
	}
}

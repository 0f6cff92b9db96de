package execgate

import (
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sekisho/internal/policy"
)

// dpkgsOwn are folders in which dpkg opens a dozen files for every package, and nobody keeps programs. tmp.ci is none of them: dpkg
// makes it anew for the scripts of each package, and with it the kernel would take a mark away each time. Until nobody looks at
// that any more (synchronize_srcu) a worker of Linux 6.1 keeps a processor busy, for longer than the questions take.
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
	g.vetted.hold(p, begun, fd)
	g.hushed(1)
	g.hushScripts()
	go func() {
		defer unix.Close(fd)
		waitForEnd(fd)
		g.vetted.drop(p, begun) // from here on nobody looks at fd
		g.hushed(-1)
		ring(g.soon)
	}()
}

// waitForEnd waits until the process has ended (pidfd_open(2)), at most for longest.
func waitForEnd(pidfd int) {
	_ = again(func() error { _, err := awaitEnd(pidfd, longest); return err })
}

// lives says that the process has surely not ended.
func lives(pidfd int) bool {
	ended, err := awaitEnd(pidfd, 0)
	return err == nil && !ended
}

func awaitEnd(pidfd int, limit time.Duration) (ended bool, err error) {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, int(limit.Milliseconds()))
	return n > 0, err
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
		g.ignore(g.kern, dpkgsOwn...)
	case g.hushes == 0 && g.passing.Swap(false):
		g.distrust(g.kern)
	case g.hushes == 0:
		for _, dir := range append([]string{dpkgInfo}, dpkgsOwn...) {
			g.kern.heed(filepath.Join(g.Root, dir))
		}
	}
}

// hushScripts does the same for the folder of the packages' scripts while no installed package is forbidden: whoever gave one
// of them to an interpreter would be let. forget takes it back when the policy or the packages become others.
func (g *Gate) hushScripts() {
	age := g.ageNow()
	if !g.index().permitted(func(p policy.Program) bool { return !denies(g.Decide(p)) }) {
		return
	}
	g.age.Lock()
	defer g.age.Unlock()
	if g.kern != nil && g.hushes > 0 && g.born == age {
		g.ignore(g.kern, dpkgInfo)
	}
}

// dpkgOpens says whether a vetted dpkg opens the file. What it has just unpacked it opens three times, the last two to have
// it on disk: then it has its content, and the kernel need not ask again. While a file is open for writing the kernel takes
// over no trust that a change would end; so dpkg's end ends it, for a script of the package may give the file away.
func (g *Gate) dpkgOpens(q question, f facts) bool {
	age, by := g.ageNow(), process(q.pid)
	works, doubted := g.vetted.works(by)
	if !works || by.uid() != 0 {
		return false
	}
	if f.size == 0 {
		return true
	}
	name := pathOf(q.fd)
	if !strings.HasSuffix(name, unpacked) {
		return path.Dir(name) != filepath.Join(g.Root, dpkgInfo) // each dpkg reads every list there: trust spares the next one that
	}
	if !doubted {
		g.trustWhileHushed(age, q.fd)
	}
	return true
}

func (g *Gate) trustWhileHushed(age uint64, file int32) {
	g.age.RLock()
	k := g.kern
	g.age.RUnlock()
	if k != nil {
		g.passing.Store(true) // dpkg waits for us: it has not ended before this is seen
		g.trustFile(k, age, file, verdict{trust: askOpen, last: true})
	}
}

// unpacked is how dpkg calls a file until it takes its place.
const unpacked = ".dpkg-new"

// ignore needs the lock of age. A folder into which anybody but root could bring a file is not ignored.
func (g *Gate) ignore(k *kernel, dirs ...string) {
	for _, dir := range dirs {
		dir = filepath.Join(g.Root, dir)
		if f, err := statPlace(dir); err == nil && f.private() && f.mode&unix.S_IFMT == unix.S_IFDIR && privatePlace(dir) {
			if err := k.ignore(dir); err != nil {
				g.Log.Debug().Err(err).Str("path", dir).Msg("the kernel asks about every file there") // before Linux 6.0
			}
		}
	}
}

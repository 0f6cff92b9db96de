package execgate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sekisho/internal/policy"
)

var errLost = errors.New("cannot record every program: more were seen than could be written down")

// watchMounts marks every file system that the machine shows. One that is marked already may be another under the same number, as a
// stick is that was pulled out and plugged in again; only where a server may let us wait it is left alone.
func (g *Gate) watchMounts(k *kernel) error {
	text, err := os.ReadFile("/proc/1/mountinfo")
	if err != nil {
		return fmt.Errorf("cannot see what is mounted: %w", err)
	}
	types, watched := map[uint64]string{}, 0
	var refused error
	for _, m := range k.newFirst(parseMounts(string(text))) {
		types[m.dev] = m.fsType
		if !g.watches(m) {
			continue
		}
		if k.marked[m.dev] {
			watched++
			continue
		}
		err := k.watch("/proc/1/root"+m.point, questionMask)
		if errors.Is(err, unix.EACCES) && !foreign(m.fsType) { // somebody keeps even root from there: the agent's own view must do
			err = k.watch(m.point, questionMask)
		}
		if err != nil {
			g.Log.Warn().Err(err).Str("path", m.point).Msg("cannot watch a file system")
			if foreign(m.fsType) {
				continue // a user's own (FUSE) lets nobody else in, root neither
			}
			refused = fmt.Errorf("cannot judge programs on %s: %w", m.point, err)
			continue
		}
		watched++
		if foreign(m.fsType) {
			k.marked[m.dev] = true
		}
	}
	for dev := range k.marked {
		if _, there := types[dev]; !there {
			delete(k.marked, dev) // its number may be another's tomorrow
		}
	}
	g.mounts.Store(&types)
	if watched == 0 {
		return errors.Join(refused, errors.New("cannot judge programs: no file system can be watched"))
	}
	g.trouble.set(g, "mount", refused)
	return nil
}

// newFirst puts what was not mounted at the last look before what was: a program on a stick starts while all others are marked again.
func (k *kernel) newFirst(all []mount) []mount {
	is := make(map[mount]bool, len(all))
	for _, m := range all {
		is[m] = true
	}
	slices.SortStableFunc(all, func(a, b mount) int {
		switch old, older := k.mounted[a], k.mounted[b]; {
		case old == older:
			return 0
		case older:
			return -1
		}
		return 1
	})
	k.mounted = is
	return all
}

func (g *Gate) watches(m mount) bool {
	if g.Mounts != nil {
		return g.Mounts(m.point, m.fsType)
	}
	return watched(m.fsType)
}

// watchMountTable pulses when something is mounted or unmounted (proc_pid_mounts(5): poll(2) reports it as POLLPRI).
func watchMountTable(ctx context.Context) <-chan struct{} {
	pulse := make(chan struct{}, 1)
	f, err := os.Open("/proc/1/mountinfo")
	if err != nil {
		return pulse
	}
	end, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		f.Close()
		return pulse
	}
	context.AfterFunc(ctx, func() { _, _ = unix.Write(end, one) })
	go func() {
		defer unix.Close(end)
		defer f.Close()
		for {
			p := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLPRI}, {Fd: int32(end), Events: unix.POLLIN}}
			if _, err := unix.Poll(p, -1); err != nil && !errors.Is(err, unix.EINTR) || p[1].Revents != 0 {
				return
			}
			if p[0].Revents != 0 {
				ring(pulse)
			}
		}
	}()
	return pulse
}

// one is what is written to an eventfd (eventfd(2)).
var one = []byte{1, 0, 0, 0, 0, 0, 0, 0}

func ring(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// watchDatabase pulses when the package database has been written anew and is quiet.
func watchDatabase(ctx context.Context, root string) chan struct{} {
	pulse := make(chan struct{}, 1)
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return pulse
	}
	folder, changes, calm := databaseOf(root)
	_, err = unix.InotifyAddWatch(fd, filepath.Join(root, folder), unix.IN_MOVED_TO|unix.IN_CLOSE_WRITE|unix.IN_ONLYDIR)
	if err != nil {
		unix.Close(fd)
		return pulse
	}
	f := os.NewFile(uintptr(fd), "inotify")
	context.AfterFunc(ctx, func() { f.Close() })
	go func() {
		b := make([]byte, 4096)
		var quiet *time.Timer
		for {
			n, err := f.Read(b)
			if err != nil {
				return
			}
			if !slices.ContainsFunc(changes, func(name string) bool { return names(b[:n], name) }) {
				continue
			}
			if quiet == nil {
				quiet = time.AfterFunc(calm, func() { ring(pulse) })
			} else {
				quiet.Reset(calm)
			}
		}
	}()
	return pulse
}

// settled is after what calm a database is read again; rpm's takes seconds to read. While a vetted dpkg works that is put off,
// and off again.
const (
	settled    = 300 * time.Millisecond
	settledRpm = 2 * time.Second
	putOff     = time.Second
)

// databaseOf says where the package database is, which of its files change, and after what calm it is read.
func databaseOf(root string) (folder string, changes []string, calm time.Duration) {
	if dir := rpmFolder(root); dir != "" && !isFolder(filepath.Join(root, dpkgInfo)) {
		return dir, []string{"rpmdb.sqlite", "rpmdb.sqlite-wal", "Packages.db", "Packages", ".rpm.lock"}, settledRpm
	}
	return "/var/lib/dpkg", []string{"status"}, settled
}

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// longRun is how long a vetted dpkg may go on before its database is read in between.
const longRun = time.Minute

// names says whether one of the events is about that name (inotify(7)).
func names(b []byte, name string) bool {
	for len(b) >= unix.SizeofInotifyEvent {
		n := int(uint32(b[12]) | uint32(b[13])<<8 | uint32(b[14])<<16 | uint32(b[15])<<24)
		if len(b) < unix.SizeofInotifyEvent+n {
			return false
		}
		word := b[unix.SizeofInotifyEvent : unix.SizeofInotifyEvent+n]
		b = b[unix.SizeofInotifyEvent+n:]
		for i, c := range word {
			if c == 0 {
				word = word[:i]
				break
			}
		}
		if string(word) == name {
			return true
		}
	}
	return false
}

// findInterpreters notes which files the interpreters and dynamic loaders of this system are.
func findInterpreters(root string) map[key]string {
	found := map[key]string{}
	seen := map[key]bool{}
	for _, dir := range []string{"/usr/bin", "/usr/local/bin", "/bin"} {
		dir = filepath.Join(root, dir)
		at, err := statPath(dir)
		here := key{at.dev, at.inode}
		if err != nil || seen[here] { // /bin leads to /usr/bin today
			continue
		}
		seen[here] = true
		for _, name := range interpretersIn(dir) {
			if f, err := statPath(filepath.Join(dir, name)); err == nil && f.regular() {
				found[key{f.dev, f.inode}] = name
			}
		}
	}
	for _, pattern := range []string{"/lib/ld-*", "/lib64/ld-*", "/lib/*/ld-*"} {
		all, _ := filepath.Glob(filepath.Join(root, pattern)) // the pattern is good
		for _, name := range all {
			if f, err := statPath(name); err == nil && f.regular() {
				found[key{f.dev, f.inode}] = filepath.Base(name)
			}
		}
	}
	return found
}

// interpretersIn are sorted: of two names of one file it is always the same that counts.
func interpretersIn(dir string) []string {
	names, err := namesIn(dir)
	if err != nil {
		return nil
	}
	names = slices.DeleteFunc(names, func(name string) bool { _, is := interpreterOf(name); return !is })
	slices.Sort(names)
	return names
}

// hashes remembers what files were read, as long as nothing about them changes.
type hashes struct {
	mu    sync.Mutex
	known map[identity]string
}

const mostHashes = 4096

func (g *Gate) hash(ctx context.Context, fd int32, id identity) (string, error) {
	if known, ok := g.hashes.get(id); ok {
		return known, nil
	}
	sum, err := hashOf(ctx, fd, id.size)
	if err != nil {
		return "", err
	}
	// Only what did not change meanwhile, and lay still before: two changes in one tick of the clock look like one.
	if now, err := statFD(int(fd)); err == nil && now.identity == id && time.Since(time.Unix(0, id.ctime)) > time.Second {
		g.hashes.put(id, sum)
	}
	return sum, nil
}

func (h *hashes) get(id identity) (string, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	sum, ok := h.known[id]
	return sum, ok
}

func (h *hashes) put(id identity, sum string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known == nil || len(h.known) >= mostHashes {
		h.known = map[identity]string{}
	}
	h.known[id] = sum
}

// said remembers what was reported, so that what runs a thousand times is said once for each policy's verdict.
type said struct {
	mu    sync.Mutex
	known map[sighting]bool
}

type sighting struct {
	id, rule string
	outcome  policy.Outcome
}

const mostSaid = 16384

func (s *said) first(n *Seen) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := sighting{n.Program.ID, n.Decision.Rule, n.Outcome}
	if s.known[k] {
		return false
	}
	if s.known == nil || len(s.known) >= mostSaid {
		s.known = map[sighting]bool{}
	}
	s.known[k] = true
	return true
}

// trouble collects what is wrong, by subject.
type trouble struct {
	mu    sync.Mutex
	known map[string]error
}

func (t *trouble) set(g *Gate, about string, err error) {
	t.mu.Lock()
	if t.known == nil {
		t.known = map[string]error{}
	}
	old, had := t.known[about]
	if err == nil {
		delete(t.known, about)
	} else {
		t.known[about] = err
	}
	text := ""
	for _, subject := range []string{"kernel", "mount", "packages", "stall", "judge", "lost", "looks"} {
		if e := t.known[subject]; e != nil && text == "" {
			text = e.Error()
		}
	}
	t.mu.Unlock()
	if had != (err != nil) || had && old.Error() != err.Error() {
		g.Fault(text)
	}
}

// stalled records that the policy's answer for a stall was given.
func (g *Gate) stalled(q question, deny bool) {
	g.trouble.set(g, "stall", fmt.Errorf("cannot judge every program in time: an answer took more than %v", g.Limit))
	d := policy.Decision{Action: policy.ActionAllow, Mode: policy.ModeEnforce, Rule: RuleStall}
	o := policy.OutcomeDetected
	if deny {
		d.Action, o = policy.ActionBlock, policy.OutcomeBlocked
	}
	g.note(&Seen{Program: loneProgram(policy.ProgramFile, pathOf(q.fd), "", 0), Decision: d, Outcome: o, UID: process(q.pid).uid(),
		Parent: process(q.pid).program(), Note: "no answer in time"})
}

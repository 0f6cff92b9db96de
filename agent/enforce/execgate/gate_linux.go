package execgate

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"sekisho/internal/policy"
)

// Gate judges what is run on this terminal.
type Gate struct {
	Options
	stall   atomic.Bool // a stall denies
	wanted  atomic.Bool // software is controlled here
	turned  chan struct{}
	refresh chan chan error // asks for the package database to be read again
	soon    chan struct{}   // a vetted dpkg has ended
	seen    chan *Seen
	lost    atomic.Int64 // sightings that nobody took

	trusted  atomic.Pointer[index]
	mounts   atomic.Pointer[map[uint64]string] // file system types by device
	programs atomic.Pointer[map[key]string]    // interpreters by file
	hashes   hashes
	vetted   transactions
	said     said
	trouble  trouble

	// age grows whenever what the kernel was told to trust may be wrong; nothing that was judged at one age is trusted at another.
	// Who holds it opens no file: the worker that would be asked may be waiting for it.
	age    sync.RWMutex
	born   uint64
	kern   *kernel // guarded by age
	hushes int     // vetted dpkgs at work, guarded by age

	status identity // of dpkg's status as it was read last; who renews owns it

	passing atomic.Bool // the kernel was told to trust files until the last of them ends
}

type key struct{ dev, inode uint64 }

// New makes a gate that stands open until Published says otherwise.
func New(o Options) *Gate {
	if o.Limit <= 0 {
		o.Limit = answerWithin
	}
	return &Gate{Options: o, turned: make(chan struct{}, 1), refresh: make(chan chan error), soon: make(chan struct{}, 1), seen: make(chan *Seen, 512)}
}

// Published takes a policy over. It does not wait.
func (g *Gate) Published(p *policy.Policy) {
	controlled := p != nil && p.Software != nil
	g.wanted.Store(controlled)
	g.stall.Store(controlled && p.Software.Stall == policy.ActionBlock && p.Software.Mode == policy.ModeEnforce)
	g.hurry()
}

func (g *Gate) hurry() {
	select {
	case g.turned <- struct{}{}:
	default:
	}
}

// Run stands at the gate until ctx ends. A terminal whose software nobody controls pays nothing.
func (g *Gate) Run(ctx context.Context) {
	go g.tell(ctx)
	for {
		if g.wanted.Load() {
			if err := g.stand(ctx); ctx.Err() == nil && !errors.Is(err, ErrNotYet) {
				g.trouble.set(g, "kernel", err)
			}
		}
		again := time.NewTimer(retryOpen)
		select {
		case <-ctx.Done():
			again.Stop()
			return
		case <-g.turned:
		case <-again.C:
		case answer := <-g.refresh: // nothing stands yet: what it could not read it tries again
			answer <- nil
		}
		again.Stop()
	}
}

const retryOpen = time.Minute

// stand opens the group and works until the control ends, ctx ends, or something breaks.
func (g *Gate) stand(ctx context.Context) error {
	k, err := openKernel()
	if err != nil {
		return err
	}
	defer k.close()
	if err := g.renew(ctx, k); err != nil && g.trusted.Load() == nil {
		return err
	}
	var beside sync.WaitGroup
	defer beside.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1)
	mounts := watchMountTable(ctx) // before the first look, so that nothing falls between
	defer startDeadman(ctx)()
	crew := &crew{g: g, k: k, failed: failed, self: int32(os.Getpid())}
	for range workers {
		crew.hire()
	}
	g.age.Lock()
	g.kern = k
	g.age.Unlock()
	defer g.leave(k, crew)
	if err := g.watchMounts(k); err != nil {
		return err
	}
	beside.Go(func() { g.followMounts(ctx, k, mounts) })
	g.Log.Info().Int("packages", g.index().packages.Len()).Int("paths", len(g.index().entries)).Msg("programs are judged before they run")
	return g.attend(ctx, k, failed)
}

// followMounts waits for nobody: what reads packages meanwhile takes part of a second, and a program on a stick starts sooner.
// What could not be watched is tried again; what is watched stays so meanwhile.
func (g *Gate) followMounts(ctx context.Context, k *kernel, mounts <-chan struct{}) {
	again := time.NewTimer(retryMounts)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-mounts:
		case <-again.C:
		}
		if err := g.watchMounts(k); err != nil {
			g.trouble.set(g, "mount", err)
			again.Reset(retryMounts)
		}
	}
}

const retryMounts = time.Second

// attend follows what else changes around the gate.
func (g *Gate) attend(ctx context.Context, k *kernel, failed <-chan error) error {
	database := watchDatabase(ctx, g.Root)
	read := time.Now()
	later := time.NewTimer(putOff)
	later.Stop()
	defer later.Stop()
	changed := func() {
		if g.Busy() && time.Since(read) < longRun { // it says when it is done
			later.Reset(putOff)
			return
		}
		if now, err := statPath(filepath.Join(g.Root, dpkgStatus)); err == nil && now.identity == g.status {
			return // who had installed said so, and it was read then
		}
		g.renew(ctx, k)
		read = time.Now()
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case <-database:
			changed()
		case <-later.C:
			changed()
		case <-g.soon:
			later.Reset(putOff)
		case answer := <-g.refresh:
			answer <- g.renew(ctx, k)
			read = time.Now()
		case <-g.turned:
			if !g.wanted.Load() {
				return nil
			}
			g.vetted.doubt()
			g.forget(k)
		}
	}
}

// leave lets everybody go and waits for the crew, as long as that is bounded.
func (g *Gate) leave(k *kernel, c *crew) {
	g.age.Lock()
	g.kern = nil
	g.age.Unlock()
	k.stop()
	c.dismiss(time.Second)
}

// Refresh reads the package database again and waits until what it says counts.
func (g *Gate) Refresh(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case g.refresh <- answer:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// renew reads what is installed, until ctx ends. When it cannot be read, what was known stays.
func (g *Gate) renew(ctx context.Context, k *kernel) error {
	status, unknown := statPath(filepath.Join(g.Root, dpkgStatus)) // as it is before it is read
	programs, err := g.Packages()
	if err == nil {
		programs, err = needed(g.Root, programs)
	}
	same, old := false, g.index()
	if err == nil {
		var x *index
		if x, err = g.read(ctx, programs, old); err == nil {
			g.trusted.Store(x)
			g.onlyLooks(x)
			same = x.likens(old, func(p policy.Program) bool { return !denies(g.Decide(p)) })
		}
	}
	if errors.Is(err, ErrNotYet) || ctx.Err() != nil {
		return err
	}
	if err != nil {
		g.Log.Error().Err(err).Msg("cannot read which packages are installed")
	}
	g.trouble.set(g, "packages", err)
	g.status = identity{}
	if err == nil && unknown == nil {
		g.status = status.identity
	}
	names := findInterpreters(g.Root)
	same = same && maps.Equal(names, g.interpreterNames())
	g.programs.Store(&names)
	if !same {
		g.forget(k)
	}
	return err
}

// read makes an index of the package database that this system has.
func (g *Gate) read(ctx context.Context, programs []policy.Program, old *index) (*index, error) {
	x, err := readDpkg(g.Root, programs, old)
	if errors.Is(err, errNoDatabase) {
		return readRpm(g.Root, programs, len(old.entries), listRpm(ctx, g.Root))
	}
	return x, err
}

func (g *Gate) onlyLooks(x *index) {
	if x.looks {
		g.trouble.set(g, "looks", errOnlyLooks)
		return
	}
	g.trouble.set(g, "looks", nil)
}

// forget takes back what the kernel was told to trust.
func (g *Gate) forget(k *kernel) {
	g.age.Lock()
	g.distrust(k)
	hushed := g.hushes > 0
	g.age.Unlock()
	if hushed {
		g.hushScripts()
	}
}

// distrust needs the lock of age.
func (g *Gate) distrust(k *kernel) {
	g.born++
	if err := k.distrust(); err != nil {
		g.Log.Error().Err(err).Msg("cannot take back what the kernel trusts")
	}
	if g.hushes > 0 {
		g.ignore(k, dpkgsOwn...)
	}
}

// trust tells the kernel, unless what was judged by is old.
func (g *Gate) trustFile(k *kernel, age uint64, fd int32, v verdict) {
	g.age.RLock()
	defer g.age.RUnlock()
	if g.born != age || v.trust == 0 {
		return
	}
	if err := k.trust(int(fd), v.trust, v.last); err != nil {
		g.Log.Debug().Err(err).Msg("the kernel does not take a file's trust over")
	}
}

func (g *Gate) ageNow() uint64 {
	g.age.RLock()
	defer g.age.RUnlock()
	return g.born
}

func (g *Gate) index() *index {
	if x := g.trusted.Load(); x != nil {
		return x
	}
	return noIndex
}

// Essential says whether the system does not start without an installed package.
func (g *Gate) Essential(pkg string) bool {
	x := g.index()
	n, ok := x.find(pkg)
	return ok && x.packages.At(n).Essential
}

func (g *Gate) interpreterNames() map[key]string {
	if m := g.programs.Load(); m != nil {
		return *m
	}
	return nil
}

func (g *Gate) foreign(dev uint64) bool {
	m := g.mounts.Load()
	return m != nil && foreign((*m)[dev])
}

// tell reports what was seen, beside the gate.
func (g *Gate) tell(ctx context.Context) {
	for {
		select {
		case s := <-g.seen:
			g.Report(*s)
		case <-ctx.Done():
			return
		}
	}
}

// note hands a sighting over. Nobody waits: what does not fit is counted.
func (g *Gate) note(s *Seen) {
	if s == nil || s.Outcome != policy.OutcomeBlocked && !g.said.first(s) {
		return
	}
	select {
	case g.seen <- s:
	default:
		g.lost.Add(1)
		g.trouble.set(g, "lost", errLost)
	}
}

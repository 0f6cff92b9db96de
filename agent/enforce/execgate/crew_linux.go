package execgate

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// workers answer side by side; mostLost of them may hang in files that do not come before the gate gives up.
const (
	workers  = 4
	mostLost = 32
)

// crew are the workers of one group. Each takes a question, answers it and takes the next; one that is not done in time
// is answered for and replaced.
type crew struct {
	g      *Gate
	k      *kernel
	failed chan error
	self   int32 // our own process
	lost   atomic.Int32
	all    sync.WaitGroup
}

func (c *crew) hire() { c.all.Go(c.work) }

func (c *crew) work() {
	for {
		q, err := c.k.next(c.quick)
		if err != nil {
			c.fail(err)
			return
		}
		if !c.serve(q) {
			return // another took the place
		}
	}
}

// quick answers what needs no judgement, without waking another worker for the next question: what the agent opens is its
// own business, and it must not wait for itself.
func (c *crew) quick(q question) bool {
	if q.fd < 0 {
		return true // the kernel's queue ran over; ours has no end
	}
	if q.pid != c.self && !c.g.trivial(q) {
		return false
	}
	_ = c.k.answer(q.fd, true)
	unix.Close(int(q.fd))
	return true
}

func (c *crew) fail(err error) {
	if err == errClosed {
		return
	}
	select {
	case c.failed <- err:
	default:
	}
}

// serve answers one question, and says whether it was in time.
func (c *crew) serve(q question) bool {
	defer unix.Close(int(q.fd)) // only now: until then its number is nobody else's
	var answered, replaced atomic.Bool
	replace := sync.OnceFunc(func() { replaced.Store(true); c.hire() })
	ctx, cancel := context.WithTimeout(context.Background(), c.g.Limit)
	defer cancel()
	watch := time.AfterFunc(c.g.Limit, func() {
		if answered.CompareAndSwap(false, true) {
			c.stalled(q, replace)
		}
	})
	age := c.g.ageNow()
	v := c.judge(ctx, q, replace)
	if !watch.Stop() || !answered.CompareAndSwap(false, true) {
		return c.recovered()
	}
	if v.trust != 0 {
		c.g.trustFile(c.k, age, q.fd, v)
	}
	var again *second
	if v.again != "" && !v.deny {
		again = c.g.lookAgain(q, v.again)
	}
	_ = c.k.answer(q.fd, !v.deny)
	c.g.note(v.seen)
	if again != nil {
		go again.look()
	}
	return !replaced.Load()
}

// judge never takes the gate down: what cannot be judged is let through, and said.
func (c *crew) judge(ctx context.Context, q question, relieve func()) (v verdict) {
	defer func() {
		if r := recover(); r != nil {
			v = verdict{deny: c.g.stallDenies()}
			c.g.Log.Error().Interface("err", r).Bytes("stack", debug.Stack()).Msg("cannot judge a program")
			c.g.trouble.set(c.g, "judge", fmt.Errorf("cannot judge a program: %v", r))
		}
	}()
	return c.g.judge(ctx, q, relieve)
}

// stalled gives the policy's answer in the place of a worker that does not come back.
func (c *crew) stalled(q question, replace func()) {
	deny := c.g.stallDenies()
	_ = c.k.answer(q.fd, !deny)
	c.g.stalled(q, deny)
	if c.lost.Add(1) > mostLost {
		c.fail(fmt.Errorf("cannot judge programs: %d answers hang", mostLost))
		return
	}
	replace()
}

// recovered is a worker that comes back late: its place is taken.
func (c *crew) recovered() bool {
	c.lost.Add(-1)
	return false
}

// dismiss waits for the workers that are not hanging.
func (c *crew) dismiss(limit time.Duration) {
	done := make(chan struct{})
	go func() { c.all.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(limit):
	}
}

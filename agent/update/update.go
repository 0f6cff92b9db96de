package update

import (
	"context"
	"errors"
	"io"
	"reflect"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// Times of the agent's side.
const (
	firstAgain = 30 * time.Second // after a fault
	lastAgain  = 15 * time.Minute
	takeWithin = 5 * time.Minute // in which the watcher has to take a plan
	lookEvery  = 2 * time.Second // for the watcher's result
	mostTries  = 3               // of one offer, after which somebody has to look
)

// Options is everything an Updater needs.
type Options struct {
	Dir      string            // its folder
	Program  string            // the agent's program, where the service starts it from
	Version  string            // of this agent
	OS, Arch string            // of this terminal
	Keys     map[string][]byte // release keys that this agent was built with
	Fetch    func(ctx context.Context, hash string, from int64) (io.ReadCloser, error)
	Busy     func(error) time.Duration    // how long the console asks to wait, 0 when it does not
	Free     func(string) (uint64, error) // bytes
	HandOver func(context.Context) error  // starts the watcher
	Journal  func(wire.Record)
	Changed  func() // State says something else
	Log      zerolog.Logger
	Now      func() time.Time
	Again    time.Duration // first wait after a fault; 0 is half a minute
	Look     time.Duration // for the watcher's result; 0 is two seconds
}

// Updater follows what is offered. Run is its only worker; offers and reports come from elsewhere.
type Updater struct {
	Options
	dir  folder
	self self
	news chan struct{}

	mu    sync.Mutex // guards what follows
	offer *policy.Update
	stop  context.CancelFunc // of what is done about the offer before
	state *wire.Update
	plan  *plan // the one that is under way; nil: none
}

// New makes one; Run sets it to work.
func New(o Options) *Updater {
	if o.Again == 0 {
		o.Again = firstAgain
	}
	if o.Look == 0 {
		o.Look = lookEvery
	}
	u := &Updater{Options: o, dir: folder(o.Dir), self: self{o.Version, o.OS, o.Arch, o.Keys}, news: make(chan struct{}, 1)}
	if p, err := u.dir.plan(); err == nil && p.Phase != phaseDone {
		u.plan = &p
	}
	return u
}

// Offer takes what the policy offers now; nil is nothing.
func (u *Updater) Offer(o *policy.Update) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if reflect.DeepEqual(o, u.offer) {
		return
	}
	u.offer = o
	if u.stop != nil {
		u.stop()
	}
	select {
	case u.news <- struct{}{}:
	default:
	}
}

// State is what the console is told; nil: there is no offer.
func (u *Updater) State() *wire.Update {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.state == nil {
		return nil
	}
	s := *u.state
	return &s
}

// Reported notes that the console has acknowledged a status of this agent. When it is the version that a watcher waits
// for, that is its word that it works.
func (u *Updater) Reported(s wire.Status) {
	p := u.underWay()
	if p == nil || s.Agent != u.Version || p.Version != u.Version {
		return
	}
	if err := u.dir.write(healthyFile, healthy{p.SHA256, u.Now()}); err != nil {
		u.Log.Error().Err(err).Msg("cannot tell the watcher that this version works")
	}
}

// Run works until ctx ends.
func (u *Updater) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if p := u.underWay(); p != nil {
			u.await(ctx, *p)
			continue
		}
		work, stop := context.WithCancel(ctx)
		u.mu.Lock()
		offer := u.offer
		u.stop = stop
		u.mu.Unlock()
		if again := u.attend(work, offer); again && work.Err() == nil {
			stop()
			continue
		}
		select {
		case <-u.news:
		case <-ctx.Done():
		}
		stop()
	}
}

func (u *Updater) underWay() *plan {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.plan
}

// attend does what is to be done about an offer until that is a watcher's business, or nothing is left to do. It says
// whether there is a plan to wait for.
func (u *Updater) attend(ctx context.Context, offer *policy.Update) (planned bool) {
	if offer == nil {
		u.forget()
		return false
	}
	m, p, err := u.self.judge(*offer)
	done, known := u.known(offer.Offer, offer.Version)
	var no *refusal
	switch {
	case errors.Is(err, errSame):
		u.same(offer, done, known)
		return false
	case known && done.State != wire.UpdateFailed:
		u.tell(done)
		return false
	case errors.As(err, &no):
		u.settle(result{Offer: offer.Offer, Version: offer.Version, State: wire.UpdateRefused, Code: no.code, Reason: no.Error()})
		return false
	}
	return u.pursue(ctx, *offer, m, p)
}

// known gives what became of an offer before.
func (u *Updater) known(offer int64, version string) (r result, ok bool) {
	err := u.dir.read(resultFile, &r)
	return r, err == nil && r.Offer == offer && r.Version == version
}

func (u *Updater) same(offer *policy.Update, done result, known bool) {
	if !known || done.State != wire.UpdateInstalled {
		u.say(offer.Offer, offer.Version, wire.UpdateInstalled, "", "")
		return
	}
	u.tell(done)
}

// forget leaves an offer that was withdrawn before it was handed over.
func (u *Updater) forget() {
	if err := u.dir.clean(); err != nil {
		u.Log.Warn().Err(err).Msg("cannot clear the update's folder")
	}
	u.mu.Lock()
	changed := u.state != nil
	u.state = nil
	u.mu.Unlock()
	if changed {
		u.Changed()
	}
}

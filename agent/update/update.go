package update

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/bundle"
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

// pursue waits for this terminal's turn, fetches and hands over; it goes on until that works or the offer changes.
func (u *Updater) pursue(ctx context.Context, o policy.Update, m bundle.Manifest, p bundle.Program) bool {
	offer := o.Offer
	u.say(offer, m.Version, wire.UpdateWaiting, "", "")
	if !pause(ctx, rand.N(time.Duration(o.Spread)*time.Second+1)) {
		return false
	}
	for wait := u.Again; ctx.Err() == nil; wait = min(2*wait, lastAgain) {
		if done, known := u.known(offer, m.Version); known && done.State != wire.UpdateFailed {
			u.tell(done)
			return false
		}
		u.say(offer, m.Version, wire.UpdateDownloading, "", "")
		err := u.dir.make()
		if err == nil {
			err = u.stage(ctx, p)
		}
		if err == nil {
			err = u.handOver(ctx, offer, m, p)
		}
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		u.explain(offer, m.Version, err)
		pause(ctx, max(wait-rand.N(wait/2+1), u.Busy(err)))
	}
	return false
}

// explain says why it did not work this time. A console that serves others first is no fault.
func (u *Updater) explain(offer int64, version string, err error) {
	if u.Busy(err) > 0 {
		u.say(offer, version, wire.UpdateWaiting, "", "")
		return
	}
	code := wire.ReasonDisk
	var f *fault
	if errors.As(err, &f) {
		code = f.code
	}
	u.Log.Warn().Err(err).Msg("update failed for now")
	u.say(offer, version, wire.UpdateFailed, code, err.Error())
}

// handOver writes the plan, and then calls the watcher; from here on the plan is the watcher's.
func (u *Updater) handOver(ctx context.Context, offer int64, m bundle.Manifest, p bundle.Program) error {
	before, err := hashOf(u.Program)
	if err != nil {
		return &fault{wire.ReasonHandOver, fmt.Errorf("cannot read the program that is installed: %w", err)}
	}
	done, known := u.known(offer, m.Version)
	if !known {
		done = result{}
	}
	next := plan{Offer: offer, Version: m.Version, SHA256: p.SHA256, Size: p.Size, Before: u.Version, BeforeSHA256: before, Phase: phaseStaged, Tries: done.Tries + 1}
	if err := errors.Join(u.dir.remove(healthyFile), u.dir.write(PlanFile, next)); err != nil {
		return diskFault(err)
	}
	u.Journal(record(wire.CodeUpdateStarted, u.Version+" → "+m.Version))
	u.say(offer, m.Version, wire.UpdateInstalling, "", "")
	u.mu.Lock()
	u.plan = &next
	u.mu.Unlock()
	if err := u.HandOver(ctx); err != nil {
		u.end(result{Offer: offer, Version: m.Version, State: wire.UpdateFailed, Code: wire.ReasonHandOver, Tries: next.Tries,
			Reason: "cannot start the watcher: " + err.Error()})
		return &fault{wire.ReasonHandOver, fmt.Errorf("cannot start the watcher: %w", err)}
	}
	return nil
}

// await looks for the watcher's result. A watcher that never took the plan was none.
func (u *Updater) await(ctx context.Context, p plan) {
	u.say(p.Offer, p.Version, wire.UpdateInstalling, "", "")
	begun := time.Now()
	for pause(ctx, u.Look) {
		now, err := u.dir.plan()
		r, known := u.known(p.Offer, p.Version)
		switch {
		case known && (gone(err) || err == nil && now.Phase == phaseDone):
			u.end(r)
			return
		case gone(err), (err != nil || now.Phase == phaseStaged) && time.Since(begun) > takeWithin:
			u.end(result{Offer: p.Offer, Version: p.Version, State: wire.UpdateFailed, Code: wire.ReasonHandOver, Tries: p.Tries,
				Reason: "cannot install: the watcher did not take the plan; see the log of the service sekisho-update"})
			return
		}
	}
}

// end takes a result over. What failed for now is tried again by Run, but not for ever.
func (u *Updater) end(r result) {
	var err error
	switch {
	case r.State == wire.UpdateFailed && r.Tries < mostTries:
		err = u.dir.remove(PlanFile)
	case r.State == wire.UpdateFailed:
		r.State = wire.UpdateRefused
		err = u.dir.clean()
	}
	if err != nil {
		u.Log.Error().Err(err).Msg("cannot clear the update's folder")
	}
	u.settle(r)
	u.mu.Lock()
	u.plan = nil
	u.mu.Unlock()
}

// settle writes a result down, for the journal once.
func (u *Updater) settle(r result) {
	if r.At.IsZero() {
		r.At = u.Now()
	}
	if !r.Told {
		if code, ok := codes[r.State]; ok {
			u.Journal(record(code, note(r)))
		}
		r.Told = true
		err := u.dir.make()
		if err == nil {
			err = u.dir.write(resultFile, r)
		}
		if err != nil {
			u.Log.Error().Err(err).Msg("cannot note what became of the update")
		}
	}
	u.tell(r)
}

var codes = map[string]string{
	wire.UpdateInstalled: wire.CodeUpdateInstalled, wire.UpdateRolledBack: wire.CodeUpdateRolledBack, wire.UpdateRefused: wire.CodeUpdateRefused,
}

func note(r result) string {
	if r.Reason == "" {
		return r.Version
	}
	return r.Version + ": " + r.Reason
}

func record(code, note string) wire.Record {
	return wire.Record{Kind: wire.RecordAgent, Code: code, Note: note}
}

func (u *Updater) tell(r result) {
	if !r.Told {
		u.settle(r)
		return
	}
	u.set(r.status())
}

func (u *Updater) say(offer int64, version, state, code, reason string) {
	u.set(&wire.Update{Offer: offer, Version: version, State: state, Code: code, Reason: reason, At: u.Now()})
}

// set replaces the state, unless only the time is another.
func (u *Updater) set(s *wire.Update) {
	u.mu.Lock()
	same := u.state != nil
	if same {
		was := *u.state
		was.At = s.At
		same = was == *s
	}
	if !same {
		u.state = s
	}
	u.mu.Unlock()
	if !same {
		u.Log.Info().Str("action", s.State).Str("version", s.Version).Str("code", s.Code).Msg("update")
		u.Changed()
	}
}

// pause waits; no when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"sekisho/agent/local"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// guardOptions is what a guard is given.
type guardOptions struct {
	Watch    func(context.Context) (<-chan policy.Event, error) // the eyes
	Hand     hand
	Gate     gate
	Journal  func(wire.Record)
	Tell     func(context.Context, local.Notice) int // tells the user; says in how many sessions
	Clock    *clock
	Policy   *policy.Policy // in force until the console says otherwise
	Boot     string
	Facts    wire.Status          // what does not change while the agent runs
	Unsent   func() uint64        // records that wait for the console
	Update   func() *wire.Update  // how far an offered version has come; may be nil
	User     func() string        // who sits at the terminal
	Alive    func()               // tells the system's watchdog that the guard makes progress
	Watchdog time.Duration        // how often Alive is wanted; 0 never
	Log      zerolog.Logger       //
	Settled  func(*policy.Policy) // may be nil; called when a policy was taken over
	// Published is called when programs may be judged otherwise than before: another policy, a permission that began or
	// ended, a clock that is believed again. May be nil.
	Published func(*policy.Policy)
}

// guard is the heart. One goroutine, run, owns everything below; others send it messages through post.
type guard struct {
	guardOptions
	ctx     context.Context
	inbox   chan func()
	done    chan struct{}
	changed chan struct{} // pulses when Status would say something else

	events <-chan policy.Event
	here   map[place]*attached
	acts   acts
	keeper keeper
	faults map[string]string // by wire.Fault… word
	judged time.Time         // our clock when everything was last judged
	saved  time.Duration     // clock.elapsed when the clock was last noted
	pinged time.Time
	told   budget
	newest newest
	refuse budget
	view   atomic.Pointer[policy.Policy] // what publish stored; read by anybody

	programs programs
	unsaid   []string // rules about programs that the system's own policy cannot say
}

func newGuard(o guardOptions) *guard {
	return &guard{
		guardOptions: o,
		inbox:        make(chan func(), 64),
		done:         make(chan struct{}),
		changed:      make(chan struct{}, 1),
		here:         map[place]*attached{},
		acts:         newActs(),
		faults:       map[string]string{},
		told:         budget{most: 8, per: time.Minute},
		refuse:       budget{most: 4, per: time.Hour},
	}
}

// run is the guard's goroutine, until ctx ends.
func (g *guard) run(ctx context.Context) {
	defer close(g.done)
	g.ctx = ctx
	g.keeper.begin(g)
	g.start()
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for {
		g.set(alarm)
		select {
		case ev, ok := <-g.events:
			g.see(ev, ok)
		case f := <-g.inbox:
			f()
		case <-alarm.C:
			g.tick()
		case <-ctx.Done():
			g.stop()
			return
		}
	}
}

// post hands f to the guard's goroutine; it says no when the guard has ended.
func (g *guard) post(f func()) bool {
	select {
	case g.inbox <- f:
		return true
	case <-g.done:
		return false
	}
}

// after posts f once d has passed.
func (g *guard) after(d time.Duration, f func()) *time.Timer {
	return time.AfterFunc(d, func() { g.post(f) })
}

func (g *guard) start() {
	g.judged = g.Clock.now()
	g.noteClock()
	if g.Clock.doubted() {
		g.setFault(wire.FaultClock, "cannot trust the clock: permissions wait until the console is heard")
	}
	g.keeper.wish(g.Policy.RemovableMedia.Mode)
	g.publish()
	g.openEyes()
}

// openEyes begins to watch, beside the guard: the first look reads much of sysfs. A terminal that cannot see says so
// to the console instead of dying again and again.
func (g *guard) openEyes() {
	go func() {
		events, err := g.Watch(g.ctx)
		g.post(func() { g.opened(events, err) })
	}()
}

func (g *guard) opened(events <-chan policy.Event, err error) {
	if err != nil {
		g.Log.Error().Err(err).Msg("cannot watch devices")
		g.setFault(wire.FaultSensor, err.Error())
		g.after(time.Minute, g.openEyes)
		return
	}
	g.events = events
	g.setFault(wire.FaultSensor, "")
}

// see takes one event of the sensor.
func (g *guard) see(ev policy.Event, ok bool) {
	switch {
	case !ok:
		g.events = nil
		if g.ctx.Err() == nil {
			g.setFault(wire.FaultSensor, "cannot watch devices: the sensor ended")
			g.after(time.Minute, g.openEyes)
		}
	case ev.What == policy.EventDetach:
		g.leave(ev)
	default:
		g.arrive(ev)
	}
}

// set puts the alarm on the next moment at which something changes without a message. An idle guard has none.
func (g *guard) set(alarm *time.Timer) {
	wait := time.Duration(-1)
	sooner := func(d time.Duration) {
		if d = max(d, 0); wait < 0 || d < wait {
			wait = d
		}
	}
	if g.Watchdog > 0 {
		sooner(g.Watchdog - time.Since(g.pinged))
	}
	if next := policy.NextChange(g.effective(), g.judged); !next.IsZero() {
		// At least once a minute: timers stand still while the machine sleeps, the clock does not.
		sooner(min(next.Sub(g.Clock.now()), saveEvery-(g.Clock.elapsed()-g.saved)))
	}
	if wait < 0 {
		alarm.Stop()
		return
	}
	alarm.Reset(wait)
}

// How often the clock is noted: while a permission is running or to come, and whenever the console is heard.
const (
	saveEvery = time.Minute
	noteEvery = 10 * time.Minute
)

// tick looks what the alarm was for; it is only an alarm, the truth is in the clock.
func (g *guard) tick() {
	if g.Watchdog > 0 && time.Since(g.pinged) >= g.Watchdog {
		g.pinged = time.Now()
		g.Alive()
	}
	next := policy.NextChange(g.effective(), g.judged)
	if next.IsZero() {
		return
	}
	if g.Clock.elapsed()-g.saved >= saveEvery {
		g.noteClock()
	}
	if !next.After(g.Clock.now()) {
		g.noteClock() // nobody may come back to before this
		g.judgeAll()
	}
}

// effective is the policy to judge by.
func (g *guard) effective() *policy.Policy {
	if g.Clock.doubted() {
		return g.Policy.WithoutGrants()
	}
	return g.Policy
}

// noteClock saves the time beside the guard, which waits for no disk.
func (g *guard) noteClock() {
	g.saved = g.Clock.elapsed()
	go func() {
		text := ""
		if err := g.Clock.save(); err != nil {
			g.Log.Error().Err(err).Msg("cannot note the time")
			text = err.Error()
		}
		g.post(func() { g.setFault(wire.FaultClockFile, text) })
	}()
}

func (g *guard) stop() {
	g.keeper.end()
	g.flushDevices()
	if err := g.Clock.save(); err != nil {
		g.Log.Error().Err(err).Msg("cannot note the time")
	}
}

// onPolicy takes a policy whose signature, terminal and revision the link has checked.
func (g *guard) onPolicy(p *policy.Policy) {
	g.post(func() {
		if p.Revision == g.Policy.Revision && p.Terminal == g.Policy.Terminal {
			return // the link repeats what it saved
		}
		g.Policy = p
		g.Journal(wire.Record{Kind: wire.RecordPolicy, Code: "applied", Revision: p.Revision})
		g.setFault(wire.FaultPolicy, "")
		g.keeper.wish(p.RemovableMedia.Mode)
		g.judgeAll()
		g.pulse()
		if g.Settled != nil {
			g.Settled(p)
		}
	})
}

// onRefused notes that a policy came which must not be applied.
func (g *guard) onRefused(err error) {
	g.post(func() {
		g.setFault(wire.FaultPolicy, err.Error())
		if g.refuse.take(time.Now()) {
			g.Journal(wire.Record{Kind: wire.RecordPolicy, Code: "refused", Revision: g.Policy.Revision, Note: cut(err.Error(), 1024)})
		}
	})
}

// onWoken judges everything again: while the machine slept, permissions ended and no timer ran.
func (g *guard) onWoken() {
	g.post(func() {
		g.noteClock()
		g.judgeAll()
		g.pulse() // somebody else may sit here
	})
}

// onTime takes the console's time.
func (g *guard) onTime(t time.Time) {
	doubted := g.Clock.doubted()
	moved := g.Clock.hear(t)
	g.post(func() {
		if !moved {
			if g.Clock.elapsed()-g.saved >= noteEvery {
				g.noteClock()
			}
			return
		}
		g.Log.Info().Time("now", g.Clock.now()).Msg("the console's time was taken over")
		if doubted {
			g.Journal(wire.Record{Kind: wire.RecordAgent, Code: "clock_trusted"})
			g.setFault(wire.FaultClock, "")
		}
		g.noteClock()
		g.judgeAll()
	})
}

func (g *guard) setFault(code, text string) {
	if g.faults[code] == text {
		return
	}
	if g.faults[code] = text; text == "" {
		delete(g.faults, code)
	}
	g.pulse()
}

// pulse says that the status has changed; several pulses may be one.
func (g *guard) pulse() {
	select {
	case g.changed <- struct{}{}:
	default:
	}
}

package main

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"slices"
	"time"

	"sekisho/agent/enforce"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// slow is how long a hand may take before a pending record is written.
const slow = 2 * time.Second

// maxHere bounds the devices remembered; the sensor has the same bound.
const maxHere = 4096

// attached is one device that is plugged in, from attach to detach. The guard owns it.
type attached struct {
	event    policy.Event // attach, with the newest facts of the device
	since    time.Time
	judged   time.Time
	decision policy.Decision
	outcome  policy.Outcome // "" while the hand is at it for the first time
	recorded verdict        // what the last record said; zero: there is none
	violated bool           // a violation of this visit is on record
	order    uint64         // number of the newest wish; an older result means nothing
	request  string         // number that the user was told in this visit
	failures int            // in a row
}

// verdict is what a record is about. The revision is not in it: a stick that is judged again every time
// a policy arrives does not fill five years of archive.
type verdict struct {
	action  policy.Action
	mode    policy.Mode
	rule    string
	grant   string
	alarm   bool
	outcome policy.Outcome
}

func (a *attached) verdict() verdict {
	d := a.decision
	return verdict{d.Action, d.Mode, d.Rule, d.Grant, d.Alarm, a.outcome}
}

// place is where a device sits: ids are unique only on their own bus, a tunnel and a stick may both be 1-1.
type place struct{ bus, id string }

func placeOf(d policy.Device) place { return place{d.Bus, d.ID} }

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.bus, q.bus), cmp.Compare(p.id, q.id))
}

// is says whether a is what is plugged in at its place now.
func (g *guard) is(a *attached) bool { return g.here[placeOf(a.event.Device)] == a }

// arrive takes an attach, or new facts of a device that is here.
func (g *guard) arrive(ev policy.Event) {
	a := g.here[placeOf(ev.Device)]
	switch {
	case a != nil && ev.What == policy.EventAttach && !reflect.DeepEqual(a.event.Device, ev.Device):
		g.leave(policy.Event{What: policy.EventDetach, Device: a.event.Device, SeenAt: ev.SeenAt}) // its detach was missed
		a = nil
	case a == nil && len(g.here) >= maxHere:
		g.Log.Error().Str("device", ev.Device.ID).Msg("too many devices, not judged")
		return
	}
	if a == nil {
		a = &attached{event: ev, since: g.Clock.now()}
		g.here[placeOf(ev.Device)] = a
	}
	a.event.Device = ev.Device
	g.judge(a)
	g.pulse()
}

// judge asks the head and gives the answer to the hands.
func (g *guard) judge(a *attached) {
	a.judged = g.Clock.now()
	a.decision = policy.Decide(g.effective(), a.event, a.judged)
	a.failures = 0
	g.want(a)
}

// judgeAll judges every attached device anew, on the same path as an insertion.
func (g *guard) judgeAll() {
	g.publish()
	g.judged = g.Clock.now()
	for _, at := range sortedPlaces(g.here) {
		g.judge(g.here[at])
	}
}

// want sends the newest decision to the hands.
func (g *guard) want(a *attached) {
	a.order++
	n := a.order
	g.acts.give(g, order{a, n, a.event.Device, a.decision})
	g.after(slow, func() { g.late(a, n) })
}

// late writes the pending record of a hand that is still at it. The user of a mounted stick has to wait for its sync.
func (g *guard) late(a *attached, n uint64) {
	if a.order != n || !g.acts.pending(a) || !g.is(a) {
		return
	}
	a.outcome = policy.OutcomePending
	g.record(a, nil)
	g.pulse()
}

// finished takes what the hand reports.
func (g *guard) finished(o order, r enforce.Result) {
	a := o.of
	if !g.is(a) || a.order != o.n {
		return // it left, or was judged otherwise meanwhile: that one's result counts
	}
	a.outcome = r.Outcome
	g.pulse()
	if r.Outcome == policy.OutcomeRemoved {
		return // the sensor will say so
	}
	if failed(r.Outcome) {
		g.again(a)
	}
	if a.verdict() == a.recorded {
		return
	}
	g.tell(a)
	g.record(a, r.Steps)
}

func failed(o policy.Outcome) bool {
	return o == policy.OutcomeBlockFailed || o == policy.OutcomeAllowFailed
}

// again tries a failed act once more after a minute, later each time.
func (g *guard) again(a *attached) {
	n, delay := a.order, time.Minute<<min(a.failures, 6)
	a.failures++
	g.after(delay, func() {
		if g.is(a) && a.order == n {
			g.want(a)
		}
	})
}

// leave takes a detach. One that comes in the middle of a decision makes a record of its own kind:
// what was tried, why it would have been stopped, and that it is gone.
func (g *guard) leave(ev policy.Event) {
	a := g.here[placeOf(ev.Device)]
	if a == nil {
		return
	}
	delete(g.here, placeOf(ev.Device))
	g.acts.drop(a)
	g.pulse()
	unsaid := a.recorded == verdict{}
	a.outcome = policy.OutcomeRemoved
	if unsaid {
		g.record(a, nil)
		return
	}
	a.event.What, a.event.SeenAt, a.event.Present = policy.EventDetach, ev.SeenAt, false
	g.record(a, nil)
}

// record writes the verdict, if it is one that somebody will want to read.
func (g *guard) record(a *attached, done []wire.Step) {
	if !worth(a) {
		return
	}
	a.recorded = a.verdict()
	ev, d := a.event, a.decision
	steps := []wire.Step{
		{At: ev.SeenAt, Code: "seen", Detail: ev.What, OK: true},
		{At: a.judged, Code: "decided", Detail: d.Rule, OK: true},
	}
	g.Journal(wire.Record{
		Kind: wire.RecordDevice, At: g.Clock.now(), Event: &ev, Decision: &d, Outcome: a.outcome,
		Steps: append(steps, done...), Request: a.request, Revision: d.Revision, Code: a.repeats(),
	})
	g.log(ev.Device, d, a.outcome)
}

// logLag lets the record reach the disk first: a line in the log sets the system's own journal to work.
const logLag = 100 * time.Millisecond

func (g *guard) log(dev policy.Device, d policy.Decision, outcome policy.Outcome) {
	time.AfterFunc(logLag, func() {
		g.Log.Info().Str("device", dev.ID).Str("serial", dev.Serial).Str("action", string(d.Action)).
			Str("rule", d.Rule).Str("outcome", string(outcome)).Int64("revision", d.Revision).Msg("verdict")
	})
}

// repeats is CodeAgain for a violation after the first of a visit: people need not be called twice for one stick.
// A block still under way is none yet, and a detach says enough itself.
func (a *attached) repeats() string {
	if !a.decision.Violation() || a.outcome == policy.OutcomePending || a.event.What == policy.EventDetach {
		return ""
	}
	if a.violated {
		return wire.CodeAgain
	}
	a.violated = true
	return ""
}

// worth says whether a verdict is recorded: every violation, everything that can carry files out, everything that
// should work and does not. Keyboards, mice and the machine's own disks come and go without filling the archive.
func worth(a *attached) bool {
	if a.decision.Rule == policy.RuleSystem {
		return false
	}
	kinds := a.event.Device.Kinds
	return a.decision.Violation() || policy.StorageCapable(kinds) || policy.Composite(kinds) ||
		failed(a.outcome) || failed(a.recorded.outcome)
}

// flushDevices ends the acts that are under way; what they hold stays as it is in the kernel.
func (g *guard) flushDevices() {
	for _, a := range g.here {
		g.acts.drop(a)
	}
}

func sortedPlaces(here map[place]*attached) []place {
	return slices.SortedFunc(maps.Keys(here), place.compare)
}

// requestNumber is what the user reads out on the telephone: eight digits that nobody can guess.
func requestNumber() string {
	n, err := rand.Int(rand.Reader, big.NewInt(1_0000_0000))
	if err != nil {
		return "" // cannot happen: https://pkg.go.dev/crypto/rand#Read
	}
	return fmt.Sprintf("%04d-%04d", n.Int64()/1_0000, n.Int64()%1_0000)
}

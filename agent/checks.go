package main

import (
	"context"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// How often each area is looked at. One in which something fails is looked at every minute, so that a repair is seen within
// one; the network rings by itself when it changes.
var lookEvery = map[string]time.Duration{
	policy.AreaNetwork: time.Minute, policy.AreaAntivirus: 5 * time.Minute, policy.AreaSettings: 5 * time.Minute, policy.AreaPatch: 15 * time.Minute,
}

const (
	failingAgain = 50 * time.Second // while something fails
	judgeAt      = time.Minute      // stages and waivers change with the time alone
	lookBound    = 2 * time.Minute  // after that an area counts as not read

	remindAgain    = 10 * time.Minute       // where somebody is logged in whose desktop takes no word
	recordsPerHour = 20                     // of one check
	untilGuarded   = 500 * time.Millisecond // between two looks for the first policy
)

// checkupOptions is what a checkup is given.
type checkupOptions struct {
	Look    map[string]func(context.Context, []policy.Probe) []policy.Reading // by area
	Changes func(context.Context) (<-chan struct{}, error)                    // pulses when the network may have changed; may be nil
	Policy  func() *policy.Policy                                             // in force
	Now     func() time.Time                                                  // the agent's clock
	Doubted func() bool                                                       // deadlines mean nothing
	Up      func() time.Duration
	Notes   *checkNotes
	Changed func(r policy.CheckResult, tell bool) // a result or its stage changed
	People  func() int                            // who can be told now; nil is nobody
	Remind  func(r policy.CheckResult)            // tells of a failure again, without a record: nobody was there the first time
	Put     func([]wire.Item)                     // the sheet, whole; may be nil
	Judged  func()                                // everything was judged anew; may be nil
	Spread  time.Duration                         // the first looks come within it
	Log     zerolog.Logger
}

// checkup looks at the terminal again and again, has the head judge, and remembers since when. run owns all but shown.
type checkup struct {
	checkupOptions
	kick     chan struct{}
	did      chan struct{}                  // something was done about a failure
	acts     atomic.Pointer[[]policy.Acted] // what stands of that
	looks    chan looked
	readings map[string][]policy.Reading
	due      map[string]time.Time // of the next look
	busy     map[string]time.Time // a look is under way since
	budgets  map[string]*budget   // records, by check
	owed     map[string]bool      // a change of the check was not recorded
	reminded map[string]time.Time // of a check, last
	early    bool                 // there is no policy yet
	hung     map[string]bool      // it takes too long, and counts as not read

	mu    sync.Mutex
	shown []policy.CheckResult
}

type looked struct {
	area     string
	readings []policy.Reading
}

func newCheckup(o checkupOptions) *checkup {
	return &checkup{
		checkupOptions: o, kick: make(chan struct{}, 1), did: make(chan struct{}, 1), looks: make(chan looked, len(o.Look)),
		readings: map[string][]policy.Reading{}, due: map[string]time.Time{}, busy: map[string]time.Time{}, hung: map[string]bool{}, budgets: map[string]*budget{}, owed: map[string]bool{}, reminded: map[string]time.Time{},
	}
}

// again asks for a look at everything now: another policy came, or somebody says that it is repaired.
func (c *checkup) again() { ring(c.kick) }

// acted takes what was done about failures; they are judged with it.
func (c *checkup) acted(list []policy.Acted) {
	c.acts.Store(&list)
	ring(c.did)
}

// results are the newest; anybody may ask.
func (c *checkup) results() []policy.CheckResult {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.shown)
}

func (c *checkup) run(ctx context.Context) {
	c.soon(c.Spread)
	if kept := c.Notes.results(); len(kept) > 0 {
		c.publish(kept) // until they are judged anew
	}
	changes := c.listen(ctx)
	for {
		c.start(ctx)
		alarm := time.NewTimer(c.wait())
		select {
		case l := <-c.looks:
			c.take(l)
		case _, ok := <-changes:
			if !ok {
				changes = nil // the minute's look goes on
			}
			c.due[policy.AreaNetwork] = time.Now()
		case <-c.kick:
			c.soon(0)
		case <-c.did:
			c.judge()
		case <-alarm.C:
			c.judge()
		case <-ctx.Done():
			alarm.Stop()
			return
		}
		alarm.Stop()
	}
}

func (c *checkup) listen(ctx context.Context) <-chan struct{} {
	if c.Changes == nil {
		return nil
	}
	changes, err := c.Changes(ctx)
	if err != nil {
		c.Log.Warn().Err(err).Msg("network changes are seen once a minute only")
	}
	return changes
}

// soon lets every area be looked at within d.
func (c *checkup) soon(d time.Duration) {
	for area := range c.Look {
		c.due[area] = time.Now().Add(jitter(d))
	}
}

func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}

func (c *checkup) wait() time.Duration {
	if c.early {
		return untilGuarded
	}
	wait := judgeAt
	for area, at := range c.due {
		if c.busy[area].IsZero() {
			wait = min(wait, time.Until(at))
		}
	}
	return max(wait, 0)
}

// start begins the looks that are due, each area beside the others: one that hangs holds nobody up.
func (c *checkup) start(ctx context.Context) {
	p := c.Policy()
	c.early = p == nil // the guard has not begun
	switch {
	case c.early:
		return
	case p.Health == nil:
		c.rest()
		return
	}
	for area, look := range c.Look {
		if since := c.busy[area]; !since.IsZero() {
			if time.Since(since) > lookBound && !c.hung[area] {
				c.hung[area] = true
				c.Log.Warn().Str("area", area).Msg("a look at the terminal takes too long")
				c.readings[area] = []policy.Reading{}
				c.judge()
			}
			continue
		}
		if time.Now().Before(c.due[area]) {
			continue
		}
		c.busy[area] = time.Now()
		go func() {
			bound, cancel := context.WithTimeout(ctx, lookBound)
			defer cancel()
			c.looks <- looked{area, look(bound, p.Health.Probes)}
		}()
	}
}

// rest is for a policy without checks: nothing is looked at, and nothing is shown.
func (c *checkup) rest() {
	for area := range c.due {
		c.due[area] = time.Now().Add(judgeAt)
	}
	clear(c.readings)
	if c.Judged != nil {
		c.Judged()
	}
	if len(c.results()) > 0 {
		c.Notes.keep(nil, nil)
		c.publish(nil)
	}
}

func (c *checkup) take(l looked) {
	began := c.busy[l.area]
	delete(c.busy, l.area)
	delete(c.hung, l.area)
	if l.readings == nil {
		l.readings = []policy.Reading{}
	}
	c.readings[l.area] = l.readings
	c.judge()
	if c.due[l.area].After(began) {
		return // it was asked for again meanwhile
	}
	every := lookEvery[l.area]
	if c.fails(l.area) {
		every = failingAgain
	}
	c.due[l.area] = time.Now().Add(every - every/10 + jitter(every/10))
}

func (c *checkup) fails(area string) bool {
	return slices.ContainsFunc(c.results(), func(r policy.CheckResult) bool {
		info, _ := policy.CheckOf(r.Check)
		return info.Area == area && r.Result == policy.ResultFail
	})
}

// judge has the head judge what was read. What was not looked at since the agent started stays as it was.
func (c *checkup) judge() {
	p := c.Policy()
	if p == nil || p.Health == nil {
		return
	}
	before := c.Notes.results()
	s := &policy.Survey{OS: runtime.GOOS, Up: c.Up(), Doubt: c.Doubted()}
	for _, readings := range c.readings {
		s.Readings = append(s.Readings, readings...)
	}
	if acts := c.acts.Load(); acts != nil {
		s.Acts = *acts
	}
	var now []policy.CheckResult
	for _, r := range policy.Judge(p, s, before, c.Now()) {
		info, _ := policy.CheckOf(r.Check)
		old := resultOf(before, r.Check)
		if c.readings[info.Area] == nil {
			if old != nil {
				now = append(now, *old)
			}
			continue
		}
		now = append(now, r)
		c.report(p.Health, old, r)
		c.remind(p.Health, r)
	}
	c.Notes.forget(c.missing())
	if !reflect.DeepEqual(before, now) {
		c.Notes.keep(now, p.Health)
		c.publish(now)
	} else if c.results() == nil {
		c.publish(now)
	}
	if c.Judged != nil {
		c.Judged()
	}
}

// report writes a result down whose answer or stage is new, and has the user told once for each stage of a failure. Of one
// that flaps, the rest of the hour is left out; where it stands then is written down.
func (c *checkup) report(h *policy.Health, old *policy.CheckResult, r policy.CheckResult) {
	changed := old == nil && r.Result == policy.ResultFail || old != nil && (old.Result != r.Result || old.Stage != r.Stage || old.Waiver != r.Waiver)
	tell := h.TellCheck(r) && !c.Notes.told(r)
	if !changed && !tell && !c.owed[r.Check] {
		return
	}
	if c.budgets[r.Check] == nil {
		c.budgets[r.Check] = &budget{most: recordsPerHour, per: time.Hour}
	}
	if c.owed[r.Check] = !c.budgets[r.Check].take(time.Now()); c.owed[r.Check] {
		return
	}
	if tell {
		c.Notes.tell(r)
	}
	c.Changed(r, tell)
}

// remind tells of a failure whom it could not be told before, because nobody was there.
func (c *checkup) remind(h *policy.Health, r policy.CheckResult) {
	if c.People == nil || !h.TellCheck(r) || !c.Notes.isMissed(r) || time.Since(c.reminded[r.Check]) < remindAgain || c.People() == 0 {
		return
	}
	c.reminded[r.Check] = time.Now()
	c.Notes.tell(r)
	c.Remind(r)
}

func resultOf(list []policy.CheckResult, id string) *policy.CheckResult {
	for i := range list {
		if list[i].Check == id {
			return &list[i]
		}
	}
	return nil
}

// missing are the words whose first sight is still of use.
func (c *checkup) missing() map[string]bool {
	readings, ok := c.readings[policy.AreaPatch]
	if !ok {
		return nil
	}
	out := map[string]bool{}
	for _, r := range readings {
		if r.Fact() == policy.FactUpdates {
			if !r.Read() {
				return nil
			}
			for _, e := range r.Entries() {
				out[e.Word] = true
			}
		}
	}
	return out
}

func (c *checkup) publish(results []policy.CheckResult) {
	c.mu.Lock()
	c.shown = results
	c.mu.Unlock()
	if c.Put != nil {
		c.Put(healthItems(results))
	}
}

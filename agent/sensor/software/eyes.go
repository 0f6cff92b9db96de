package software

import (
	"cmp"
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"sekisho/internal/policy"
	"sekisho/internal/roll"
)

// Eyes look at every source. Their methods are for one goroutine.
type Eyes struct {
	o       Options
	sources []source
	marks   map[string]string // of the last look at each source
	faults  map[string]string
	looked  map[string]bool // a source was looked at since the start: what happens from then on does not happen while nobody looks
	recent  *recent
	word    atomic.Int32 // what was told since the last look: tellsNothing and so on
}

// What was told of since the last look. One that nothing but dpkg's database has brought about leaves the other sources out:
// to find AppImages takes opening every file in the folders of people.
const (
	tellsNothing = iota
	tellsOfDebs
	tellsMore
)

// hear notes what was told of.
func (e *Eyes) hear(onlyDebs bool) {
	if onlyDebs {
		e.word.CompareAndSwap(tellsNothing, tellsOfDebs)
		return
	}
	e.word.Store(tellsMore)
}

// Open makes the eyes of this system.
func Open(o Options) *Eyes { return newEyes(o, sources(o)) }

func newEyes(o Options, from []source) *Eyes {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Often, o.Calm = cmp.Or(o.Often, often), cmp.Or(o.Calm, calm)
	return &Eyes{o: o, sources: from, marks: map[string]string{}, faults: map[string]string{},
		looked: map[string]bool{}, recent: newRecent(o.Dir)}
}

// Look looks at what has changed since the last look, and gives nil where nothing has. The caller calls Keep when what it
// was told is safe; until then the same would be told again by the eyes of a later start. When ctx ends nothing was seen.
func (e *Eyes) Look(ctx context.Context) (*Look, error) {
	var l Look
	fresh, news := 0, false
	debs := e.word.Swap(tellsNothing) == tellsOfDebs
	for _, s := range e.sources {
		if debs && s.name != "deb" && e.looked[s.name] {
			continue
		}
		mark := s.mark()
		if mark != "" && mark == e.marks[s.name] {
			continue
		}
		before, had, err := e.recent.kept(s.name)
		if err != nil {
			e.o.Log.Error().Err(err).Str("source", s.name).Msg("looking as if for the first time")
			l.Faults = append(l.Faults, err.Error()+": what changed since then is not told")
		}
		if !had {
			fresh++
		}
		there, err := e.see(ctx, s, before, had, &l)
		if err != nil {
			return nil, err
		}
		news = there || news
		e.marks[s.name] = mark
	}
	l.First = fresh > 0 && fresh == len(e.sources)
	if !news {
		return nil, nil
	}
	var err error
	l.Programs, err = e.programs()
	for _, s := range e.sources {
		if f := e.faults[s.name]; f != "" {
			l.Faults = append(l.Faults, f)
		}
	}
	return &l, err
}

// see looks at one source and says whether there is anything new. What a source holds that is looked at for the first time
// is no event.
func (e *Eyes) see(ctx context.Context, s source, before *roll.Roll, had bool, l *Look) (news bool, err error) {
	var old map[string]policy.Program
	if had {
		old = byID(before)
	}
	r := s.read(ctx, old, !had)
	if err := ctx.Err(); err != nil {
		return false, err
	}
	events, there := difference(old, r, e.o.Now(), !e.looked[s.name])
	changed := !had || !same(before, there)
	news = changed || e.faults[s.name] != r.fault || !e.looked[s.name]
	e.looked[s.name], e.faults[s.name] = true, r.fault
	if s.tell != nil && len(events) > 0 {
		s.tell(events)
		there = enriched(there, events)
	}
	l.Events = append(l.Events, events...)
	e.recent.put(s.name, there, changed)
	return news, nil
}

// enriched brings who installed a program from the events back to the list.
func enriched(there []policy.Program, events []policy.ProgramEvent) []policy.Program {
	by := map[string]string{}
	for _, ev := range events {
		by[ev.Program.ID] = ev.Program.InstalledBy
	}
	for i := range there {
		if who, ok := by[there[i].ID]; ok {
			there[i].InstalledBy = who
		}
	}
	return there
}

func same(a *roll.Roll, b []policy.Program) bool {
	if a.Len() != len(b) {
		return false
	}
	for i := range b {
		x, y := a.At(i), b[i]
		if !x.InstalledAt.Equal(y.InstalledAt) {
			return false
		}
		x.InstalledAt, y.InstalledAt = time.Time{}, time.Time{}
		if x != y {
			return false
		}
	}
	return true
}

// Keep notes that what the last look said is safe.
func (e *Eyes) Keep() error {
	for _, s := range e.sources {
		if err := e.recent.keep(s.name); err != nil {
			return err
		}
	}
	return nil
}

// Programs are all that were there at the last look.
func (e *Eyes) Programs() (*roll.Roll, error) { return e.programs() }

func (e *Eyes) programs() (*roll.Roll, error) {
	var all []*roll.Roll
	for _, s := range e.sources {
		p, _, err := e.recent.last(s.name)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return roll.Join(all...), nil
}

// Packages are those of the same terminal for who cannot wait for these eyes; it knows what they saw last.
func (e *Eyes) Packages() *Packages { return newPackages(e.o, e.recent) }

// Watch tells when it is time to look: at once, soon after something changed, and every quarter of an hour. The channel is
// closed when ctx ends.
func (e *Eyes) Watch(ctx context.Context) <-chan struct{} {
	out, stirred := make(chan struct{}), make(chan struct{}, 1)
	e.listen(ctx, stirred)
	go func() {
		defer close(out)
		for {
			select {
			case out <- struct{}{}:
			case <-ctx.Done():
				return
			}
			if !e.wait(ctx, stirred) {
				return
			}
		}
	}()
	return out
}

// wait waits for something to happen, and then until it is over.
func (e *Eyes) wait(ctx context.Context, stirred <-chan struct{}) bool {
	if !pause(ctx, 2*e.o.Calm) { // a folder in which much happens must not keep a processor busy
		return false
	}
	slow := time.NewTimer(e.o.Often - rand.N(e.o.Often/4+1)) // a fleet that was switched on together does not look together
	defer slow.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-slow.C:
		e.hear(false)
		return true
	case <-stirred:
	}
	over, enough := time.NewTimer(e.o.Calm), time.NewTimer(patient)
	defer over.Stop()
	defer enough.Stop()
	begun := time.Now()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-stirred:
			over.Reset(e.o.Calm)
			continue
		case <-over.C:
			over.Reset(e.o.Calm)
		case <-enough.C:
			enough.Reset(patient)
		}
		if time.Since(begun) > longRun || !e.mayWait() {
			return true
		}
	}
}

// mayWait says that a look can wait until a package manager is done: nothing but its own database has changed, and what it
// does is known.
func (e *Eyes) mayWait() bool {
	return e.o.Busy != nil && e.word.Load() == tellsOfDebs && e.o.Busy()
}

// ring never waits.
func ring(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

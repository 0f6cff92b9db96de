package sensor

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"time"

	"sekisho/internal/policy"
)

// How long to wait between two looks at a machine that only says that something happened.
const (
	soon     = 250 * time.Millisecond // parts of one device come one after another
	upTo     = 3 * time.Second        // after the last word about something new
	slowly   = 10 * time.Second       // a composite device may wait this long for the drivers of its functions
	heedful  = time.Minute            // in case a word was lost
	unspoken = 2 * time.Second        // where nobody says a word
)

// surveyor knows what was attached at the last look and tells the difference. Its fields belong to its goroutine.
type surveyor struct {
	options Options
	look    func() ([]sighting, error)
	user    func() string
	every   time.Duration
	system  map[string]bool // by systemName; nil until the first look of a boot
	here    map[string]*visit
	queue   queue
	busy    time.Time // look often until then
	failing bool
}

// visit is one device between two events.
type visit struct {
	device  policy.Device
	seen    time.Time // wall clock of the look that found it
	due     time.Time // told then at the latest
	told    bool
	present bool
	system  bool
}

func newSurveyor(o Options, look func() ([]sighting, error), user func() string, every time.Duration) *surveyor {
	s := &surveyor{options: o, look: look, user: user, every: every, here: map[string]*visit{}}
	if o.System != nil {
		s.system = map[string]bool{}
		for _, name := range o.System {
			s.system[name] = true
		}
	}
	return s
}

// run looks at once, at every word, and from time to time. It never waits for the guard.
func (s *surveyor) run(ctx context.Context, words <-chan struct{}, out chan<- policy.Event) {
	defer close(out)
	s.survey(true)
	for {
		next, offer := s.queue.next(out)
		timer := time.NewTimer(s.pause())
		select {
		case <-words:
			s.hurry()
		case <-s.options.Again:
			s.hurry()
		case <-timer.C:
			s.survey(false)
		case offer <- next:
			s.queue.pop()
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// hurry looks at once, and often for a while.
func (s *surveyor) hurry() {
	s.busy = time.Now().Add(upTo)
	s.survey(false)
}

func (s *surveyor) pause() time.Duration {
	if time.Now().Before(s.busy) {
		return soon
	}
	for _, v := range s.here {
		if !v.told {
			return soon
		}
	}
	return s.every
}

// survey compares the machine with what was there before. A look that fails changes nothing: unknown is not gone.
func (s *surveyor) survey(present bool) {
	seen, err := s.look()
	if err != nil {
		if !s.failing {
			s.options.Log.Error().Err(err).Msg("cannot look at the devices, trying again")
		}
		s.failing = true
		return
	}
	s.failing = false
	s.own(seen)
	there := map[string]bool{}
	for _, one := range seen[:min(len(seen), maxDevices)] {
		there[one.device.ID] = true
		s.meet(one, present)
	}
	for _, id := range slices.Sorted(maps.Keys(s.here)) {
		if !there[id] {
			s.leave(id)
		}
	}
}

func (s *surveyor) own(seen []sighting) {
	if s.system != nil {
		return
	}
	s.system = map[string]bool{}
	for _, one := range seen {
		if one.system {
			s.system[systemName(one.device)] = true
		}
	}
}

func (s *surveyor) meet(one sighting, present bool) {
	d := one.device
	v := s.here[d.ID]
	if v == nil {
		v = &visit{seen: s.options.Now(), due: time.Now().Add(slowly), present: present, system: s.system[systemName(d)]}
		s.here[d.ID] = v
	}
	if v.system {
		claim(&d)
	}
	if v.told && len(d.Interfaces) == 0 && len(v.device.Interfaces) > 0 {
		return // what a hand has switched off shows less than it is
	}
	old := v.device
	v.device = d
	switch {
	case !v.told && (one.settled || !v.due.After(time.Now())):
		s.tell(v)
	case v.told && !reflect.DeepEqual(old, d):
		s.put(v, policy.EventChange, s.options.Now())
	}
}

func (s *surveyor) tell(v *visit) {
	v.told = true
	s.put(v, policy.EventAttach, v.seen)
}

func (s *surveyor) leave(id string) {
	v := s.here[id]
	if !v.told {
		s.tell(v) // it was there
	}
	s.put(v, policy.EventDetach, s.options.Now())
	delete(s.here, id)
	delete(s.system, systemName(v.device))
}

func (s *surveyor) put(v *visit, what string, at time.Time) {
	s.queue.put(v.device.ID, policy.Event{
		What: what, Device: v.device, SeenAt: at, User: s.user(),
		Present: v.present && what == policy.EventAttach,
	})
}

// devices is one look for those who do not watch.
func (s *surveyor) devices() ([]policy.Device, error) {
	seen, err := s.look()
	if err != nil {
		return nil, err
	}
	s.own(seen)
	out := make([]policy.Device, 0, len(seen))
	for _, one := range seen {
		if d := one.device; s.system[systemName(d)] {
			claim(&d)
			one.device = d
		}
		out = append(out, one.device)
	}
	return out, nil
}

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"sekisho/agent/local"
	"sekisho/agent/outbox"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// stage is one terminal, its bus and its console, in a bubble of made-up time.
type stage struct {
	t   *testing.T
	dir string

	bootNumber int
	started    time.Time    // of the machine
	offset     atomic.Int64 // wall clock minus true time, ns
	bus        map[string]policy.Device
	hand       *actor
	gate       *prop
	full       atomic.Bool
	appends    atomic.Int64
	told       atomic.Int64

	console *policy.Policy // what the console says now
	online  bool
	records []wire.Record

	guard   *guard
	journal *journal
	memory  *outbox.Outbox
	events  chan policy.Event
	stop    func(polite bool)
}

func newStage(t *testing.T) *stage {
	p := policy.Builtin(policy.ModeAudit)
	p.Terminal = "t1"
	p.Contact = policy.Contact{Name: "情報管理係", Phone: "内線 210"}
	return &stage{
		t: t, dir: t.TempDir(), bootNumber: 1, started: time.Now(), bus: map[string]policy.Device{},
		hand: &actor{t: t, busy: map[string]bool{}}, gate: &prop{state: "open"}, console: p, online: true,
	}
}

func (s *stage) boot() string { return fmt.Sprint("boot-", s.bootNumber) }

// on starts an agent the way guardTerminal does.
func (s *stage) on() {
	t := s.t
	wall := func() time.Time { return time.Now().Add(time.Duration(s.offset.Load())) }
	note, ended := openBoot(s.dir, s.boot())
	c, found := openClock(s.dir, s.boot(), wall, func() time.Duration { return time.Since(s.started) })
	gap := func(lost uint64) []byte { return gapRecord(lost, "journal", c.now(), s.boot()) }
	memory, err := outbox.Open(filepath.Join(s.dir, "outbox"), outbox.Options{Gap: gap, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	s.memory, s.events = memory, make(chan policy.Event, 16)
	s.journal = newJournal(s.write, s.fault, c.now, s.boot(), zerolog.Nop())
	s.journal.put(startRecord("test", ended))
	if found != clockFine {
		s.journal.put(wire.Record{Kind: wire.RecordClock, Code: found})
	}
	saved, problem := s.saved()
	first, record := firstPolicy(saved, problem, s.gate.State())
	if record != nil {
		s.journal.put(*record)
	}
	note.Running = true
	s.must(saveBoot(s.dir, note))
	s.guard = newGuard(guardOptions{
		Watch: s.watch, Hand: s.hand, Gate: s.gate, Journal: s.journal.put, Tell: s.tell,
		Clock: c, Policy: first, Boot: s.boot(), Unsent: memory.Len, User: func() string { return "taro" },
		Log: zerolog.Nop(), Settled: s.save,
	})
	s.run(note)
}

func (s *stage) run(note bootNote) {
	guard, journal, memory := s.guard, s.journal, s.memory
	ctx, cancel := context.WithCancel(context.Background())
	writing, stopWriting := context.WithCancel(context.Background())
	var all, writer sync.WaitGroup
	all.Go(func() { guard.run(ctx) })
	writer.Go(func() { journal.run(writing) })
	s.stop = func(polite bool) {
		cancel()
		all.Wait()
		if polite {
			journal.put(wire.Record{Kind: wire.RecordAgent, Code: "stopped"})
			note.Running = false
			s.must(saveBoot(s.dir, note))
		}
		stopWriting()
		writer.Wait()
		s.drain()
		memory.Close()
	}
	synctest.Wait()
	if s.online {
		s.deliver()
		synctest.Wait()
	}
}

func (s *stage) off() { s.stop(true) }

// kill keeps the note that an agent runs.
func (s *stage) kill() { s.stop(false) }

func (s *stage) must(err error) {
	if err != nil {
		s.t.Error(err)
	}
}

func (s *stage) write(bodies ...[]byte) (uint64, error) {
	if s.full.Load() {
		return 0, errors.New("cannot append to journal: no space left on device")
	}
	s.appends.Add(1)
	return s.memory.Append(bodies...)
}

func (s *stage) fault(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	g := s.guard
	g.post(func() { g.setFault(wire.FaultJournal, text) })
}

func (s *stage) tell(context.Context, local.Notice) int {
	s.told.Add(1)
	return 1
}

// save and saved are the link's policy file, without its signature.
func (s *stage) save(p *policy.Policy) {
	raw, err := json.Marshal(p)
	s.must(err)
	s.must(os.WriteFile(filepath.Join(s.dir, "policy.json"), raw, 0o600))
}

func (s *stage) saved() (*policy.Policy, error) {
	raw, err := os.ReadFile(filepath.Join(s.dir, "policy.json"))
	if err != nil {
		return nil, err
	}
	return policy.Parse(raw)
}

// publish changes what the console says; the terminal hears of it when it is online.
func (s *stage) publish(change func()) {
	p := *s.console
	s.console = &p
	change()
	p.Revision++
	if s.online {
		s.deliver()
	}
}

func (s *stage) deliver() {
	s.guard.onTime(time.Now())
	if s.console.Revision > 0 {
		s.guard.onPolicy(s.console)
	}
}

// grant serial 4C53 for 8h
func (s *stage) grant(words []string) error {
	if len(words) != 4 {
		return errors.New("grant serial S for D")
	}
	now := time.Now()
	g := policy.Grant{ID: fmt.Sprint("g", s.console.Revision+1), Bus: policy.BusUSB, Vendor: "0781", Product: "5583", Serial: words[1], From: now, Until: now.Add(span(words[3]))}
	s.publish(func() { s.console.Grants = append([]policy.Grant{g}, s.console.Grants...) })
	return nil
}

// turn sets the wall clock.
func (s *stage) turn(words []string) {
	d := span(words[1])
	if words[0] == "back" {
		d = -d
	}
	s.offset.Add(int64(d))
}

// watch is the sensor: what is there, then what comes.
func (s *stage) watch(ctx context.Context) (<-chan policy.Event, error) {
	out, in := make(chan policy.Event), s.events
	present := make([]policy.Event, 0, len(s.bus))
	for _, d := range s.bus {
		present = append(present, policy.Event{What: policy.EventAttach, Device: d, SeenAt: time.Now(), Present: true})
	}
	go func() {
		defer close(out)
		for _, ev := range present {
			select {
			case out <- ev:
			case <-ctx.Done():
				return
			}
		}
		for {
			select {
			case ev := <-in:
				select {
				case out <- ev:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// plug A stick 4C53
func (s *stage) plug(words []string) error {
	kinds, ok := shapes[words[1]]
	if !ok {
		return fmt.Errorf("nobody knows a %q", words[1])
	}
	d := policy.Device{ID: words[0], Bus: policy.BusUSB, Kinds: kinds, Vendor: "0781", Product: "5583"}
	if len(words) > 2 {
		d.Serial = words[2]
	}
	s.bus[d.ID] = d
	s.events <- policy.Event{What: policy.EventAttach, Device: d, SeenAt: time.Now()}
	return nil
}

var shapes = map[string][]policy.Kind{
	"stick":        {policy.KindStorage},
	"keyboard":     {policy.KindKeyboard},
	"card-reader":  {policy.KindSmartCard},
	"typing-stick": {policy.KindKeyboard, policy.KindStorage},
	"telephone":    {policy.KindPortable},
	"printer":      {policy.KindPrinter},
}

func (s *stage) unplug(name string) error {
	d, ok := s.bus[name]
	if !ok {
		return errors.New("it is not plugged in")
	}
	delete(s.bus, name)
	s.events <- policy.Event{What: policy.EventDetach, Device: d, SeenAt: time.Now()}
	return nil
}

// storm plugs n sticks in and out as fast as the guard takes them.
func (s *stage) storm(count string) error {
	n, err := strconv.Atoi(count)
	for i := range n {
		name := fmt.Sprint("S", i%100)
		if err := s.plug([]string{name, "stick", fmt.Sprint(i)}); err != nil {
			return err
		}
		if i%100 == 99 {
			synctest.Wait()
		}
	}
	return err
}

// drain takes what the journal holds, as the console would.
func (s *stage) drain() {
	for {
		req, err := s.memory.Next(wire.MaxEntries)
		if err != nil || len(req.Entries) == 0 {
			s.must(err)
			return
		}
		for _, e := range req.Entries {
			s.records = append(s.records, decodeRecord(s.t, e.Body))
		}
		s.must(s.memory.Drop(req.First + uint64(len(req.Entries)) - 1))
	}
}

func (s *stage) ofKind(kind string) []wire.Record {
	s.drain()
	var out []wire.Record
	for _, r := range s.records {
		if r.Kind == kind {
			out = append(out, r)
		}
	}
	return out
}

// outcomes are what the records say of a device, in order.
func (s *stage) outcomes(device string) []string {
	var out []string
	for _, r := range s.ofKind(wire.RecordDevice) {
		if r.Event.Device.ID == device {
			out = append(out, string(r.Outcome))
			s.checkExplained(r)
		}
	}
	return out
}

// codes are the words that a device's records carry while it is plugged in, "-" for none.
func (s *stage) codes(device string) []string {
	var out []string
	for _, r := range s.ofKind(wire.RecordDevice) {
		if r.Event.Device.ID == device && r.Event.What != policy.EventDetach {
			out = append(out, cmp.Or(r.Code, "-"))
		}
	}
	return out
}

// checkExplained: no unexplained decision.
func (s *stage) checkExplained(r wire.Record) {
	if r.Decision == nil || r.Decision.Rule == "" || len(r.Steps) < 2 || r.Boot == "" || r.At.IsZero() {
		s.t.Errorf("a record explains nothing: %+v", r)
	}
	if r.Outcome == policy.OutcomeBlocked && len(r.Request) != 9 {
		s.t.Errorf("request number %q", r.Request)
	}
}

// outcome is what the status says of a device.
func (s *stage) outcome(device string) string {
	for _, d := range s.guard.status().Devices {
		if d.Device.ID == device {
			return string(d.Outcome)
		}
	}
	return "gone"
}

func modeOf(word string) policy.Mode { return policy.Mode(word) }

func span(word string) time.Duration {
	d, err := time.ParseDuration(word)
	if err != nil {
		panic(err) // a mistake in the script
	}
	return d
}

func decodeRecord(t *testing.T, body []byte) wire.Record {
	var r wire.Record
	if err := json.Unmarshal(body, &r); err != nil {
		t.Error(err)
	}
	return r
}

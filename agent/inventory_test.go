package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"sekisho/agent/sensor/software"
	"sekisho/agent/sheet"
	"sekisho/internal/policy"
	"sekisho/internal/roll"
	"sekisho/internal/wire"
)

// shop is what is installed, made up.
type shop struct {
	bell   chan struct{}
	first  bool
	events []policy.ProgramEvent
	there  []policy.Program
	kept   int
}

func (s *shop) Watch(context.Context) <-chan struct{} { return s.bell }

func (s *shop) Look(context.Context) (*software.Look, error) {
	l := &software.Look{First: s.first, Events: s.events, Programs: roll.Of(s.there)}
	s.first, s.events = false, nil
	return l, nil
}

func (s *shop) Keep() error                   { s.kept++; return nil }
func (s *shop) Programs() (*roll.Roll, error) { return roll.Of(s.there), nil }

func (s *shop) install(p policy.Program) {
	s.there = append(s.there, p)
	s.events = append(s.events, policy.ProgramEvent{What: policy.ProgramInstalled, Program: p, SeenAt: time.Now(), User: "taro", Command: "dpkg"})
	s.bell <- struct{}{}
	synctest.Wait()
}

func package_(name, source string) policy.Program {
	return policy.Program{ID: "deb:" + name + ":amd64", Kind: policy.ProgramDeb, Name: name, Version: "1.0", Source: source}
}

// stocked is a stage with an inventory.
func stocked(t *testing.T, s *stage, from *shop) (*inventory, *sheet.Keeper) {
	sheets := sheet.Open(s.dir, time.Now, zerolog.Nop())
	i := newInventory(from, s.guard, sheets, s.dir, s.journal.queued, zerolog.Nop())
	s.guard.Published = func(*policy.Policy) { i.published() }
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); i.run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	synctest.Wait()
	return i, sheets
}

func controlled(s *stage, mode policy.Mode) {
	s.publish(func() {
		s.console.Software = policy.DefaultSoftware()
		s.console.Software.Mode = mode
		s.console.Software.Rules = append(s.console.Software.Rules, policy.ProgramRule{
			ID: "no-games", Action: policy.ActionBlock, Clause: policy.ClauseSoftware, Match: policy.ProgramMatch{Name: []string{"game*"}},
		})
		s.console.Clauses = policy.DefaultClauses()
	})
	synctest.Wait()
}

// said are the program records as "what name outcome".
func (s *stage) saidOfPrograms() string {
	var out []string
	for _, r := range s.ofKind(wire.RecordProgram) {
		word := r.Software.What + " " + r.Software.Program.Name + " " + string(r.Outcome)
		if r.Code != "" {
			word += " " + r.Code
		}
		if r.Decision.Rule == "" || r.Boot == "" {
			word += " unexplained"
		}
		out = append(out, word)
	}
	return strings.Join(out, ", ")
}

func expectSaid(t *testing.T, s *stage, want string) {
	t.Helper()
	synctest.Wait()
	if have := s.saidOfPrograms(); have != want {
		t.Errorf("the records say %q, not %q", have, want)
	}
}

func TestWhatIsInstalledIsJudgedRecordedAndShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.on()
		defer s.off()
		from := &shop{bell: make(chan struct{}), first: true, there: []policy.Program{package_("bash", policy.SourceRepository), package_("gamebox", policy.SourceLocal)}}
		i, sheets := stocked(t, s, from)
		from.bell <- struct{}{}
		expectSaid(t, s, "") // nothing is controlled yet
		controlled(s, policy.ModeWarn)
		expectSaid(t, s, "found gamebox detected") // and not bash; it was there before
		from.install(package_("curl", policy.SourceRepository))
		from.install(package_("game2", policy.SourceLocal))
		expectSaid(t, s, "found gamebox detected, installed curl allowed, installed game2 detected")
		time.Sleep(time.Second)
		r := s.ofKind(wire.RecordProgram)[2]
		if r.Software.User != "taro" || r.Software.Command != "dpkg" || len(r.Request) != len("4821-7730") || r.Decision.Rule != "no-games" {
			t.Errorf("%+v", r)
		}
		if s.told.Load() != 1 {
			t.Errorf("the user was told %d times", s.told.Load())
		}
		cases := s.guard.cases()
		if len(cases) != 1 || cases[0].Request != r.Request || cases[0].Program != "game2" || cases[0].Clause.Title.JA == "" {
			t.Errorf("%+v", cases)
		}
		if have := i.state(); have.Programs != 4 || have.Violations != 2 || have.Mode != "warn" || from.kept != 3 {
			t.Errorf("%+v, kept %d", have, from.kept)
		}
		if step := sheets.Next(); len(step) != 1 || len(step[0].Set) != 4 || step[0].Name != wire.SheetSoftware {
			t.Errorf("%+v", step)
		}
	})
}

func TestAnotherPolicyFindsWhatItForbidsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.on()
		defer s.off()
		from := &shop{bell: make(chan struct{}), first: true, there: []policy.Program{package_("gamebox", policy.SourceLocal)}}
		_, _ = stocked(t, s, from)
		controlled(s, policy.ModeLearn)
		from.bell <- struct{}{}
		expectSaid(t, s, "found gamebox learnt")
		controlled(s, policy.ModeAudit)
		expectSaid(t, s, "found gamebox learnt, found gamebox audit")
		controlled(s, policy.ModeAudit) // another revision says the same
		s.publish(func() { s.console.Language = "en" })
		expectSaid(t, s, "found gamebox learnt, found gamebox audit")
		controlled(s, policy.ModeWarn)
		expectSaid(t, s, "found gamebox learnt, found gamebox audit, found gamebox detected again")
		s.publish(func() { s.console.Software = nil })
		synctest.Wait()
		controlled(s, policy.ModeEnforce)
		expectSaid(t, s, "found gamebox learnt, found gamebox audit, found gamebox detected again, found gamebox detected")
		if s.told.Load() != 0 {
			t.Error("the user is told of what was there before anybody looked")
		}
	})
}

func TestARestartSaysNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.on()
		from := &shop{bell: make(chan struct{}), first: true, there: []policy.Program{package_("gamebox", policy.SourceLocal)}}
		for range 2 {
			sheets := sheet.Open(s.dir, time.Now, zerolog.Nop())
			i := newInventory(from, s.guard, sheets, s.dir, s.journal.queued, zerolog.Nop())
			controlled(s, policy.ModeAudit)
			i.look()
			expectSaid(t, s, "found gamebox audit")
			s.off()
			s.on()
		}
		s.off()
	})
}

func TestSixThousandFindsAreAllOnRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.on()
		defer s.off()
		from := &shop{bell: make(chan struct{}), first: true}
		_, _ = stocked(t, s, from)
		controlled(s, policy.ModeAudit)
		for n := range 6000 {
			from.there = append(from.there, package_(fmt.Sprint("p", n), policy.SourceLocal))
		}
		s.full.Store(true)
		from.bell <- struct{}{}
		time.Sleep(time.Hour)
		synctest.Wait()
		if from.kept > 0 {
			t.Error("what is not on record is kept as seen")
		}
		s.full.Store(false)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(s.ofKind(wire.RecordProgram)); n != 6000 || len(s.ofKind(wire.RecordGap)) > 0 || from.kept != 1 {
			t.Errorf("%d records, %d gaps, kept %d", n, len(s.ofKind(wire.RecordGap)), from.kept)
		}
	})
}

func TestAPermissionThatEndsMakesAFind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.on()
		defer s.off()
		from := &shop{bell: make(chan struct{}), first: true}
		_, _ = stocked(t, s, from)
		controlled(s, policy.ModeWarn)
		s.publish(func() {
			sw := *s.console.Software
			sw.Permits = []policy.Permit{{ID: "p1", Match: policy.ProgramMatch{Name: []string{"gamebox"}}, From: time.Now(), Until: time.Now().Add(time.Hour)}}
			s.console.Software = &sw
		})
		synctest.Wait()
		from.there = []policy.Program{package_("gamebox", policy.SourceLocal)}
		from.bell <- struct{}{}
		expectSaid(t, s, "")
		time.Sleep(2 * time.Hour)
		expectSaid(t, s, "found gamebox detected")
	})
}

func TestAProgramStartedInALoopIsCountedAndTheUserToldNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.on()
		defer s.off()
		controlled(s, policy.ModeEnforce)
		p := package_("gamebox", policy.SourceNone)
		for range 600 {
			d := s.guard.judgeProgram(p)
			s.guard.onProgram(judgement{event: policy.ProgramEvent{What: policy.ProgramRun, Program: p, SeenAt: time.Now()}, decision: d, outcome: policy.OutcomeBlocked})
			time.Sleep(time.Second)
		}
		d := s.guard.judgeProgram(p)
		s.guard.onProgram(judgement{event: policy.ProgramEvent{What: policy.ProgramRun, Program: p, SeenAt: time.Now()}, decision: d, outcome: policy.OutcomeBlocked})
		synctest.Wait()
		records := s.ofKind(wire.RecordProgram)
		if len(records) != 2 || records[1].Software.Times != 600 || records[0].Request != records[1].Request || len(records[0].Request) != 9 {
			t.Fatalf("%d records: %+v", len(records), records)
		}
		if told := s.told.Load(); told < 15 || told > 25 {
			t.Errorf("the user was told %d times in ten minutes", told)
		}
		if c := s.guard.cases(); len(c) != 1 || c[0].What != policy.ProgramRun || c[0].Outcome != policy.OutcomeBlocked {
			t.Errorf("%+v", c)
		}
	})
}

func TestHostileWordsStillFitTheWire(t *testing.T) {
	word := strings.Repeat("\u2028", 85)
	p := policy.Program{ID: "app:x", Name: word, Publisher: word, Origin: word, Path: strings.Repeat("<", 1024), Fault: word, Version: word}
	i := sheetOfPrograms{roll.Of([]policy.Program{p})}.Item(0)
	if i.ID != p.ID || len(i.Body) > wire.MaxItem {
		t.Error(len(i.Body))
	}
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"sekisho/agent/local"
	"sekisho/agent/sensor/software"
	"sekisho/agent/sheet"
	"sekisho/internal/durable"
	"sekisho/internal/policy"
	"sekisho/internal/roll"
	"sekisho/internal/wire"
)

// eyesOnSoftware see what is installed.
type eyesOnSoftware interface {
	Watch(context.Context) <-chan struct{}
	Look(ctx context.Context) (*software.Look, error)
	Keep() error
	Programs() (*roll.Roll, error)
}

// inventory follows what is installed: what the eyes see is judged, recorded, and shown to the console as a sheet.
type inventory struct {
	eyes   eyesOnSoftware
	guard  *guard
	sheets *sheet.Keeper
	path   string // of said
	now    func() time.Time
	queued func() int // records that wait for the disk
	log    zerolog.Logger

	ctx   context.Context   // of run
	again chan struct{}     // judge everything anew
	said  map[string]string // by program: what the last record says that no rule allows it by; nil: as noted at path. run owns it

	after  func()          // called when a look found something; may be nil
	worked chan<- struct{} // rings when everything was gone through; may be nil

	mu     sync.Mutex
	report *local.Software
}

func newInventory(eyes eyesOnSoftware, g *guard, sheets *sheet.Keeper, dir string, queued func() int, log zerolog.Logger) *inventory {
	i := &inventory{eyes: eyes, guard: g, sheets: sheets, path: filepath.Join(dir, "programs.json"), now: g.Clock.now, queued: queued, log: log,
		ctx: context.Background(), again: make(chan struct{}, 1)}
	return i
}

// recall reads what is on record of programs: between two looks nobody needs it, and it may be thousands of lines.
func (i *inventory) recall() {
	if i.said != nil {
		return
	}
	var said map[string]string
	raw, err := durable.ReadFile(i.path)
	if err == nil {
		err = json.Unmarshal(raw, &said)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		i.log.Warn().Err(err).Msg("cannot read what is on record of programs, saying it again")
		said = nil
	}
	if i.said = said; said == nil {
		i.said = map[string]string{}
	}
}

// run looks and judges until ctx ends.
func (i *inventory) run(ctx context.Context) {
	i.ctx = ctx
	ready := make(chan struct{})
	if !i.guard.post(func() { close(ready) }) {
		return
	}
	select {
	case <-ready: // the guard has published what to judge by
	case <-ctx.Done():
		return
	}
	look := i.eyes.Watch(ctx)
	for {
		select {
		case _, ok := <-look:
			if !ok {
				return
			}
			i.look()
		case <-i.again:
			i.judgeAgain()
		case <-ctx.Done():
			return
		}
		ring(i.worked)
	}
}

// published hears that programs may be judged otherwise than before.
func (i *inventory) published() { ring(i.again) }

// look takes what the eyes see. Only when everything is on its way into the journal is it kept as seen: a crash before that
// tells it again, none leaves it out.
func (i *inventory) look() {
	l, err := i.eyes.Look(i.ctx)
	if i.ctx.Err() != nil {
		return // the next start sees it
	}
	if err != nil {
		i.fault(err.Error())
		return
	}
	if l == nil {
		return
	}
	if i.after != nil {
		i.after()
	}
	i.recall()
	for _, ev := range l.Events {
		i.happened(ev)
	}
	i.judge(l.Programs)
	if i.ctx.Err() != nil {
		return // not all of it was said: it is told again at the next start
	}
	problem := strings.Join(l.Faults, "; ")
	if err := i.sheets.Put(wire.SheetSoftware, sheetOfPrograms{l.Programs}); err != nil {
		problem = cut(strings.TrimPrefix(problem+"; "+err.Error(), "; "), 1024)
	}
	if err := i.eyes.Keep(); err != nil {
		problem = err.Error()
	}
	i.fault(problem)
}

func (i *inventory) fault(text string) {
	if text != "" {
		i.log.Warn().Str("err", text).Msg("not all software can be seen")
	}
	i.guard.post(func() { i.guard.setFault(wire.FaultSoftware, text) })
}

// happened judges and records one change.
func (i *inventory) happened(ev policy.ProgramEvent) {
	d := i.guard.judgeProgram(ev.Program)
	if d.Action == policy.ActionAllow || ev.What == policy.ProgramRemoved {
		delete(i.said, ev.Program.ID)
	} else {
		i.said[ev.Program.ID] = verdictOn(ev.Program, d)
	}
	i.record(judgement{event: ev, decision: d, outcome: outcomeOf(ev.What, d)})
}

// Records go to the journal no faster than the disk takes them: at a first look thousands of programs may be such that no rule
// allows them, and a full disk makes all wait.
const (
	recordsAhead = keepWhileFull / 2
	recordsPause = 50 * time.Millisecond
)

func (i *inventory) record(j judgement) {
	for i.queued() > recordsAhead && pause(i.ctx, recordsPause) {
	}
	if i.ctx.Err() == nil {
		i.guard.onProgram(j)
	}
}

// judge judges all that is there, and records those that no rule allows and of which that is not on record yet.
func (i *inventory) judge(programs *roll.Roll) {
	i.recall()
	r := local.Software{Programs: programs.Len(), Looked: i.now()}
	if p := i.guard.view.Load(); p != nil && p.Software != nil {
		r.Mode = string(p.Software.Mode)
	}
	now := make(map[string]string)
	for p := range programs.All() {
		d := i.guard.judgeProgram(p)
		if d.Action == policy.ActionAllow {
			continue
		}
		if d.Violation() {
			r.Violations++
		}
		now[p.ID] = verdictOn(p, d)
		if before := i.said[p.ID]; before != now[p.ID] {
			i.found(p, d, before != "" && !strings.HasSuffix(before, "|"+string(policy.ModeLearn))) // what was learnt was no violation
		}
	}
	if i.ctx.Err() != nil {
		return
	}
	i.said = now
	i.note()
	i.mu.Lock()
	i.report = &r
	i.mu.Unlock()
}

func (i *inventory) found(p policy.Program, d policy.Decision, again bool) {
	ev := policy.ProgramEvent{What: policy.ProgramFound, Program: p, SeenAt: time.Now(), User: p.User}
	j := judgement{event: ev, decision: d, outcome: outcomeOf(ev.What, d)}
	if again {
		j.code = wire.CodeAgain
	}
	i.record(j)
}

// judgeAgain judges by another policy what was seen last.
func (i *inventory) judgeAgain() {
	programs, err := i.eyes.Programs()
	if err != nil {
		i.fault(err.Error())
		return
	}
	if programs.Len() > 0 {
		i.judge(programs)
	}
}

// note saves what is on record, and forgets it. Where that fails it stays at hand, and an agent that is started again says it
// once more.
func (i *inventory) note() {
	raw, err := json.Marshal(i.said)
	if err == nil {
		if old, _ := durable.ReadFile(i.path); string(old) != string(raw) {
			err = durable.WriteFile(i.path, raw, 0o600)
		}
	}
	if err != nil {
		i.log.Error().Err(err).Msg("cannot note what is on record of programs")
		return
	}
	i.said = nil
}

// state is what `status` shows.
func (i *inventory) state() *local.Software {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.report
}

// verdictOn is what a record about a program that is there says. The revision is not in it: the same program judged alike by
// every new policy is on record once.
func verdictOn(p policy.Program, d policy.Decision) string {
	return fmt.Sprintf("%s|%s|%s|%s", p.Version, d.Rule, d.Action, d.Mode)
}

// outcomeOf says what came of a change that is only seen: it has happened.
func outcomeOf(what string, d policy.Decision) policy.Outcome {
	switch {
	case what == policy.ProgramRemoved:
		return policy.OutcomeRemoved
	case d.Action == policy.ActionAllow:
		return policy.OutcomeAllowed
	case d.Mode == policy.ModeLearn:
		return policy.OutcomeLearnt
	case d.Action == policy.ActionBlock && d.Mode == policy.ModeAudit:
		return policy.OutcomeAudit
	}
	return policy.OutcomeDetected
}

// sheetOfPrograms makes lines of programs.
type sheetOfPrograms struct{ *roll.Roll }

// Item is a line. One that would be too long, because its words need many signs as JSON, is shortened.
func (s sheetOfPrograms) Item(n int) wire.Item {
	p := s.At(n)
	body, err := json.Marshal(p)
	if err == nil && len(body) > wire.MaxItem {
		p.Publisher, p.Origin, p.Path, p.Unclean = cutWord(p.Publisher), cutWord(p.Origin), cutWord(p.Path), true
		body, err = json.Marshal(p)
	}
	if err != nil { // a time beyond the year 9999: a line without an id is left out, and that is said
		return wire.Item{}
	}
	return wire.Item{ID: p.ID, Body: body}
}

func cutWord(s string) string { return strings.ToValidUTF8(cut(s, 64), "") }

package main

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"sekisho/agent/local"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// judgement is what was decided about a program where the question arrived, and what came of it.
type judgement struct {
	event    policy.ProgramEvent
	decision policy.Decision
	outcome  policy.Outcome
	steps    []wire.Step
	code     string // wire.CodeAgain: it is on record already, and was judged anew
}

// programs is what the guard remembers of programs. The guard owns it.
type programs struct {
	said map[saying]*said
	told map[matter]*local.Case // of what the user was told
}

// saying is one thing that is recorded once and then counted.
type saying struct {
	what, id, rule string
	outcome        policy.Outcome
}

type said struct {
	at    time.Time
	times int       // since then
	told  time.Time // when the user was told
}

// matter is what a request number is about: one program and one rule.
type matter struct{ id, rule string }

// Repeats of one saying within countFor are counted and told by the next record; of more than maxSayings the oldest are forgotten.
const (
	countFor   = 10 * time.Minute
	maxSayings = 4096
	maxMatters = 64
	tellAgain  = 30 * time.Second // whoever presses once more is told once more
)

// judgeProgram judges by what the guard published last. Anybody may ask: the answer waits for nobody.
func (g *guard) judgeProgram(prog policy.Program) policy.Decision {
	return policy.DecideProgram(g.view.Load(), prog, g.Clock.now())
}

// publish shows the policy in force to those who must answer where the question arrives.
func (g *guard) publish() {
	p := g.effective()
	g.view.Store(p)
	if g.Published != nil {
		g.Published(p)
	}
}

// onProgram takes what was decided about a program elsewhere, records it and tells the user.
func (g *guard) onProgram(j judgement) { g.post(func() { g.program(j) }) }

// program gives the number that the user was told with it.
func (g *guard) program(j judgement) (request string) {
	key := saying{j.event.What, j.event.Program.ID, j.decision.Rule, j.outcome}
	now := time.Now()
	request = g.tellProgram(j, key, now)
	if s := g.programs.said[key]; s != nil && repeats(j.event.What) && now.Sub(s.at) < countFor {
		s.times++
		return request
	} else if s != nil {
		j.event.Times = s.times + 1
	}
	g.programs.note(key, now)
	g.Journal(wire.Record{
		Kind: wire.RecordProgram, Software: &j.event, Decision: &j.decision, Outcome: j.outcome, Steps: j.steps,
		Request: request, Revision: j.decision.Revision, Code: j.code,
	})
	return request
}

// repeats says whether something happens again and again of itself: a program that is started in a loop. What is installed,
// changed or removed is each time another fact.
func repeats(what string) bool { return what == policy.ProgramRun || what == policy.ProgramWanted }

func (p *programs) note(key saying, now time.Time) {
	if !repeats(key.what) {
		return
	}
	if p.said == nil || len(p.said) >= maxSayings {
		p.said = map[saying]*said{} // a storm of different sayings: each is on record, only the counting begins anew
	}
	p.said[key] = &said{at: now, told: now}
}

// tellProgram tells the user what happened to a program, and gives the number to be read out on the telephone. What was there
// before anybody looked is no news to the user.
func (g *guard) tellProgram(j judgement, key saying, now time.Time) (request string) {
	m := matter{key.id, key.rule}
	if j.event.What == policy.ProgramRemoved {
		g.programs.gone(key.id)
		return ""
	}
	if !j.decision.Tell() || j.event.What == policy.ProgramFound {
		return ""
	}
	s := g.programs.said[key]
	c := g.programs.of(m, now)
	c.Notice = g.programNotice(j, c.Request)
	if s != nil && now.Sub(s.told) < tellAgain {
		return c.Request
	}
	if s != nil {
		s.told = now
	}
	g.show(c.Notice)
	return c.Request
}

func (g *guard) programNotice(j judgement, request string) local.Notice {
	return local.Notice{
		Program: cmp.Or(j.event.Program.Name, j.event.Program.Path, j.event.Program.ID), What: j.event.What, Outcome: j.outcome,
		Clause: g.Policy.Clauses[j.decision.Clause], Contact: g.Policy.Contact, Request: request, Language: g.Policy.Language,
	}
}

// of gives the case of a matter, a new one where there is none.
func (p *programs) of(m matter, now time.Time) *local.Case {
	if c := p.told[m]; c != nil {
		c.Gone = false
		return c
	}
	if p.told == nil {
		p.told = map[matter]*local.Case{}
	}
	if len(p.told) >= maxMatters {
		oldest := slices.MinFunc(slices.Collect(maps.Keys(p.told)), func(a, b matter) int { return p.told[a].Since.Compare(p.told[b].Since) })
		delete(p.told, oldest)
	}
	c := &local.Case{Notice: local.Notice{Request: requestNumber()}, Since: now}
	p.told[m] = c
	return c
}

func (p *programs) gone(id string) {
	for m, c := range p.told {
		if m.id == id {
			c.Gone = true
		}
	}
}

// cases are what the user was told of programs since the agent started.
func (p *programs) cases() (out []local.Case) {
	for _, c := range p.told {
		out = append(out, *c)
	}
	return out
}

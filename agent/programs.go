package main

import (
	"time"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// judgement is what was decided about a program where the question arrived, and what came of it.
type judgement struct {
	event    policy.ProgramEvent
	decision policy.Decision
	outcome  policy.Outcome
	steps    []wire.Step
}

// programs is what the guard remembers of programs. The guard owns it.
type programs struct {
	said map[saying]*said
}

// saying is one thing that is recorded once and then counted.
type saying struct {
	what, id, rule string
	outcome        policy.Outcome
}

type said struct {
	at    time.Time
	times int // since then
}

// Repeats of one saying within countFor are counted and told by the next record; of more than maxSayings the oldest are forgotten.
const (
	countFor   = 10 * time.Minute
	maxSayings = 4096
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

func (g *guard) program(j judgement) {
	key := saying{j.event.What, j.event.Program.ID, j.decision.Rule, j.outcome}
	now := time.Now()
	if s := g.programs.said[key]; s != nil && now.Sub(s.at) < countFor {
		s.times++
		return
	} else if s != nil {
		j.event.Times = s.times + 1
	}
	g.programs.note(key, now)
	g.Journal(wire.Record{
		Kind: wire.RecordProgram, Software: &j.event, Decision: &j.decision, Outcome: j.outcome, Steps: j.steps, Revision: j.decision.Revision,
	})
}

func (p *programs) note(key saying, now time.Time) {
	if p.said == nil || len(p.said) >= maxSayings {
		p.said = map[saying]*said{} // a storm of different sayings: each is on record, only the counting begins anew
	}
	p.said[key] = &said{at: now}
}

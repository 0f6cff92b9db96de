package main

import (
	"context"
	"os/user"
	"strconv"
	"time"

	"sekisho/agent/enforce/execgate"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// programGate stands before programs: the real one where the system lets it, or one that lets everything through.
type programGate interface {
	Published(*policy.Policy)
	Run(context.Context)
	Vetted(pid int)                // this package manager may install what it asked for
	Busy() bool                    // one of those unpacks at this moment
	Essential(pkg string) bool     // the system does not start without it
	Refresh(context.Context) error // what is installed has changed: returns once that counts
}

// openDoor is the gate of run --observe, and of systems where programs are stopped by other means.
type openDoor struct{}

func (openDoor) Published(*policy.Policy)      {}
func (openDoor) Run(context.Context)           {}
func (openDoor) Vetted(int)                    {}
func (openDoor) Busy() bool                    { return false }
func (openDoor) Essential(string) bool         { return false }
func (openDoor) Refresh(context.Context) error { return nil }

// saw takes what the gate saw to the guard.
func (a *agent) saw(s execgate.Seen) {
	ev := policy.ProgramEvent{
		What: policy.ProgramRun, Program: s.Program, SeenAt: time.Now(), User: userName(s.UID), Command: s.Command, Parent: s.Parent,
	}
	j := judgement{event: ev, decision: s.Decision, outcome: s.Outcome}
	if s.Note != "" {
		j.steps = []wire.Step{{At: ev.SeenAt, Code: "seen", Detail: s.Note, OK: s.Outcome != policy.OutcomeBlockFailed}}
	}
	a.guard.onProgram(j)
}

func userName(uid int) string {
	if uid < 0 {
		return ""
	}
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return strconv.Itoa(uid)
}

func (a *agent) programFault(text string) {
	if text != "" {
		a.log.Error().Str("err", text).Msg("programs are not judged as they should be")
	}
	a.guard.post(func() { a.guard.setFault(wire.FaultPrograms, text) })
}

// numbered records a judgement and gives the number to be told on the telephone.
func (g *guard) numbered(j judgement) string {
	answer := make(chan string, 1)
	if !g.post(func() { answer <- g.program(j) }) {
		return ""
	}
	select {
	case number := <-answer:
		return number
	case <-g.done:
		return ""
	}
}

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"sekisho/agent/sensor/applog"
	"sekisho/agent/sensor/process"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// What AppLocker itself says it did, and what it would have done.
const (
	stepAppLocker = "applocker"
	stepWould     = "applocker_would"
)

// applockerLog makes records of what AppLocker kept from running: nobody else sees that.
type applockerLog struct {
	stop    *programStop
	rules   *ruleKeeper
	record  func(wire.Record)
	account func(sid string) string
	applied budget // the guard's records are no log of AppLocker's
	harm    budget
}

// see takes one event. What is stopped by rules that are not ours is somebody else's business.
func (l *applockerLog) see(ctx context.Context, e applog.Event) {
	switch {
	case e.ID == applog.Applied:
		l.rules.hear("")
		if l.rules.stands.Load() && l.applied.take(time.Now()) {
			l.record(wire.Record{Kind: wire.RecordGate, Code: "applocker_applied", Note: "AppLocker says that its rules are in force"})
		}
	case e.ID == applog.Unavailable:
		l.rules.hear("cannot stop programs before they start: AppLocker says that this edition of Windows does not have it (event 8008)")
	case e.ID == applog.NoAppRules:
		l.rules.hear("cannot keep packaged apps going: AppLocker says that it has no rules for them (event 8027)")
	case e.Stopped && l.rules.stands.Load():
		l.stopped(ctx, e)
	case e.Audited && l.rules.stands.Load():
		l.audited(ctx, e)
	}
}

func (l *applockerLog) stopped(ctx context.Context, e applog.Event) {
	prog, ok := l.program(ctx, e)
	if !ok {
		return
	}
	j := judgement{
		event:    policy.ProgramEvent{What: policy.ProgramRun, Program: prog, SeenAt: l.stop.now(), User: l.account(e.UserSID)},
		decision: l.stop.judge(prog), outcome: policy.OutcomeBlocked,
	}
	j.steps = []wire.Step{l.stop.step(true, stepAppLocker, eventWords(e))}
	if j.decision.Do() != policy.ActionBlock {
		j.outcome = policy.OutcomeAllowFailed // ours or not, the policy lets it through and Windows did not
	}
	l.stop.tell(j)
}

func eventWords(e applog.Event) string {
	if e.Rule == "" {
		return fmt.Sprintf("event %d, no rule allows it", e.ID)
	}
	return fmt.Sprintf("event %d, rule %s", e.ID, e.Rule)
}

// audited tells of what ran because the rules are not enforced: of scripts and packages nobody else does. What the watch saw as well is
// told once. That the rules would stop what the policy lets through is told before it does harm.
func (l *applockerLog) audited(ctx context.Context, e applog.Event) {
	prog, ok := l.program(ctx, e)
	if !ok {
		return
	}
	d := l.stop.judge(prog)
	j := judgement{
		event:    policy.ProgramEvent{What: policy.ProgramRun, Program: prog, SeenAt: l.stop.now(), User: l.account(e.UserSID)},
		decision: d, outcome: letThrough(d), steps: []wire.Step{l.stop.step(true, stepWould, eventWords(e))},
	}
	switch {
	case j.outcome != policy.OutcomeAllowed:
		if l.stop.firsts.worth(j) {
			l.stop.tell(j)
		}
	case l.harm.take(l.stop.now()):
		l.record(wire.Record{Kind: wire.RecordGate, Code: "applocker_would_stop",
			Note: cut(fmt.Sprintf("AppLocker would stop %s (%s), which the policy lets through (%s)", prog.Name, eventWords(e), d.Rule), 1024)})
	}
}

// program reads the file, which was only kept from running.
func (l *applockerLog) program(ctx context.Context, e applog.Event) (policy.Program, bool) {
	if e.Collection == "APPX" || e.Package != "" {
		name := e.Package
		return policy.Program{ID: "msix:" + strings.ToLower(name), Kind: policy.ProgramMSIX, Name: name, Signer: e.Signer, Source: policy.SourceUnknown}, name != ""
	}
	prog, _ := l.stop.program(ctx, process.Started{Path: e.Path})
	if prog.Signer == "" {
		prog.Signer = e.Signer
	}
	switch e.Collection {
	case "SCRIPT":
		prog.Kind = policy.ProgramScript
	case "MSI":
		prog.Kind, prog.Source, prog.Origin = policy.ProgramMSI, policy.SourceLocal, prog.Path
	case "DLL":
		return prog, false
	}
	return prog, e.Path != ""
}

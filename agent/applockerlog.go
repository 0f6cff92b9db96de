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

// stepAppLocker is what AppLocker itself says it did.
const stepAppLocker = "applocker"

// applockerLog makes records of what AppLocker kept from running: nobody else sees that.
type applockerLog struct {
	stop    *programStop
	rules   *ruleKeeper
	record  func(wire.Record)
	account func(sid string) string
	applied budget // the guard's records are no log of AppLocker's
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
	detail := fmt.Sprintf("event %d, rule %s", e.ID, e.Rule)
	if e.Rule == "" {
		detail = fmt.Sprintf("event %d, no rule allows it", e.ID)
	}
	j.steps = []wire.Step{l.stop.step(true, stepAppLocker, detail)}
	if j.decision.Do() != policy.ActionBlock {
		j.outcome = policy.OutcomeAllowFailed // ours or not, the policy lets it through and Windows did not
	}
	l.stop.tell(j)
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

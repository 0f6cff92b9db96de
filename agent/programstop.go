package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"sekisho/agent/enforce"
	"sekisho/agent/enforce/applocker"
	"sekisho/agent/enforce/quarantine"
	"sekisho/agent/sensor/binary"
	"sekisho/agent/sensor/process"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// Codes of steps about a program.
const (
	stepEnded       = "ended"
	stepQuarantined = "quarantined"
	stepLeft        = "left"   // on purpose
	stepFailed      = "failed" // as the hands say it
)

// programStop looks at each program that has started, and ends what is forbidden: after it began, which is the best that can be done
// without a driver. What comes before it is AppLocker (ruleKeeper).
type programStop struct {
	judge  func(policy.Program) policy.Decision
	match  func(rule string) (policy.ProgramMatch, bool) // what a rule of the policy in force describes
	stall  func() policy.Action                          // what the policy says of what cannot be told in time
	tell   func(judgement)
	read   func(ctx context.Context, path string) binary.Facts
	places process.Places
	end    func(pid uint32, began time.Time) (time.Time, error)
	take   func(path, hash, rule string) (quarantine.Entry, error)
	learn  func(hash string, f applocker.FileHash) // of a file that is not vital; may be nil
	now    func() time.Time
	firsts firsts
}

// atOnce is how many programs are looked at at the same time: one big file must not keep the others waiting.
const atOnce = 4

// follow takes what the eyes see until they close.
func (s *programStop) follow(ctx context.Context, started <-chan process.Started) {
	var all sync.WaitGroup
	free := make(chan struct{}, atOnce)
	for p := range started {
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			s.see(ctx, p)
		})
	}
	all.Wait()
}

// see judges one program, does what was decided and says so where it is worth saying.
func (s *programStop) see(ctx context.Context, p process.Started) {
	prog, facts := s.program(ctx, p)
	if ctx.Err() != nil {
		return // it was not read to its end; whoever starts next looks at it
	}
	d := s.judge(prog)
	if prog.Essential {
		return // nothing is ever done to it
	}
	s.learnHash(prog, facts)
	what := policy.ProgramRun
	if p.Before {
		what = policy.ProgramFound
	}
	j := judgement{event: policy.ProgramEvent{What: what, Program: prog, SeenAt: s.now(), User: p.User, Parent: p.Parent}, decision: d}
	if j.outcome, j.steps = s.act(ctx, p, prog, d); j.outcome != policy.OutcomeAllowed && s.firsts.worth(j) {
		s.tell(j)
	}
}

func (s *programStop) program(ctx context.Context, p process.Started) (policy.Program, binary.Facts) {
	f := s.read(ctx, p.Path)
	if f.Path == "" {
		f.Path = p.Path
	}
	name := f.Path[strings.LastIndexAny(f.Path, `\/`)+1:]
	return policy.Program{
		ID: "file:" + strings.ToLower(f.Path), Kind: policy.ProgramFile, Name: name, Version: f.Version, Publisher: f.Publisher, Signer: f.Signer,
		Source: policy.SourceNone, Path: f.Path, Hash: f.Hash, Size: f.Size, Essential: s.places.Vital(f.Path) != "", Fault: f.Fault,
	}, f
}

func (s *programStop) learnHash(prog policy.Program, f binary.Facts) {
	if s.learn != nil && f.Authenticode != "" && f.Hash != "" {
		s.learn(f.Hash, applocker.FileHash{Authenticode: f.Authenticode, Name: prog.Name, Size: f.Size})
	}
}

func (s *programStop) act(ctx context.Context, p process.Started, prog policy.Program, d policy.Decision) (policy.Outcome, []wire.Step) {
	if d.Do() == policy.ActionBlock {
		return s.stop(ctx, p, prog, d)
	}
	return letThrough(d), nil
}

// letThrough is what is said of a program that goes on.
func letThrough(d policy.Decision) policy.Outcome {
	switch {
	case d.Mode == policy.ModeLearn:
		return policy.OutcomeLearnt
	case d.Action == policy.ActionBlock && d.Mode == policy.ModeAudit:
		return policy.OutcomeAudit
	case d.Violation():
		return policy.OutcomeDetected
	}
	return policy.OutcomeAllowed
}

func (s *programStop) stop(ctx context.Context, p process.Started, prog policy.Program, d policy.Decision) (policy.Outcome, []wire.Step) {
	if why := s.spared(p, prog, d); why != "" {
		return policy.OutcomeDetected, []wire.Step{s.step(true, stepLeft, why)}
	}
	at, err := s.end(p.PID, p.Began)
	switch {
	case errors.Is(err, enforce.ErrGone):
		return policy.OutcomeDetected, []wire.Step{s.step(true, stepLeft, "it had ended by itself before it could be ended")}
	case err != nil:
		return policy.OutcomeBlockFailed, []wire.Step{s.step(false, stepFailed, err.Error())}
	}
	steps := []wire.Step{s.step(true, stepEnded, fmt.Sprintf("stopped %d ms after start", at.Sub(p.Began).Milliseconds()))}
	if why := s.staysWhere(prog, d); why != "" {
		return policy.OutcomeEnded, append(steps, s.step(true, stepLeft, why))
	}
	e, err := s.takeSoon(ctx, prog, d)
	if err != nil {
		return policy.OutcomeEnded, append(steps, s.step(false, stepFailed, err.Error()))
	}
	return policy.OutcomeQuarantined, append(steps, s.step(true, stepQuarantined, "number "+e.ID))
}

func (s *programStop) step(ok bool, code, detail string) wire.Step {
	return wire.Step{At: s.now(), Code: code, Detail: cut(detail, 256), OK: ok}
}

// spared says why a program that is not allowed goes on. What stands on no list is treated with more care than what is forbidden.
func (s *programStop) spared(p process.Started, prog policy.Program, d policy.Decision) string {
	switch {
	case d.Rule != policy.RuleUndecided:
		return ""
	case s.places.Installed(prog.Path):
		return "an administrator installed it: only a rule that names it stops it"
	case p.System:
		return "Windows itself runs it: only a rule that names it stops it"
	case prog.Fault != "" && s.stall() != policy.ActionBlock:
		return "its file could not be read, so that a permission may have been missed; the policy lets such programs go on"
	case p.Before:
		return "it ran before the policy came: it is stopped the next time"
	}
	return ""
}

// staysWhere says why the file of a program that was ended stays where it is.
func (s *programStop) staysWhere(prog policy.Program, d policy.Decision) string {
	switch {
	case d.Rule == policy.RuleUndecided:
		return "its file stays: nobody has judged it yet"
	case prog.Hash == "":
		return "its file stays: it could not be read"
	case !s.places.Installed(prog.Path) && !s.places.InWindows(prog.Path):
		return ""
	}
	if m, ok := s.match(d.Rule); ok && len(m.Hash)+len(m.Name) > 0 {
		return ""
	}
	return "its file stays: it is installed for everybody, and the rule names it neither by hash nor by name"
}

// How often it is tried to take a file: Windows lets go of a program's file a moment after its end.
const (
	takeTries = 15
	takePause = 200 * time.Millisecond
)

func (s *programStop) takeSoon(ctx context.Context, prog policy.Program, d policy.Decision) (e quarantine.Entry, err error) {
	for range takeTries {
		if e, err = s.take(prog.Path, prog.Hash, d.Rule); err == nil || errors.Is(err, quarantine.ErrChanged) || !pause(ctx, takePause) {
			return e, err
		}
	}
	return e, err
}

// firsts keeps what is only looked at from being told each time it starts.
type firsts struct {
	mu   sync.Mutex
	seen map[string]bool
}

const maxFirsts = 4096

// worth says whether to tell of it: always of what was stopped or should have been, else the first time.
func (f *firsts) worth(j judgement) bool {
	switch j.outcome {
	case policy.OutcomeEnded, policy.OutcomeQuarantined, policy.OutcomeBlockFailed:
		return true
	}
	key := strings.Join([]string{j.event.Program.ID, j.event.Program.Hash, j.decision.Rule, string(j.decision.Mode), string(j.outcome)}, "\x00")
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen[key] {
		return j.event.What == policy.ProgramRun && j.outcome == policy.OutcomeDetected && j.decision.Tell() // the guard counts these, and tells the user again
	}
	if f.seen == nil || len(f.seen) >= maxFirsts {
		f.seen = map[string]bool{}
	}
	f.seen[key] = true
	return true
}

// quarantineOf is beside the state.
func quarantineOf(state string) string { return filepath.Join(filepath.Dir(state), "quarantine") }

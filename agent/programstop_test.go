package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sekisho/agent/enforce"
	"sekisho/agent/enforce/applocker"
	"sekisho/agent/enforce/quarantine"
	"sekisho/agent/sensor/binary"
	"sekisho/agent/sensor/process"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// pc is a Windows with programs on it, and a policy.
type pc struct {
	t      *testing.T
	policy *policy.Policy
	files  map[string]binary.Facts
	busy   map[string]int   // how often a file is still in use when it is asked for
	errs   map[uint32]error // of programs that cannot be ended

	mu    sync.Mutex
	ended []uint32
	taken []string
	told  []judgement
	learn map[string]applocker.FileHash
	stop  programStop
}

var began = time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC)

const evilHash = "00000000000000000000000000000000000000000000000000000000000000e1"

func newPC(t *testing.T, mode policy.Mode, undecided policy.Action, rules ...policy.ProgramRule) *pc {
	p := policy.Builtin(policy.ModeAudit)
	p.Schema = policy.SchemaSoftware
	p.Software = &policy.Software{Mode: mode, Undecided: undecided, Stall: policy.ActionAllow, Rules: rules}
	m := &pc{t: t, policy: p, files: map[string]binary.Facts{}, busy: map[string]int{}, errs: map[uint32]error{}, learn: map[string]applocker.FileHash{}}
	m.stop = programStop{
		judge:  func(prog policy.Program) policy.Decision { return policy.DecideProgram(m.policy, prog, began) },
		match:  func(rule string) (policy.ProgramMatch, bool) { return matchOf(m.policy, rule) },
		stall:  func() policy.Action { return stallOf(m.policy) },
		tell:   func(j judgement) { m.mu.Lock(); m.told = append(m.told, j); m.mu.Unlock() },
		read:   func(_ context.Context, path string) binary.Facts { return m.files[path] },
		places: process.Places{Windows: `C:\Windows`, Programs: []string{`C:\Program Files`}, Own: `C:\Program Files\Sekisho\sekisho-agent.exe`},
		end:    m.end, take: m.take, learn: func(h string, f applocker.FileHash) { m.learn[h] = f },
		now: func() time.Time { return began },
	}
	return m
}

func (m *pc) end(pid uint32, at time.Time) (time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.errs[pid]; err != nil {
		return time.Time{}, err
	}
	m.ended = append(m.ended, pid)
	return at.Add(320 * time.Millisecond), nil
}

func (m *pc) take(path, hash, rule string) (quarantine.Entry, error) {
	if m.busy[path] > 0 {
		m.busy[path]--
		return quarantine.Entry{}, errors.New("in use")
	}
	if m.files[path].Hash != hash {
		return quarantine.Entry{}, quarantine.ErrChanged
	}
	m.taken = append(m.taken, path)
	return quarantine.Entry{ID: "a1b2c3d4"}, nil
}

// runs starts a program; the answer is what was told of it.
func (m *pc) runs(p process.Started) *judgement {
	m.t.Helper()
	if p.Began.IsZero() {
		p.Began = began
	}
	n := len(m.told)
	m.stop.see(m.t.Context(), p)
	if len(m.told) == n {
		return nil
	}
	return &m.told[len(m.told)-1]
}

func (m *pc) file(path, hash string) string {
	m.files[path] = binary.Facts{Path: path, Hash: hash, Authenticode: strings.Repeat("a", 64), Size: 7, Version: "1.2.3.4", Publisher: "Evil", Signer: "O=EVIL"}
	return path
}

func forbids(id string, match policy.ProgramMatch) policy.ProgramRule {
	return policy.ProgramRule{ID: id, Action: policy.ActionBlock, Match: match}
}

func byHash() policy.ProgramRule {
	return forbids("by-hash", policy.ProgramMatch{Hash: []string{evilHash}})
}

func stepCodes(steps []wire.Step) (out []string) {
	for _, s := range steps {
		out = append(out, s.Code)
	}
	return out
}

func TestAForbiddenProgramIsEndedAndItsFilePutAway(t *testing.T) {
	m := newPC(t, policy.ModeEnforce, policy.ActionReport, byHash())
	path := m.file(`C:\Users\taro\悪い.exe`, evilHash)
	m.busy[path] = 3
	j := m.runs(process.Started{PID: 7, Path: path, User: `PC\taro`, Parent: `C:\Windows\explorer.exe`})
	if j == nil || j.outcome != policy.OutcomeQuarantined || !slices.Equal(stepCodes(j.steps), []string{"ended", "quarantined"}) {
		t.Fatalf("%+v", j)
	}
	prog := j.event.Program
	if j.steps[0].Detail != "stopped 320 ms after start" || prog.Name != "悪い.exe" || prog.ID != `file:c:\users\taro\悪い.exe` || prog.Signer != "O=EVIL" ||
		prog.Version != "1.2.3.4" || prog.Source != policy.SourceNone || j.event.What != policy.ProgramRun || j.event.User != `PC\taro` || j.event.Parent == "" {
		t.Errorf("%+v", j)
	}
	if m.learn[evilHash].Authenticode == "" {
		t.Error("AppLocker could not be told of it")
	}
	if j := m.runs(process.Started{PID: 8, Path: path}); j == nil {
		t.Error("the next time it is not told")
	}
}

func TestNothingIsDoneToWhatWindowsNeeds(t *testing.T) {
	m := newPC(t, policy.ModeEnforce, policy.ActionBlock, byHash(), forbids("all", policy.ProgramMatch{Path: []string{`C:\*`}}))
	for _, path := range []string{`C:\Windows\System32\lsass.exe`, `C:\Windows\explorer.exe`, `C:\Program Files\Sekisho\sekisho-agent.exe`} {
		if j := m.runs(process.Started{PID: 7, Path: m.file(path, evilHash)}); j != nil {
			t.Errorf("%s: %+v", path, j)
		}
	}
	if len(m.ended)+len(m.taken)+len(m.learn) > 0 {
		t.Errorf("ended %v, taken %q, learnt %v", m.ended, m.taken, m.learn)
	}
}

func TestWhatNobodyHasJudgedIsTreatedWithMoreCare(t *testing.T) {
	m := newPC(t, policy.ModeEnforce, policy.ActionBlock)
	for _, c := range []struct {
		start   process.Started
		outcome policy.Outcome
		said    string
	}{
		{process.Started{PID: 1, Path: `C:\Users\taro\portable.exe`}, policy.OutcomeEnded, "nobody has judged it yet"},
		{process.Started{PID: 2, Path: `C:\Program Files\Acme\acme.exe`}, policy.OutcomeDetected, "only a rule that names it"},
		{process.Started{PID: 4, Path: `C:\ProgramData\Microsoft\Windows Defender\MsMpEng.exe`, System: true}, policy.OutcomeDetected, "Windows itself runs it"},
		{process.Started{PID: 3, Path: `D:\office.exe`, Before: true}, policy.OutcomeDetected, "it ran before the policy came"},
	} {
		m.file(c.start.Path, evilHash)
		j := m.runs(c.start)
		if j == nil || j.outcome != c.outcome || !strings.Contains(j.steps[len(j.steps)-1].Detail, c.said) {
			t.Errorf("%s: %+v", c.start.Path, j)
		}
	}
	if len(m.taken) > 0 || !slices.Equal(m.ended, []uint32{1}) {
		t.Errorf("ended %v, taken %q", m.ended, m.taken)
	}
}

func TestAnInstalledProgramIsPutAwayOnlyByARuleThatNamesIt(t *testing.T) {
	for _, c := range []struct {
		rule policy.ProgramRule
		path string
		want policy.Outcome
	}{
		{byHash(), `C:\Program Files\Acme\acme.exe`, policy.OutcomeQuarantined},
		{forbids("n", policy.ProgramMatch{Name: []string{"acme.exe"}}), `C:\Windows\Temp\acme.exe`, policy.OutcomeQuarantined},
		{forbids("s", policy.ProgramMatch{Signer: []string{"*EVIL*"}}), `C:\Program Files\Acme\acme.exe`, policy.OutcomeEnded},
		{forbids("s", policy.ProgramMatch{Signer: []string{"*EVIL*"}}), `C:\Windows\Temp\acme.exe`, policy.OutcomeEnded},
		{forbids("s", policy.ProgramMatch{Signer: []string{"*EVIL*"}}), `C:\ProgramData\acme.exe`, policy.OutcomeQuarantined},
	} {
		m := newPC(t, policy.ModeEnforce, policy.ActionReport, c.rule)
		if j := m.runs(process.Started{PID: 1, Path: m.file(c.path, evilHash), Before: true}); j == nil || j.outcome != c.want || j.event.What != policy.ProgramFound {
			t.Errorf("%s %s: %+v", c.rule.ID, c.path, j)
		}
	}
}

func TestWhatCouldNotBeStoppedIsSaid(t *testing.T) {
	m := newPC(t, policy.ModeEnforce, policy.ActionReport, byHash())
	path := m.file(`C:\Users\taro\evil.exe`, evilHash)
	m.errs[1] = errors.New("cannot end program 1, which may be protected: access denied")
	m.errs[2] = enforce.ErrGone
	if j := m.runs(process.Started{PID: 1, Path: path}); j.outcome != policy.OutcomeBlockFailed || j.steps[0].OK || !strings.Contains(j.steps[0].Detail, "protected") {
		t.Errorf("%+v", j)
	}
	if j := m.runs(process.Started{PID: 2, Path: path}); j.outcome != policy.OutcomeDetected || !strings.Contains(j.steps[0].Detail, "by itself") {
		t.Errorf("%+v", j)
	}
	m.stop.take = func(string, string, string) (quarantine.Entry, error) {
		return quarantine.Entry{}, quarantine.ErrChanged
	}
	if j := m.runs(process.Started{PID: 3, Path: path}); j.outcome != policy.OutcomeEnded || !slices.Equal(stepCodes(j.steps), []string{"ended", "failed"}) {
		t.Errorf("%+v", j)
	}
}

func TestAFileThatCannotBeReadIsJudgedByItsNameAlone(t *testing.T) {
	m := newPC(t, policy.ModeEnforce, policy.ActionReport, forbids("n", policy.ProgramMatch{Name: []string{"winny.exe"}}))
	path := `\\server\share\winny.exe`
	m.files[path] = binary.Facts{Path: path, Fault: "access denied"}
	if j := m.runs(process.Started{PID: 1, Path: path}); j == nil || j.outcome != policy.OutcomeEnded || j.event.Program.Fault == "" || len(m.taken) > 0 {
		t.Errorf("%+v", j)
	}
}

func TestWhatCouldNotBeReadIsLeftToThePolicy(t *testing.T) {
	m := newPC(t, policy.ModeEnforce, policy.ActionBlock, policy.ProgramRule{ID: "ok", Action: policy.ActionAllow, Match: policy.ProgramMatch{Signer: []string{"O=ACME"}}})
	path := `C:\Users\taro\locked.exe`
	m.files[path] = binary.Facts{Path: path, Fault: "in use by another program"}
	if j := m.runs(process.Started{PID: 1, Path: path}); j == nil || j.outcome != policy.OutcomeDetected || !strings.Contains(j.steps[0].Detail, "could not be read") {
		t.Errorf("%+v", j)
	}
	m.policy.Software.Stall = policy.ActionBlock
	if j := m.runs(process.Started{PID: 2, Path: path}); j == nil || j.outcome != policy.OutcomeEnded || len(m.taken) > 0 {
		t.Errorf("%+v", j)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m.stop.see(ctx, process.Started{PID: 3, Path: path})
	if len(m.told) != 2 || len(m.ended) != 1 {
		t.Errorf("an agent that stops judged what it had not read: %+v", m.told)
	}
}

func TestWithoutEnforcingNothingIsTouchedAndTheFirstTimeIsTold(t *testing.T) {
	for mode, want := range map[policy.Mode]policy.Outcome{policy.ModeLearn: policy.OutcomeLearnt, policy.ModeAudit: policy.OutcomeAudit, policy.ModeWarn: policy.OutcomeDetected} {
		m := newPC(t, mode, policy.ActionReport, byHash())
		path := m.file(`C:\Users\taro\evil.exe`, evilHash)
		if j := m.runs(process.Started{PID: 1, Path: path}); j == nil || j.outcome != want {
			t.Errorf("%s: %+v", mode, j)
		}
		again := m.runs(process.Started{PID: 2, Path: path})
		if told := again != nil; told != (mode == policy.ModeWarn) { // who is warned is warned each time; the guard counts
			t.Errorf("%s: the second time it is told: %v", mode, told)
		}
		if len(m.ended)+len(m.taken) > 0 {
			t.Errorf("%s: ended %v, taken %q", mode, m.ended, m.taken)
		}
	}
	m := newPC(t, policy.ModeEnforce, policy.ActionAllow)
	if j := m.runs(process.Started{PID: 1, Path: m.file(`C:\x.exe`, evilHash)}); j != nil {
		t.Errorf("what is allowed is told: %+v", j)
	}
}

func TestAllThatStartIsLookedAtUntilTheEyesClose(t *testing.T) {
	m := newPC(t, policy.ModeEnforce, policy.ActionReport, byHash())
	path := m.file(`C:\Users\taro\evil.exe`, evilHash)
	m.stop.learn, m.stop.take = nil, func(string, string, string) (quarantine.Entry, error) { return quarantine.Entry{}, nil }
	started := make(chan process.Started)
	go func() {
		for pid := range uint32(40) {
			started <- process.Started{PID: pid, Path: path, Began: began}
		}
		close(started)
	}()
	m.stop.follow(context.Background(), started)
	if len(m.told) != 40 || len(m.ended) != 40 {
		t.Errorf("%d told, %d ended", len(m.told), len(m.ended))
	}
}

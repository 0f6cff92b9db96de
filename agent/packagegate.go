package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sekisho/agent/enforce/execgate"
	"sekisho/agent/local"
	"sekisho/agent/sensor/archive"
	"sekisho/internal/policy"
)

// ownPackages may always be installed: a terminal whose agent cannot be renewed is lost.
var ownPackages = []string{"sekisho-agent", "sekisho-console"}

// refreshLimit is how long a package manager waits at its end until what it installed counts.
const refreshLimit = 20 * time.Second

// wanted answers a package manager that asks whether it may install files.
func (a *agent) wanted(ctx context.Context, r local.Request) local.Answer {
	p := a.guard.view.Load()
	if p == nil || p.Software == nil {
		return local.Answer{}
	}
	w := wanting{agent: a, policy: p, request: r, user: loginName(r.Peer().PID), command: processLine(r.Manager)}
	programs := a.archives.Look(ctx, w.files())
	for _, prog := range programs {
		w.judge(prog)
	}
	if len(w.refused) == 0 {
		a.sources.keep(programs)
		a.programs.Vetted(r.Manager)
	}
	return local.Answer{Refused: w.refused}
}

// wanting is one question.
type wanting struct {
	*agent
	policy        *policy.Policy
	request       local.Request
	user, command string
	refused       []local.Refusal
}

// files are read through who asks: its folders may not be the agent's, whose /tmp is its own.
func (w *wanting) files() (all []archive.File) {
	root := "/proc/" + strconv.Itoa(w.request.Peer().PID) + "/root"
	for _, name := range w.request.Files {
		all = append(all, archive.File{At: filepath.Join(root, name), Name: name})
	}
	return all
}

func (w *wanting) judge(p policy.Program) {
	if slices.Contains(ownPackages, p.Name) {
		return
	}
	p.Essential = p.Source == policy.SourceRepository && (p.Essential || w.programs.Essential(p.Name))
	d := w.guard.judgeProgram(p)
	o, _ := execgate.Outcome(d)
	if d.Action == policy.ActionAllow {
		return // the inventory tells that it was installed
	}
	number := w.guard.numbered(judgement{decision: d, outcome: o, event: policy.ProgramEvent{
		What: policy.ProgramWanted, Program: p, SeenAt: time.Now(), User: w.user, Command: w.command,
	}})
	if o == policy.OutcomeBlocked {
		w.refused = append(w.refused, local.Refuse(p, d, local.Notice{
			Clause: w.policy.Clauses[d.Clause], Contact: w.policy.Contact, Request: number, Language: w.policy.Language,
		}))
	}
}

// installed lets what a package manager has installed count.
func (a *agent) installedNow(ctx context.Context) local.Answer {
	ctx, cancel := context.WithTimeout(ctx, refreshLimit)
	defer cancel()
	err := a.programs.Refresh(ctx)
	ring(a.shedding.worked)
	if err != nil {
		return local.Answer{Error: err.Error()}
	}
	return local.Answer{}
}

// sources remembers where packages came from that were vetted, for as long as the agent runs: once they are installed, the
// package database does not tell.
type sources struct {
	mu    sync.Mutex
	known map[string]provenance // by id and version
}

// provenance is where a package came from, and its archive's hash.
type provenance struct{ source, origin, hash string }

const mostSources = 8192

func (s *sources) keep(programs []policy.Program) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil || len(s.known)+len(programs) > mostSources {
		s.known = map[string]provenance{}
	}
	for _, p := range programs {
		s.known[p.ID+"="+p.Version] = provenance{p.Source, p.Origin, p.Hash}
	}
}

// complete says of installed packages where they came from, when that is known here.
func (s *sources) complete(programs []policy.Program) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range programs {
		if k, ok := s.known[p.ID+"="+p.Version]; ok {
			programs[i].Source, programs[i].Origin, programs[i].Hash = k.source, k.origin, k.hash
		}
	}
}

// loginName is who signed in before becoming root (audit's loginuid, which outlives su and sudo; proc(5)).
func loginName(pid int) string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/loginuid")
	uid, err2 := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	if err != nil || err2 != nil || uid == 1<<32-1 {
		return ""
	}
	return userName(int(uid))
}

// processLine is what a process was started with, for the record.
func processLine(pid int) string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return ""
	}
	words := strings.ToValidUTF8(strings.Join(strings.Split(strings.Trim(string(text), "\x00"), "\x00"), " "), "?")
	return cut(strings.Map(func(r rune) rune {
		if r < ' ' {
			return '?'
		}
		return r
	}, words), 512)
}

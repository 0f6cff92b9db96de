package web

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

var (
	curl = policy.Program{ID: "deb:curl:amd64", Kind: policy.ProgramDeb, Name: "curl", Version: "7.88.1-10+deb12u8", Publisher: "Debian",
		Source: policy.SourceRepository, Origin: "deb.debian.org bookworm"}
	office = policy.Program{ID: "app:Chohyo", Kind: policy.ProgramApp, Name: "帳票作成ツール 2026", Version: "3.2", Publisher: "株式会社帳票", Source: policy.SourceLocal,
		Path: `C:\Program Files\Chohyo`, InstalledBy: "1042"}
	tool = policy.Program{ID: "file:/home/1042/tool.AppImage", Kind: policy.ProgramAppImage, Name: "tool.AppImage", Source: policy.SourceNone,
		Path: "/home/1042/tool.AppImage", Hash: strings.Repeat("5e", 32), User: "1042", Size: 71_000_000}
	game = policy.Program{ID: "msi:Game", Kind: policy.ProgramMSI, Name: "Game Launcher", Version: "1.0", Publisher: "Fun Inc.", Signer: "CN=Fun Inc.", Source: policy.SourceLocal}
)

// counterSoftware is the counter's control: enforced, with both lists and a review that is overdue.
func counterSoftware() *policy.Software {
	s := policy.DefaultSoftware()
	s.Mode, s.Undecided = policy.ModeEnforce, policy.ActionReport
	s.Rules = append(s.Rules,
		policy.ProgramRule{ID: "no-games", Name: policy.Text{JA: "禁止: ゲーム", EN: "Forbidden: games"}, Action: policy.ActionBlock, Clause: policy.ClauseSoftware, Alarm: true,
			Match: policy.ProgramMatch{Publisher: []string{"Fun*"}}, Reason: "業務に使わない", Owner: "1007", Review: "2026-10-01"},
		policy.ProgramRule{ID: "no-tool", Name: policy.Text{JA: "禁止: tool", EN: "Forbidden: tool"}, Action: policy.ActionBlock,
			Match: policy.ProgramMatch{Hash: []string{tool.Hash}}, Reason: "出所が分からない", Owner: "1007"})
	return s
}

// sheetOf makes a terminal's whole list as one step.
func sheetOf(programs ...policy.Program) wire.Sheet {
	sh := wire.Sheet{Name: wire.SheetSoftware}
	for _, p := range programs {
		body, err := json.Marshal(p)
		if err != nil {
			panic(err)
		}
		sh.Set = append(sh.Set, wire.Item{ID: p.ID, Body: body})
		sh.To = sh.To.Mix(sh.Set[len(sh.Set)-1])
	}
	return sh
}

func (s *site) inventory(terminal string, programs ...policy.Program) {
	s.t.Helper()
	sh := sheetOf(programs...)
	answer, err := s.db.AddEvents(context.Background(), terminal, wire.EventsRequest{Version: wire.Version, Sheets: []wire.Sheet{sh}}, s.now)
	s.must(err)
	if answer.Sheets[wire.SheetSoftware] != sh.To {
		s.t.Fatal("the list was not taken")
	}
}

// programRecord is what an agent records of a program under a control.
func programRecord(p policy.Program, what string, control *policy.Software, o policy.Outcome, at time.Time) wire.Record {
	d := policy.DecideProgram(&policy.Policy{Software: control, Clauses: policy.DefaultClauses(), Revision: 42}, p, at)
	return wire.Record{Kind: wire.RecordProgram, At: at, Outcome: o, Decision: &d, Revision: 42, Request: "7315-0042", Told: 1,
		Software: &policy.ProgramEvent{What: what, Program: p, SeenAt: at, User: "1042", Command: "dpkg -i x.deb", Parent: "/usr/bin/bash"},
		Steps: []wire.Step{{At: at, Code: "seen", OK: true}, {At: at.Add(2 * time.Millisecond), Code: "decided", Detail: d.Rule, OK: true},
			{At: at.Add(9 * time.Millisecond), Code: "ended", Detail: "pid 4711", OK: o != policy.OutcomeBlockFailed}}}
}

func (s *site) records(terminal, outbox string, records ...wire.Record) {
	s.t.Helper()
	j := newJournal()
	for _, r := range records {
		j.add(r)
	}
	_, err := s.db.AddEvents(context.Background(), terminal, wire.EventsRequest{Version: wire.Version, Outbox: outbox, First: 1, Entries: j.entries}, s.now)
	s.must(err)
}

func (s *site) control(group string, control *policy.Software) {
	s.t.Helper()
	have, err := s.db.GroupPolicy(context.Background(), group, 0)
	s.must(err)
	have.Software, have.By, have.Reason = control, "1007", "ソフトウェアの制御を始める"
	_, err = s.db.PutGroupPolicy(context.Background(), have, have.Version, s.now)
	s.must(err)
}

// software gives both groups a control, their terminals lists, and records of what was tried.
func (s *site) software(f *fleet) {
	ctx, control := context.Background(), counterSoftware()
	learning := policy.DefaultSoftware()
	learning.Mode, learning.LearnUntil = policy.ModeLearn, s.now.Add(7*24*time.Hour)
	s.control(f.group, control)
	s.control(f.other, learning)
	older := curl
	older.Version = "7.64.0"
	s.inventory(f.counter, curl, office, tool)
	s.inventory(f.desk, older, office, game)
	s.records(f.counter, "outbox-programs",
		programRecord(office, policy.ProgramInstalled, control, policy.OutcomeDetected, s.now.Add(-50*time.Minute)),
		programRecord(game, policy.ProgramWanted, control, policy.OutcomeBlocked, s.now.Add(-40*time.Minute)),
		programRecord(tool, policy.ProgramRun, control, policy.OutcomeQuarantined, s.now.Add(-30*time.Minute)))
	s.records(f.desk, "outbox-programs", programRecord(game, policy.ProgramRun, learning, policy.OutcomeLearnt, s.now.Add(-20*time.Minute)))
	list, err := s.db.Events(ctx, store.EventFilter{Kind: wire.RecordProgram, Violations: true})
	s.must(err)
	f.program = list[0].ID
	spreads, _, err := s.db.Fleet(ctx, f.group)
	s.must(err)
	for _, sp := range spreads {
		if sp.Program.Name == office.Name {
			f.unknown = sp.ID
		}
	}
	g, err := s.db.PutGrant(ctx, store.Grant{Grant: policy.Grant{From: s.now, Until: s.now.Add(3 * time.Hour), Approver: "1012"}, Terminal: f.counter, Event: f.program,
		Reason: "帳票の印刷テスト", By: "1012", DeviceName: "tool.AppImage", Permit: &policy.Permit{Match: policy.ProgramMatch{Hash: []string{tool.Hash}}}}, s.now)
	s.must(err)
	f.permit = g.ID
	draft := counterSoftware()
	draft.Undecided = policy.ActionBlock
	s.must(s.db.PutDraft(ctx, store.Draft{Group: f.group, BasedOn: 2, Software: draft, By: "1007"}, s.now))
	at := s.as("1007").post("/policy/"+f.group+"/software/dryrun", nil).Header.Get("Location")
	f.run = int64(number(at[strings.LastIndex(at, "/")+1:]))
}

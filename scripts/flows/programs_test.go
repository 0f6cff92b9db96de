//go:build lab && linux

package flows

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/scripts/vm"
)

// control gives every terminal this software policy, as the page for it will.
func (s *scene) control(change func(*policy.Software)) {
	s.Helper()
	have, err := s.db.GroupPolicy(s.T.Context(), "default", 0)
	must(s.T, err)
	if have.Software == nil {
		have.Software = &policy.Software{Mode: policy.ModeEnforce, Undecided: policy.ActionBlock, Stall: policy.ActionAllow, Rules: []policy.ProgramRule{s.learnt()}}
	}
	change(have.Software)
	have.Reason, have.By = "lab", "lab"
	_, err = s.db.PutGroupPolicy(s.T.Context(), have, have.Version, time.Now())
	must(s.T, err)
	s.terminal("the policy counts", func(t store.Terminal) bool { return t.Applied == t.Revision && t.Revision >= have.Version })
}

// learnt allows what the terminal has from the beginning, as learning would propose.
func (s *scene) learnt() policy.ProgramRule {
	s.Helper()
	names := strings.Fields(s.run("dpkg-query -W -f '${Package}\n' | sort -u"))
	return policy.ProgramRule{ID: "learnt", Name: policy.Text{JA: "学習した", EN: "learnt"}, Action: policy.ActionAllow,
		Match: policy.ProgramMatch{Kind: []policy.ProgramKind{policy.ProgramDeb}, Name: names}}
}

// runs and refuses say what becomes of a command that taro gives.
func (s *scene) taro(command string) (string, error) {
	return s.machine.Run(s.T.Context(), "su taro -c '"+strings.ReplaceAll(command, "'", `'\''`)+"' 2>&1")
}

func (s *scene) refused(about, command string) {
	s.Helper()
	if out, err := s.taro(command); err == nil || strings.Contains(out, "REACHED") {
		s.Errorf("%s: it ran: %q", about, out)
	}
}

func (s *scene) ran(about, command string) {
	s.Helper()
	if out, err := s.taro(command); err != nil || !strings.Contains(out, "REACHED") {
		s.Errorf("%s: it did not run: %q %v", about, out, err)
	}
}

// stopped waits for the console's row about a program.
func (s *scene) stopped(path string) store.Event {
	s.Helper()
	return s.row(path+" is stopped", func(e store.Event) bool {
		p := e.Record.Software
		return p != nil && p.Program.Path == path && e.Record.Outcome == policy.OutcomeBlocked
	})
}

func TestAProgramThatSomebodyBroughtDoesNotRun(t *testing.T) {
	s := newScene(t, vm.Options{})
	s.control(func(*policy.Software) {})
	s.run("cp /usr/bin/echo /home/taro/brought; chown taro /home/taro/brought")
	s.refused("a renamed copy", "/home/taro/brought REACHED")
	row := s.stopped("/home/taro/brought")
	if d := row.Record.Decision; d == nil || d.Rule != policy.RuleUndecided || row.Record.Software.User != "taro" {
		t.Errorf("the record does not explain itself: %+v %+v", d, row.Record.Software)
	}
	s.ran("what is installed", "echo REACHED")
	fmt.Println(s.run("systemctl status sekisho-agent --no-pager | head -20"))
}

// events are the newest records that the console has.
func (s *scene) events() []store.Event {
	s.Helper()
	rows, err := s.db.Events(s.T.Context(), store.EventFilter{Limit: 500})
	must(s.T, err)
	return rows
}

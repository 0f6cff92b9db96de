//go:build lab && linux

package flows

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// control gives every terminal this software policy, as the page for it will.
func (s *scene) control(change func(*policy.Software)) {
	s.Helper()
	have, err := s.db.GroupPolicy(s.T.Context(), "default", 0)
	must(s.T, err)
	if have.By != "lab" { // what a new group begins with
		have.Software = &policy.Software{Mode: policy.ModeEnforce, Undecided: policy.ActionBlock, Stall: policy.ActionAllow, Rules: s.learnt()}
	}
	change(have.Software)
	have.Reason, have.By = "lab", "lab"
	_, err = s.db.PutGroupPolicy(s.T.Context(), have, have.Version, time.Now())
	must(s.T, err)
	s.publish(have.Control.Mode) // what another process writes is seen within half a minute; what the console writes, at once
	s.terminal("the policy counts", func(t store.Terminal) bool { return t.Applied == t.Revision && t.Revision >= have.Version })
	s.patiently("for n in $(seq 600); do journalctl -u sekisho-agent -o cat | grep -q 'judged before they run' && exit; sleep .1; done; exit 1") // what was installed is read meanwhile
}

// learnt allows what the terminal has from the beginning, as learning would propose.
func (s *scene) learnt() (rules []policy.ProgramRule) {
	s.Helper()
	names := strings.Fields(s.run("dpkg-query -W -f '${Package}\n' | sort -u"))
	for some := range slices.Chunk(names, 100) { // a rule has room for two hundred
		rules = append(rules, policy.ProgramRule{ID: fmt.Sprintf("learnt-%d", len(rules)), Name: policy.Text{JA: "学習した", EN: "learnt"},
			Action: policy.ActionAllow, Match: policy.ProgramMatch{Kind: []policy.ProgramKind{policy.ProgramDeb}, Name: some}})
	}
	return rules
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
	s := newScene(t)
	s.run(`cd /home/taro; cp /usr/bin/echo brought; cp brought App.AppImage; printf 'AI\002' | dd of=App.AppImage bs=1 seek=8 conv=notrunc status=none
printf '#!/bin/sh\necho REACHED\n' >script.sh; printf 'print("REACHED")\n' >x.py; printf 'echo REACHED\n' >plain; chmod +x *; chown taro *`)
	s.ran("with nobody in the way", "/home/taro/App.AppImage REACHED")
	s.control(func(*policy.Software) {})
	for about, command := range map[string]string{
		"a renamed copy":          "/home/taro/brought REACHED",
		"an AppImage":             "/home/taro/App.AppImage REACHED",
		"a copy, by the loader":   "/lib64/ld-linux-x86-64.so.2 /home/taro/brought REACHED",
		"a script":                "/home/taro/script.sh",
		"a script, by a shell":    "sh /home/taro/plain",
		"a script, by python":     "python3 /home/taro/x.py",
		"a copy in shared memory": "cp /usr/bin/echo /dev/shm/x && /dev/shm/x REACHED",
	} {
		s.refused(about, command)
	}
	row := s.stopped("/home/taro/brought")
	if d := row.Record.Decision; d == nil || d.Rule != policy.RuleUndecided || row.Record.Software.User != "taro" {
		t.Errorf("the record does not explain itself: %+v %+v", d, row.Record.Software)
	}
	if kind := s.stopped("/home/taro/App.AppImage").Record.Software.Program.Kind; kind != policy.ProgramAppImage {
		t.Errorf("an AppImage is a %s", kind)
	}
	s.ran("what is installed", "echo REACHED")
	s.run("cp /home/taro/x.py /home/taro/y.py && tar -C /home/taro -cf /tmp/a.tar . && sha256sum /home/taro/brought") // reading is nobody's business

	s.permitEnds(row.ID)
	s.upgradesItsLibrary()
	s.diesOwingAnswers()
}

// permitEnds: a permission for one program's content counts at once, and until its end.
func (s *scene) permitEnds(event int64) {
	s.Helper()
	until := time.Now().Add(20 * time.Second)
	s.grant(event, until)
	eventually(s.T, 15*time.Second, "a permitted program runs", func() error {
		out, err := s.taro("/home/taro/brought REACHED")
		if err == nil && !strings.Contains(out, "REACHED") {
			err = fmt.Errorf("it says %q", out)
		}
		return err
	})
	eventually(s.T, time.Minute, "the permission ends", func() error {
		if out, err := s.taro("/home/taro/brought REACHED"); err == nil {
			return fmt.Errorf("it still runs: %s", out)
		}
		return nil
	})
	if early := time.Until(until); early > time.Second {
		s.Errorf("it ended %v too early", early)
	}
}

// upgradesItsLibrary: the C library is replaced as dpkg does it, by a new file of the same name, while programs start.
func (s *scene) upgradesItsLibrary() {
	s.Helper()
	out := s.run(`l=$(readlink -f /lib/x86_64-linux-gnu/libc.so.6); cp -p $l $l.dpkg-new
(for i in $(seq 40); do /usr/bin/true || echo FAILED; done) & cp -p /usr/bin/true /usr/bin/true.dpkg-new; mv -f $l.dpkg-new $l; mv -f /usr/bin/true.dpkg-new /usr/bin/true; wait; /usr/bin/true || echo FAILED`)
	if out != "" {
		s.Errorf("programs did not start: %s", out)
	}
}

// diesOwingAnswers: an agent that stands still and is then killed keeps nobody waiting.
func (s *scene) diesOwingAnswers() {
	s.Helper()
	out := s.run(`for i in 1 2 3 4 5; do cp /usr/bin/echo /var/tmp/w$i; done; : >/var/tmp/reached; pid=$(systemctl show -p MainPID --value sekisho-agent)
sleep 0.1; grep -c x /var/tmp/reached # from now on the kernel answers for these itself
kill -STOP $pid; for i in 1 2 3 4 5; do (/var/tmp/w$i REACHED >>/var/tmp/reached) & done
sleep 1; test ! -s /var/tmp/reached && echo WAITING; kill -KILL $pid; wait; grep -c REACHED /var/tmp/reached`)
	if out != "0\nWAITING\n5" {
		s.Errorf("what waited for the killed agent came to %q", out)
	}
	eventually(s.T, 30*time.Second, "the agent stands there again", func() error {
		if out, err := s.taro("/home/taro/brought REACHED"); err == nil {
			return fmt.Errorf("it runs: %s", out)
		}
		return nil
	})
}

// events are the newest records that the console has.
func (s *scene) events() []store.Event {
	s.Helper()
	rows, err := s.db.Events(s.T.Context(), store.EventFilter{Limit: 500})
	must(s.T, err)
	return rows
}

package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestTheWholeAgentAsAScript plays every story in testdata: a real guard with a real journal on a real disk.
// Only the bus, the hand, the gate and the passing of time are made up.
func TestTheWholeAgentAsAScript(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(scripts) < 12 {
		t.Fatalf("%d scripts, %v", len(scripts), err)
	}
	for _, path := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) { play(t, string(raw)) })
		})
	}
}

func play(t *testing.T, script string) {
	s := newStage(t)
	s.on()
	defer s.off()
	expectations := 0
	for i, line := range strings.Split(script, "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if words[0] == "expect" {
			expectations++
		}
		if err := s.do(words); err != nil {
			t.Errorf("line %d: %s: %v", i+1, strings.TrimSpace(line), err)
		}
		synctest.Wait()
	}
	if expectations == 0 {
		t.Error("the script expects nothing")
	}
}

// do plays one line.
func (s *stage) do(words []string) error {
	rest := words[1:]
	switch words[0] {
	case "plug":
		return s.plug(rest)
	case "unplug":
		return s.unplug(rest[0])
	case "policy":
		s.publish(func() { s.console.RemovableMedia.Mode = modeOf(rest[0]) })
	case "grant":
		return s.grant(rest)
	case "revoke":
		s.publish(func() { s.console.Grants = nil })
	case "offline":
		s.online = false
	case "online":
		s.online = true
		s.deliver()
	case "wait":
		time.Sleep(span(rest[0]))
	case "clock": // back 2h, forward 2h
		s.turn(rest)
	case "restart":
		s.off()
		s.on()
	case "kill":
		s.kill()
		s.on()
	case "reboot": // [after 3h]
		s.off()
		if len(rest) == 2 {
			time.Sleep(span(rest[1]))
		}
		s.bootNumber++
		s.started = time.Now()
		s.on()
	case "lose": // policy, clock
		return os.Remove(filepath.Join(s.dir, rest[0]+".json"))
	case "hand": // takes 5s, fails, works
		s.hand.behave(rest)
	case "gate": // fails, works
		s.gate.set(rest[0] == "fails")
	case "storm":
		return s.storm(rest[0])
	case "disk": // full, free
		s.full.Store(rest[0] == "full")
	case "expect":
		return s.expect(rest)
	default:
		return fmt.Errorf("nobody knows %q", words[0])
	}
	return nil
}

// expect compares what people would see.
func (s *stage) expect(words []string) error {
	synctest.Wait()
	switch words[0] {
	case "codes": // A -, again: of what is no detach
		return same(strings.Join(s.codes(words[1]), ", "), strings.Join(words[2:], " "))
	case "records": // A pending, blocked
		return same(strings.Join(s.outcomes(words[1]), ", "), strings.Join(words[2:], " "))
	case "gate":
		return same(s.guard.status().Gate, words[1])
	case "fault":
		return s.expectFault(strings.Join(words[1:], " "))
	case "no":
		return s.expectNo(words[1:])
	case "count": // device 1000
		n, err := strconv.Atoi(words[2])
		if err != nil {
			return err
		}
		return same(len(s.ofKind(words[1])), n)
	case "revision":
		return same(fmt.Sprint(s.guard.status().Revision), words[1])
	case "mode":
		return same(s.guard.status().Mode, words[1])
	case "code": // agent started
		return s.expectCode(words[1], words[2])
	case "cases": // blocked, gone detected; nothing
		return same(s.cases(), strings.Join(words[1:], " "))
	case "told":
		return same(fmt.Sprint(s.told.Load()), words[1])
	case "at": // at-most groups
		return s.expectGroups(words)
	}
	return same(s.outcome(words[0]), strings.Join(words[1:], " "))
}

// cases are what a person at the terminal would read out, newest first.
func (s *stage) cases() string {
	var out []string
	for _, c := range s.guard.cases() {
		word := string(c.Outcome)
		if c.Gone {
			word = "gone " + word
		}
		if len(c.Request) != len("4821-7730") || c.Contact.Phone == "" || c.Clause.Title.JA == "" {
			word += fmt.Sprintf(" without what to tell: %+v", c)
		}
		out = append(out, word)
	}
	return cmp.Or(strings.Join(out, ", "), "nothing")
}

func (s *stage) expectFault(text string) error {
	faults := s.guard.status().Faults
	for _, f := range faults {
		if strings.Contains(f, text) {
			return nil
		}
	}
	return fmt.Errorf("the faults are %q", faults)
}

// expectNo: no faults, no touch, no records of a device, no code.
func (s *stage) expectNo(words []string) error {
	switch words[0] {
	case "faults":
		return same(len(s.guard.status().Faults), 0)
	case "touch":
		return same(s.hand.touched(), 0)
	case "records":
		return same(len(s.outcomes(words[1])), 0)
	case "code":
		if s.expectCode(words[1], words[2]) == nil {
			return fmt.Errorf("there is one")
		}
		return nil
	}
	return fmt.Errorf("nobody knows %q", words[0])
}

func (s *stage) expectCode(kind, code string) error {
	var have []string
	for _, r := range s.ofKind(kind) {
		if r.Code == code {
			return nil
		}
		have = append(have, r.Code)
	}
	return fmt.Errorf("the %s records say %q", kind, have)
}

// expectGroups: at most 20 appends.
func (s *stage) expectGroups(words []string) error {
	most, err := strconv.Atoi(words[2])
	if err == nil && int(s.appends.Load()) > most {
		err = fmt.Errorf("there were %d", s.appends.Load())
	}
	return err
}

func same[T comparable](have, want T) error {
	if have != want {
		return fmt.Errorf("it is %v, not %v", have, want)
	}
	return nil
}

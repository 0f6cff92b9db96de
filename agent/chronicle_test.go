package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

func blockedRecord(o policy.Outcome) wire.Record {
	return wire.Record{
		Kind: wire.RecordDevice, Outcome: o, Request: "4821-7730",
		Event:    &policy.Event{What: policy.EventAttach, User: "総務\\佐藤", Device: policy.Device{ID: `USB\VID_0781&PID_5583\4C53`, Serial: "4C53\r\nid=999", Name: "Ultra"}},
		Decision: &policy.Decision{Action: policy.ActionBlock, Mode: policy.ModeEnforce, Rule: "default-block-storage", Clause: policy.ClauseMedia},
	}
}

func TestTheSystemsLogHasFixedNumbersAndTheTerminalsLanguage(t *testing.T) {
	for _, c := range []struct {
		record wire.Record
		id     uint32
		ja     string
	}{
		{wire.Record{Kind: wire.RecordAgent, Code: "started"}, 100, "見張りを始めました"},
		{wire.Record{Kind: wire.RecordAgent, Code: "started_after_killed"}, 100, "code=started_after_killed"},
		{wire.Record{Kind: wire.RecordAgent, Code: "stopped"}, 101, "見張りを終えました"},
		{wire.Record{Kind: wire.RecordPolicy, Code: "applied", Revision: 42}, 200, "revision=42"},
		{wire.Record{Kind: wire.RecordPolicy, Code: "refused"}, 201, "受け付けませんでした"},
		{blockedRecord(policy.OutcomeBlocked), 300, "止めました(確認済)"},
		{blockedRecord(policy.OutcomeBlockFailed), 301, "止められませんでした"},
		{blockedRecord(policy.OutcomeAudit), 302, "止めてはいません"},
	} {
		l, ok := lineOf(c.record, "")
		if !ok || l.id != c.id || !strings.Contains(l.text, c.ja) {
			t.Errorf("%+v %v", l, ok)
		}
		if l, _ := lineOf(c.record, "en"); strings.ContainsAny(strings.Split(l.text, "\r\n")[0], "端末装置") {
			t.Error(l.text)
		}
	}
	l, _ := lineOf(blockedRecord(policy.OutcomeBlocked), "ja")
	for _, want := range []string{"\r\nserial=4C53 id=999\r\n", "\r\nuser=総務\\佐藤\r\n", "\r\nrequest=4821-7730\r\n", "rule=default-block-storage", `device=USB\VID_0781`} {
		if !strings.Contains(l.text, want) {
			t.Errorf("%q is not in %q", want, l.text)
		}
	}
}

func TestForbiddenProgramsStandInTheSystemsLog(t *testing.T) {
	for outcome, id := range map[policy.Outcome]uint32{
		policy.OutcomeBlocked: 400, policy.OutcomeQuarantined: 400, policy.OutcomeEnded: 400, policy.OutcomeBlockFailed: 401,
		policy.OutcomeDetected: 402, policy.OutcomeAudit: 402, policy.OutcomeLearnt: 0, policy.OutcomeAllowed: 0, policy.OutcomeRemoved: 0,
	} {
		r := wire.Record{Kind: wire.RecordProgram, Outcome: outcome, Decision: &policy.Decision{Action: policy.ActionBlock, Mode: policy.ModeEnforce, Rule: "no-games"},
			Software: &policy.ProgramEvent{What: policy.ProgramRun, User: "taro", Program: policy.Program{ID: "file:/tmp/x", Name: "x\ny"}}}
		l, ok := lineOf(r, "ja")
		if ok != (id > 0) || l.id != id || ok && !strings.Contains(l.text, "\r\nprogram=file:/tmp/x\r\nname=x y") {
			t.Errorf("%s: %+v", outcome, l)
		}
	}
}

func TestWhatIsNoNewsStaysOutOfTheSystemsLog(t *testing.T) {
	for _, r := range []wire.Record{
		{}, {Kind: wire.RecordAgent, Code: "told"}, {Kind: wire.RecordDevice}, blockedRecord(policy.OutcomePending), blockedRecord(policy.OutcomeRemoved),
		{Kind: wire.RecordDevice, Decision: &policy.Decision{Action: policy.ActionAllow}, Outcome: policy.OutcomeAllowed},
	} {
		if l, ok := lineOf(r, "ja"); ok {
			t.Errorf("%+v became %+v", r, l)
		}
	}
}

func TestALogServiceThatHangsStopsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		c := newChronicler(func(line) error { <-hang; return nil }, zerolog.Nop())
		for range 10 * linesWaiting {
			c.see(wire.Record{Kind: wire.RecordAgent, Code: "started"})
		}
		begin := time.Now()
		c.close()
		if d := time.Since(begin); d > 2*time.Second {
			t.Errorf("%s", d)
		}
		c.see(wire.Record{Kind: wire.RecordAgent, Code: "started"}) // a word after the end harms nobody
		close(hang)
	})
}

func TestAStormDoesNotFillALogThatOthersShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var texts []string
		c := newChronicler(func(l line) error { texts = append(texts, l.text); return nil }, zerolog.Nop())
		c.lang.Store("en")
		for range 300 {
			c.see(blockedRecord(policy.OutcomeBlocked))
			synctest.Wait()
		}
		c.close()
		if len(texts) != linesMost || !strings.HasPrefix(texts[0], "A forbidden device was blocked") {
			t.Errorf("%d lines, %q", len(texts), texts[0])
		}
	})
}

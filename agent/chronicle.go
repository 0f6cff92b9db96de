package main

import (
	"cmp"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// Ids in the system's own log (Windows' event log). They never change their meaning: whoever collects logs has rules for
// them, which must survive a translation of the texts.
const (
	logStarted     = 100
	logStopped     = 101
	logPolicy      = 200
	logRefused     = 201 // a policy that came must not be applied
	logBlocked     = 300
	logBlockFailed = 301
	logForbidden   = 302 // forbidden, recorded, not stopped
	logProgram     = 400 // the same of programs
	logNotStopped  = 401
	logNotAllowed  = 402
)

// How grave a line is.
const (
	gravityInfo = iota
	gravityWarning
	gravityError
)

// line is one entry: a sentence in the terminal's language, and facts as key=value that no translation changes.
type line struct {
	id      uint32
	gravity int
	text    string
}

// lineOf says what of a record belongs into the system's log; most of it does not.
func lineOf(r wire.Record, lang string) (line, bool) {
	id, ok := idOf(r)
	if !ok {
		return line{}, false
	}
	said := logWords[id]
	text := said.ja
	if lang == "en" {
		text = said.en
	}
	return line{id, said.gravity, text + facts(r)}, true
}

func idOf(r wire.Record) (uint32, bool) {
	switch {
	case r.Kind == wire.RecordAgent && strings.HasPrefix(r.Code, "started"):
		return logStarted, true
	case r.Kind == wire.RecordAgent && r.Code == "stopped":
		return logStopped, true
	case r.Kind == wire.RecordPolicy && r.Code == "applied":
		return logPolicy, true
	case r.Kind == wire.RecordPolicy && r.Code == "refused":
		return logRefused, true
	case r.Decision == nil || !r.Decision.Violation():
		return 0, false
	case r.Kind == wire.RecordProgram:
		return programID(r.Outcome)
	case r.Kind != wire.RecordDevice:
		return 0, false
	}
	switch r.Outcome {
	case policy.OutcomeBlocked:
		return logBlocked, true
	case policy.OutcomeBlockFailed:
		return logBlockFailed, true
	case policy.OutcomeAudit, policy.OutcomeDetected:
		return logForbidden, true
	}
	return 0, false
}

func programID(o policy.Outcome) (uint32, bool) {
	switch o {
	case policy.OutcomeBlocked, policy.OutcomeQuarantined, policy.OutcomeEnded:
		return logProgram, true
	case policy.OutcomeBlockFailed:
		return logNotStopped, true
	case policy.OutcomeAudit, policy.OutcomeDetected:
		return logNotAllowed, true
	}
	return 0, false
}

var logWords = map[uint32]struct {
	gravity int
	ja, en  string
}{
	logStarted:     {gravityInfo, "Sekisho が端末の見張りを始めました。", "Sekisho began to guard this terminal."},
	logStopped:     {gravityWarning, "Sekisho が端末の見張りを終えました。", "Sekisho stopped guarding this terminal."},
	logPolicy:      {gravityInfo, "ポリシーを適用しました。", "A policy was applied."},
	logRefused:     {gravityError, "届いたポリシーを受け付けませんでした。", "A policy that came was refused."},
	logBlocked:     {gravityWarning, "禁止されている装置の接続を止めました(確認済)。", "A forbidden device was blocked (verified)."},
	logBlockFailed: {gravityError, "禁止されている装置の接続を止められませんでした。", "A forbidden device could not be blocked."},
	logForbidden:   {gravityWarning, "禁止されている装置が接続されました。止めてはいません。", "A forbidden device was plugged in. It was not blocked."},
	logProgram:     {gravityWarning, "許可されていないソフトウェアを止めました。", "Software without a permission was stopped."},
	logNotStopped:  {gravityError, "許可されていないソフトウェアを止められませんでした。", "Software without a permission could not be stopped."},
	logNotAllowed:  {gravityWarning, "許可されていないソフトウェアがあります。止めてはいません。", "There is software without a permission. It was not stopped."},
}

// maxLine bounds a text; Windows takes 31,839 characters of it (https://learn.microsoft.com/windows/win32/api/winbase/nf-winbase-reporteventw).
const maxLine = 4096

func facts(r wire.Record) string {
	var b strings.Builder
	put := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "\r\n%s=%s", key, oneLine(cut(value, 256)))
		}
	}
	put("code", r.Code)
	if r.Revision > 0 {
		put("revision", fmt.Sprint(r.Revision))
	}
	put("request", r.Request)
	if r.Decision != nil {
		put("rule", r.Decision.Rule)
		put("clause", string(r.Decision.Clause))
		put("outcome", string(r.Outcome))
	}
	if r.Event != nil {
		d := r.Event.Device
		put("user", r.Event.User)
		put("device", d.ID)
		put("serial", d.Serial)
		put("name", cmp.Or(strings.TrimSpace(d.Manufacturer+" "+d.Name), d.Vendor+":"+d.Product))
	}
	if r.Software != nil {
		p := r.Software.Program
		put("what", r.Software.What)
		put("user", r.Software.User)
		put("program", p.ID)
		put("name", p.Name)
		put("version", p.Version)
	}
	put("note", r.Note)
	return cut(b.String(), maxLine)
}

// chronicler writes into the system's log beside everyone else: a log service that hangs costs lines there, nothing else.
type chronicler struct {
	lang  atomic.Value // string
	lines chan line
	ended chan struct{} // closed when nothing more will be said
	done  sync.WaitGroup
}

// Bounds of the system's log: it is shared with everything else on the machine.
const (
	linesWaiting = 64
	linesMost    = 60
	linesPer     = time.Minute
)

// newChronicler begins to write with write; nil writes nowhere.
func newChronicler(write func(line) error, log zerolog.Logger) *chronicler {
	c := &chronicler{lines: make(chan line, linesWaiting), ended: make(chan struct{})}
	c.lang.Store("")
	allowed := budget{most: linesMost, per: linesPer}
	c.done.Go(func() {
		c.run(func(l line) {
			if write == nil || !allowed.take(time.Now()) {
				return
			}
			if err := write(l); err != nil {
				log.Debug().Err(err).Msg("cannot write the system's log")
			}
		})
	})
	return c
}

// run writes until the end, and then what still waits.
func (c *chronicler) run(write func(line)) {
	for {
		select {
		case l := <-c.lines:
			write(l)
			continue
		case <-c.ended:
		}
		select {
		case l := <-c.lines:
			write(l)
		default:
			return
		}
	}
}

// see never waits.
func (c *chronicler) see(r wire.Record) {
	l, ok := lineOf(r, c.lang.Load().(string))
	if !ok {
		return
	}
	select {
	case c.lines <- l:
	default: // the log service hangs
	}
}

// close writes what waits, for a moment.
func (c *chronicler) close() {
	close(c.ended)
	written := make(chan struct{})
	go func() { c.done.Wait(); close(written) }()
	select {
	case <-written:
	case <-time.After(2 * time.Second):
	}
}

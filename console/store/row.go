package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// Bounds of what a terminal may say; beyond the wire's own.
const (
	maxText   = 256
	maxStatus = 512 << 10
	maxSeq    = 1 << 62 // so that numbers fit the column with room to count on
	minOutbox = 8
	maxOutbox = 64
)

// row is a record with the columns that lists filter by.
type row struct {
	seq       uint64
	hash      wire.Hash
	chainOK   bool
	received  int64
	at        int64
	kind      string
	what      string // device kind, or the record kind
	outcome   string
	violation bool
	severity  string
	user      string
	serial    string
	device    string
	grant     string
	mark      string
	request   string
	body      string
	acted     bool   // it tells what was done about a check, not what the check came to
	ends      string // why the condition that the record is about is over; "" while it is not
}

// facts is the part of a wire.Record that becomes columns; the rest stays in the body unread.
type facts struct {
	Kind     string         `json:"kind"`
	At       time.Time      `json:"at"`
	Outcome  policy.Outcome `json:"outcome"`
	Code     string         `json:"code"`
	Request  string         `json:"request"`
	Decision *decisionFacts `json:"decision"`
	Event    *eventFacts    `json:"event"`
	Software *programFacts  `json:"software"`
	Check    *checkFacts    `json:"check"`
}

type decisionFacts struct {
	Action policy.Action `json:"action"`
	Mode   policy.Mode   `json:"mode"`
	Grant  string        `json:"grant"`
	Alarm  bool          `json:"alarm"`
}

type eventFacts struct {
	What   string `json:"what"`
	User   string `json:"user"`
	Device struct {
		Kinds        []policy.Kind `json:"kinds"`
		Vendor       string        `json:"vendor"`
		Product      string        `json:"product"`
		Serial       string        `json:"serial"`
		Manufacturer string        `json:"manufacturer"`
		Name         string        `json:"name"`
	} `json:"device"`
}

type programFacts struct {
	What    string `json:"what"`
	User    string `json:"user"`
	Program struct {
		ID      string `json:"id"`
		Name    string `json:"name"`
		Version string `json:"version"`
		User    string `json:"user"`
	} `json:"program"`
}

// prepare checks a batch's bounds and reads its rows; it needs no database.
func prepare(terminal string, req wire.EventsRequest, now time.Time) (*batch, error) {
	if err := checkBatch(req); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	b := &batch{terminal: terminal, outbox: req.Outbox, prev: req.Prev, status: req.Status, now: now, sheets: prepareSheets(req.Sheets)}
	b.rows = make([]row, len(req.Entries))
	prev := req.Prev
	for i, e := range req.Entries {
		seq := req.First + uint64(i)
		b.rows[i] = read(seq, e, now)
		b.rows[i].chainOK = wire.Chain(prev, seq, e.Body) == e.Hash
		prev = e.Hash
	}
	return b, nil
}

func checkBatch(req wire.EventsRequest) error {
	switch {
	case len(req.Entries) == 0:
		return nil
	case len(req.Entries) > wire.MaxEntries:
		return fmt.Errorf("%d records in one batch instead of at most %d", len(req.Entries), wire.MaxEntries)
	case !outboxID(req.Outbox):
		return fmt.Errorf("the journal's id is not %d to %d letters and digits", minOutbox, maxOutbox)
	case req.First == 0 || req.First > maxSeq:
		return fmt.Errorf("%d cannot be a record's number", req.First)
	}
	for i, e := range req.Entries {
		if len(e.Body) == 0 || len(e.Body) > wire.MaxRecord || !utf8.Valid(e.Body) {
			return fmt.Errorf("record %d is empty, longer than %d bytes or not UTF-8", req.First+uint64(i), wire.MaxRecord)
		}
	}
	return nil
}

func outboxID(s string) bool {
	if len(s) < minOutbox || len(s) > maxOutbox {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '_')
	})
}

// read makes a row of a record. What cannot be read is kept as it came, as an alarm.
func read(seq uint64, e wire.Entry, now time.Time) row {
	r := row{seq: seq, hash: e.Hash, received: ms(now), at: ms(now), body: string(e.Body)}
	var f facts
	if err := json.Unmarshal(e.Body, &f); err != nil || f.Kind == "" {
		r.kind, r.what, r.mark, r.severity, r.violation = markUnread, markUnread, markUnread, severeAlarm, true
		return r
	}
	r.kind, r.what, r.outcome = clean(f.Kind), clean(f.Kind), clean(string(f.Outcome))
	r.request = clean(f.Request)
	r.place(f.At, now)
	r.describe(f)
	r.severity, r.violation = judge(f)
	return r
}

// place takes the record's own time unless it lies ahead of the console's clock or before any terminal existed.
func (r *row) place(at, now time.Time) {
	switch {
	case at.After(now.Add(futureSlack)):
		r.mark = markFuture
	case at.Year() >= 2000:
		r.at = ms(at)
	}
}

func (r *row) describe(f facts) {
	if f.Decision != nil {
		r.grant = clean(f.Decision.Grant)
	}
	if f.Kind == wire.RecordProgram && f.Software != nil {
		r.describeProgram(f.Software)
		return
	}
	if f.Kind == wire.RecordCheck && f.Check != nil {
		r.describeCheck(f.Check)
		if f.Outcome != "" { // something was done about it: that is what this record tells
			r.acted, r.outcome = true, clean(string(f.Outcome))
		}
		return
	}
	if f.Event == nil {
		return
	}
	d := f.Event.Device
	r.user, r.serial = clean(f.Event.User), clean(d.Serial)
	r.device = clean(strings.TrimSpace(d.Manufacturer + " " + d.Name))
	if r.device == "" {
		r.device = clean(strings.Trim(d.Vendor+":"+d.Product, ":"))
	}
	if f.Kind == wire.RecordDevice {
		r.what = clean(string(leading(d.Kinds)))
	}
}

// describeProgram puts the program where a device stands: its id is what tells it from the next one.
func (r *row) describeProgram(f *programFacts) {
	p := f.Program
	r.user, r.serial = clean(f.User), clean(p.ID)
	if r.user == "" {
		r.user = clean(p.User)
	}
	if r.device = clean(strings.TrimSpace(p.Name + " " + p.Version)); r.device == "" {
		r.device = r.serial
	}
}

// leading is the kind that says most about the danger, for lists that show one.
func leading(kinds []policy.Kind) policy.Kind {
	for _, k := range []policy.Kind{policy.KindStorage, policy.KindCard, policy.KindPortable, policy.KindOptical, policy.KindDisk,
		policy.KindNetwork, policy.KindWireless, policy.KindVendor, policy.KindPrinter, policy.KindSerial} {
		if slices.Contains(kinds, k) {
			return k
		}
	}
	if len(kinds) == 0 {
		return policy.KindUnknown
	}
	return kinds[0]
}

// judge says how much a record matters and whether an administrator must see it.
// A device or program that goes away, one judged again while it stays and a block still under way are no second violation.
func judge(f facts) (severity string, violation bool) {
	switch {
	case f.Kind == wire.RecordGap && f.Code == CodeBegun:
		return severeWarn, true
	case f.Kind == wire.RecordGap, f.Kind == wire.RecordClock:
		return severeAlarm, true
	case f.Kind == wire.RecordCheck && f.Check != nil && f.Outcome != "":
		return judgeAct(f)
	case f.Outcome == policy.OutcomeBlockFailed:
		return severeAlarm, true
	case f.Outcome == policy.OutcomePending, f.Event != nil && f.Event.What == policy.EventDetach,
		f.Software != nil && f.Software.What == policy.ProgramRemoved:
		return severeInfo, false
	case f.Kind == wire.RecordCheck && f.Check != nil:
		return judgeCheck(f.Check)
	case f.Kind != wire.RecordDevice && f.Kind != wire.RecordProgram:
		return judgeOther(f)
	case f.Decision == nil || !(policy.Decision{Action: f.Decision.Action, Mode: f.Decision.Mode}).Violation():
		return judgeAllowed(f), false
	case f.Code == wire.CodeAgain:
		return severeInfo, false // the visit's first record is the violation
	case f.Decision.Alarm:
		return severeAlarm, true
	case f.Outcome == policy.OutcomeAudit:
		return severeNotice, true
	}
	return severeWarn, true
}

func judgeOther(f facts) (string, bool) {
	bad := strings.Contains(f.Code, "fail") || strings.Contains(f.Code, "refused") || strings.Contains(f.Code, "killed") || f.Code == wire.CodeUpdateRolledBack
	switch {
	case bad && f.Kind == wire.RecordGate:
		return severeAlarm, true
	case bad:
		return severeWarn, true
	}
	return severeInfo, false
}

func judgeAllowed(f facts) string {
	switch {
	case f.Outcome == policy.OutcomeAllowFailed:
		return severeWarn
	case f.Decision != nil && f.Decision.Grant != "":
		return severeNotice
	}
	return severeInfo
}

// clean bounds a foreign word and takes out what is not printable; the body keeps it as it came.
func clean(s string) string { return cleanTo(s, maxText) }

func cleanTo(s string, most int) string {
	if len(s) > most {
		s = s[:most]
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s))
}

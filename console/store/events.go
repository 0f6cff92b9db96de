package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sekisho/internal/wire"
)

const eventColumns = `e.id, e.terminal, t.name, t.group_id, g.name, j.outbox, e.seq, e.hash, e.chain_ok, e.received_at, e.violation,
	e.severity, e.mark, COALESCE(h.state, ''), COALESCE(h.assignee, ''), COALESCE(h.reason, ''), COALESCE(h.at, 0), e.body`

const eventTables = ` FROM events e JOIN terminals t ON t.id = e.terminal JOIN groups g ON g.id = t.group_id
	JOIN journals j ON j.id = e.journal LEFT JOIN handling h ON h.event = e.id `

func readEvent(s scanner) (e Event, err error) {
	var hash []byte
	var seq, ok, received, violation, handled int64
	var body string
	err = s.Scan(&e.ID, &e.Terminal, &e.TerminalName, &e.Group, &e.GroupName, &e.Outbox, &seq, &hash, &ok, &received, &violation,
		&e.Severity, &e.Mark, &e.Handling.State, &e.Handling.Assignee, &e.Handling.Reason, &handled, &body)
	if err != nil {
		return e, err
	}
	e.Seq, e.ChainOK, e.Received = uint64(seq), ok != 0, moment(received)
	e.Violation, e.Handling.At = violation != 0, moment(handled)
	copy(e.Hash[:], hash)
	// A record that cannot be read is shown as far as it can; ingestion has marked it.
	if err := json.Unmarshal([]byte(body), &e.Record); err != nil && e.Record.Kind == "" {
		e.Record = wire.Record{Kind: markUnread, At: e.Received, Note: body[:min(len(body), 1000)]}
	}
	tame(&e.Record)
	return e, nil
}

// tame brings a terminal's times into years that can be reckoned with in every time zone: JSON ends with the year 9999, and
// one record at that end would keep a whole list from being answered. The body keeps what was said.
func tame(r *wire.Record) {
	r.At = bounded(r.At)
	if r.Event != nil {
		r.Event.SeenAt = bounded(r.Event.SeenAt)
	}
	if r.Software != nil {
		r.Software.SeenAt, r.Software.Program.InstalledAt = bounded(r.Software.SeenAt), bounded(r.Software.Program.InstalledAt)
	}
	if r.Check != nil {
		r.Check.AsOf, r.Check.Since = bounded(r.Check.AsOf), bounded(r.Check.Since)
	}
	if r.Decision != nil {
		r.Decision.Until = bounded(r.Decision.Until)
	}
	for i := range r.Steps {
		r.Steps[i].At = bounded(r.Steps[i].At)
	}
}

func bounded(t time.Time) time.Time {
	switch y := t.Year(); {
	case t.IsZero() || y > 1 && y < 9000:
		return t
	case y <= 1:
		return time.Time{}
	}
	return time.Date(8999, 12, 31, 0, 0, 0, 0, time.UTC)
}

// where is a filter as SQL with numbered arguments.
type where struct {
	terms []string
	args  []any
}

// and adds a term; every "?" in it becomes the number of the one argument.
func (w *where) and(term string, arg any) {
	w.args = append(w.args, arg)
	w.terms = append(w.terms, strings.ReplaceAll(term, "?", "$"+strconv.Itoa(len(w.args))))
}

func (w *where) text() string {
	if len(w.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.terms, " AND ")
}

// equal adds a term for a value that is given.
func (w *where) equal(column, value string) {
	if value != "" {
		w.and(column+" = ?", value)
	}
}

// recordKinds are the kinds of records; any other word in a filter is a device's kind.
func recordKinds() []string {
	return []string{wire.RecordDevice, wire.RecordAgent, wire.RecordPolicy, wire.RecordClock, wire.RecordGap, wire.RecordGate, wire.RecordProgram, wire.RecordCheck, markUnread}
}

func (f EventFilter) where() *where {
	w := &where{}
	if f.Violations || f.State != "" {
		w.terms = append(w.terms, "e.violation = 1")
	}
	w.equal("e.terminal", f.Terminal)
	w.equal("t.group_id", f.Group)
	w.equal("e.outcome", f.Outcome)
	w.equal("e.username", f.User)
	w.equal("e.serial", f.Serial)
	if f.Request != "" {
		w.terms = append(w.terms, "e.request <> ''") // so that the partial index serves
		w.equal("e.request", f.Request)
	}
	switch {
	case f.Kind == wire.RecordDevice:
		w.equal("e.kind", f.Kind)
	case slices.Contains(recordKinds(), f.Kind):
		w.terms = append(w.terms, "e.kind <> 'device'") // so that the partial index serves
		w.equal("e.kind", f.Kind)
	default:
		w.equal("e.what", f.Kind)
	}
	f.whereState(w)
	f.whereTime(w)
	if f.Text != "" {
		w.and(`(LOWER(t.name) LIKE ? ESCAPE '\' OR LOWER(e.username) LIKE ? ESCAPE '\' OR LOWER(e.device) LIKE ? ESCAPE '\' OR LOWER(e.serial) LIKE ? ESCAPE '\')`, like(f.Text))
	}
	return w
}

func (f EventFilter) whereState(w *where) {
	switch f.State {
	case "":
	case "unclosed":
		w.terms = append(w.terms, "COALESCE(h.state, 'open') <> 'closed'")
	default:
		w.and("COALESCE(h.state, 'open') = ?", f.State)
	}
}

func (f EventFilter) whereTime(w *where) {
	if !f.From.IsZero() {
		w.and("e.at >= ?", ms(f.From))
	}
	if !f.To.IsZero() {
		w.and("e.at < ?", ms(f.To))
	}
	if f.Before > 0 {
		w.and("e.id < ?", f.Before)
	}
}

// Events gives records that a filter chooses, newest first.
func (db *DB) Events(ctx context.Context, f EventFilter) ([]Event, error) {
	w := f.where()
	text := w.text()
	w.and("?", clamp(f.Limit, 50, 500))
	rows, err := db.reader.QueryContext(ctx, `SELECT `+eventColumns+eventTables+text+
		` ORDER BY e.id DESC LIMIT $`+strconv.Itoa(len(w.args)), w.args...)
	return collect(rows, err, readEvent)
}

// Event gives one record.
func (db *DB) Event(ctx context.Context, id int64) (Event, error) {
	e, err := readEvent(db.reader.QueryRowContext(ctx, `SELECT `+eventColumns+eventTables+`WHERE e.id = $1`, id))
	return e, explain(err)
}

// countMost is where counting ends: a number beyond it says only that there are very many.
const countMost = 100_000

// CountEvents counts what a filter chooses; each of the three breakdowns leaves its own filter out,
// so that a list can offer the other choices. Counting ends at the newest countMost rows.
func (db *DB) CountEvents(ctx context.Context, f EventFilter) (c Counts, err error) {
	f.Before = 0
	err = db.view(ctx, func(tx *sql.Tx) error {
		byState, byKind, byOutcome := f, f, f
		byState.State, byState.Violations = "", f.Violations || f.State != ""
		byKind.Kind, byOutcome.Outcome = "", ""
		if c.ByState, err = breakdown(ctx, tx, byState, `COALESCE(h.state, 'open')`); err != nil {
			return err
		}
		if c.ByKind, err = breakdown(ctx, tx, byKind, `e.what`); err != nil {
			return err
		}
		if c.ByOutcome, err = breakdown(ctx, tx, byOutcome, `e.outcome`); err != nil {
			return err
		}
		all, err := breakdown(ctx, tx, f, `'all'`)
		c.Total = all["all"]
		return err
	})
	return c, err
}

func breakdown(ctx context.Context, q querier, f EventFilter, column string) (map[string]int, error) {
	w := f.where()
	text := w.text()
	w.and("?", countMost)
	rows, err := q.QueryContext(ctx, `SELECT k, COUNT(*) FROM (SELECT `+column+` AS k FROM events e JOIN terminals t ON t.id = e.terminal
		LEFT JOIN handling h ON h.event = e.id `+text+` ORDER BY e.id DESC LIMIT $`+strconv.Itoa(len(w.args))+`) AS n GROUP BY k`, w.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]int{}
	for rows.Next() {
		var k string
		var n int
		if err := rows.Scan(&k, &n); err != nil {
			return nil, err
		}
		out[k] = n
	}
	return out, rows.Err()
}

// like makes a pattern that finds a part, with the pattern's own signs taken literally.
func like(text string) string {
	if text == "" {
		return ""
	}
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(text)) + "%"
}

// Handle writes down what somebody did about a violation; ErrNotFound when there is no such violation, ErrConflict when
// it is not in a state that this can follow: what is closed can only be opened again, so that nothing overwrites why.
func (db *DB) Handle(ctx context.Context, id int64, h Handling, by string, now time.Time) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		var before string
		err := tx.QueryRowContext(ctx, `SELECT COALESCE(h.state, 'open') FROM events e LEFT JOIN handling h ON h.event = e.id
			WHERE e.id = $1 AND e.violation = 1`, id).Scan(&before)
		if err != nil {
			return err
		}
		if !follows(before, h.State) {
			return fmt.Errorf("cannot make violation %d %s: it is %s: %w", id, h.State, before, ErrConflict)
		}
		res, err := tx.ExecContext(ctx, `INSERT INTO handling (event, state, assignee, reason, at)
			SELECT e.id, $1, $2, $3, $4 FROM events e WHERE e.id = $5 AND e.violation = 1
			ON CONFLICT (event) DO UPDATE SET state = excluded.state, assignee = excluded.assignee, reason = excluded.reason, at = excluded.at`,
			h.State, h.Assignee, h.Reason, ms(now), id)
		if err := changed(res, err, ErrNotFound); err != nil {
			return err
		}
		return note(ctx, tx, now, by, "handle", fmt.Sprint(id), map[string]any{"before": before, "state": h.State, "assignee": h.Assignee, "reason": h.Reason})
	})
}

// follows says whether people may move a violation so. Working may follow working: somebody else takes it over.
func follows(before, after string) bool {
	switch after {
	case StateOpen:
		return before != StateOpen
	case StateWorking, StateClosed:
		return before != StateClosed
	}
	return false
}

package store

import (
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// CodeUnreadLine says that nobody can read what a terminal says of a check.
const CodeUnreadLine = "unread_line"

// maxChecks is how many checks of one terminal stand in its line.
const maxChecks = 200

// checkRow is what is kept of a line of the health sheet beside its body.
type checkRow struct {
	result, code, stage, waiver, product, value string
	since                                       int64
}

// readCheck takes the columns from a line. What cannot be read, or says it is another check's, is unknown: nothing is ever
// shown as passed because of it.
func readCheck(it wire.Item) checkRow {
	var c policy.CheckResult
	if err := json.Unmarshal(it.Body, &c); err != nil || c.Check != it.ID || !isResult(c.Result) {
		return checkRow{result: string(policy.ResultUnknown), code: CodeUnreadLine}
	}
	return checkRow{
		result: string(c.Result), code: clean(c.Code), stage: clean(c.Stage), waiver: clean(c.Waiver), product: clean(c.Product),
		value: clean(c.Value), since: ms(bounded(c.Since)),
	}
}

func isResult(r policy.Result) bool {
	return slices.Contains([]policy.Result{policy.ResultPass, policy.ResultFail, policy.ResultUnknown, policy.ResultNotApplicable}, r)
}

type healthStatements struct {
	find, put, drop, sweep, list, line, clear *sql.Stmt
	open, close                               *sql.Stmt
}

func (h *healthStatements) prepare(stmt func(string) *sql.Stmt) {
	h.find = stmt(`SELECT turn, body FROM health WHERE terminal = $1 AND item = $2`)
	h.put = stmt(`INSERT INTO health (terminal, item, turn, result, code, stage, waiver, product, value, since, changed_at, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (terminal, item) DO UPDATE SET turn = excluded.turn,
		result = excluded.result, code = excluded.code, stage = excluded.stage, waiver = excluded.waiver, product = excluded.product,
		value = excluded.value, since = excluded.since, body = excluded.body,
		changed_at = CASE WHEN health.body = excluded.body THEN health.changed_at ELSE excluded.changed_at END`)
	h.drop = stmt(`DELETE FROM health WHERE terminal = $1 AND item = $2`)
	h.sweep = stmt(`DELETE FROM health WHERE terminal = $1 AND turn <> $2`)
	h.list = stmt(`SELECT item, result, stage, code, waiver, since FROM health WHERE terminal = $1 ORDER BY item LIMIT 200`)
	h.line = stmt(`INSERT INTO health_lines (terminal, line, changed_at) VALUES ($1, $2, $3)
		ON CONFLICT (terminal) DO UPDATE SET line = excluded.line, changed_at = excluded.changed_at`)
	h.clear = stmt(`DELETE FROM health_lines WHERE terminal = $1`)
	h.open = stmt(`SELECT COUNT(*) FROM events e LEFT JOIN handling h ON h.event = e.id
		WHERE e.violation = 1 AND e.terminal = $1 AND e.what = 'check' AND e.serial = $2 AND COALESCE(h.state, 'open') <> 'closed'`)
	h.close = stmt(`INSERT INTO handling (event, state, assignee, reason, at)
		SELECT e.id, 'closed', COALESCE(h.assignee, ''), $1, $2 FROM events e LEFT JOIN handling h ON h.event = e.id
		WHERE e.violation = 1 AND e.terminal = $3 AND e.what = 'check' AND e.serial = $4 AND (e.journal <> $5 OR e.seq < $6)
			AND COALESCE(h.state, 'open') <> 'closed'
		ON CONFLICT (event) DO UPDATE SET state = excluded.state, assignee = excluded.assignee, reason = excluded.reason, at = excluded.at`)
}

// healthLines keeps wire.SheetHealth.
type healthLines struct{ *groupTx }

// begin leaves what is known from before. There are never many lines: a check is one, whatever its turn.
func (s healthLines) begin(terminal string) (forgot bool, err error) {
	var n int64
	if err := s.tx.QueryRow(`SELECT COUNT(*) FROM health WHERE terminal = $1`, terminal).Scan(&n); err != nil || n <= 2*wire.MaxSheetItems {
		return false, err
	}
	return true, s.sweep(terminal, -1)
}

func (s healthLines) find(terminal, id string) (k lineKept, err error) {
	err = s.row(s.health.find, terminal, id).Scan(&k.turn, &k.body)
	if errors.Is(err, sql.ErrNoRows) {
		return lineKept{}, nil
	}
	return k, err
}

func (s healthLines) put(terminal string, turn int64, l line, _ lineKept, now time.Time) error {
	c := l.check
	_, err := s.exec(s.health.put, terminal, l.ID, turn, c.result, c.code, c.stage, c.waiver, c.product, c.value, c.since, ms(now), string(l.Body))
	return err
}

func (s healthLines) drop(terminal, id string, had lineKept) error {
	if had.turn == 0 {
		return nil
	}
	_, err := s.exec(s.health.drop, terminal, id)
	return err
}

func (s healthLines) sweep(terminal string, turn int64) error {
	_, err := s.exec(s.health.sweep, terminal, turn)
	return err
}

// end writes the terminal's one line anew.
func (s healthLines) end(terminal string, now time.Time) error {
	rows, err := s.query(s.health.list, terminal)
	cells, err := collect(rows, err, readCell)
	if err != nil {
		return err
	}
	if len(cells) == 0 {
		_, err := s.exec(s.health.clear, terminal)
		return err
	}
	_, err = s.exec(s.health.line, terminal, spellLine(cells), ms(now))
	return err
}

// Cell is one check of one terminal, as a matrix shows it.
type Cell struct {
	Check  string
	Result policy.Result
	Stage  string
	Code   string
	Waiver string
	Since  time.Time
}

func readCell(s scanner) (c Cell, err error) {
	var since int64
	err = s.Scan(&c.Check, &c.Result, &c.Stage, &c.Code, &c.Waiver, &since)
	c.Since = moment(since)
	return c, err
}

// spellLine writes cells as one text: lines of fields with tabs between. No field holds either: they were cleaned.
func spellLine(cells []Cell) string {
	var b strings.Builder
	for _, c := range cells {
		for _, field := range []string{clean(c.Check), string(c.Result), c.Stage, c.Code, c.Waiver} {
			b.WriteString(field)
			b.WriteByte('\t')
		}
		b.WriteString(strconv.FormatInt(ms(c.Since), 10))
		b.WriteByte('\n')
	}
	return b.String()
}

// readLineOf is its reverse; what is damaged is left out. The cells stand in room, as far as there is some.
func readLineOf(text string, room []Cell) []Cell {
	cells := room[:0]
	if cells == nil {
		cells = make([]Cell, 0, min(strings.Count(text, "\n"), maxChecks))
	}
	for one := range strings.SplitSeq(text, "\n") {
		if c, ok := readCellOf(one); ok {
			cells = append(cells, c)
		}
	}
	return cells
}

func readCellOf(one string) (c Cell, ok bool) {
	var result string
	for _, field := range []*string{&c.Check, &result, &c.Stage, &c.Code, &c.Waiver} {
		if *field, one, ok = strings.Cut(one, "\t"); !ok {
			return c, false
		}
	}
	n, err := strconv.ParseInt(one, 10, 64)
	c.Result, c.Since = policy.Result(result), moment(n)
	return c, err == nil
}

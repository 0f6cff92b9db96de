package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"sekisho/internal/policy"
)

// HealthRow is one terminal with all that its checks came to. The terminal ledger is what counts: one that never reported has no cells.
type HealthRow struct {
	Terminal, Name   string
	Group, GroupName string
	OS               string
	LastContact      time.Time
	ReportedAt       time.Time // when its results changed last; zero is never
	line             string    // its cells, not read yet: a page looks at thousands of terminals and shows few
}

// Reported says that the terminal has said something of its checks.
func (r *HealthRow) Reported() bool { return r.line != "" }

// Cells reads the row's cells into the room of a slice that its caller has done with; nil makes room.
func (r *HealthRow) Cells(room []Cell) []Cell { return readLineOf(r.line, room) }

// Cell gives one check of the row.
func (r *HealthRow) Cell(check string) (Cell, bool) {
	return findCell(r.Cells(nil), check)
}

func findCell(cells []Cell, check string) (Cell, bool) {
	if i := slices.IndexFunc(cells, func(c Cell) bool { return c.Check == check }); i >= 0 {
		return cells[i], true
	}
	return Cell{}, false
}

// maxFleet bounds what one page looks at.
const maxFleet = 20000

// HealthFleet gives every terminal in use of a group ("" all), by name. They are put in order here: the database would carry all
// lines through its sorting.
func (db *DB) HealthFleet(ctx context.Context, group string) ([]HealthRow, error) {
	rows, err := db.reader.QueryContext(ctx, `SELECT t.id, t.name, t.group_id, g.name, t.os, t.last_contact, COALESCE(l.line, ''), COALESCE(l.changed_at, 0)
		FROM terminals t JOIN groups g ON g.id = t.group_id LEFT JOIN health_lines l ON l.terminal = t.id
		WHERE t.retired_at = 0 AND ($1 = '' OR t.group_id = $1) LIMIT $2`, group, maxFleet)
	fleet, err := collect(rows, err, readHealthRow)
	slices.SortFunc(fleet, func(a, b HealthRow) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Terminal, b.Terminal))
	})
	return fleet, err
}

func readHealthRow(s scanner) (r HealthRow, err error) {
	var contact, changed int64
	err = s.Scan(&r.Terminal, &r.Name, &r.Group, &r.GroupName, &r.OS, &contact, &r.line, &changed)
	r.LastContact, r.ReportedAt = moment(contact), moment(changed)
	return r, err
}

// Checked is one check of a terminal as it was said, with what the console knows of it.
type Checked struct {
	policy.CheckResult
	ChangedAt time.Time
	Old       bool // known from before: the terminal's list is on its way
}

// TerminalHealth gives what a terminal's checks came to.
func (db *DB) TerminalHealth(ctx context.Context, terminal string) (list []Checked, at SheetState, err error) {
	err = db.view(ctx, func(tx *sql.Tx) (err error) {
		rows, err := tx.QueryContext(ctx, `SELECT c.item, c.result, c.code, c.turn, c.changed_at, COALESCE(s.turn, 0), c.body FROM health c
			LEFT JOIN sheets s ON s.terminal = c.terminal AND s.name = 'health' WHERE c.terminal = $1 ORDER BY c.item LIMIT 1000`, terminal)
		if list, err = collect(rows, err, readChecked); err != nil {
			return err
		}
		at, err = sheetState(ctx, tx, terminal, "health")
		return err
	})
	return list, at, err
}

// readChecked shows what a line says only as far as it was judged readable when it came.
func readChecked(s scanner) (c Checked, err error) {
	var item, result, code, body string
	var turn, changed, now int64
	if err := s.Scan(&item, &result, &code, &turn, &changed, &now, &body); err != nil {
		return c, err
	}
	if code == CodeUnreadLine || json.Unmarshal([]byte(body), &c.CheckResult) != nil {
		c.CheckResult = policy.CheckResult{Code: CodeUnreadLine, Fault: "cannot read what the terminal says of it"}
	}
	c.Check, c.Result = clean(item), policy.Result(result)
	c.Since, c.AsOf = bounded(c.Since), bounded(c.AsOf)
	for _, field := range []*string{&c.Code, &c.Value, &c.Want, &c.Source, &c.Product, &c.Against, &c.Stage, &c.Waiver, &c.Fault, &c.Act.Adapter, &c.Act.Code} {
		*field = cleanTo(*field, 1024)
	}
	c.Act.Outcome = policy.Outcome(cleanTo(string(c.Act.Outcome), 64))
	c.ChangedAt, c.Old = moment(changed), turn != now
	return c, nil
}

// Pattern is the newest pattern of a product that a terminal of this LAN has.
type Pattern struct {
	Product      string // as terminals say it, with its version
	Made         time.Time
	TerminalName string
}

// mostTried is how many dates of a product are read at most to find one that is a date: they are words that terminals wrote.
const mostTried = 20

// NewestPatterns gives one for each product, from what terminals have read. A date that lies ahead of the console's clock is no
// date: one wrong clock would make all others look old.
func (db *DB) NewestPatterns(ctx context.Context, now time.Time) ([]Pattern, error) {
	rows, err := db.reader.QueryContext(ctx, `SELECT product, made, name FROM (SELECT c.product AS product, c.value AS made, MIN(t.name) AS name,
			ROW_NUMBER() OVER (PARTITION BY c.product ORDER BY c.value DESC) AS place
			FROM health c JOIN terminals t ON t.id = c.terminal WHERE c.item = 'antivirus.patterns' AND c.product <> ''
			AND c.value LIKE '20__-__-__T%' AND c.value <= $1 AND t.retired_at = 0 GROUP BY c.product, c.value) AS n
		WHERE place <= $2 ORDER BY product, made DESC LIMIT 4000`, now.UTC().Add(futureSlack).Format(time.RFC3339), mostTried)
	all, err := collect(rows, err, func(s scanner) (p Pattern, err error) {
		var made string
		err = s.Scan(&p.Product, &made, &p.TerminalName)
		p.Made, _ = time.Parse(time.RFC3339, made) // zero is no date
		return p, err
	})
	return newestOf(all), err
}

// newestOf keeps the first of each product that has a date.
func newestOf(all []Pattern) (newest []Pattern) {
	for _, p := range all {
		if n := len(newest); !p.Made.IsZero() && (n == 0 || newest[n-1].Product != p.Product) {
			newest = append(newest, p)
		}
	}
	return newest
}

// HealthDay is how a check stood on one day.
type HealthDay struct {
	Day                                time.Time
	Pass, Fail, Unknown, NotApplicable int
	Waived                             int // of fail and unknown
	Unreported                         int
}

// healthYears is how long daily counts are kept.
const healthYears = 5

// CountHealth writes down how many terminals have which result now, over what was counted earlier on the same day.
// Who did not report, or not for as long as silent, counts as unreported.
func (db *DB) CountHealth(ctx context.Context, now time.Time, silent time.Duration) error {
	fleet, err := db.HealthFleet(ctx, "")
	if err != nil {
		return err
	}
	counts := countHealth(fleet, now.Add(-silent))
	day := now.In(db.zone).Format(time.DateOnly)
	return db.change(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM health_days WHERE day = $1 OR day < $2`, day, now.In(db.zone).AddDate(-healthYears, 0, 0).Format(time.DateOnly)); err != nil {
			return err
		}
		for key, n := range counts {
			_, err := tx.ExecContext(ctx, `INSERT INTO health_days (day, group_id, item, pass, fail, unknown, not_applicable, waived, unreported)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, day, key[0], key[1], n.Pass, n.Fail, n.Unknown, n.NotApplicable, n.Waived, n.Unreported)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// countHealth counts by group and check.
func countHealth(fleet []HealthRow, since time.Time) map[[2]string]*HealthDay {
	counts := map[[2]string]*HealthDay{}
	at := func(group, check string) *HealthDay {
		key := [2]string{group, check}
		if counts[key] == nil {
			counts[key] = &HealthDay{}
		}
		return counts[key]
	}
	var cells []Cell
	for i := range fleet {
		r := &fleet[i]
		cells = r.Cells(cells)
		for _, c := range policy.Catalogue() {
			n := at(r.Group, c.ID)
			cell, ok := findCell(cells, c.ID)
			if !ok || r.LastContact.Before(since) {
				n.Unreported++
				continue
			}
			n.add(cell)
		}
	}
	return counts
}

func (d *HealthDay) add(c Cell) {
	switch c.Result {
	case policy.ResultPass:
		d.Pass++
	case policy.ResultFail:
		d.Fail++
	case policy.ResultNotApplicable:
		d.NotApplicable++
	default:
		d.Unknown++
	}
	if c.Waiver != "" && c.Result != policy.ResultPass {
		d.Waived++
	}
}

// HealthDays gives how a check stood in a group ("" all) since a day, oldest first.
func (db *DB) HealthDays(ctx context.Context, check, group string, from time.Time) ([]HealthDay, error) {
	rows, err := db.reader.QueryContext(ctx, `SELECT day, SUM(pass), SUM(fail), SUM(unknown), SUM(not_applicable), SUM(waived), SUM(unreported) FROM health_days
		WHERE item = $1 AND ($2 = '' OR group_id = $2) AND day >= $3 GROUP BY day ORDER BY day LIMIT 2000`, check, group, from.In(db.zone).Format(time.DateOnly))
	return collect(rows, err, func(s scanner) (d HealthDay, err error) {
		var day string
		if err = s.Scan(&day, &d.Pass, &d.Fail, &d.Unknown, &d.NotApplicable, &d.Waived, &d.Unreported); err == nil {
			d.Day, err = time.ParseInLocation(time.DateOnly, day, db.zone)
		}
		return d, err
	})
}

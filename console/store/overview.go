package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"sekisho/internal/policy"
)

// overviewDays is how many calendar days the first page shows.
const overviewDays = 14

// Overview gives the numbers of the first page, all from one moment.
func (db *DB) Overview(ctx context.Context, now time.Time, silentAfter time.Duration) (o Overview, err error) {
	err = db.view(ctx, func(tx *sql.Tx) error {
		v := overview{ctx, tx, now, &o}
		return errors.Join(v.terminals(silentAfter), v.oldest(), v.open(), v.alarms(), v.running(), v.days(db.zone), v.integrity())
	})
	return o, err
}

// overview fills one answer within one transaction.
type overview struct {
	ctx context.Context
	tx  *sql.Tx
	now time.Time
	to  *Overview
}

func (v overview) terminals(silentAfter time.Duration) error {
	return v.tx.QueryRowContext(v.ctx, `SELECT COUNT(*), COALESCE(SUM(CASE WHEN last_contact >= $1 THEN 1 ELSE 0 END), 0),
			COALESCE(SUM(CASE WHEN last_contact < $1 THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN applied < revision THEN 1 ELSE 0 END), 0)
		FROM terminals WHERE retired_at = 0`, ms(v.now.Add(-silentAfter))).
		Scan(&v.to.Terminals, &v.to.Reporting, &v.to.Silent, &v.to.Behind)
}

func (v overview) oldest() error {
	t, err := readTerminal(v.tx.QueryRowContext(v.ctx, `SELECT `+terminalColumns+`
		FROM terminals t JOIN groups g ON g.id = t.group_id WHERE t.retired_at = 0 ORDER BY t.last_contact, t.id LIMIT 1`))
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	v.to.OldestContact = &t
	return err
}

func (v overview) open() (err error) {
	v.to.OpenByKind, err = breakdown(v.ctx, v.tx, EventFilter{Violations: true, State: "unclosed"}, `e.what`)
	return err
}

func (v overview) alarms() error {
	rows, err := v.tx.QueryContext(v.ctx, `SELECT `+eventColumns+eventTables+`
		WHERE e.violation = 1 AND e.severity = 'alarm' AND COALESCE(h.state, 'open') <> 'closed' ORDER BY e.id DESC LIMIT 10`)
	v.to.Alarms, err = collect(rows, err, readEvent)
	return err
}

func (v overview) running() error {
	rows, err := v.tx.QueryContext(v.ctx, grantSelect+` WHERE r.until_at > $1 AND r.from_at <= $1 AND r.revoked_at = 0
		ORDER BY r.until_at, r.n LIMIT 20`, ms(v.now))
	v.to.Running, err = collect(rows, err, readGrant)
	return err
}

// days asks the index of violations once for each day: a day's bounds are not always 24 hours apart.
func (v overview) days(zone *time.Location) error {
	y, m, d := v.now.In(zone).Date()
	for i := overviewDays - 1; i >= 0; i-- {
		from := time.Date(y, m, d-i, 0, 0, 0, 0, zone)
		day, err := v.day(from, time.Date(y, m, d-i+1, 0, 0, 0, 0, zone))
		if err != nil {
			return err
		}
		v.to.Days = append(v.to.Days, day)
	}
	return nil
}

func (v overview) day(from, to time.Time) (Day, error) {
	day := Day{Day: from}
	rows, err := v.tx.QueryContext(v.ctx, `SELECT outcome, COUNT(*) FROM events
		WHERE violation = 1 AND at >= $1 AND at < $2 GROUP BY outcome`, ms(from), ms(to))
	if err != nil {
		return day, err
	}
	defer rows.Close()
	for rows.Next() {
		var outcome string
		var n int
		if err := rows.Scan(&outcome, &n); err != nil {
			return day, err
		}
		day.add(policy.Outcome(outcome), n)
	}
	return day, rows.Err()
}

func (d *Day) add(outcome policy.Outcome, n int) {
	switch outcome {
	case policy.OutcomeBlocked:
		d.Blocked += n
	case policy.OutcomeBlockFailed:
		d.Failed += n
	case policy.OutcomeDetected, OutcomeCheck + policy.Outcome(policy.ResultFail):
		d.Detected += n
	case policy.OutcomeAudit:
		d.Audit += n
	}
}

func (v overview) integrity() error {
	err := v.tx.QueryRowContext(v.ctx, `SELECT COUNT(*) FROM events WHERE chain_ok = 0`).Scan(&v.to.ChainFaults)
	if err != nil {
		return err
	}
	return v.tx.QueryRowContext(v.ctx, `SELECT COUNT(*) FROM events WHERE kind <> 'device' AND kind = 'gap' AND at >= $1`,
		ms(v.now.AddDate(0, 0, -30))).Scan(&v.to.Gaps)
}

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"sekisho/internal/wire"
)

// terminalColumns counts open violations by the partial index of violations.
const terminalColumns = `t.id, t.name, t.group_id, g.name, t.enrolled_at, t.os, t.arch, t.agent, t.revision, t.applied,
	t.last_contact, t.status, t.retired_at,
	(SELECT COUNT(*) FROM events e LEFT JOIN handling h ON h.event = e.id
		WHERE e.violation = 1 AND e.terminal = t.id AND COALESCE(h.state, 'open') <> 'closed')`

func readTerminal(s scanner) (t Terminal, err error) {
	var enrolled, contact, retired int64
	var status string
	err = s.Scan(&t.ID, &t.Name, &t.Group, &t.GroupName, &enrolled, &t.OS, &t.Arch, &t.Agent, &t.Revision, &t.Applied,
		&contact, &status, &retired, &t.Open)
	if err != nil {
		return t, err
	}
	t.EnrolledAt, t.LastContact, t.Retired = moment(enrolled), moment(contact), retired != 0
	if err := json.Unmarshal([]byte(status), &t.Status); err != nil {
		t.Status = wire.Status{} // as if it had not reported: one damaged row must not hide all terminals
	}
	return t, nil
}

// Terminals gives those in use, by name; an empty group or text chooses all.
func (db *DB) Terminals(ctx context.Context, group, text string) ([]Terminal, error) {
	rows, err := db.reader.QueryContext(ctx, `SELECT `+terminalColumns+`
		FROM terminals t JOIN groups g ON g.id = t.group_id
		WHERE t.retired_at = 0 AND ($1 = '' OR t.group_id = $1)
			AND ($2 = '' OR LOWER(t.name) LIKE $2 ESCAPE '\' OR t.id = $3)
		ORDER BY t.name, t.id LIMIT 5000`, group, like(text), text)
	return collect(rows, err, readTerminal)
}

// Terminal gives one, also a retired one.
func (db *DB) Terminal(ctx context.Context, id string) (Terminal, error) {
	t, err := terminal(ctx, db.reader, id)
	return t, explain(err)
}

func terminal(ctx context.Context, q querier, id string) (Terminal, error) {
	return readTerminal(q.QueryRowContext(ctx, `SELECT `+terminalColumns+`
		FROM terminals t JOIN groups g ON g.id = t.group_id WHERE t.id = $1`, id))
}

// MoveTerminal gives a terminal another group, and with it another policy.
func (db *DB) MoveTerminal(ctx context.Context, id, group, by string, now time.Time) error {
	return db.changeTerminal(ctx, id, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE terminals SET group_id = $1, revision = revision + 1 WHERE id = $2 AND retired_at = 0`, group, id)
		if err := changed(res, err, ErrNotFound); err != nil {
			return err
		}
		return note(ctx, tx, now, by, "move", id, map[string]any{"group": group})
	})
}

// RetireTerminal ends a terminal's access; its history stays.
func (db *DB) RetireTerminal(ctx context.Context, id, by string, now time.Time) error {
	return db.changeTerminal(ctx, id, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE terminals SET retired_at = $1 WHERE id = $2 AND retired_at = 0`, ms(now), id)
		if err := changed(res, err, ErrNotFound); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE certificates SET revoked_at = $1 WHERE terminal = $2 AND revoked_at = 0`, ms(now), id); err != nil {
			return err
		}
		return note(ctx, tx, now, by, "retire", id, nil)
	})
}

func (db *DB) changeTerminal(ctx context.Context, id string, do func(*sql.Tx) error) error {
	if err := db.change(ctx, do); err != nil {
		return err
	}
	db.watch.wake(id)
	return nil
}

// TerminalPolicy is everything a terminal's policy document is composed of, from one moment.
type TerminalPolicy struct {
	Terminal Terminal
	Policy   GroupPolicy
	Grants   []Grant // neither revoked nor ended
}

// TerminalPolicy reads it; ErrNotFound for a retired terminal.
func (db *DB) TerminalPolicy(ctx context.Context, id string, now time.Time) (p TerminalPolicy, err error) {
	err = db.view(ctx, func(tx *sql.Tx) (err error) {
		if p.Terminal, err = terminal(ctx, tx, id); err != nil {
			return err
		}
		if p.Terminal.Retired {
			return ErrNotFound
		}
		if p.Policy, err = groupPolicy(ctx, tx, p.Terminal.Group, 0); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, grantSelect+` WHERE r.terminal = $1 AND r.until_at > $2 AND r.revoked_at = 0
			ORDER BY r.until_at LIMIT 1000`, id, ms(now))
		p.Grants, err = collect(rows, err, readGrant)
		return err
	})
	return p, err
}

// Revision gives the policy revision that shall be in force on a terminal.
func (db *DB) Revision(ctx context.Context, id string) (int64, error) {
	var n int64
	err := db.reader.QueryRowContext(ctx, `SELECT revision FROM terminals WHERE id = $1 AND retired_at = 0`, id).Scan(&n)
	return n, explain(err)
}

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
	return db.terminals(ctx, `t.retired_at = 0`, group, text)
}

// Retired gives those out of use, chosen alike.
func (db *DB) Retired(ctx context.Context, group, text string) ([]Terminal, error) {
	return db.terminals(ctx, `t.retired_at <> 0`, group, text)
}

func (db *DB) terminals(ctx context.Context, which, group, text string) ([]Terminal, error) {
	rows, err := db.reader.QueryContext(ctx, `SELECT `+terminalColumns+`
		FROM terminals t JOIN groups g ON g.id = t.group_id
		WHERE `+which+` AND ($1 = '' OR t.group_id = $1)
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
		err := db.group.in(tx).terminalMoves(id, func() error {
			res, err := tx.ExecContext(ctx, `UPDATE terminals SET group_id = $1, revision = revision + 1, revised_at = $3
				WHERE id = $2 AND retired_at = 0`, group, id, ms(now))
			return changed(res, err, ErrNotFound)
		})
		if err != nil {
			return err
		}
		return note(ctx, tx, now, by, "move", id, map[string]any{"group": group})
	})
}

// RetireTerminal ends a terminal's access; its history stays.
func (db *DB) RetireTerminal(ctx context.Context, id, reason, by string, now time.Time) error {
	return db.changeTerminal(ctx, id, func(tx *sql.Tx) error {
		err := db.group.in(tx).terminalMoves(id, func() error {
			res, err := tx.ExecContext(ctx, `UPDATE terminals SET retired_at = $1 WHERE id = $2 AND retired_at = 0`, ms(now), id)
			return changed(res, err, ErrNotFound)
		})
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE certificates SET revoked_at = $1 WHERE terminal = $2 AND revoked_at = 0`, ms(now), id); err != nil {
			return err
		}
		return note(ctx, tx, now, by, "retire", id, map[string]any{"reason": reason})
	})
}

func (db *DB) changeTerminal(ctx context.Context, id string, do func(*sql.Tx) error) error {
	if err := db.change(ctx, do); err != nil {
		return err
	}
	db.watch.wake(id)
	return nil
}

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// grantSelect finds the last use by the index of records that name a grant.
const grantSelect = `SELECT r.id, r.terminal, t.name, r.body, r.from_at, r.until_at, r.event, r.reason, r.given_by, r.created_at,
	r.revoked_at, r.revoked_by, r.revision, r.device_name, r.kind,
	COALESCE((SELECT MAX(e.at) FROM events e WHERE e.grant_id <> '' AND e.grant_id = r.id AND e.terminal = r.terminal), 0)
	FROM grants r JOIN terminals t ON t.id = r.terminal`

func readGrant(s scanner) (g Grant, err error) {
	var id, body, kind string
	var from, until, created, revoked, used int64
	err = s.Scan(&id, &g.Terminal, &g.TerminalName, &body, &from, &until, &g.Event, &g.Reason, &g.By, &created,
		&revoked, &g.RevokedBy, &g.Revision, &g.DeviceName, &kind, &used)
	if err != nil {
		return g, err
	}
	if err := g.readBody(kind, body); err != nil {
		return g, fmt.Errorf("cannot read grant %s: %w", id, err)
	}
	g.ID, g.From, g.Until = id, moment(from), moment(until)
	if g.Permit != nil {
		g.Permit.ID, g.Permit.From, g.Permit.Until, g.Approver = id, g.From, g.Until, g.Permit.Approver
	}
	g.CreatedAt, g.RevokedAt, g.LastUse = moment(created), moment(revoked), moment(used)
	return g, nil
}

// Kinds of permissions.
const (
	grantMedium   = "medium"
	grantSoftware = "software"
)

func (g *Grant) readBody(kind, body string) error {
	if kind == grantSoftware {
		return json.Unmarshal([]byte(body), &g.Permit)
	}
	return json.Unmarshal([]byte(body), &g.Grant)
}

// body is the part of a permission that goes to its terminal.
func (g *Grant) body() (kind string, v any) {
	if g.Permit == nil {
		return grantMedium, g.Grant
	}
	t := *g.Permit
	t.ID, t.From, t.Until, t.Approver = g.ID, g.From, g.Until, g.Approver
	return grantSoftware, t
}

// Grants gives permissions, newest first; running ones by their end, soonest first.
func (db *DB) Grants(ctx context.Context, f GrantFilter) ([]Grant, error) {
	if f.Now.IsZero() {
		f.Now = time.Now()
	}
	w, order := f.where()
	text := w.text()
	w.and("?", clamp(f.Limit, 50, 500))
	rows, err := db.reader.QueryContext(ctx, grantSelect+text+` ORDER BY `+order+` LIMIT $`+strconv.Itoa(len(w.args)), w.args...)
	return collect(rows, err, readGrant)
}

func (f GrantFilter) where() (w *where, order string) {
	w = &where{}
	w.equal("r.terminal", f.Terminal)
	switch f.State {
	case "running":
		w.and("(r.until_at > ? AND r.from_at <= ? AND r.revoked_at = 0)", ms(f.Now))
		return w, "r.until_at, r.n"
	case "coming":
		w.and("(r.from_at > ? AND r.revoked_at = 0)", ms(f.Now))
	case "over":
		w.and("(r.until_at <= ? OR r.revoked_at <> 0)", ms(f.Now))
	}
	return w, "r.n DESC"
}

// Grant gives one.
func (db *DB) Grant(ctx context.Context, id string) (Grant, error) {
	g, err := readGrant(db.reader.QueryRowContext(ctx, grantSelect+` WHERE r.id = $1`, id))
	return g, explain(err)
}

// PutGrant stores a permission, numbers it when it has no id, and raises the terminal's wanted revision:
// one transaction with the audit row, then the waiting terminal is woken.
func (db *DB) PutGrant(ctx context.Context, g Grant, now time.Time) (Grant, error) {
	err := db.changeTerminal(ctx, g.Terminal, func(tx *sql.Tx) error {
		n, err := nextGrant(ctx, tx)
		if err != nil {
			return err
		}
		if g.ID == "" {
			g.ID = fmt.Sprintf("G-%04d", n)
		}
		if g.Revision, err = raiseOne(ctx, tx, g.Terminal, now); err != nil {
			return err
		}
		g.CreatedAt = now
		return putGrant(ctx, tx, n, g)
	})
	if err != nil {
		return Grant{}, err
	}
	return db.Grant(ctx, g.ID)
}

func nextGrant(ctx context.Context, tx *sql.Tx) (n int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(n), 0) + 1 FROM grants`).Scan(&n)
	return n, err
}

func raiseOne(ctx context.Context, tx *sql.Tx, terminal string, now time.Time) (revision int64, err error) {
	err = tx.QueryRowContext(ctx, `UPDATE terminals SET revision = revision + 1, revised_at = $2
		WHERE id = $1 AND retired_at = 0 RETURNING revision`, terminal, ms(now)).Scan(&revision)
	return revision, err
}

func putGrant(ctx context.Context, tx *sql.Tx, n int64, g Grant) error {
	kind, carried := g.body()
	body, err := json.Marshal(carried)
	if err != nil {
		return fmt.Errorf("cannot store grant: %w", err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO grants (n, id, terminal, body, from_at, until_at, event, reason, given_by, created_at, revision, device_name, kind)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		n, g.ID, g.Terminal, string(body), ms(g.From), ms(g.Until), g.Event, g.Reason, g.By, ms(g.CreatedAt), g.Revision, g.DeviceName, kind)
	if err != nil {
		return err
	}
	return note(ctx, tx, g.CreatedAt, g.By, "grant", g.ID, map[string]any{
		"terminal": g.Terminal, "event": g.Event, "until": g.Until, "reason": g.Reason, "grant": carried, "revision": g.Revision,
	})
}

// RevokeGrant ends a permission now; ErrConflict when it was revoked before, ErrNotFound when there is none.
func (db *DB) RevokeGrant(ctx context.Context, id, by string, now time.Time) error {
	var terminal string
	err := db.change(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT terminal FROM grants WHERE id = $1`, id).Scan(&terminal)
		if err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `UPDATE grants SET revoked_at = $1, revoked_by = $2 WHERE id = $3 AND revoked_at = 0`, ms(now), by, id)
		if err := changed(res, err, ErrConflict); err != nil {
			return err
		}
		// A retired terminal gets no policy any more; the permission is revoked all the same.
		revision, err := raiseOne(ctx, tx, terminal, now)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		return note(ctx, tx, now, by, "revoke", id, map[string]any{"terminal": terminal, "revision": revision})
	})
	if err != nil {
		return err
	}
	db.watch.wake(terminal)
	return nil
}

package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"
)

// Certificate is what is kept of a terminal's identity.
type Certificate struct {
	Serial          string // hex
	Issued, Expires time.Time
}

// Enroll uses a code up and adds the terminal with its certificate. ErrNotFound for an unknown code,
// ErrConflict for one that is used, withdrawn or over. t.Group is chosen by the code.
func (db *DB) Enroll(ctx context.Context, code [32]byte, t Terminal, c Certificate, now time.Time) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		group, err := takeToken(ctx, tx, code, t.Name, now)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO terminals (id, name, group_id, enrolled_at, os, arch, agent, revision, revised_at, last_contact)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $4, $4)`, t.ID, t.Name, group, ms(now), t.OS, t.Arch, t.Agent)
		if err != nil {
			return err
		}
		if err := putCertificate(ctx, tx, t.ID, c); err != nil {
			return err
		}
		return note(ctx, tx, now, "terminal "+t.ID, "enroll", t.ID, map[string]any{"name": t.Name, "group": group, "certificate": c.Serial})
	})
}

// TokenUsable says whether a code would be taken now; the answers are Enroll's.
func (db *DB) TokenUsable(ctx context.Context, code [32]byte, now time.Time) error {
	_, err := findToken(ctx, db.reader, code, now)
	return explain(err)
}

func findToken(ctx context.Context, q querier, code [32]byte, now time.Time) (group string, err error) {
	var expires, used, revoked int64
	err = q.QueryRowContext(ctx, `SELECT group_id, expires_at, used_at, revoked_at FROM tokens WHERE hash = $1`, code[:]).
		Scan(&group, &expires, &used, &revoked)
	switch {
	case err != nil:
		return "", err
	case used != 0:
		return "", fmt.Errorf("cannot use enrolment code: it is used: %w", ErrConflict)
	case revoked != 0:
		return "", fmt.Errorf("cannot use enrolment code: it was withdrawn: %w", ErrConflict)
	case expires <= ms(now):
		return "", fmt.Errorf("cannot use enrolment code: it is over: %w", ErrConflict)
	}
	return group, nil
}

func takeToken(ctx context.Context, tx *sql.Tx, code [32]byte, name string, now time.Time) (string, error) {
	group, err := findToken(ctx, tx, code, now)
	if err != nil {
		return "", err
	}
	res, err := tx.ExecContext(ctx, `UPDATE tokens SET used_at = $1, used_by = $2 WHERE hash = $3 AND used_at = 0`, ms(now), name, code[:])
	return group, changed(res, err, ErrConflict)
}

func putCertificate(ctx context.Context, tx *sql.Tx, terminal string, c Certificate) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO certificates (serial, terminal, issued_at, ends_at) VALUES ($1, $2, $3, $4)`,
		c.Serial, terminal, ms(c.Issued), ms(c.Expires))
	return err
}

// AddCertificate keeps a renewed certificate; the one before stays good until it ends.
func (db *DB) AddCertificate(ctx context.Context, terminal string, c Certificate, now time.Time) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		if err := putCertificate(ctx, tx, terminal, c); err != nil {
			return err
		}
		return note(ctx, tx, now, "terminal "+terminal, "renew", terminal, map[string]any{"certificate": c.Serial})
	})
}

// Known says nil when a certificate belongs to a terminal that may speak; ErrNotFound otherwise.
func (db *DB) Known(ctx context.Context, terminal, serial string) error {
	var one int
	err := db.reader.QueryRowContext(ctx, `SELECT 1 FROM certificates c JOIN terminals t ON t.id = c.terminal
		WHERE c.serial = $1 AND c.terminal = $2 AND c.revoked_at = 0 AND t.retired_at = 0`, serial, terminal).Scan(&one)
	return explain(err)
}

// Tokens gives enrolment codes, newest first.
func (db *DB) Tokens(ctx context.Context) ([]Token, error) {
	rows, err := db.reader.QueryContext(ctx, `SELECT id, hash, group_id, note, made_by, created_at, expires_at, used_at, used_by, revoked_at
		FROM tokens ORDER BY id DESC LIMIT 500`)
	return collect(rows, err, readToken)
}

func readToken(s scanner) (t Token, err error) {
	var hash []byte
	var created, expires, used, revoked int64
	err = s.Scan(&t.ID, &hash, &t.Group, &t.Note, &t.By, &created, &expires, &used, &t.UsedBy, &revoked)
	copy(t.Hash[:], hash)
	t.CreatedAt, t.ExpiresAt, t.UsedAt, t.RevokedAt = moment(created), moment(expires), moment(used), moment(revoked)
	return t, err
}

// PutToken keeps a new enrolment code's hash.
func (db *DB) PutToken(ctx context.Context, t Token, now time.Time) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO tokens (hash, group_id, note, made_by, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6)`, t.Hash[:], t.Group, t.Note, t.By, ms(now), ms(t.ExpiresAt))
		if err != nil {
			return err
		}
		return note(ctx, tx, now, t.By, "token", t.Group, map[string]any{"note": t.Note, "expires_at": t.ExpiresAt})
	})
}

// RevokeToken withdraws a code that nobody has used; ErrConflict when it is used or withdrawn.
func (db *DB) RevokeToken(ctx context.Context, id int64, by string, now time.Time) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE tokens SET revoked_at = $1 WHERE id = $2 AND used_at = 0 AND revoked_at = 0`, ms(now), id)
		if err := changed(res, err, ErrConflict); err != nil {
			return err
		}
		return note(ctx, tx, now, by, "revoke_token", strconv.FormatInt(id, 10), nil)
	})
}

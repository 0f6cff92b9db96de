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

// Bounds of an enrolment code: who finds one can enrol machines of his own until it is used up, withdrawn or over.
const (
	MostUses    = 1000
	LongestCode = 30 * 24 * time.Hour
)

// Enroll uses a code once and adds the terminal with its certificate. ErrNotFound for an unknown code,
// ErrConflict for one that is used up, withdrawn or over. t.Group is chosen by the code.
func (db *DB) Enroll(ctx context.Context, code [32]byte, t Terminal, c Certificate, now time.Time) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		k, err := takeToken(ctx, tx, code, t.Name, now)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO terminals (id, name, group_id, enrolled_at, os, arch, agent, revision, revised_at, last_contact, token)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $4, $4, $8)`, t.ID, t.Name, k.Group, ms(now), t.OS, t.Arch, t.Agent, k.ID)
		if err != nil {
			return err
		}
		if err := putCertificate(ctx, tx, t.ID, c); err != nil {
			return err
		}
		return note(ctx, tx, now, "terminal "+t.ID, "enroll", t.ID, map[string]any{
			"name": t.Name, "group": k.Group, "certificate": c.Serial, "code": k.ID, "use": k.Used + 1, "uses": k.Uses,
		})
	})
}

// TokenUsable says whether a code would be taken now; the answers are Enroll's.
func (db *DB) TokenUsable(ctx context.Context, code [32]byte, now time.Time) error {
	_, err := findToken(ctx, db.reader, code, now)
	return explain(err)
}

func findToken(ctx context.Context, q querier, code [32]byte, now time.Time) (Token, error) {
	t, err := readToken(q.QueryRowContext(ctx, `SELECT `+tokenColumns+` FROM tokens WHERE hash = $1`, code[:]))
	switch {
	case err != nil:
		return t, err
	case t.Used >= t.Uses:
		return t, fmt.Errorf("cannot use enrolment code: it is used: %w", ErrConflict)
	case !t.RevokedAt.IsZero():
		return t, fmt.Errorf("cannot use enrolment code: it was withdrawn: %w", ErrConflict)
	case ms(t.ExpiresAt) <= ms(now):
		return t, fmt.Errorf("cannot use enrolment code: it is over: %w", ErrConflict)
	}
	return t, nil
}

// takeToken counts one use. There is one writer, and a second one would still meet the condition.
func takeToken(ctx context.Context, tx *sql.Tx, code [32]byte, name string, now time.Time) (Token, error) {
	t, err := findToken(ctx, tx, code, now)
	if err != nil {
		return t, err
	}
	res, err := tx.ExecContext(ctx, `UPDATE tokens SET used = used + 1, used_at = $1, used_by = $2 WHERE hash = $3 AND used < uses AND revoked_at = 0`,
		ms(now), name, code[:])
	return t, changed(res, err, ErrConflict)
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

const tokenColumns = `id, hash, group_id, note, made_by, created_at, expires_at, uses, used, used_at, used_by, revoked_at`

// Tokens gives enrolment codes, newest first.
func (db *DB) Tokens(ctx context.Context) ([]Token, error) {
	rows, err := db.reader.QueryContext(ctx, `SELECT `+tokenColumns+` FROM tokens ORDER BY id DESC LIMIT 500`)
	return collect(rows, err, readToken)
}

// Token gives one enrolment code, and the terminals that came with it, first one first.
func (db *DB) Token(ctx context.Context, id int64) (t Token, came []Terminal, err error) {
	err = db.view(ctx, func(tx *sql.Tx) error {
		if t, err = readToken(tx.QueryRowContext(ctx, `SELECT `+tokenColumns+` FROM tokens WHERE id = $1`, id)); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, `SELECT `+terminalColumns+`
			FROM terminals t JOIN groups g ON g.id = t.group_id WHERE t.token = $1 ORDER BY t.enrolled_at, t.id LIMIT $2`, id, MostUses)
		came, err = collect(rows, err, readTerminal)
		return err
	})
	return t, came, err
}

func readToken(s scanner) (t Token, err error) {
	var hash []byte
	var created, expires, used, revoked int64
	err = s.Scan(&t.ID, &hash, &t.Group, &t.Note, &t.By, &created, &expires, &t.Uses, &t.Used, &used, &t.UsedBy, &revoked)
	copy(t.Hash[:], hash)
	t.CreatedAt, t.ExpiresAt, t.UsedAt, t.RevokedAt = moment(created), moment(expires), moment(used), moment(revoked)
	return t, err
}

// PutToken keeps a new enrolment code's hash. Uses 0 is once.
func (db *DB) PutToken(ctx context.Context, t Token, now time.Time) error {
	t.Uses = max(t.Uses, 1)
	if t.Uses > MostUses || t.ExpiresAt.Sub(now) > LongestCode {
		return fmt.Errorf("cannot make a code for %d terminals until %s: at most %d and %d days", t.Uses, t.ExpiresAt.Format(time.DateOnly), MostUses, LongestCode/(24*time.Hour))
	}
	return db.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO tokens (hash, group_id, note, made_by, created_at, expires_at, uses)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`, t.Hash[:], t.Group, t.Note, t.By, ms(now), ms(t.ExpiresAt), t.Uses)
		if err != nil {
			return err
		}
		return note(ctx, tx, now, t.By, "token", t.Group, map[string]any{"note": t.Note, "expires_at": t.ExpiresAt, "uses": t.Uses})
	})
}

// RevokeToken withdraws a code that can still be used; ErrConflict when it is used up or withdrawn.
func (db *DB) RevokeToken(ctx context.Context, id int64, by string, now time.Time) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE tokens SET revoked_at = $1 WHERE id = $2 AND used < uses AND revoked_at = 0`, ms(now), id)
		if err := changed(res, err, ErrConflict); err != nil {
			return err
		}
		return note(ctx, tx, now, by, "revoke_token", strconv.FormatInt(id, 10), nil)
	})
}

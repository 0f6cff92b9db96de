package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const accountColumns = `a.id, a.name, a.role, a.language, a.theme, a.hash, a.created_at, a.disabled`

func (a *Account) fields(created, disabled *int64) []any {
	return []any{&a.ID, &a.Name, &a.Role, &a.Language, &a.Theme, &a.Hash, created, disabled}
}

func readAccount(s scanner) (a Account, err error) {
	var created, disabled int64
	err = s.Scan(a.fields(&created, &disabled)...)
	a.CreatedAt, a.Disabled = moment(created), disabled != 0
	return a, err
}

// Account gives a person by name.
func (db *DB) Account(ctx context.Context, name string) (Account, error) {
	a, err := readAccount(db.reader.QueryRowContext(ctx, `SELECT `+accountColumns+` FROM accounts a WHERE a.name = $1`, name))
	return a, explain(err)
}

// Accounts gives all people, by name.
func (db *DB) Accounts(ctx context.Context) ([]Account, error) {
	rows, err := db.reader.QueryContext(ctx, `SELECT `+accountColumns+` FROM accounts a ORDER BY a.name LIMIT 1000`)
	return collect(rows, err, readAccount)
}

// PutAccount adds a person or changes the one of that name. Who is disabled is signed out in the same transaction.
func (db *DB) PutAccount(ctx context.Context, a Account, by string, now time.Time) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		if err := putAccount(ctx, tx, a, by, now); err != nil {
			return err
		}
		if !a.Disabled {
			return nil
		}
		_, err := tx.ExecContext(ctx, `UPDATE sessions SET ended_at = $1
			WHERE ended_at = 0 AND account = (SELECT id FROM accounts WHERE name = $2)`, ms(now), a.Name)
		return err
	})
}

func putAccount(ctx context.Context, tx *sql.Tx, a Account, by string, now time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO accounts (name, role, language, theme, hash, created_at, disabled)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (name) DO UPDATE SET role = excluded.role, language = excluded.language, theme = excluded.theme,
			hash = excluded.hash, disabled = excluded.disabled`,
		a.Name, a.Role, a.Language, a.Theme, a.Hash, ms(now), flag(a.Disabled))
	if err != nil {
		return err
	}
	return note(ctx, tx, now, by, "account", a.Name, map[string]any{"role": a.Role, "disabled": a.Disabled})
}

// settingSetup holds the hash and the end of the one setup link.
const settingSetup = "setup"

// PutSetup keeps the hash of the one setup link that is valid, until the given time.
// ErrConflict when an administrator exists.
func (db *DB) PutSetup(ctx context.Context, hash [32]byte, until time.Time) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		if err := noAdmin(ctx, tx); err != nil {
			return err
		}
		return putSetting(ctx, tx, settingSetup, hex.EncodeToString(hash[:])+" "+strconv.FormatInt(ms(until), 10))
	})
}

// TakeSetup uses the link up and makes the first administrator;
// ErrConflict when the link is used, over or another, or when an administrator exists.
func (db *DB) TakeSetup(ctx context.Context, hash [32]byte, a Account, now time.Time) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		if err := noAdmin(ctx, tx); err != nil {
			return err
		}
		if err := takeSetup(ctx, tx, hash, now); err != nil {
			return err
		}
		a.Role, a.Disabled = RoleAdmin, false
		return putAccount(ctx, tx, a, "setup", now)
	})
}

// SetupOpen says whether a setup link could be used now: it has not ended and there is no administrator.
func (db *DB) SetupOpen(ctx context.Context, hash [32]byte, now time.Time) error {
	return db.view(ctx, func(tx *sql.Tx) error {
		if err := noAdmin(ctx, tx); err != nil {
			return err
		}
		return checkSetup(ctx, tx, hash, now)
	})
}

// HasAdmin says whether anybody can administer this console.
func (db *DB) HasAdmin(ctx context.Context) (bool, error) {
	var n int
	err := db.reader.QueryRowContext(ctx, `SELECT COUNT(*) FROM accounts WHERE role = $1`, RoleAdmin).Scan(&n)
	return n > 0, explain(err)
}

func noAdmin(ctx context.Context, q querier) error {
	var n int
	if err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM accounts WHERE role = $1`, RoleAdmin).Scan(&n); err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("cannot set up: an administrator exists: %w", ErrConflict)
	}
	return nil
}

// checkSetup compares hashes of a random secret, so that the time it takes tells nothing.
func checkSetup(ctx context.Context, q querier, hash [32]byte, now time.Time) error {
	var value string
	if err := q.QueryRowContext(ctx, `SELECT value FROM settings WHERE name = $1`, settingSetup).Scan(&value); err != nil && explain(err) != ErrNotFound {
		return err
	}
	want, until, _ := strings.Cut(value, " ")
	end, err := strconv.ParseInt(until, 10, 64)
	if err != nil || want != hex.EncodeToString(hash[:]) || ms(now) >= end {
		return fmt.Errorf("cannot set up: the link is used or over: %w", ErrConflict)
	}
	return nil
}

func takeSetup(ctx context.Context, tx *sql.Tx, hash [32]byte, now time.Time) error {
	if err := checkSetup(ctx, tx, hash, now); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM settings WHERE name = $1`, settingSetup)
	return err
}

// Setting gives one value.
func (db *DB) Setting(ctx context.Context, key string) (string, error) {
	var value string
	err := db.reader.QueryRowContext(ctx, `SELECT value FROM settings WHERE name = $1`, key).Scan(&value)
	return value, explain(err)
}

// PutSetting changes one value.
func (db *DB) PutSetting(ctx context.Context, key, value, by string, now time.Time) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		if err := putSetting(ctx, tx, key, value); err != nil {
			return err
		}
		return note(ctx, tx, now, by, "setting", key, value)
	})
}

func putSetting(ctx context.Context, tx *sql.Tx, key, value string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO settings (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, key, value)
	return err
}

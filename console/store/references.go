package store

import (
	"context"
	"database/sql"
	"time"

	"sekisho/internal/bundle"
	"sekisho/internal/policy"
)

// Reference is something that results are held against, with how it came here.
type Reference struct {
	policy.Reference
	ID      int64
	Month   string // 2026-11, of a baseline
	By      string
	At      time.Time
	EndedBy string // who replaced or removed it
	EndedAt time.Time
}

const referenceColumns = `id, name, kind, product, month, sha256, size, made_at, signed_by, imported_by, imported_at, ended_by, ended_at`

func readReference(s scanner) (r Reference, err error) {
	var made, at, ended int64
	err = s.Scan(&r.ID, &r.Name, &r.Kind, &r.Product, &r.Month, &r.SHA256, &r.Size, &made, &r.SignedBy, &r.By, &at, &r.EndedBy, &ended)
	r.MadeAt, r.At, r.EndedAt = moment(made), moment(at), moment(ended)
	return r, err
}

// References gives those in use, newest first, and after them the last hundred that were replaced or removed.
func (db *DB) References(ctx context.Context) (now, past []Reference, err error) {
	err = db.view(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT `+referenceColumns+` FROM health_references WHERE ended_at = 0 ORDER BY id DESC LIMIT 200`)
		if now, err = collect(rows, err, readReference); err != nil {
			return err
		}
		rows, err = tx.QueryContext(ctx, `SELECT `+referenceColumns+` FROM health_references WHERE ended_at <> 0 ORDER BY ended_at DESC, id DESC LIMIT 100`)
		past, err = collect(rows, err, readReference)
		return err
	})
	return now, past, err
}

// referencesNow gives what a policy document holds of them, in an order that stays the same.
func referencesNow(ctx context.Context, q querier) ([]policy.Reference, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+referenceColumns+` FROM health_references WHERE ended_at = 0 ORDER BY id LIMIT 200`)
	list, err := collect(rows, err, readReference)
	var out []policy.Reference
	for _, r := range list {
		r.Reference.MadeAt = r.Reference.MadeAt.UTC()
		out = append(out, r.Reference)
	}
	return out, err
}

// PutReference takes one into use in place of the one of the same kind, product and name, and raises the wanted revision of
// every terminal. ErrConflict when there is no room for another.
func (db *DB) PutReference(ctx context.Context, r Reference, now time.Time) error {
	return db.changeReferences(ctx, now, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE health_references SET ended_at = $1, ended_by = $2
			WHERE ended_at = 0 AND kind = $3 AND product = $4 AND name = $5`, ms(now), r.By, r.Kind, r.Product, r.Name)
		if err != nil {
			return err
		}
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM health_references WHERE ended_at = 0`).Scan(&n); err != nil {
			return err
		}
		if n >= policy.MaxReferences {
			return ErrConflict
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO health_references (name, kind, product, month, sha256, size, made_at, signed_by, imported_by, imported_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, r.Name, r.Kind, r.Product, r.Month, r.SHA256, r.Size, ms(r.MadeAt), r.SignedBy, r.By, ms(now))
		if err != nil {
			return err
		}
		return note(ctx, tx, now, r.By, "reference", r.Name, map[string]any{"kind": r.Kind, "product": r.Product, "month": r.Month,
			"sha256": r.SHA256, "made_at": r.MadeAt.UTC().Format(time.RFC3339), "signed_by": r.SignedBy})
	})
}

// EndReference takes one out of use; ErrNotFound when it is not in use.
func (db *DB) EndReference(ctx context.Context, id int64, by string, now time.Time) error {
	return db.changeReferences(ctx, now, func(tx *sql.Tx) error {
		var name string
		err := tx.QueryRowContext(ctx, `UPDATE health_references SET ended_at = $1, ended_by = $2 WHERE id = $3 AND ended_at = 0 RETURNING name`, ms(now), by, id).Scan(&name)
		if err != nil {
			return err
		}
		return note(ctx, tx, now, by, "reference_end", name, map[string]any{"id": id})
	})
}

func (db *DB) changeReferences(ctx context.Context, now time.Time, do func(*sql.Tx) error) error {
	var woken []string
	err := db.change(ctx, func(tx *sql.Tx) (err error) {
		if err := do(tx); err != nil {
			return err
		}
		woken, err = raiseRing(ctx, tx, RingAll, now)
		return err
	})
	if err == nil {
		db.watch.wake(woken...)
	}
	return err
}

// referenceBlob gives a reference that is in use, when the terminal's policy looks at checks at all.
func (db *DB) referenceBlob(ctx context.Context, terminal, hash string) (bundle.Program, error) {
	var group string
	var size int64
	err := db.reader.QueryRowContext(ctx, `SELECT t.group_id, r.size FROM terminals t JOIN health_references r ON r.ended_at = 0 AND r.sha256 = $2
		WHERE t.id = $1 AND t.retired_at = 0 LIMIT 1`, terminal, hash).Scan(&group, &size)
	if err != nil {
		return bundle.Program{}, explain(err)
	}
	p, err := groupPolicy(ctx, db.reader, group, 0)
	if err != nil {
		return bundle.Program{}, explain(err)
	}
	if p.Health == nil {
		return bundle.Program{}, ErrNotFound
	}
	return bundle.Program{SHA256: hash, Size: size}, nil
}

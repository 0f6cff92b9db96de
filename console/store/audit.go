package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sekisho/internal/wire"
)

// auditBody is what a row's hash covers.
type auditBody struct {
	At     int64  `json:"at"`
	By     string `json:"by"`
	Act    string `json:"act"`
	Object string `json:"object"`
	Detail string `json:"detail"`
}

// note adds one act to the chain, inside the transaction of the act itself.
func note(ctx context.Context, tx *sql.Tx, now time.Time, by, act, object string, detail any) error {
	if err := lockChain(ctx, tx); err != nil {
		return err
	}
	text, err := json.Marshal(detail)
	if err != nil {
		return fmt.Errorf("cannot write audit row: %w", err)
	}
	last, prev, err := auditHead(ctx, tx)
	if err != nil {
		return err
	}
	body := auditBody{ms(now), by, act, object, string(text)}
	hash, err := body.chain(prev, last+1)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO audits (id, at, actor, act, object, detail, hash) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		last+1, body.At, by, act, object, body.Detail, hash[:])
	return err
}

func (b auditBody) chain(prev wire.Hash, n int64) (wire.Hash, error) {
	raw, err := json.Marshal(b)
	if err != nil {
		return wire.Hash{}, fmt.Errorf("cannot write audit row: %w", err)
	}
	return wire.Chain(prev, uint64(n), raw), nil
}

func auditHead(ctx context.Context, q querier) (last int64, head wire.Hash, err error) {
	var raw []byte
	err = q.QueryRowContext(ctx, `SELECT id, hash FROM audits ORDER BY id DESC LIMIT 1`).Scan(&last, &raw)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, wire.Hash{}, nil
	}
	copy(head[:], raw)
	return last, head, err
}

// Audits gives acts, newest first; before is the id to go on from, 0 the beginning.
func (db *DB) Audits(ctx context.Context, before int64, limit int) ([]Audit, error) {
	rows, err := db.reader.QueryContext(ctx, `SELECT id, at, actor, act, object, detail, hash FROM audits
		WHERE $1 = 0 OR id < $1 ORDER BY id DESC LIMIT $2`, before, clamp(limit, 50, 500))
	return collect(rows, err, readAudit)
}

func readAudit(s scanner) (a Audit, err error) {
	var at int64
	var hash []byte
	err = s.Scan(&a.ID, &at, &a.By, &a.Act, &a.Object, &a.Detail, &hash)
	a.At = moment(at)
	copy(a.Hash[:], hash)
	return a, err
}

// VerifyAudits re-computes the chain and gives the first row that does not follow, 0 when all do.
func (db *DB) VerifyAudits(ctx context.Context) (broken int64, err error) {
	rows, err := db.reader.QueryContext(ctx, `SELECT id, at, actor, act, object, detail, hash FROM audits ORDER BY id`)
	if err != nil {
		return 0, explain(err)
	}
	defer rows.Close()
	var prev wire.Hash
	for n := int64(1); rows.Next(); n++ {
		a, err := readAudit(rows)
		if err != nil {
			return 0, explain(err)
		}
		want, err := auditBody{ms(a.At), a.By, a.Act, a.Object, a.Detail}.chain(prev, n)
		if err != nil || want != a.Hash || a.ID != n {
			return n, err
		}
		prev = a.Hash
	}
	return 0, explain(rows.Err())
}

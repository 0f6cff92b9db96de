package store

import (
	"context"
	"database/sql"
	"errors"

	"sekisho/internal/wire"
)

// Proof is one record with what its hash is computed from, byte for byte, and its neighbours in the journal.
type Proof struct {
	Event
	Body          string
	Before        wire.Hash // of the record before; zero bytes for the first
	Known         bool      // false: the record before is missing, and with it its hash
	Earlier, Next int64     // ids of the neighbours; 0 none
}

// Proof gives it, from one moment.
func (db *DB) Proof(ctx context.Context, id int64) (p Proof, err error) {
	err = db.view(ctx, func(tx *sql.Tx) (err error) {
		if p.Event, err = readEvent(tx.QueryRowContext(ctx, `SELECT `+eventColumns+eventTables+`WHERE e.id = $1`, id)); err != nil {
			return err
		}
		var journal int64
		if err := tx.QueryRowContext(ctx, `SELECT journal, body FROM events WHERE id = $1`, id).Scan(&journal, &p.Body); err != nil {
			return err
		}
		if p.Earlier, p.Before, err = neighbour(ctx, tx, journal, p.Seq-1); err != nil {
			return err
		}
		p.Known = p.Earlier > 0 || p.Seq == 1
		p.Next, _, err = neighbour(ctx, tx, journal, p.Seq+1)
		return err
	})
	return p, err
}

func neighbour(ctx context.Context, tx *sql.Tx, journal int64, seq uint64) (id int64, hash wire.Hash, err error) {
	var raw []byte
	err = tx.QueryRowContext(ctx, `SELECT id, hash FROM events WHERE journal = $1 AND seq = $2`, journal, int64(seq)).Scan(&id, &raw)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, hash, nil
	}
	copy(hash[:], raw)
	return id, hash, err
}

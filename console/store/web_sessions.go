package store

import (
	"context"
	"time"
)

// SessionInUse gives a running session as Session does, but not one that nobody has used for longer than idle.
// API tokens have no idle time.
func (db *DB) SessionInUse(ctx context.Context, hash [32]byte, idle time.Duration, now time.Time) (Session, error) {
	var n int
	err := db.reader.QueryRowContext(ctx, `SELECT COUNT(*) FROM sessions WHERE hash = $1 AND (api = 1 OR last_seen >= $2)`,
		hash[:], ms(now.Add(-idle))).Scan(&n)
	if err != nil {
		return Session{}, explain(err)
	}
	if n == 0 {
		return Session{}, ErrNotFound
	}
	return db.Session(ctx, hash, now)
}

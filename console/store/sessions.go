package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"time"
)

// sessionTouch is how old LastSeen may be before it is written again: one write a minute at most.
const sessionTouch = time.Minute

const sessionColumns = `s.id, s.hash, s.api, s.role, s.note, s.created_at, s.last_seen, s.expires_at, ` + accountColumns

func readSession(r scanner) (s Session, err error) {
	var hash []byte
	var api, created, seen, ends, born, disabled int64
	dest := append([]any{&s.ID, &hash, &api, &s.Role, &s.Note, &created, &seen, &ends}, s.Account.fields(&born, &disabled)...)
	err = r.Scan(dest...)
	copy(s.Hash[:], hash)
	s.API, s.CreatedAt, s.LastSeen, s.ExpiresAt = api != 0, moment(created), moment(seen), moment(ends)
	s.Account.CreatedAt, s.Account.Disabled = moment(born), disabled != 0
	if s.Role != "" {
		s.Account.Role = s.Role
	}
	return s, err
}

// PutSession begins a session or makes an API token.
func (db *DB) PutSession(ctx context.Context, s Session, now time.Time) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO sessions (hash, account, api, role, note, created_at, last_seen, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			s.Hash[:], s.Account.ID, flag(s.API), s.Role, s.Note, ms(now), ms(now), ms(s.ExpiresAt))
		if err != nil || !s.API {
			return err
		}
		return note(ctx, tx, now, s.Account.Name, "api_token", s.Note, map[string]any{"expires_at": s.ExpiresAt, "role": s.Role})
	})
}

// Session gives a session that is running; ErrNotFound when it is over, ended or its account disabled.
func (db *DB) Session(ctx context.Context, hash [32]byte, now time.Time) (Session, error) {
	s, err := readSession(db.reader.QueryRowContext(ctx, `SELECT `+sessionColumns+`
		FROM sessions s JOIN accounts a ON a.id = s.account
		WHERE s.hash = $1 AND s.ended_at = 0 AND s.expires_at > $2 AND a.disabled = 0`, hash[:], ms(now)))
	if err != nil {
		return Session{}, explain(err)
	}
	if now.Sub(s.LastSeen) < sessionTouch {
		return s, nil
	}
	_, err = db.writer.ExecContext(ctx, `UPDATE sessions SET last_seen = $1 WHERE id = $2`, ms(now), s.ID)
	if err = explain(err); errors.Is(err, ErrFull) {
		return s, nil // who has to make room must see the pages; the session ends by its idle time
	}
	s.LastSeen = now
	return s, err
}

// Sessions gives an account's sessions that were not ended, newest first.
func (db *DB) Sessions(ctx context.Context, account int64) ([]Session, error) {
	rows, err := db.reader.QueryContext(ctx, `SELECT `+sessionColumns+`
		FROM sessions s JOIN accounts a ON a.id = s.account
		WHERE s.account = $1 AND s.ended_at = 0 ORDER BY s.id DESC LIMIT 100`, account)
	return collect(rows, err, readSession)
}

// EndSession signs a browser out or withdraws an API token.
func (db *DB) EndSession(ctx context.Context, id int64, by string, now time.Time) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE sessions SET ended_at = $1 WHERE id = $2 AND ended_at = 0`, ms(now), id)
		if err := changed(res, err, ErrNotFound); err != nil {
			return err
		}
		return note(ctx, tx, now, by, "sign_out", strconv.FormatInt(id, 10), nil)
	})
}

// FailedSignIns counts failures of a name since a time, after its last success.
func (db *DB) FailedSignIns(ctx context.Context, name string, since time.Time) (int, error) {
	var n int
	err := db.reader.QueryRowContext(ctx, `SELECT COUNT(*) FROM sign_ins f WHERE f.name = $1 AND f.at >= $2 AND f.ok = 0
		AND NOT EXISTS (SELECT 1 FROM sign_ins s WHERE s.name = $1 AND s.ok = 1 AND s.id > f.id)`, name, ms(since)).Scan(&n)
	return n, explain(err)
}

// NoteSignIn writes a try down; a success is an audited act.
func (db *DB) NoteSignIn(ctx context.Context, name, address string, ok bool, now time.Time) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO sign_ins (name, address, ok, at) VALUES ($1, $2, $3, $4)`,
			clean(name), clean(address), flag(ok), ms(now))
		if err != nil {
			return err
		}
		act := "sign_in"
		if !ok {
			act = "sign_in_failed"
		}
		return note(ctx, tx, now, clean(name), act, clean(address), nil)
	})
}

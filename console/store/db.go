package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"
)

// DB is the console's database: one writer, many readers.
type DB struct {
	writer *sql.DB // one connection; every change goes through it
	reader *sql.DB
	zone   *time.Location // of calendar days
	watch  watchers

	queue   chan *batch   // to the one goroutine that stores what terminals send
	closing chan struct{} // closed by Close
	once    sync.Once
	idle    sync.WaitGroup
	group   groupStatements
}

// Open opens or makes the database file and brings its schema up to date. Days are counted in zone.
func Open(ctx context.Context, path string, zone *time.Location) (*DB, error) {
	writer, reader, err := connect(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open database %s: %w", path, err)
	}
	db := &DB{writer: writer, reader: reader, zone: zone, queue: make(chan *batch, 64), closing: make(chan struct{})}
	if err := db.begin(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open database %s: %w", path, explain(err)), writer.Close(), reader.Close())
	}
	db.idle.Go(db.storeQueued)
	return db, nil
}

func (db *DB) begin(ctx context.Context) error {
	if err := migrate(ctx, db.writer); err != nil {
		return err
	}
	return db.group.prepare(ctx, db.writer)
}

// Close lets what is being stored finish, refuses the rest and closes the file.
func (db *DB) Close() error {
	db.once.Do(func() { close(db.closing) })
	db.idle.Wait()
	return errors.Join(db.reader.Close(), db.writer.Close())
}

// change runs one transaction on the writer; it is there whole or not at all.
func (db *DB) change(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return explain(err)
	}
	defer tx.Rollback() // after a commit there is nothing to roll back
	if err := do(tx); err != nil {
		return explain(err)
	}
	return explain(tx.Commit())
}

// view runs queries that all see the same moment.
func (db *DB) view(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := db.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return explain(err)
	}
	defer tx.Rollback()
	return explain(do(tx))
}

// querier is what reading needs: *sql.DB or *sql.Tx.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// scanner is *sql.Row or *sql.Rows.
type scanner interface{ Scan(dest ...any) error }

// collect reads every row of an answer.
func collect[T any](rows *sql.Rows, err error, read func(scanner) (T, error)) ([]T, error) {
	if err != nil {
		return nil, explain(err)
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := read(rows)
		if err != nil {
			return nil, explain(err)
		}
		out = append(out, v)
	}
	return out, explain(rows.Err())
}

// changed tells ErrNotFound or ErrConflict (given) when a statement met no row.
func changed(res sql.Result, err, none error) error {
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(none, err)
	}
	return nil
}

// ms is a time as the tables hold it; the zero time is 0.
func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// moment is the reverse of ms.
func moment(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// clamp keeps a page's length within what one answer may hold.
func clamp(n, usual, most int) int {
	switch {
	case n <= 0:
		return usual
	case n > most:
		return most
	}
	return n
}

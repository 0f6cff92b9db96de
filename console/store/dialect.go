package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What only this database engine needs stands in this file; every other file's SQL is for both.

// ErrFull says that nothing was stored because there is no room.
var ErrFull = errors.New("cannot store: the disk is full")

// ErrNewer says that the file belongs to a later version of the program.
var ErrNewer = errors.New("cannot use database: a newer version of this program has written it")

// ErrDamaged says that the file is not a database or is broken.
var ErrDamaged = errors.New("cannot use database: the file is damaged")

//go:embed migrations/sqlite/*.sql
var migrations embed.FS

// connect gives the one writing connection and the pool of reading ones.
func connect(path string) (writer, reader *sql.DB, err error) {
	if err := private(path); err != nil {
		return nil, nil, err
	}
	writer, err = sql.Open("sqlite", source(path, "_txlock=immediate", "_pragma=wal_autocheckpoint(4000)", "_pragma=cache_size(-16000)"))
	if err != nil {
		return nil, nil, err
	}
	writer.SetMaxOpenConns(1)
	writer.SetMaxIdleConns(1)
	reader, err = sql.Open("sqlite", source(path, "_txlock=deferred", "_pragma=query_only(1)", "_pragma=cache_size(-8000)"))
	if err != nil {
		return nil, nil, errors.Join(err, writer.Close())
	}
	reader.SetMaxOpenConns(4)
	reader.SetMaxIdleConns(4)
	return writer, reader, nil
}

// private makes the file before the engine does, which would let everybody read it; the files beside it get its mode
// (https://www.sqlite.org/wal.html). It holds password hashes.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	return f.Chmod(0o600)
}

// source: WAL with synchronous=FULL syncs at every commit, so that what is answered is on disk
// (https://www.sqlite.org/pragma.html#pragma_synchronous).
func source(path string, more ...string) string {
	s := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)"
	for _, m := range more {
		s += "&" + m
	}
	return s
}

// connectToRead opens a file that is there, and touches nothing in it
// (https://www.sqlite.org/uri.html, mode; a file in WAL mode gets its two companions for as long as it is open).
func connectToRead(ctx context.Context, path string) (*sql.DB, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=ro&_pragma=busy_timeout(10000)&_pragma=query_only(1)")
	if err != nil {
		return nil, err
	}
	if err := checkSchema(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func checkSchema(ctx context.Context, db *sql.DB) error {
	names, err := fs.Glob(migrations, "migrations/sqlite/*.sql")
	if err != nil {
		return err
	}
	var have int64
	err = db.QueryRowContext(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&have)
	switch want := int64(len(names)); { // they are numbered from 1
	case err != nil:
		return err
	case have > want:
		return fmt.Errorf("%w (schema %d, known up to %d)", ErrNewer, have, want)
	case have < want:
		return fmt.Errorf("%w (schema %d instead of %d)", errOlder, have, want)
	}
	return nil
}

func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return err
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if have > want {
		return fmt.Errorf("%w (schema %d, known up to %d)", ErrNewer, have, want)
	}
	_, err = p.Up(ctx)
	return err
}

// explain turns the engine's numbers into errors that callers tell apart
// (https://www.sqlite.org/rescode.html).
func explain(err error) error {
	var e *sqlite.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return ErrNotFound
	case !errors.As(err, &e):
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: %w", ErrFull, err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	case sqlite3.SQLITE_CONSTRAINT:
		return fmt.Errorf("%w: %w", ErrConflict, err)
	}
	return err
}

// placeholder is argument n of a statement with very many: this engine looks names like $360 up one after the other,
// and takes a bare sign by its place. Where a numbered sign is asked for, it is "$" and n.
func placeholder(int) string { return "?" }

// lockChain makes writers of the audit chain take turns; SQLite has one writer anyway.
func lockChain(context.Context, *sql.Tx) error { return nil }

// Backup writes a whole copy, of one moment, to a file that must not exist yet.
func (db *DB) Backup(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // an empty file is filled and keeps its mode
	if err != nil {
		return fmt.Errorf("cannot back up: %w", err)
	}
	f.Close()
	if _, err := db.writer.ExecContext(ctx, `VACUUM INTO $1`, path); err != nil {
		return errors.Join(fmt.Errorf("cannot back up to %s: %w", path, explain(err)), os.Remove(path))
	}
	return nil
}

//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the engine that the console uses

	"sekisho/internal/wire"
	"sekisho/scripts/load"
)

// rawRows is how many rows one statement of the peer inserts, as the console's own does.
const rawRows = 20

// rawTable is the console's row with the key that every row needs; no other index, no foreign key.
const rawTable = `CREATE TABLE events (id INTEGER PRIMARY KEY, terminal TEXT, journal BIGINT, seq BIGINT, hash BLOB, chain_ok BIGINT,
	received_at BIGINT, at BIGINT, kind TEXT, what TEXT, outcome TEXT, violation BIGINT, severity TEXT, username TEXT, serial TEXT,
	device TEXT, grant_id TEXT, mark TEXT, body TEXT, UNIQUE (journal, seq))`

// bareRate inserts the same rows into bare SQLite, in the same batches, each committed to disk: no network, no TLS, no
// decoding, no chain. It is what the console could never pass if every batch had a commit of its own.
func bareRate(ctx context.Context, b bench) (float64, error) {
	dir, err := os.MkdirTemp("", "sekisho-bench-raw-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "raw.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		return 0, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, rawTable); err != nil {
		return 0, err
	}
	insert, err := db.PrepareContext(ctx, rawInsert())
	if err != nil {
		return 0, err
	}
	defer insert.Close()
	rows, err := rawRecords()
	if err != nil {
		return 0, err
	}
	b.say("bare SQLite takes the same %d rows in batches of %d", len(rows), ingestBatch)
	from, err := cpuTime(os.Getpid())
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	for len(rows) > 0 {
		if err := rawBatch(ctx, db, insert, rows[:ingestBatch]); err != nil {
			return 0, err
		}
		rows = rows[ingestBatch:]
	}
	took := time.Since(begun)
	to, err := cpuTime(os.Getpid())
	b.say("bare SQLite used %.1f µs of processor time for a row", float64((to-from).Microseconds())/ingestRecords)
	return ingestRecords / took.Seconds(), err
}

func rawInsert() string {
	row := "(" + strings.TrimSuffix(strings.Repeat("?, ", 18), ", ") + ")"
	return `INSERT INTO events (terminal, journal, seq, hash, chain_ok, received_at, at, kind, what, outcome, violation, severity,
		username, serial, device, grant_id, mark, body) VALUES ` + strings.TrimSuffix(strings.Repeat(row+", ", rawRows), ", ")
}

func rawBatch(ctx context.Context, db *sql.DB, insert *sql.Stmt, rows [][]any) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	s := tx.Stmt(insert)
	for i := 0; i < len(rows); i += rawRows {
		var values []any
		for _, row := range rows[i : i+rawRows] {
			values = append(values, row...)
		}
		if _, err := s.ExecContext(ctx, values...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// rawRecords are the columns, read from the records before the clock starts.
func rawRecords() ([][]any, error) {
	var rows [][]any
	at := time.Now()
	for terminal := range ingestTerminals {
		name := fmt.Sprintf("TERMINAL%08d", terminal)
		for seq := uint64(1); seq <= ingestBatches*ingestBatch; seq++ {
			body, err := load.Record(name, seq, at)
			if err != nil {
				return nil, err
			}
			var r wire.Record
			if err := json.Unmarshal(body, &r); err != nil {
				return nil, err
			}
			hash := sha256.Sum256(body)
			rows = append(rows, []any{name, int64(terminal), int64(seq), hash[:], 1, at.UnixMilli(), r.At.UnixMilli(), r.Kind, "storage",
				string(r.Outcome), 1, "warning", r.Event.User, r.Event.Device.Serial, "SanDisk Ultra Fit", "", "", string(body)})
		}
	}
	return rows, nil
}

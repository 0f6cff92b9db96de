package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"sekisho/console/store/blank"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

var noon = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

func tokyo(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// open gives an empty database with one group and its policy.
func open(t testing.TB) *DB {
	t.Helper()
	db := reopen(t, newFile(t))
	must(t, db.PutGroup(t.Context(), "default", "既定", "test", noon))
	_, err := db.PutGroupPolicy(t.Context(), GroupPolicy{Group: "default", By: "test", Reason: "first",
		Control: policy.Control{Mode: policy.ModeAudit}}, 0, noon)
	must(t, err)
	return db
}

// newFile is an empty database.
var newFile = blank.Of(func(path string) (io.Closer, error) { return Open(context.Background(), path, time.UTC) })

func reopen(t testing.TB, path string) *DB {
	t.Helper()
	db, err := Open(t.Context(), path, tokyo(t))
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	return db
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// enrol adds a terminal by a code of its own.
func enrol(t testing.TB, db *DB, id string) {
	t.Helper()
	code := [32]byte{}
	copy(code[:], id)
	must(t, db.PutToken(t.Context(), Token{Hash: code, Group: "default", By: "test", ExpiresAt: noon.Add(time.Hour)}, noon))
	must(t, db.Enroll(t.Context(), code, Terminal{ID: id, Name: "PC-" + id, OS: "linux"}, Certificate{Serial: "s-" + id}, noon))
}

// stick is the record of a stick that was blocked.
func stick(serial string) wire.Record {
	return wire.Record{
		Kind: wire.RecordDevice, At: noon, Outcome: policy.OutcomeBlocked, Revision: 1,
		Event: &policy.Event{What: policy.EventAttach, User: "suzuki", Device: policy.Device{
			ID: "1-2", Bus: policy.BusUSB, Kinds: []policy.Kind{policy.KindStorage}, Vendor: "0781", Product: "5583", Serial: serial,
			Manufacturer: "SanDisk", Name: "Ultra Fit", Digest: strings.Repeat("ab", 32), Port: "1-2",
		}},
		Decision: &policy.Decision{Action: policy.ActionBlock, Mode: policy.ModeEnforce, Rule: "default"},
	}
}

// journalOf writes records as a terminal's outbox would.
type journalOf struct {
	outbox string
	seq    uint64
	prev   wire.Hash
}

func (j *journalOf) batch(t testing.TB, records ...wire.Record) wire.EventsRequest {
	t.Helper()
	req := wire.EventsRequest{Version: wire.Version, Outbox: j.outbox, First: j.seq + 1, Prev: j.prev}
	for _, r := range records {
		body, err := json.Marshal(r)
		must(t, err)
		j.seq++
		j.prev = wire.Chain(j.prev, j.seq, body)
		req.Entries = append(req.Entries, wire.Entry{Hash: j.prev, Body: body})
	}
	return req
}

// atVersion opens a database that begins with rows as an older schema wrote them.
func atVersion(t testing.TB, version int64, rows ...string) *DB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "console.db")
	old, err := sql.Open("sqlite", source(path))
	must(t, err)
	files, err := fs.Sub(migrations, "migrations/sqlite")
	must(t, err)
	p, err := goose.NewProvider(goose.DialectSQLite3, old, files)
	must(t, err)
	_, err = p.UpTo(t.Context(), version)
	must(t, err)
	for _, one := range rows {
		_, err = old.Exec(one)
		must(t, err)
	}
	must(t, old.Close())
	return reopen(t, path)
}

// oneTerminal has one terminal, whose records send brings.
func oneTerminal(t testing.TB) (db *DB, send func(...wire.Record)) {
	db = open(t)
	enrol(t, db, "t1")
	j := &journalOf{outbox: "outbox-1"}
	return db, func(records ...wire.Record) {
		t.Helper()
		_, err := db.AddEvents(t.Context(), "t1", j.batch(t, records...), noon)
		must(t, err)
	}
}

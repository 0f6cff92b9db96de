package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sekisho/internal/wire"
)

// SettingVerified is the setting that holds the last Verification as JSON.
const SettingVerified = "verified"

// Verification is what a look through all records and audit rows has found.
type Verification struct {
	At      time.Time `json:"at"`
	Records int64     `json:"records"`         // whose hash was computed again
	Known   int64     `json:"known"`           // records that did not follow when they came, and that was told then
	Faults  int64     `json:"faults"`          // what does not follow now and was not told, in both chains
	First   string    `json:"first,omitempty"` // where the first fault is: for logs and people who ask
	Audits  bool      `json:"audits"`          // every row of the audit chain follows
}

// journalRef is one chain of records, and where it says that it stands.
type journalRef struct {
	id                     int64
	terminal, name, outbox string
	last                   uint64
	head                   wire.Hash
}

// kept is a record as verification reads it.
type kept struct {
	terminal string
	seq      uint64
	hash     wire.Hash
	chainOK  bool
	body     string
}

// verifyRows is how many records are in memory at once; no statement keeps the database's old pages for longer than that.
const verifyRows = 500

// VerifyRecords computes the hash of every stored record again and compares it with the stored one and with what stands
// before. progress is called with the records looked at so far and may wait; its error ends the look.
// What comes while it runs is left for the next time.
func (db *DB) VerifyRecords(ctx context.Context, progress func(done int64) error) (v Verification, err error) {
	journals, err := db.journalRefs(ctx)
	if err != nil {
		return v, err
	}
	for _, j := range journals {
		if err := db.verifyJournal(ctx, j, &v, progress); err != nil {
			return v, err
		}
	}
	return v, nil
}

// Verify looks through both chains.
func (db *DB) Verify(ctx context.Context, now time.Time, progress func(done int64) error) (Verification, error) {
	v, err := db.VerifyRecords(ctx, progress)
	if err != nil {
		return v, fmt.Errorf("cannot verify records: %w", err)
	}
	broken, err := db.VerifyAudits(ctx)
	if err != nil {
		return v, fmt.Errorf("cannot verify the audit trail: %w", err)
	}
	v.At, v.Audits = now, broken == 0
	if broken != 0 {
		v.fault("audit trail: row %d does not follow", broken)
	}
	return v, nil
}

// CountRecords is how many there are, to show how far a look has come.
func (db *DB) CountRecords(ctx context.Context) (n int64, err error) {
	err = db.reader.QueryRowContext(ctx, `SELECT COUNT(*) FROM events`).Scan(&n)
	return n, explain(err)
}

func (v *Verification) fault(format string, args ...any) {
	if v.Faults++; v.First == "" {
		v.First = fmt.Sprintf(format, args...)
	}
}

func (db *DB) journalRefs(ctx context.Context) ([]journalRef, error) {
	rows, err := db.reader.QueryContext(ctx, `SELECT j.id, j.terminal, t.name, j.outbox, j.last, j.head
		FROM journals j JOIN terminals t ON t.id = j.terminal ORDER BY j.id`)
	return collect(rows, err, func(s scanner) (j journalRef, err error) {
		var head []byte
		var last int64
		err = s.Scan(&j.id, &j.terminal, &j.name, &j.outbox, &last, &head)
		j.last = uint64(last)
		copy(j.head[:], head)
		return j, err
	})
}

// verifyJournal goes up to where the journal stood when the look began.
func (db *DB) verifyJournal(ctx context.Context, j journalRef, v *Verification, progress func(int64) error) error {
	told, err := db.toldFaults(ctx, j.id)
	if err != nil {
		return err
	}
	var before kept // its hash is zero, as the chain begins
	for before.seq < j.last {
		rows, err := db.keptRows(ctx, j, before.seq)
		if err != nil {
			return err
		}
		for _, r := range rows {
			v.check(j, before, r, told)
			before = r
		}
		if len(rows) == 0 {
			break
		}
		if err := progress(v.Records); err != nil {
			return err
		}
	}
	if before.seq != j.last || before.hash != j.head {
		v.fault("terminal %s (%s), journal %s: it ends at number %d, but %d was stored", j.name, j.terminal, j.outbox, before.seq, j.last)
	}
	return db.verifyEnd(ctx, j, v)
}

// check judges one record. One that did not follow when it came is no fault now, as long as that was told.
func (v *Verification) check(j journalRef, before, r kept, told map[uint64]bool) {
	v.Records++
	where := fmt.Sprintf("terminal %s (%s), journal %s, number %d", j.name, j.terminal, j.outbox, r.seq)
	hole, follows := r.seq != before.seq+1, wire.Chain(before.hash, r.seq, []byte(r.body)) == r.hash
	switch {
	case r.terminal != j.terminal:
		v.fault("%s: it stands under another terminal", where)
	case hole && !told[before.seq+1]:
		v.fault("%s: %d records before it are missing", where, r.seq-before.seq-1)
	case hole && r.chainOK:
		v.fault("%s: the record before it is missing", where)
	case !r.chainOK && (told[r.seq] || hole):
		v.Known++
	case !r.chainOK:
		v.fault("%s: it is marked as broken, and nobody was told", where)
	case !follows:
		v.fault("%s: its hash does not follow from its content and the record before", where)
	}
}

// toldFaults is the numbers at which the console told a fault when the records came.
func (db *DB) toldFaults(ctx context.Context, journal int64) (map[uint64]bool, error) {
	rows, err := db.reader.QueryContext(ctx, `SELECT seq FROM faults WHERE journal = $1 AND code IN ($2, $3)`, journal, CodeMissing, CodeBroken)
	list, err := collect(rows, err, func(s scanner) (n int64, err error) { return n, s.Scan(&n) })
	told := make(map[uint64]bool, len(list))
	for _, n := range list {
		told[uint64(n)] = true
	}
	return told, err
}

func (db *DB) keptRows(ctx context.Context, j journalRef, after uint64) ([]kept, error) {
	rows, err := db.reader.QueryContext(ctx, `SELECT terminal, seq, hash, chain_ok, body FROM events
		WHERE journal = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4`, j.id, int64(after), int64(j.last), verifyRows)
	return collect(rows, err, func(s scanner) (r kept, err error) {
		var hash []byte
		var seq, ok int64
		err = s.Scan(&r.terminal, &seq, &hash, &ok, &r.body)
		r.seq, r.chainOK = uint64(seq), ok == 1
		copy(r.hash[:], hash)
		return r, err
	})
}

// verifyEnd finds records beyond the journal's end, in one look at both, because the journal may have grown meanwhile.
func (db *DB) verifyEnd(ctx context.Context, j journalRef, v *Verification) error {
	var beyond int64
	err := db.reader.QueryRowContext(ctx, `SELECT COUNT(*) FROM events e WHERE e.journal = $1
		AND e.seq > (SELECT last FROM journals WHERE id = $1)`, j.id).Scan(&beyond)
	if err == nil && beyond > 0 {
		v.fault("terminal %s (%s), journal %s: %d records stand behind its end", j.name, j.terminal, j.outbox, beyond)
	}
	return explain(err)
}

// OpenToRead opens a database file without changing it: a backup, or the one that a console is working with.
func OpenToRead(ctx context.Context, path string, zone *time.Location) (*DB, error) {
	reader, err := connectToRead(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("cannot open database %s: %w", path, explain(err))
	}
	db := &DB{writer: reader, reader: reader, zone: zone, queue: make(chan *batch), closing: make(chan struct{})}
	return db, nil
}

var errOlder = errors.New("cannot use database: an older version of this program has written it")

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"sekisho/internal/wire"
)

// groupRecords is how many records one transaction takes at most: one sync to disk serves all batches that wait.
const groupRecords = 4000

// ErrInvalid says that a batch breaks the protocol's bounds and nothing of it was stored.
var ErrInvalid = errors.New("invalid batch")

var errClosing = errors.New("cannot store: the console is stopping")

// batch is what one request brings, ready to be stored.
type batch struct {
	ctx      context.Context
	terminal string
	outbox   string
	prev     wire.Hash
	rows     []row
	status   *wire.Status
	sheets   []step
	now      time.Time
	acked    uint64
	stands   map[string]wire.Hash // where each sheet that came stands afterwards
	altered  bool                 // a number came again with other content: nothing of the batch was stored
	done     chan error           // buffered; nil for a contact that nobody waits for
}

// ErrAltered says that a number came again with other content, as from a terminal that was restored from an image.
// The fault is on record, the first content is kept, and nothing of the batch was stored: the terminal must begin a
// new journal and send it again there.
var ErrAltered = errors.New("cannot store records: the journal repeats numbers with other content")

// AddEvents stores a batch, the terminal's status and its sheets, and answers the highest number that is on disk and where
// the sheets stand. A repeat is ignored and answered alike; what does not follow is kept and marked, never repaired.
// A step of a sheet that does not follow costs nothing else.
func (db *DB) AddEvents(ctx context.Context, terminal string, req wire.EventsRequest, now time.Time) (wire.EventsAnswer, error) {
	b, err := prepare(terminal, req, now)
	if err != nil {
		return wire.EventsAnswer{}, err
	}
	b.ctx, b.done = ctx, make(chan error, 1)
	select {
	case db.queue <- b:
	case <-db.closing:
		return wire.EventsAnswer{}, errClosing
	case <-ctx.Done():
		return wire.EventsAnswer{}, ctx.Err()
	}
	select {
	case err := <-b.done:
		if err == nil && b.altered {
			err = ErrAltered
		}
		return wire.EventsAnswer{Acked: b.acked, Sheets: b.stands}, err
	case <-ctx.Done():
		return wire.EventsAnswer{}, ctx.Err()
	}
}

// Contact notes that a terminal spoke. Nobody waits for it, and it may be lost when the console is busy.
func (db *DB) Contact(terminal string, now time.Time) {
	select {
	case db.queue <- &batch{ctx: context.Background(), terminal: terminal, now: now, done: make(chan error, 1)}:
	default:
	}
}

// storeQueued is the one goroutine that stores batches; it ends with Close, after what is queued.
func (db *DB) storeQueued() {
	for {
		select {
		case b := <-db.queue:
			db.storeGroup(db.gather(b))
		case <-db.closing:
			db.refuseQueued()
			return
		}
	}
}

// gather takes what waits beside the first batch, without waiting itself.
func (db *DB) gather(first *batch) []*batch {
	group, n := []*batch{first}, len(first.rows)
	for n < groupRecords {
		select {
		case b := <-db.queue:
			group, n = append(group, b), n+len(b.rows)
		default:
			return group
		}
	}
	return group
}

func (db *DB) refuseQueued() {
	for {
		select {
		case b := <-db.queue:
			b.done <- errClosing
		default:
			return
		}
	}
}

// storeGroup stores all or, when one batch spoils it, each alone, so that a bad one harms only itself.
func (db *DB) storeGroup(group []*batch) {
	err := db.storeAll(group)
	if err != nil && len(group) > 1 {
		for _, b := range group {
			b.done <- db.storeAll([]*batch{b})
		}
		return
	}
	for _, b := range group {
		b.done <- err
	}
}

func (db *DB) storeAll(group []*batch) error {
	err := db.change(context.Background(), func(tx *sql.Tx) error {
		s := db.group.in(tx)
		for _, b := range group {
			if err := s.store(b); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot store records: %w", err)
	}
	return nil
}

// store writes one batch within the group's transaction.
func (s *groupTx) store(b *batch) error {
	if len(b.rows) > 0 {
		if err := s.storeRows(b); err != nil {
			return err
		}
	}
	if len(b.sheets) > 0 {
		if err := s.storeSheets(b); err != nil {
			return err
		}
	}
	return s.touch(b)
}

func (s *groupTx) storeRows(b *batch) error {
	j, err := s.journal(b.terminal, b.outbox, b.now)
	if err != nil {
		return err
	}
	fresh, found, err := s.separate(j, b)
	if err != nil {
		return err
	}
	if b.altered = slices.ContainsFunc(found, func(f fault) bool { return f.code == CodeAltered }); b.altered {
		b.acked = j.last
		return s.report(j, b, found)
	}
	if err := s.conditions(b.terminal, fresh); err != nil {
		return err
	}
	if err := s.insert(j.id, b.terminal, fresh); err != nil {
		return err
	}
	if err := s.closeConditions(j.id, b, fresh); err != nil {
		return err
	}
	if err := s.advance(j, fresh); err != nil {
		return err
	}
	b.acked = max(b.rows[len(b.rows)-1].seq, j.last)
	return s.report(j, b, found)
}

// advance moves the journal's head to the highest record kept.
func (s *groupTx) advance(j *journal, fresh []row) error {
	if len(fresh) == 0 || fresh[len(fresh)-1].seq <= j.last {
		return nil
	}
	end := fresh[len(fresh)-1]
	j.last, j.head = end.seq, end.hash
	_, err := s.exec(s.head, int64(j.last), j.head[:], j.id)
	return err
}

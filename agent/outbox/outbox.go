// Package outbox is the memory: a durable journal of records in append-only segment files that keeps every record
// until the console has said that it is stored. It never looks into a record, sends nothing and drops nothing silently.
//
// A record is numbered and chained to the one before (wire.Chain) when it is appended, and keeps number and hash for ever.
// What is lost all the same, by a damaged disk or because the journal is full, leaves a hole in the numbers and is told by a
// gap record. When the journal is full the oldest segment goes: what happens now matters more than the start of a flood,
// and a flood could otherwise keep out the record of what it hides.
package outbox

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"sync"

	"github.com/rs/zerolog"

	"sekisho/internal/wire"
)

// Options of a journal; the zero value works.
type Options struct {
	MaxBytes     int64                    // all segments together; 0 is 64 MiB
	SegmentBytes int64                    // a segment that reached this size is closed; 0 is 1 MiB
	Gap          func(lost uint64) []byte // body of a gap record; lost 0 means that nobody can know how many
	Log          zerolog.Logger

	open func(path string) (file, error) // nil is the disk; tests put a full disk here
}

// Outbox is an open journal. All methods may be called by several goroutines at once;
// Next and Drop belong to one uploader.
type Outbox struct {
	dir  string
	o    Options
	wake chan struct{}

	forming sync.Mutex // guards batch
	batch   *batch     // what the next fsync will carry; nil when nobody waits

	disk     sync.Mutex // guards everything below and the files
	state    state
	dirty    bool      // state is not on disk yet
	segments []segment // oldest first; the last one may be appended to while tail is not nil
	tail     file      // the last segment, open; nil: the next record begins a new segment
	last     uint64    // number of the newest record
	hash     wire.Hash // its hash
	acked    uint64    // every number up to here is at the console
	ack      *os.File
	at       cursor // where Next looks first
	closed   bool
}

// cursor is the place of a record in a segment: a hint that saves reading the segment from its start.
type cursor struct {
	path   string
	seq    uint64
	offset int64
}

// Append makes bodies (each the JSON of one record) durable and gives the number of the last one. Callers that come while
// another's fsync is running share the next one. An error means that none of these bodies is kept.
func (o *Outbox) Append(bodies ...[]byte) (last uint64, err error) {
	if len(bodies) == 0 {
		return 0, nil
	}
	bodies, err = canonical(bodies)
	if err != nil {
		return 0, err
	}
	b, upto, leads := o.join(bodies)
	if leads {
		o.lead(b)
	}
	<-b.done
	if b.err != nil {
		return 0, fmt.Errorf("cannot append to journal: %w", b.err)
	}
	return b.first + uint64(upto) - 1, nil
}

// Wake receives after something was appended; several appends may be one wake-up.
func (o *Outbox) Wake() <-chan struct{} { return o.wake }

// Len says how many records wait for the console. After a loss it may count the lost ones until the hole is passed.
func (o *Outbox) Len() uint64 {
	o.disk.Lock()
	defer o.disk.Unlock()
	return o.last - min(o.last, max(o.acked, o.front()-1))
}

// Close ends the journal; it is durable at any moment, so there is nothing to save.
func (o *Outbox) Close() error {
	o.disk.Lock()
	defer o.disk.Unlock()
	if o.closed {
		return nil
	}
	o.closed = true
	err := o.ack.Close()
	if o.tail != nil {
		err = cmp.Or(o.tail.Close(), err)
	}
	return err
}

// front is the lowest number that can still be on disk.
func (o *Outbox) front() uint64 {
	if len(o.segments) == 0 {
		return o.last + 1
	}
	return o.segments[0].first
}

func (o *Outbox) ring() {
	select {
	case o.wake <- struct{}{}:
	default: // somebody is already called
	}
}

func newID() string {
	var id [idBytes]byte
	rand.Read(id[:]) // never fails: https://pkg.go.dev/crypto/rand#Read
	return hex.EncodeToString(id[:])
}

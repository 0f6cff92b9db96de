package outbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sekisho/internal/wire"
)

// ErrClosed says that the journal was closed.
var ErrClosed = errors.New("journal is closed")

// batch is the bodies of all callers that share one fsync.
type batch struct {
	bodies [][]byte
	done   chan struct{} // closed when first and err are set
	first  uint64        // number of bodies[0]
	err    error
}

// canonical gives each body as JSON encoding will send it: what is chained is, byte for byte, what crosses the wire.
func canonical(bodies [][]byte) ([][]byte, error) {
	out := make([][]byte, len(bodies))
	for i, body := range bodies {
		b, err := json.Marshal(json.RawMessage(body))
		if err != nil {
			return nil, fmt.Errorf("cannot append to journal: record is not JSON: %w", err)
		}
		if len(b) > wire.MaxRecord {
			return nil, fmt.Errorf("cannot append to journal: record has %d bytes, more than %d", len(b), wire.MaxRecord)
		}
		out[i] = b
	}
	return out, nil
}

// join puts bodies into the forming batch; upto is the place of the last one, from 1. Who begins a batch leads it.
func (o *Outbox) join(bodies [][]byte) (b *batch, upto int, leads bool) {
	o.forming.Lock()
	defer o.forming.Unlock()
	if o.batch == nil {
		o.batch, leads = &batch{done: make(chan struct{})}, true
	}
	o.batch.bodies = append(o.batch.bodies, bodies...)
	return o.batch, len(o.batch.bodies), leads
}

// lead waits for the disk, during which others may join, and writes the batch.
func (o *Outbox) lead(b *batch) {
	o.disk.Lock()
	defer o.disk.Unlock()
	o.forming.Lock()
	o.batch = nil
	o.forming.Unlock()
	b.first, b.err = o.commit(b.bodies)
	close(b.done)
}

// commit writes bodies, behind a gap record when one is owed, with one fsync. It gives the number of bodies[0].
// Owner: whoever holds o.disk, as for everything below.
func (o *Outbox) commit(bodies [][]byte) (uint64, error) {
	if o.closed {
		return 0, ErrClosed
	}
	if err := o.makeRoom(bodies); err != nil {
		return 0, err
	}
	if err := o.persist(); err != nil {
		return 0, err
	}
	owed := o.state.Debt != nil
	if owed {
		bodies = append([][]byte{o.gap(o.state.Debt.Lost)}, bodies...)
	}
	if len(bodies) == 0 {
		return o.last + 1, nil
	}
	first := o.last + 1
	if err := o.write(bodies); err != nil {
		return 0, err
	}
	o.ring()
	if owed {
		o.state = o.state.paid()
		first++
	}
	return first, nil
}

func (o *Outbox) gap(lost uint64) []byte {
	if o.o.Gap != nil {
		if b, err := canonical([][]byte{o.o.Gap(lost)}); err == nil {
			return b[0]
		}
	}
	b, _ := json.Marshal(wire.Record{Kind: wire.RecordGap, Lost: lost, Code: "lost"}) // plain fields always encode
	return b
}

// write appends records to the last segment, whole or not at all.
func (o *Outbox) write(bodies [][]byte) error {
	if err := o.rotate(); err != nil {
		return err
	}
	seg := &o.segments[len(o.segments)-1]
	var b []byte
	seq, hash := o.last, o.hash
	for _, body := range bodies {
		seq++
		b = appendRecord(b, seq, hash, body)
		hash = wire.Chain(hash, seq, body)
	}
	_, err := o.tail.Write(b)
	if err == nil {
		err = o.tail.Sync()
	}
	if err != nil {
		o.undo(seg)
		return err
	}
	seg.size += int64(len(b))
	o.last, o.hash = seq, hash
	return nil
}

// undo takes a failed append out of the file again and begins a new segment next time: after a failed fsync nobody knows
// what the disk holds. Should even this fail, what stands there has numbers that the next segment claims, and is not read.
func (o *Outbox) undo(seg *segment) {
	if err := o.tail.Truncate(seg.size); err != nil {
		o.o.Log.Warn().Err(err).Msg("cannot cut failed append from journal")
	}
	o.tail.Close()
	o.tail = nil
	if seg.first > o.last { // it holds nothing: the next one gets its name
		os.Remove(seg.path)
		o.segments = o.segments[:len(o.segments)-1]
	}
}

// rotate makes sure that there is a segment to append to.
func (o *Outbox) rotate() error {
	if o.tail != nil && o.segments[len(o.segments)-1].size < o.o.SegmentBytes {
		return nil
	}
	first := o.last + 1
	head, err := encodeHeader(o.state.Outbox, first, o.hash)
	if err != nil {
		return err
	}
	path := filepath.Join(o.dir, segmentName(o.state.Generation, first))
	f, err := create(o.o.open, path, head)
	if err != nil {
		return err
	}
	if o.tail != nil {
		o.tail.Close() // every byte of it is on disk already
	}
	o.tail = f
	o.segments = append(o.segments, segment{path: path, first: first, size: headerSize})
	return nil
}

// makeRoom drops the oldest segments when the journal would outgrow its bound, and first writes down that it owes a gap record.
func (o *Outbox) makeRoom(bodies [][]byte) error {
	total := int64(headerSize)
	for _, body := range bodies {
		total += headSize + int64(len(body))
	}
	for _, s := range o.segments {
		total += s.size
	}
	drop := 0
	for total > o.o.MaxBytes && drop < len(o.segments)-1 {
		total -= o.segments[drop].size
		drop++
	}
	if drop == 0 {
		return nil
	}
	hole := span{max(o.acked+1, o.segments[0].first), o.segments[drop].first - 1}
	if hole.From <= hole.To {
		if numbers, lost := o.state.untold(hole); numbers > 0 {
			o.lose(lost, hole)
		}
	}
	if err := o.persist(); err != nil {
		return err
	}
	return o.forget(drop)
}

// lose notes that numbers are gone, so that the next record is a gap record; lost 0: nobody knows how many.
func (o *Outbox) lose(lost uint64, holes ...span) {
	o.state = o.state.owe(holes, lost, o.last+1, o.acked)
	o.dirty = true
	o.o.Log.Error().Uint64("lost", lost).Msg("journal lost records")
}

// persist writes the state down. It comes before the gap record and before anything is deleted: a loss is told once.
func (o *Outbox) persist() error {
	if !o.dirty {
		return nil
	}
	if err := o.state.write(o.dir); err != nil {
		return err
	}
	o.dirty = false
	return nil
}

// forget deletes the n oldest segments.
func (o *Outbox) forget(n int) error {
	for range n {
		if err := os.Remove(o.segments[0].path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		o.segments = o.segments[1:]
	}
	return nil
}

package outbox

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"sekisho/internal/wire"
)

// maxBytes bounds the bodies of one batch: memory here, and far below wire.MaxBody.
const maxBytes = 1 << 20

// Next gives the oldest records that the console has not acknowledged, without holes, at most max and about 1 MiB of them.
// No entries: nothing to send.
func (o *Outbox) Next(most int) (wire.EventsRequest, error) {
	o.disk.Lock()
	defer o.disk.Unlock()
	req := wire.EventsRequest{Version: wire.Version, Outbox: o.state.Outbox}
	most = min(most, wire.MaxEntries)
	for i := 0; i < len(o.segments) && most > 0; i++ {
		limit := o.limit(i)
		if limit <= o.acked {
			continue
		}
		if err := o.collect(&req, o.segments[i], limit, most); err != nil {
			return wire.EventsRequest{}, fmt.Errorf("cannot read journal: %w", err)
		}
		if len(req.Entries) > 0 {
			return req, o.tellHole(req.First)
		}
	}
	return req, o.tellHole(o.last + 1)
}

// limit is the highest number that segment i may hold: the next one's name takes precedence over what stands in the file.
func (o *Outbox) limit(i int) uint64 {
	if i+1 < len(o.segments) {
		return o.segments[i+1].first - 1
	}
	return o.last
}

// collect reads a batch out of one segment.
func (o *Outbox) collect(req *wire.EventsRequest, seg segment, limit uint64, most int) error {
	f, err := os.Open(seg.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // somebody deleted it: a hole like any other
	}
	if err != nil {
		return err
	}
	defer f.Close()
	s := newScanner(f, seg.size, o.start(seg.path))
	s.after = o.acked
	hash, size := wire.Hash{}, 0
	for len(req.Entries) < most && size < maxBytes {
		r, ok := s.next()
		if !ok || r.seq > limit {
			return s.err
		}
		if len(req.Entries) == 0 {
			req.First, req.Prev = r.seq, r.prev
		} else if r.seq != req.First+uint64(len(req.Entries)) || r.prev != hash {
			return nil // a hole: the rest is another batch
		}
		hash = r.hash()
		req.Entries = append(req.Entries, wire.Entry{Hash: hash, Body: slices.Clone(r.body)})
		size += len(r.body)
		o.at = cursor{seg.path, r.seq, r.offset}
	}
	return nil
}

// start is where to begin reading a segment: behind what is acknowledged, when the cursor knows that place.
func (o *Outbox) start(path string) int64 {
	if o.at.path == path && o.at.seq <= o.acked {
		return o.at.offset
	}
	return 0
}

// tellHole appends a gap record when records before first turn out to be gone that were there at the start.
func (o *Outbox) tellHole(first uint64) error {
	hole := span{o.acked + 1, first - 1}
	if hole.From > hole.To {
		return nil
	}
	numbers, lost := o.state.untold(hole)
	if numbers == 0 {
		return nil
	}
	o.lose(lost, hole)
	_, err := o.commit(nil)
	return err
}

// Drop forgets every record up to acked, which the console has stored. An acknowledgement beyond the newest record means
// that this journal was restored from an older image of the machine: then a new one begins with what is unsent.
func (o *Outbox) Drop(acked uint64) error {
	o.disk.Lock()
	defer o.disk.Unlock()
	if acked > o.last {
		o.o.Log.Warn().Uint64("acked", acked).Uint64("last", o.last).Msg("console knows records that this journal never wrote")
		return o.renew()
	}
	if acked <= o.acked {
		return nil
	}
	if err := writeAck(o.ack, o.state.Outbox, acked); err != nil {
		return fmt.Errorf("cannot note acknowledgement: %w", err)
	}
	o.acked = acked
	done := 0
	for done < len(o.segments)-1 && o.limit(done) <= acked {
		done++
	}
	if done == 0 {
		return nil
	}
	if err := o.ack.Sync(); err != nil { // or a power cut could make deleted records look lost
		return fmt.Errorf("cannot note acknowledgement: %w", err)
	}
	return o.forget(done)
}

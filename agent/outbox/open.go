package outbox

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"time"

	"sekisho/internal/durable"
)

// Open opens the journal in a folder, or begins one. A torn tail (an append that a power cut or a kill interrupted, which
// nobody was told to be durable) is cut; anything else that is missing or unreadable is told by a gap record.
func Open(dir string, opt Options) (*Outbox, error) {
	opt.MaxBytes = cmp.Or(opt.MaxBytes, 64<<20)
	opt.SegmentBytes = min(cmp.Or(opt.SegmentBytes, 1<<20), opt.MaxBytes/4) // what goes when it is full is a part, not all
	if opt.open == nil {
		opt.open = openFile
	}
	o := &Outbox{dir: dir, o: opt, wake: make(chan struct{}, 1)}
	if err := o.recover(); err != nil {
		if o.ack != nil {
			o.Close()
		}
		return nil, fmt.Errorf("cannot open journal %s: %w", dir, err)
	}
	return o, nil
}

func (o *Outbox) recover() error {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return err
	}
	if err := durable.Sweep(o.dir, time.Now()); err != nil {
		o.o.Log.Warn().Err(err).Msg("cannot sweep journal") // litter harms nothing but the disk
	}
	found, err := listSegments(o.dir)
	if err != nil {
		return err
	}
	if o.ack, err = openAck(o.dir); err != nil {
		return err
	}
	fresh, err := o.identify(found)
	if err != nil {
		return err
	}
	if err := o.removeOthers(found); err != nil {
		return err
	}
	o.segments = found[o.state.Generation]
	if fresh {
		return o.begin(len(found) > 0)
	}
	acked, known := readAck(o.ack, o.state.Outbox)
	if !known {
		acked = o.segments[0].first - 1 // what is deleted was acknowledged or told
	}
	o.acked = acked
	return o.survey()
}

// identify finds out which journal this is; fresh when there is none whose name is known.
func (o *Outbox) identify(found map[uint64][]segment) (fresh bool, err error) {
	o.state, err = readState(o.dir)
	if err == nil && len(found[o.state.Generation]) > 0 {
		return false, nil
	}
	lost := err == nil
	if !errors.Is(err, os.ErrNotExist) {
		o.o.Log.Error().Err(err).Msg("journal state is damaged or its segments are gone")
	}
	newest := o.state.Generation
	for generation, segments := range found {
		newest = max(newest, generation)
		for _, s := range segments {
			// The lowest generation is the one that is whole: a later one may not have been finished.
			if h, ok := readHeader(s.path); ok && !lost && (o.state.Outbox == "" || generation < o.state.Generation) {
				o.state = state{Generation: generation, Outbox: h.id}
			}
		}
	}
	if o.state.Outbox != "" && !lost {
		return false, o.state.write(o.dir)
	}
	o.state = state{Generation: newest + 1, Outbox: newID()}
	if lost {
		o.state.Debt = &debt{At: 1}
	}
	return true, o.state.write(o.dir)
}

// removeOthers deletes what a renewal that was interrupted has left of other generations.
func (o *Outbox) removeOthers(found map[uint64][]segment) error {
	for generation, segments := range found {
		if generation == o.state.Generation {
			continue
		}
		for _, s := range segments {
			if err := os.Remove(s.path); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin starts an empty journal; a debt stands when an earlier one could not be read at all.
func (o *Outbox) begin(unreadable bool) error {
	if unreadable && o.state.Debt == nil {
		o.lose(0)
	}
	if err := writeAck(o.ack, o.state.Outbox, 0); err != nil {
		return err
	}
	if err := o.rotate(); err != nil {
		return err
	}
	_, err := o.commit(nil)
	return err
}

// found is what a look through all segments showed.
type found struct {
	holes   []span
	skipped []span // numbers that a damaged tail may have used
	unknown bool   // damage that may have cost records nobody can count
	end     int64  // where the last readable record ends
}

// survey reads every segment, cuts the tail, and tells what is missing.
func (o *Outbox) survey() error {
	var f found
	for i := range o.segments {
		if err := o.look(i, &f); err != nil {
			return err
		}
	}
	if err := o.mend(&f); err != nil {
		return err
	}
	if d := o.state.Debt; d != nil && o.last >= d.At {
		o.state = o.state.paid()
	}
	o.judge(f)
	if _, err := o.commit(nil); err != nil { // a full disk: the debt stands, the next append pays it
		o.o.Log.Error().Err(err).Msg("cannot write gap record yet")
	}
	if o.last > o.acked {
		o.ring()
	}
	return nil
}

// judge notes what is lost and not yet told.
func (o *Outbox) judge(f found) {
	numbers, lost := uint64(0), uint64(0)
	for _, h := range f.holes {
		n, l := o.state.untold(h)
		numbers, lost = numbers+n, lost+l
	}
	if numbers > 0 || f.unknown {
		o.lose(lost, append(f.holes, f.skipped...)...)
	}
}

// look reads segment i and moves last and hash on.
func (o *Outbox) look(i int, f *found) error {
	seg := o.segments[i]
	file, err := os.Open(seg.path)
	if err != nil {
		return err
	}
	defer file.Close()
	if h, ok := readHeader(seg.path); ok && h.first == seg.first {
		o.last, o.hash = o.hole(f, seg.first), h.prev
	} else {
		o.last = o.hole(f, seg.first)
	}
	limit := uint64(1<<64 - 1)
	if i+1 < len(o.segments) {
		limit = o.segments[i+1].first - 1
	}
	s := newScanner(file, seg.size, 0)
	s.after = seg.first - 1
	f.end = s.offset
	for {
		r, ok := s.next()
		if !ok || r.seq > limit {
			break
		}
		o.hole(f, r.seq)
		o.last, o.hash, f.end = r.seq, r.hash(), r.offset
	}
	if s.err == nil && i == len(o.segments)-1 {
		f.unknown, err = damaged(file, f.end, seg.size, s.torn)
	}
	return cmp.Or(s.err, err)
}

// hole notes the numbers between the last one read and seq, as far as the console has not stored them, and gives seq-1.
func (o *Outbox) hole(f *found, seq uint64) uint64 {
	if from := max(o.last, o.acked) + 1; from < seq {
		f.holes = append(f.holes, span{from, seq - 1})
	}
	return max(o.last, seq-1)
}

// damaged says whether what follows the last record is more than an append that never ended: those end early,
// or in zeros where the file system had already given room but no data.
func damaged(f *os.File, end, size int64, torn bool) (bool, error) {
	whole := int64(headSize)
	if end == 0 {
		whole = headerSize
	}
	if torn || size-end < whole {
		return false, nil
	}
	last := make([]byte, 1)
	_, err := f.ReadAt(last, size-1)
	return last[0] != 0, err
}

// mend cuts the tail. Numbers that a damaged tail may have used, and the console may have seen, are not used again.
func (o *Outbox) mend(f *found) error {
	seg := &o.segments[len(o.segments)-1]
	if f.unknown || o.acked > o.last { // acknowledged and yet not there: somebody cut the file
		f.unknown = true
		used := uint64(seg.size-f.end) / (headSize + 1)
		skip := span{o.last + 1, max(o.last+used, o.acked)}
		f.skipped = append(f.skipped, skip)
		o.last = max(o.last, skip.To)
	}
	if f.end < seg.size {
		o.o.Log.Warn().Str("segment", seg.path).Int64("bytes", seg.size-f.end).Bool("damaged", f.unknown).Msg("journal's tail is cut")
	}
	return o.reopen(seg, f)
}

// reopen makes the last segment ready to be appended to; one that is not sound is left as it is and a new one begun later.
func (o *Outbox) reopen(seg *segment, f *found) error {
	h, ok := readHeader(seg.path)
	if !ok && seg.first > o.last { // it was never finished; its name will be used again
		o.segments = o.segments[:len(o.segments)-1]
		return os.Remove(seg.path)
	}
	if !ok || h.id != o.state.Outbox || f.unknown {
		return nil
	}
	t, err := o.o.open(seg.path)
	if err != nil {
		return err
	}
	if f.end < seg.size {
		if err := errors.Join(t.Truncate(f.end), t.Sync()); err != nil {
			t.Close()
			return err
		}
		seg.size = f.end
	}
	o.tail = t
	return nil
}

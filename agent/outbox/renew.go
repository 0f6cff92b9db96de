package outbox

import (
	"errors"
	"fmt"
	"os"
)

// Renew begins a journal with a new identity that holds what is unsent, numbered from 1. It is for a machine that was
// restored from an image: its old numbers were used for other records once, and the console would take the new ones for
// repeats. What the image held unsent may so arrive a second time; the alternative is to lose it.
func (o *Outbox) Renew() error {
	o.disk.Lock()
	defer o.disk.Unlock()
	if o.closed {
		return ErrClosed
	}
	return o.renew()
}

func (o *Outbox) renew() error {
	n := &Outbox{dir: o.dir, o: o.o, ack: o.ack, state: state{Generation: o.state.Generation + 1, Outbox: newID(), Debt: o.state.Debt}}
	err := n.copyUnsent(o)
	if err == nil && n.state.Debt != nil {
		n.state.Debt = &debt{Lost: n.state.Debt.Lost, At: n.last + 1}
	}
	if err == nil {
		err = n.state.write(o.dir) // from here on the new journal is the one
	}
	if err != nil {
		n.discard()
		return fmt.Errorf("cannot begin new journal: %w", err)
	}
	o.discard()
	o.state, o.segments, o.tail = n.state, n.segments, n.tail
	o.last, o.hash, o.acked, o.at = n.last, n.hash, 0, cursor{}
	o.o.Log.Warn().Str("outbox", o.state.Outbox).Uint64("unsent", o.last).Msg("new journal begun")
	o.ring()
	return writeAck(o.ack, o.state.Outbox, 0)
}

// copyUnsent writes the unsent records of an old journal into a new one.
func (n *Outbox) copyUnsent(old *Outbox) error {
	if err := n.rotate(); err != nil {
		return err
	}
	for i, seg := range old.segments {
		if err := n.copySegment(seg, old.acked, old.limit(i)); err != nil {
			return err
		}
	}
	return nil
}

func (n *Outbox) copySegment(seg segment, acked, limit uint64) error {
	f, err := os.Open(seg.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // told by Next or at the next start
	}
	if err != nil {
		return err
	}
	defer f.Close()
	s := newScanner(f, seg.size, 0)
	s.after = acked
	var bodies [][]byte
	for r, ok := s.next(); ok && r.seq <= limit; r, ok = s.next() {
		bodies = append(bodies, append([]byte(nil), r.body...))
	}
	if s.err != nil || len(bodies) == 0 {
		return s.err
	}
	return n.write(bodies)
}

// discard closes and deletes all segments of a journal; what cannot be deleted now is at the next start.
func (o *Outbox) discard() {
	if o.tail != nil {
		o.tail.Close()
		o.tail = nil
	}
	for _, s := range o.segments {
		os.Remove(s.path)
	}
	o.segments = nil
}

package outbox

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"

	"sekisho/internal/durable"
)

const (
	stateFile = "state.json"
	ackFile   = "ack"
	maxSpans  = 64 // holes remembered one by one
)

// state is what must not be forgotten beside the records themselves; written whole, rarely.
type state struct {
	Generation uint64 `json:"generation"` // grows with every new identity; part of the segments' names
	Outbox     string `json:"outbox"`     // the identity
	Told       []span `json:"told"`       // holes that a gap record tells of, so that nobody tells them twice
	Debt       *debt  `json:"debt"`       // the gap record that has to be written
	Gaps       []debt `json:"gaps"`       // gap records that are written and unsent: when one is lost itself, the next one says its number too
}

// debt is a gap record. It counts as written once the journal has a record number At.
type debt struct {
	Lost uint64 `json:"lost"` // 0: nobody knows how many
	At   uint64 `json:"at"`
}

// span is numbers that are gone, both ends included.
type span struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

func readState(dir string) (state, error) {
	var s state
	raw, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return state{}, fmt.Errorf("cannot read journal state: %w", err)
	}
	if _, err := encodeHeader(s.Outbox, 0, [32]byte{}); err != nil {
		return state{}, err
	}
	return s, nil
}

func (s state) write(dir string) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, stateFile), raw, 0o600)
}

// untold counts the numbers of a hole that no gap record tells of, and the records that were lost with them.
func (s state) untold(hole span) (numbers, lost uint64) {
	numbers = hole.To - hole.From + 1
	for _, t := range s.Told {
		if from, to := max(t.From, hole.From), min(t.To, hole.To); from <= to {
			numbers -= to - from + 1
		}
	}
	lost = numbers
	for _, g := range s.Gaps {
		if hole.has(g.At) {
			lost += g.Lost - 1 // the gap record itself is no loss, what it told is
		}
	}
	return numbers, lost
}

func (s span) has(n uint64) bool { return s.From <= n && n <= s.To }

// owe notes holes and that a gap record numbered at shall tell of lost records more.
func (s state) owe(holes []span, lost, at, acked uint64) state {
	s.Told = merge(slices.Concat(s.Told, holes), acked)
	s.Gaps = slices.DeleteFunc(slices.Clone(s.Gaps), func(g debt) bool {
		return g.At <= acked || slices.ContainsFunc(holes, func(h span) bool { return h.has(g.At) })
	})
	if s.Debt != nil {
		lost += s.Debt.Lost
	}
	s.Debt = &debt{Lost: lost, At: at}
	return s
}

// paid moves a debt to the gap records that are written. What stands on disk says the same, for its At is in the journal.
func (s state) paid() state {
	s.Gaps = append(slices.Clone(s.Gaps), *s.Debt)
	s.Debt = nil
	return s
}

// merge gives the same numbers in order, as few spans that do not touch, without those the console has passed.
func merge(spans []span, acked uint64) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.From, b.From) })
	var out []span
	for _, s := range spans {
		n := len(out)
		switch {
		case s.To <= acked:
		case n > 0 && (s.From <= out[n-1].To+1 || n == maxSpans): // a rotten disk: be coarse rather than grow
			out[n-1].To = max(out[n-1].To, s.To)
		default:
			out = append(out, s)
		}
	}
	return out
}

// The acknowledgement is twelve bytes written in place without fsync: when a power cut takes it back,
// records are sent again and the console ignores the repeats.

func openAck(dir string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, ackFile), os.O_RDWR|os.O_CREATE, 0o600)
}

// readAck gives the last acknowledgement; false when there is none to be trusted.
func readAck(f *os.File, id string) (uint64, bool) {
	b := make([]byte, 12)
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return 0, false
	}
	if binary.BigEndian.Uint32(b[8:]) != ackSum(b[:8], id) {
		return 0, false
	}
	return binary.BigEndian.Uint64(b), true
}

func writeAck(f *os.File, id string, acked uint64) error {
	b := binary.BigEndian.AppendUint64(nil, acked)
	_, err := f.WriteAt(binary.BigEndian.AppendUint32(b, ackSum(b, id)), 0)
	return err
}

// ackSum includes the identity, so that an old journal's acknowledgement means nothing to a new one.
func ackSum(b []byte, id string) uint32 {
	return crc32.Update(crc32.Checksum([]byte(id), castagnoli), castagnoli, b)
}

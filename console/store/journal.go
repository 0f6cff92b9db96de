package store

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sekisho/internal/wire"
)

// consoleJournal is the journal in which the console itself writes what it found wrong with a terminal's records.
// Outbox ids of terminals are longer, so none can write into it.
const consoleJournal = "console"

// Codes of what the console finds.
const (
	CodeMissing  = "numbers_missing" // a hole in the numbers
	CodeBroken   = "chain_broken"    // a hash does not follow from the one before
	CodeAltered  = "record_altered"  // a number came again with other content; the first one is kept
	CodeBegun    = "journal_begun"   // the terminal began a new journal although it had one
	CodeUnread   = "unreadable"      // a record is not what the protocol says
	markFuture   = "future"          // its time is later than the console's clock allows
	markUnread   = "unreadable"
	futureSlack  = 10 * time.Minute
	severeAlarm  = "alarm"
	severeWarn   = "warning"
	severeNotice = "notice"
	severeInfo   = "info"
)

// journal is where a terminal's chain stands.
type journal struct {
	id    int64
	last  uint64
	head  wire.Hash
	begun bool // new, while the terminal had another
}

// fault is one thing found wrong.
type fault struct {
	code string
	seq  uint64 // where
	lost uint64
	hash wire.Hash
}

// journal finds or begins a terminal's journal.
func (s *groupTx) journal(terminal, outbox string, now time.Time) (*journal, error) {
	j := &journal{}
	var head []byte
	var last int64
	err := s.row(s.find, terminal, outbox).Scan(&j.id, &last, &head)
	if err == nil {
		j.last = uint64(last)
		copy(j.head[:], head)
		return j, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	var others int64
	if err := s.row(s.others, terminal, consoleJournal).Scan(&others); err != nil {
		return nil, err
	}
	j.begun = others > 0 && outbox != consoleJournal
	return j, s.row(s.begin, terminal, outbox, j.head[:], ms(now)).Scan(&j.id)
}

// separate gives the rows that are not stored yet, marks whether they follow, and names the faults.
func (s *groupTx) separate(j *journal, b *batch) (fresh []row, found []fault, err error) {
	first := b.rows[0].seq
	fresh = b.rows
	if first <= j.last {
		if fresh, found, err = s.dropRepeats(j, b); err != nil {
			return nil, nil, err
		}
	}
	if j.begun {
		found = append(found, fault{code: CodeBegun, seq: first})
	}
	for i := range fresh {
		found = append(found, follow(j, b, &fresh[i])...)
	}
	return fresh, found, nil
}

// follow judges one row's place in the chain: within the batch by its hash, at the seam by the journal's head.
func follow(j *journal, b *batch, r *row) []fault {
	prev := b.prev
	if i := r.seq - b.rows[0].seq; i > 0 {
		prev = b.rows[i-1].hash
	}
	switch {
	case r.seq == j.last+1 && prev != j.head:
		r.chainOK = false
	case r.seq > j.last+1 && r.seq == b.rows[0].seq:
		r.chainOK = false
		return []fault{{code: CodeMissing, seq: j.last + 1, lost: r.seq - j.last - 1}}
	}
	if !r.chainOK {
		return []fault{{code: CodeBroken, seq: r.seq, hash: r.hash}}
	}
	if r.mark == markUnread {
		return []fault{{code: CodeUnread, seq: r.seq, hash: r.hash}}
	}
	return nil
}

// dropRepeats leaves out what is stored, and names numbers that came again with another content.
func (s *groupTx) dropRepeats(j *journal, b *batch) (fresh []row, found []fault, err error) {
	have, err := s.stored(j.id, b.rows[0].seq, b.rows[len(b.rows)-1].seq)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range b.rows {
		hash, ok := have[r.seq]
		switch {
		case !ok:
			fresh = append(fresh, r)
		case hash != r.hash || !r.chainOK:
			found = append(found, fault{code: CodeAltered, seq: r.seq, hash: r.hash})
		}
	}
	return fresh, found, nil
}

func (s *groupTx) stored(journal int64, from, to uint64) (map[uint64]wire.Hash, error) {
	rows, err := s.query(s.hashes, journal, int64(from), int64(to))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	have := map[uint64]wire.Hash{}
	for rows.Next() {
		var seq int64
		var raw []byte
		if err := rows.Scan(&seq, &raw); err != nil {
			return nil, err
		}
		var h wire.Hash
		copy(h[:], raw) // a damaged one is none, and the record counts as altered
		have[uint64(seq)] = h
	}
	return have, rows.Err()
}

// report writes each fault once, as a record that people see.
func (s *groupTx) report(j *journal, b *batch, found []fault) error {
	for _, f := range found {
		res, err := s.exec(s.fault, j.id, int64(f.seq), f.code, f.hash[:], ms(b.now))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			continue // told before
		}
		if err := s.reportOne(b, f); err != nil {
			return err
		}
	}
	return nil
}

func (s *groupTx) reportOne(b *batch, f fault) error {
	own, err := s.journal(b.terminal, consoleJournal, b.now)
	if err != nil {
		return err
	}
	body, err := json.Marshal(wire.Record{
		Kind: wire.RecordGap, At: b.now.UTC(), Lost: f.lost, Code: f.code,
		Note: fmt.Sprintf("found by the console in journal %s at number %d", b.outbox, f.seq),
	})
	if err != nil {
		return fmt.Errorf("cannot write fault: %w", err)
	}
	seq := own.last + 1
	r := read(seq, wire.Entry{Hash: wire.Chain(own.head, seq, body), Body: body}, b.now)
	r.chainOK = true
	if err := s.insert(own.id, b.terminal, []row{r}); err != nil {
		return err
	}
	return s.advance(own, []row{r})
}

package store

import (
	"context"
	"database/sql"
	"time"
)

// ProgramEvent is a recorded event of a program, as a dry run looks at it: the body stays unread.
type ProgramEvent struct {
	ID       int64
	Terminal string
	At       time.Time
	Body     []byte // valid until the next one
}

// pastPage is how many events are taken at once. Nobody holds a reading connection while looking at them: there are few, and
// looks at the whole past that take minutes would keep the pages and the terminals waiting.
const pastPage = 256

// ProgramEvents gives every event of a program of every terminal that was recorded when it began, oldest first, until yield
// says false. Which terminals are meant is for who asks: a table that is looked up for each of a million rows takes longer
// than the rows.
func (db *DB) ProgramEvents(ctx context.Context, yield func(ProgramEvent) bool) error {
	var last int64
	err := db.reader.QueryRowContext(ctx, `SELECT COALESCE(MAX(id), 0) FROM events WHERE kind <> 'device' AND kind = 'program'`).Scan(&last)
	if err != nil {
		return explain(err)
	}
	for p := (pastOf{to: last}); p.from < last; {
		if err := p.read(ctx, db.reader); err != nil {
			return explain(err)
		}
		for _, e := range p.events {
			if !yield(e) {
				return nil
			}
		}
	}
	return nil
}

// pastOf is a page of the past and where the next one begins. Its memory is used again.
type pastOf struct {
	from, to int64
	events   []ProgramEvent
	bodies   [pastPage][]byte
	terminal string // the last one's name, which is mostly the next one's
}

func (p *pastOf) read(ctx context.Context, from querier) error {
	rows, err := from.QueryContext(ctx, `SELECT id, terminal, at, body FROM events
		WHERE kind <> 'device' AND kind = 'program' AND id > $1 AND id <= $2 ORDER BY id LIMIT $3`, p.from, p.to, pastPage)
	if err != nil {
		return err
	}
	defer rows.Close()
	p.events, p.from = p.events[:0], p.to // unless the page is full, it was the last one
	for rows.Next() {
		if err := p.add(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (p *pastOf) add(row scanner) error {
	var at int64
	var terminal, body sql.RawBytes
	i, e := len(p.events), ProgramEvent{}
	if err := row.Scan(&e.ID, &terminal, &at, &body); err != nil {
		return err
	}
	if p.terminal != string(terminal) {
		p.terminal = string(terminal)
	}
	p.bodies[i] = append(p.bodies[i][:0], body...)
	e.Terminal, e.At, e.Body = p.terminal, moment(at), p.bodies[i]
	if p.events = append(p.events, e); len(p.events) == pastPage {
		p.from = e.ID
	}
	return nil
}

// CountProgramEvents says how many ProgramEvents will give; it reads the index alone.
func (db *DB) CountProgramEvents(ctx context.Context) (n int64, err error) {
	err = db.reader.QueryRowContext(ctx, `SELECT COUNT(*) FROM events WHERE kind <> 'device' AND kind = 'program'`).Scan(&n)
	return n, explain(err)
}

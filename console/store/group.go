package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"sekisho/internal/wire"
)

// insertRows is how many records one statement inserts; the rest of a batch goes one by one.
const insertRows = 20

const insertColumns = 19

// groupStatements are prepared once on the writing connection.
type groupStatements struct {
	find, others, begin, head *sql.Stmt
	hashes, fault             *sql.Stmt
	insertOne, insertMany     *sql.Stmt
	touchContact, touchStatus *sql.Stmt
	sheetFind, sheetMove      *sql.Stmt
	softFind, softPut         *sql.Stmt
	softDrop, softSweep       *sql.Stmt
	softCount                 *sql.Stmt
	progFind, progAdd         *sql.Stmt
	progForget, progNumber    *sql.Stmt
	productAdd, productForget *sql.Stmt
	spread                    spreadStatements
	health                    healthStatements
}

func (g *groupStatements) prepare(ctx context.Context, db *sql.DB) error {
	var failed error
	stmt := func(query string) *sql.Stmt {
		s, err := db.PrepareContext(ctx, query)
		failed = errors.Join(failed, err)
		return s
	}
	g.find = stmt(`SELECT id, last, head FROM journals WHERE terminal = $1 AND outbox = $2`)
	g.others = stmt(`SELECT COUNT(*) FROM journals WHERE terminal = $1 AND outbox <> $2`)
	g.begin = stmt(`INSERT INTO journals (terminal, outbox, last, head, begun_at) VALUES ($1, $2, 0, $3, $4) RETURNING id`)
	g.head = stmt(`UPDATE journals SET last = $1, head = $2 WHERE id = $3`)
	g.hashes = stmt(`SELECT seq, hash FROM events WHERE journal = $1 AND seq BETWEEN $2 AND $3`)
	g.fault = stmt(`INSERT INTO faults (journal, seq, code, hash, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (journal, seq, code) DO NOTHING`)
	g.insertOne = stmt(insertText(1))
	g.insertMany = stmt(insertText(insertRows))
	g.touchContact = stmt(`UPDATE terminals SET last_contact = $1 WHERE id = $2 AND last_contact < $1`)
	g.touchStatus = stmt(`UPDATE terminals SET last_contact = $1, applied = $2, agent = $3, status = $4 WHERE id = $5`)
	g.sheetFind = stmt(`SELECT tag, turn, items, whole FROM sheets WHERE terminal = $1 AND name = $2`)
	g.sheetMove = stmt(`INSERT INTO sheets (terminal, name, tag, turn, items, whole, begun_at, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
		ON CONFLICT (terminal, name) DO UPDATE SET tag = excluded.tag, turn = excluded.turn, items = excluded.items, whole = excluded.whole,
		begun_at = CASE WHEN $8 = 1 THEN excluded.begun_at ELSE sheets.begun_at END, changed_at = excluded.changed_at`)
	g.softFind = stmt(`SELECT s.turn, s.program, p.product, s.first_seen, s.changed_at, s.body FROM software s
		JOIN programs p ON p.id = s.program WHERE s.terminal = $1 AND s.item = $2`)
	g.softPut = stmt(`INSERT INTO software (terminal, item, turn, program, username, installed_at, first_seen, changed_at, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (terminal, item) DO UPDATE SET turn = excluded.turn, program = excluded.program,
		username = excluded.username, installed_at = excluded.installed_at, changed_at = excluded.changed_at, body = excluded.body`)
	g.softDrop = stmt(`DELETE FROM software WHERE terminal = $1 AND item = $2`)
	g.softSweep = stmt(`SELECT s.item, s.turn, s.program, p.product, s.first_seen, s.changed_at FROM software s
		JOIN programs p ON p.id = s.program WHERE s.terminal = $1 AND s.turn <> $2`)
	g.softCount = stmt(`SELECT COUNT(*) FROM software WHERE terminal = $1`)
	g.progFind = stmt(`SELECT id, product FROM programs WHERE digest = $1`)
	g.progAdd = stmt(`INSERT INTO programs (id, product, digest, kind, name, version, publisher, signer, source, origin, path, hash, essential)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`)
	g.progNumber = stmt(`UPDATE program_numbers SET last = last + 1 RETURNING last`)
	g.progForget = stmt(`DELETE FROM programs WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM software WHERE program = $1) RETURNING product`)
	g.productAdd = stmt(`INSERT INTO products (name, publisher, hash) VALUES ($1, $2, $3)
		ON CONFLICT (name, publisher, hash) DO UPDATE SET name = excluded.name RETURNING id`)
	g.productForget = stmt(`DELETE FROM products WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM programs WHERE product = $1)`)
	g.spread.prepare(stmt)
	g.health.prepare(stmt)
	return failed
}

// insertText is one statement for n records.
func insertText(n int) string {
	var b strings.Builder
	b.WriteString(`INSERT INTO events (terminal, journal, seq, hash, chain_ok, received_at, at, kind, what, outcome,
		violation, severity, username, serial, device, grant_id, mark, request, body) VALUES `)
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		for c := range insertColumns {
			b.WriteByte("(,"[min(c, 1)])
			b.WriteString(placeholder(i*insertColumns + c + 1))
		}
		b.WriteByte(')')
	}
	return b.String()
}

// groupTx is the prepared statements within one transaction, each bound to it once.
type groupTx struct {
	*groupStatements
	tx     *sql.Tx
	bound  map[*sql.Stmt]*sql.Stmt
	groups map[string]string // in which group a terminal counts
	stale  map[spreadAt]bool // where lookAgain has to look
}

func (g *groupStatements) in(tx *sql.Tx) *groupTx {
	return &groupTx{g, tx, map[*sql.Stmt]*sql.Stmt{}, map[string]string{}, map[spreadAt]bool{}}
}

func (s *groupTx) bind(q *sql.Stmt) *sql.Stmt {
	b := s.bound[q]
	if b == nil {
		b = s.tx.Stmt(q)
		s.bound[q] = b
	}
	return b
}

func (s *groupTx) exec(q *sql.Stmt, args ...any) (sql.Result, error) { return s.bind(q).Exec(args...) }
func (s *groupTx) row(q *sql.Stmt, args ...any) *sql.Row             { return s.bind(q).QueryRow(args...) }
func (s *groupTx) query(q *sql.Stmt, args ...any) (*sql.Rows, error) { return s.bind(q).Query(args...) }

func (s *groupTx) insert(journal int64, terminal string, rows []row) error {
	for len(rows) > 0 {
		n, stmt := 1, s.insertOne
		if len(rows) >= insertRows {
			n, stmt = insertRows, s.insertMany
		}
		args := make([]any, 0, n*insertColumns)
		for i := range rows[:n] {
			args = rows[i].values(args, journal, terminal)
		}
		if _, err := s.exec(stmt, args...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// values appends the columns in the order of insertText.
func (r *row) values(to []any, journal int64, terminal string) []any {
	return append(to, terminal, journal, int64(r.seq), r.hash[:], flag(r.chainOK), r.received, r.at, r.kind, r.what, r.outcome,
		flag(r.violation), r.severity, r.user, r.serial, r.device, r.grant, r.mark, r.request, r.body)
}

// touch notes the contact and, when given, the terminal's status.
func (s *groupTx) touch(b *batch) error {
	if b.status == nil {
		_, err := s.exec(s.touchContact, ms(b.now), b.terminal)
		return err
	}
	text, err := statusText(*b.status)
	if err != nil {
		return fmt.Errorf("cannot store status: %w", err)
	}
	res, err := s.exec(s.touchStatus, ms(b.now), b.status.Revision, clean(b.status.Agent), string(text), b.terminal)
	return changed(res, err, ErrNotFound)
}

// statusText is the status as it is kept. What is too much of it is left out and said: records that came with it are worth more.
func statusText(s wire.Status) ([]byte, error) {
	text, err := json.Marshal(s)
	if err == nil && len(text) <= maxStatus {
		return text, nil
	}
	return json.Marshal(wire.Status{
		At: bounded(s.At), Agent: clean(s.Agent), OS: clean(s.OS), Kernel: clean(s.Kernel), Boot: clean(s.Boot), Revision: s.Revision,
		Mode: clean(s.Mode), Gate: clean(s.Gate), User: clean(s.User), Unsent: s.Unsent,
		Faults: []string{fmt.Sprintf("cannot show what is attached: the status has %d bytes", len(text))},
		Codes:  []string{wire.FaultStatus},
	})
}

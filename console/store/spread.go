package store

import (
	"database/sql"
	"errors"
)

// Of every program and group the table spreads says on how many terminals it is, since when, and when that changed. It
// follows the rows of software in the transaction that changes them. Retired terminals do not count.

// holding is a program on a terminal: what its lines there say together.
type holding struct {
	program              int64
	firstSeen, changedAt int64
	shared               bool // the terminal has another program of the same product as well
}

// spreadStatements are prepared once on the writing connection.
type spreadStatements struct {
	group, holdings  *sql.Stmt
	more, less, none *sql.Stmt
	others           *sql.Stmt
	join, share      *sql.Stmt
	leave, when, end *sql.Stmt
}

func (p *spreadStatements) prepare(stmt func(string) *sql.Stmt) {
	p.group = stmt(`SELECT group_id FROM terminals WHERE id = $1 AND retired_at = 0`)
	p.more = stmt(`INSERT INTO holdings (terminal, product, program, lines) VALUES ($1, $2, $3, 1)
		ON CONFLICT (terminal, product, program) DO UPDATE SET lines = holdings.lines + 1 RETURNING lines`)
	p.less = stmt(`UPDATE holdings SET lines = lines - 1 WHERE terminal = $1 AND product = $2 AND program = $3 RETURNING lines`)
	p.none = stmt(`DELETE FROM holdings WHERE terminal = $1 AND product = $2 AND program = $3`)
	p.others = stmt(`SELECT program FROM holdings WHERE terminal = $1 AND product = $2 AND program <> $3 LIMIT 2`)
	p.holdings = stmt(`SELECT s.program, MIN(s.first_seen), MAX(s.changed_at), COUNT(*) OVER (PARTITION BY p.product) - 1
		FROM software s JOIN programs p ON p.id = s.program WHERE s.terminal = $1 GROUP BY s.program, p.product`)
	p.join = stmt(`INSERT INTO spreads (program, group_id, terminals, shared, first_seen, changed_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (program, group_id) DO UPDATE SET terminals = spreads.terminals + excluded.terminals, shared = spreads.shared + excluded.shared,
		first_seen = CASE WHEN excluded.first_seen < spreads.first_seen THEN excluded.first_seen ELSE spreads.first_seen END,
		changed_at = CASE WHEN excluded.changed_at > spreads.changed_at THEN excluded.changed_at ELSE spreads.changed_at END`)
	p.share = stmt(`UPDATE spreads SET shared = shared + $1 WHERE program = $2 AND group_id = $3`)
	p.leave = stmt(`UPDATE spreads SET terminals = terminals - $1, shared = shared - $2 WHERE program = $3 AND group_id = $4
		RETURNING terminals, first_seen, changed_at`)
	p.when = stmt(`UPDATE spreads SET (first_seen, changed_at) = (SELECT MIN(s.first_seen), MAX(s.changed_at)
		FROM software s JOIN terminals t ON t.id = s.terminal WHERE s.program = $1 AND t.group_id = $2 AND t.retired_at = 0) WHERE program = $1 AND group_id = $2`)
	p.end = stmt(`DELETE FROM spreads WHERE program = $1 AND group_id = $2`)
}

func readHolding(s scanner) (h holding, err error) {
	var others int64
	err = s.Scan(&h.program, &h.firstSeen, &h.changedAt, &others)
	h.shared = others > 0
	return h, err
}

// countedIn is the group that a terminal counts in; "" is none.
func (s *groupTx) countedIn(terminal string) (group string, err error) {
	if group, ok := s.groups[terminal]; ok {
		return group, nil
	}
	err = s.row(s.spread.group, terminal).Scan(&group)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", err
	}
	s.groups[terminal] = group
	return group, nil
}

// siblings gives at most two of the other programs of a product that a terminal has.
func (s *groupTx) siblings(terminal string, product, program int64) ([]int64, error) {
	rows, err := s.query(s.spread.others, terminal, product, program)
	return collect(rows, err, func(s scanner) (id int64, err error) { return id, s.Scan(&id) })
}

// lineComes follows a line that is a program now and was not before.
func (s *groupTx) lineComes(terminal string, is lineKept) error {
	var lines int64
	if err := s.row(s.spread.more, terminal, is.product, is.program).Scan(&lines); err != nil {
		return err
	}
	group, err := s.countedIn(terminal)
	if err != nil || group == "" {
		return err
	}
	h := holding{program: is.program, firstSeen: is.firstSeen, changedAt: is.changedAt}
	if lines > 1 {
		return s.joins(group, h, false)
	}
	others, err := s.siblings(terminal, is.product, is.program)
	if err != nil {
		return err
	}
	h.shared = len(others) > 0
	return errors.Join(s.joins(group, h, true), s.nowShared(group, others, 1))
}

// lineGoes follows a line that was a program and is it no more.
func (s *groupTx) lineGoes(terminal string, was lineKept) error {
	var lines int64
	err := s.row(s.spread.less, terminal, was.product, was.program).Scan(&lines)
	switch {
	case errors.Is(err, sql.ErrNoRows): // it was never counted
		return nil
	case err == nil && lines <= 0:
		_, err = s.exec(s.spread.none, terminal, was.product, was.program)
	}
	if err != nil {
		return err
	}
	group, err := s.countedIn(terminal)
	if err != nil || group == "" {
		return err
	}
	h := holding{program: was.program, firstSeen: was.firstSeen, changedAt: was.changedAt}
	if lines > 0 {
		return s.leaves(group, h, false)
	}
	others, err := s.siblings(terminal, was.product, was.program)
	if err != nil {
		return err
	}
	h.shared = len(others) > 0
	return errors.Join(s.leaves(group, h, true), s.nowShared(group, others, -1))
}

// lineChanges follows a line that changed and is the same program.
func (s *groupTx) lineChanges(terminal string, had lineKept, changedAt int64) error {
	group, err := s.countedIn(terminal)
	if err != nil || group == "" {
		return err
	}
	h := holding{program: had.program, firstSeen: had.firstSeen, changedAt: had.changedAt}
	if changedAt < had.changedAt { // the clock was set back
		return s.leaves(group, h, false)
	}
	h.changedAt = changedAt
	return s.joins(group, h, false)
}

// nowShared marks the only other program of a product, or takes the mark back: where there are more, they are marked already.
func (s *groupTx) nowShared(group string, others []int64, by int64) error {
	if len(others) != 1 {
		return nil
	}
	_, err := s.exec(s.spread.share, by, others[0], group)
	return err
}

// joins counts a holding; one of a terminal that is counted with the program already only says since when.
func (s *groupTx) joins(group string, h holding, counts bool) error {
	_, err := s.exec(s.spread.join, h.program, group, flag(counts), flag(h.shared), h.firstSeen, h.changedAt)
	return err
}

// leaves is the reverse. Where the earliest or the latest may have gone, lookAgain must follow once all lines are as they shall be:
// of many lines of one program it looks once.
func (s *groupTx) leaves(group string, h holding, counts bool) error {
	var terminals, first, changed int64
	err := s.row(s.spread.leave, flag(counts), flag(h.shared), h.program, group).Scan(&terminals, &first, &changed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	case terminals <= 0:
		_, err = s.exec(s.spread.end, h.program, group)
	case h.firstSeen <= first || h.changedAt >= changed:
		s.stale[spreadAt{h.program, group}] = true
	}
	return err
}

// spreadAt names a row of spreads.
type spreadAt struct {
	program int64
	group   string
}

// lookAgain finds out since when programs are there whose earliest or latest line may have gone.
func (s *groupTx) lookAgain() error {
	for at := range s.stale {
		if _, err := s.exec(s.spread.when, at.program, at.group); err != nil {
			return err
		}
	}
	clear(s.stale)
	return nil
}

// terminalHoldings is all that a terminal has.
func (s *groupTx) terminalHoldings(terminal string) ([]holding, error) {
	rows, err := s.query(s.spread.holdings, terminal)
	return collect(rows, err, readHolding)
}

// terminalMoves does what takes a terminal out of a group, gives it another, or both, and lets its programs follow.
func (s *groupTx) terminalMoves(terminal string, do func() error) error {
	from, err := s.countedIn(terminal)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	delete(s.groups, terminal)
	to, err := s.countedIn(terminal)
	if err != nil {
		return err
	}
	list, err := s.terminalHoldings(terminal)
	if err != nil {
		return err
	}
	for _, h := range list {
		if err := s.holdingMoves(h, from, to); err != nil {
			return err
		}
	}
	return s.lookAgain()
}

func (s *groupTx) holdingMoves(h holding, from, to string) error {
	if from != "" {
		if err := s.leaves(from, h, true); err != nil {
			return err
		}
	}
	if to == "" {
		return nil
	}
	return s.joins(to, h, true)
}

package store

import (
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// programRow is what is kept of a line of the software sheet beside its body.
type programRow struct {
	digest    [32]byte
	facts     policy.Program // cleaned, only what a rule can ask about
	user      string
	installed int64
}

// readProgram takes the columns from a line. One that cannot be read is kept under its id: that something is there that
// nobody can judge is worth knowing.
func readProgram(it wire.Item) programRow {
	var p policy.Program
	if err := json.Unmarshal(it.Body, &p); err != nil || clean(p.Name) == "" {
		p.Name, p.Source = it.ID, policy.SourceUnknown
	}
	r := programRow{user: clean(p.User), installed: ms(bounded(p.InstalledAt))}
	r.facts = policy.Program{
		Kind: policy.ProgramKind(clean(string(p.Kind))), Name: clean(p.Name), Version: clean(p.Version), Publisher: clean(p.Publisher),
		Signer: clean(p.Signer), Source: clean(p.Source), Origin: clean(p.Origin), Path: clean(p.Path), Hash: clean(p.Hash), Essential: p.Essential,
	}
	r.digest = digest(r.facts)
	return r
}

// digest tells programs apart by all that a rule can ask about them.
func digest(p policy.Program) (sum [32]byte) {
	d := sha256.New()
	for _, word := range []string{string(p.Kind), p.Name, p.Version, p.Publisher, p.Signer, p.Source, p.Origin, p.Path, p.Hash, strconv.FormatBool(p.Essential)} {
		d.Write([]byte(word))
		d.Write([]byte{0})
	}
	d.Sum(sum[:0])
	return sum
}

// softwareLines keeps wire.SheetSoftware.
type softwareLines struct{ *groupTx }

// begin leaves what is known from before, so that nobody sees an empty list meanwhile and first looks keep their day; of a
// terminal that begins again and again without an end it is all forgotten.
func (s softwareLines) begin(terminal string) (forgot bool, err error) {
	var n int64
	if err := s.row(s.softCount, terminal).Scan(&n); err != nil || n <= 2*wire.MaxSheetItems {
		return false, err
	}
	return true, s.sweep(terminal, -1)
}

func (s softwareLines) find(terminal, id string) (k lineKept, err error) {
	err = s.row(s.softFind, terminal, id).Scan(&k.turn, &k.program, &k.product, &k.firstSeen, &k.changedAt, &k.body)
	if errors.Is(err, sql.ErrNoRows) {
		return lineKept{}, nil
	}
	return k, err
}

func (s softwareLines) put(terminal string, turn int64, l line, had lineKept, now time.Time) error {
	is := lineKept{turn: turn, body: string(l.Body), firstSeen: ms(now), changedAt: ms(now)}
	if had.turn != 0 {
		is.firstSeen = had.firstSeen
	}
	if had.body == is.body {
		is.changedAt = had.changedAt
	}
	var err error
	if is.program, is.product, err = s.program(l.program); err != nil {
		return err
	}
	_, err = s.exec(s.softPut, terminal, l.ID, turn, is.program, l.program.user, l.program.installed, is.firstSeen, is.changedAt, is.body)
	if err != nil {
		return err
	}
	return s.follow(terminal, had, is)
}

// follow lets what is counted of programs follow a line.
func (s softwareLines) follow(terminal string, had, is lineKept) error {
	switch {
	case had.program == is.program && had.changedAt == is.changedAt:
		return nil
	case had.program == is.program:
		return s.lineChanges(terminal, had, is.changedAt)
	case had.program == 0:
		return s.lineComes(terminal, is)
	}
	if err := s.lineGoes(terminal, had); err != nil {
		return err
	}
	if err := s.lineComes(terminal, is); err != nil {
		return err
	}
	return s.forget(had.program)
}

// program finds the row of a program, or makes it.
func (s softwareLines) program(r programRow) (id, product int64, err error) {
	err = s.row(s.progFind, r.digest[:]).Scan(&id, &product)
	if !errors.Is(err, sql.ErrNoRows) {
		return id, product, err
	}
	if err := s.row(s.progNumber).Scan(&id); err != nil {
		return 0, 0, err
	}
	p := r.facts
	if product, err = s.product(p); err != nil {
		return 0, 0, err
	}
	_, err = s.exec(s.progAdd, id, product, r.digest[:], string(p.Kind), p.Name, p.Version, p.Publisher, p.Signer, p.Source, p.Origin, p.Path, p.Hash, flag(p.Essential))
	return id, product, err
}

func (s softwareLines) product(p policy.Program) (id int64, err error) {
	return id, s.row(s.productAdd, p.Name, p.Publisher, p.SingleHash()).Scan(&id)
}

func (s softwareLines) drop(terminal, id string, had lineKept) error {
	if had.turn == 0 {
		return nil
	}
	if _, err := s.exec(s.softDrop, terminal, id); err != nil {
		return err
	}
	if err := s.lineGoes(terminal, had); err != nil {
		return err
	}
	return s.forget(had.program)
}

func (s softwareLines) sweep(terminal string, turn int64) error {
	rows, err := s.query(s.softSweep, terminal, turn)
	gone, err := collect(rows, err, readGone)
	if err != nil {
		return err
	}
	for _, l := range gone {
		if err := s.drop(terminal, l.item, l.lineKept); err != nil {
			return err
		}
	}
	return nil
}

// goneLine is a line that is not in its terminal's list any more.
type goneLine struct {
	item string
	lineKept
}

func readGone(s scanner) (l goneLine, err error) {
	return l, s.Scan(&l.item, &l.turn, &l.program, &l.product, &l.firstSeen, &l.changedAt)
}

func (s softwareLines) end(string, time.Time) error { return s.lookAgain() }

// forget takes away a program that no terminal has any more.
func (s softwareLines) forget(id int64) error {
	if id == 0 {
		return nil
	}
	var product int64
	err := s.row(s.progForget, id).Scan(&product)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = s.exec(s.productForget, product)
	return err
}

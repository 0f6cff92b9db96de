package store

import (
	"database/sql"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sekisho/internal/wire"
)

// maxSteps is how many steps of sheets one request may bring; what is beyond is not looked at.
const maxSteps = 32

// step is one step of a sheet, looked at before the database is touched.
type step struct {
	name     string
	from, to wire.Hash
	set      []line
	gone     []string
	more     bool
	bad      bool // it breaks a bound: nothing of it is kept, and the answer says where the console stands
}

// line is one line of a sheet with what is kept of it beside its body.
type line struct {
	wire.Item
	program programRow // of wire.SheetSoftware
	check   checkRow   // of wire.SheetHealth
}

// keeper stores the lines of one kind of sheet.
type keeper interface {
	// begin says that the list begins anew: its lines of older turns are known from before until sweep forgets them, or begin
	// forgot them.
	begin(terminal string) (forgot bool, err error)
	// find gives a line as it is kept, whatever its turn.
	find(terminal, id string) (lineKept, error)
	put(terminal string, turn int64, l line, had lineKept, now time.Time) error
	drop(terminal, id string, had lineKept) error
	sweep(terminal string, turn int64) error
	// end comes after every step that was taken.
	end(terminal string, now time.Time) error
}

// lineKept is a line as the database has it; turn 0 is none.
type lineKept struct {
	turn                 int64
	program, product     int64
	firstSeen, changedAt int64 // of wire.SheetSoftware
	body                 string
}

// keeper gives who keeps a sheet, nil for one that this console does not keep: its steps are not answered.
func (s *groupTx) keeper(name string) keeper {
	switch name {
	case wire.SheetSoftware:
		return softwareLines{s}
	case wire.SheetHealth:
		return healthLines{s}
	}
	return nil
}

// prepareSheets looks at every step and reads its lines.
func prepareSheets(sheets []wire.Sheet) []step {
	steps := make([]step, 0, min(len(sheets), maxSteps))
	for _, sh := range sheets[:min(len(sheets), maxSteps)] {
		st := step{name: sh.Name, from: sh.From, to: sh.To, gone: sh.Gone, more: sh.More, bad: !sound(sh)}
		if !st.bad {
			st.set = make([]line, len(sh.Set))
			for i, it := range sh.Set {
				st.set[i] = readLine(sh.Name, it)
			}
		}
		steps = append(steps, st)
	}
	return steps
}

func readLine(name string, it wire.Item) line {
	l := line{Item: it}
	switch name {
	case wire.SheetSoftware:
		l.program = readProgram(it)
	case wire.SheetHealth:
		l.check = readCheck(it)
	}
	return l
}

// sound says whether a step keeps the protocol's bounds and names no line twice.
func sound(sh wire.Sheet) bool {
	if len(sh.Set)+len(sh.Gone) > wire.MaxSheetStep {
		return false
	}
	seen, bytes := make(map[string]bool, len(sh.Set)+len(sh.Gone)), 0
	once := func(id string) bool {
		ok := !seen[id] && soundID(id)
		seen[id] = true
		return ok
	}
	for _, it := range sh.Set {
		bytes += len(it.Body)
		if !once(it.ID) || len(it.Body) == 0 || len(it.Body) > wire.MaxItem || !utf8.Valid(it.Body) {
			return false
		}
	}
	for _, id := range sh.Gone {
		if !once(id) {
			return false
		}
	}
	return bytes <= wire.MaxStepBytes || len(sh.Set) == 1
}

// soundID takes what a column of either database holds and a page can show.
func soundID(id string) bool {
	return id != "" && len(id) <= wire.MaxItemID && utf8.ValidString(id) && !strings.ContainsFunc(id, unicode.IsControl)
}

// place is where a sheet stands.
type place struct {
	tag         wire.Hash
	turn, items int64
	whole       bool
}

// storeSheets takes the steps that follow, and says of every sheet that came where it stands now.
func (s *groupTx) storeSheets(b *batch) error {
	b.stands = map[string]wire.Hash{}
	for i := range b.sheets {
		st := &b.sheets[i]
		k := s.keeper(st.name)
		if k == nil {
			continue
		}
		tag, err := s.storeStep(k, b, st)
		if err != nil {
			return err
		}
		b.stands[st.name] = tag
	}
	return nil
}

// storeStep takes a step whole or not at all.
func (s *groupTx) storeStep(k keeper, b *batch, st *step) (wire.Hash, error) {
	at, err := s.sheetPlace(b.terminal, st.name)
	if err != nil {
		return at.tag, err
	}
	anew := st.from == wire.Hash{}
	asks := !anew && st.from == st.to && len(st.set)+len(st.gone) == 0 // only where the list stands
	if st.bad || asks || !anew && (st.from != at.tag || at.turn == 0) {
		return at.tag, nil
	}
	next := place{tag: at.tag, turn: at.turn, items: at.items, whole: !st.more}
	if anew {
		next.tag, next.turn, next.items = wire.Hash{}, at.turn+1, 0
	}
	had, err := next.follow(k, b.terminal, st)
	if err != nil || next.tag != st.to || next.items > wire.MaxSheetItems {
		return at.tag, err
	}
	if anew {
		forgot, err := k.begin(b.terminal)
		if err != nil {
			return at.tag, err
		}
		if forgot {
			clear(had)
		}
	}
	if err := s.keepStep(k, b, st, had, next); err != nil {
		return at.tag, err
	}
	if next.whole && (anew || !at.whole) {
		if err := k.sweep(b.terminal, next.turn); err != nil {
			return at.tag, err
		}
	}
	if err := k.end(b.terminal, b.now); err != nil {
		return at.tag, err
	}
	return next.tag, s.moveSheet(b, st.name, next, anew)
}

// follow works out tag and number of lines after the step, and gives what was kept of each line before.
func (p *place) follow(k keeper, terminal string, st *step) ([]lineKept, error) {
	had := make([]lineKept, 0, len(st.set)+len(st.gone))
	out := func(id string) (bool, error) {
		h, err := k.find(terminal, id)
		had = append(had, h)
		if err != nil || h.turn != p.turn {
			return false, err
		}
		p.tag = p.tag.Mix(wire.Item{ID: id, Body: []byte(h.body)})
		return true, nil
	}
	for _, l := range st.set {
		there, err := out(l.ID)
		if err != nil {
			return nil, err
		}
		if !there {
			p.items++
		}
		p.tag = p.tag.Mix(l.Item)
	}
	for _, id := range st.gone {
		there, err := out(id)
		if err != nil {
			return nil, err
		}
		if there {
			p.items--
		}
	}
	return had, nil
}

func (s *groupTx) keepStep(k keeper, b *batch, st *step, had []lineKept, next place) error {
	for i, l := range st.set {
		if err := k.put(b.terminal, next.turn, l, had[i], b.now); err != nil {
			return err
		}
	}
	for i, id := range st.gone {
		if err := k.drop(b.terminal, id, had[len(st.set)+i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *groupTx) sheetPlace(terminal, name string) (p place, err error) {
	var tag []byte
	var whole int64
	err = s.row(s.sheetFind, terminal, name).Scan(&tag, &p.turn, &p.items, &whole)
	if errors.Is(err, sql.ErrNoRows) {
		return place{}, nil
	}
	copy(p.tag[:], tag)
	p.whole = whole != 0
	return p, err
}

func (s *groupTx) moveSheet(b *batch, name string, p place, anew bool) error {
	_, err := s.exec(s.sheetMove, b.terminal, name, p.tag[:], p.turn, p.items, flag(p.whole), ms(b.now), flag(anew))
	return err
}

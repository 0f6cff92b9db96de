package store

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// rawLine is a line of software as it lies in the tables.
type rawLine struct {
	terminal, group         string
	retired                 bool
	program, product        int64
	name, publisher, single string
	first, changed          int64
}

func rawLines(t testing.TB, db *DB) []rawLine {
	t.Helper()
	rows, err := db.reader.Query(`SELECT s.terminal, t.group_id, t.retired_at <> 0, s.program, p.product, p.name, p.publisher,
		CASE WHEN p.kind IN ('file', 'script', 'appimage') THEN p.hash ELSE '' END, s.first_seen, s.changed_at
		FROM software s JOIN terminals t ON t.id = s.terminal JOIN programs p ON p.id = s.program`)
	list, err := collect(rows, err, func(s scanner) (l rawLine, err error) {
		return l, s.Scan(&l.terminal, &l.group, &l.retired, &l.program, &l.product, &l.name, &l.publisher, &l.single, &l.first, &l.changed)
	})
	must(t, err)
	return list
}

type rawSpread struct {
	program, terminals, shared, first, changed int64
	group                                      string
}

// fromScratch counts one line after the other, as nobody would who has many.
func fromScratch(lines []rawLine) []rawSpread {
	type on struct {
		terminal string
		program  int64
	}
	type where struct {
		program int64
		group   string
	}
	type of struct{ terminal, name, publisher, single string }
	programs, seen, all := map[of]map[int64]bool{}, map[on]bool{}, map[where]*rawSpread{}
	for _, l := range lines {
		k := of{l.terminal, l.name, l.publisher, l.single}
		if programs[k] == nil {
			programs[k] = map[int64]bool{}
		}
		programs[k][l.program] = true
	}
	for _, l := range lines {
		if l.retired {
			continue
		}
		sp := all[where{l.program, l.group}]
		if sp == nil {
			sp = &rawSpread{program: l.program, group: l.group, first: l.first, changed: l.changed}
			all[where{l.program, l.group}] = sp
		}
		sp.first, sp.changed = min(sp.first, l.first), max(sp.changed, l.changed)
		if !seen[on{l.terminal, l.program}] {
			seen[on{l.terminal, l.program}] = true
			sp.terminals++
			if len(programs[of{l.terminal, l.name, l.publisher, l.single}]) > 1 {
				sp.shared++
			}
		}
	}
	var list []rawSpread
	for _, sp := range all {
		list = append(list, *sp)
	}
	slices.SortFunc(list, func(a, b rawSpread) int {
		return cmp.Or(cmp.Compare(a.program, b.program), cmp.Compare(a.group, b.group))
	})
	return list
}

// counted fails unless what is kept beside the lines is what they come to.
func counted(t testing.TB, db *DB) {
	t.Helper()
	lines := rawLines(t, db)
	rows, err := db.reader.Query(`SELECT program, terminals, shared, first_seen, changed_at, group_id FROM spreads ORDER BY program, group_id`)
	have, err := collect(rows, err, func(s scanner) (r rawSpread, err error) {
		return r, s.Scan(&r.program, &r.terminals, &r.shared, &r.first, &r.changed, &r.group)
	})
	must(t, err)
	if want := fromScratch(lines); !slices.Equal(have, want) {
		t.Fatalf("kept    %+v\ncounted %+v", have, want)
	}
	for what, query := range map[string]string{
		"lines counted for terminals that differ": `SELECT COUNT(*) FROM (SELECT s.terminal, p.product, s.program, COUNT(*) AS lines FROM software s JOIN programs p ON p.id = s.program
			GROUP BY s.terminal, p.product, s.program) AS n LEFT JOIN holdings h ON h.terminal = n.terminal AND h.product = n.product AND h.program = n.program
			WHERE COALESCE(h.lines, 0) <> n.lines`,
		"lines counted that are not there": `SELECT COUNT(*) FROM holdings h WHERE NOT EXISTS (SELECT 1 FROM software s WHERE s.terminal = h.terminal AND s.program = h.program)`,
		"programs that nobody has":         `SELECT COUNT(*) FROM programs p WHERE NOT EXISTS (SELECT 1 FROM software s WHERE s.program = p.id)`,
		"products without a program":       `SELECT COUNT(*) FROM products d WHERE NOT EXISTS (SELECT 1 FROM programs p WHERE p.product = d.id)`,
		"programs of another product": `SELECT COUNT(*) FROM programs p JOIN products d ON d.id = p.product WHERE p.name <> d.name OR p.publisher <> d.publisher
			OR d.hash <> CASE WHEN p.kind IN ('file', 'script', 'appimage') THEN p.hash ELSE '' END`,
	} {
		var n int
		must(t, db.reader.QueryRow(query).Scan(&n))
		if n != 0 {
			t.Fatalf("%d %s", n, what)
		}
	}
	countedForPages(t, db, lines)
}

// countedForPages compares what pages ask for: some programs together, each terminal once.
func countedForPages(t testing.TB, db *DB, lines []rawLine) {
	t.Helper()
	list, cut, err := db.Fleet(t.Context(), "")
	must(t, err)
	some := slices.DeleteFunc(slices.Clone(list), func(sp Spread) bool { return rand.IntN(2) == 0 })
	for name, of := range map[string][]Spread{"all": list, "some": some, "one product": productOf(list, rand.Uint32()), "part of one": productOf(some, rand.Uint32())} {
		want := map[string]bool{}
		for _, l := range lines {
			if !l.retired && slices.ContainsFunc(of, func(sp Spread) bool { return sp.ID == l.program && sp.Group == l.group }) {
				want[l.terminal] = true
			}
		}
		if n, err := db.CountTerminals(t.Context(), of); err != nil || n != len(want) || cut {
			t.Fatalf("%s: %d terminals instead of %d, %v %+v", name, n, len(want), err, of)
		}
	}
}

func productOf(list []Spread, which uint32) []Spread {
	if len(list) == 0 {
		return nil
	}
	product := list[int(which)%len(list)].Product
	return slices.DeleteFunc(slices.Clone(list), func(sp Spread) bool { return sp.Product != product })
}

// drawnProgram is one of few programs, so that terminals have the same, several versions, and the same twice.
func drawnProgram(r *rand.Rand) policy.Program {
	p := curl(fmt.Sprint("7.", r.IntN(3)))
	p.Name, p.ID = fmt.Sprint("p", r.IntN(3)), fmt.Sprint("item", r.IntN(7))
	p.User = []string{"", "suzuki"}[r.IntN(2)] // no rule asks about it: the same program
	if r.IntN(4) == 0 {
		f := tool(fmt.Sprint("/opt/", r.IntN(3)))
		f.ID, f.Hash = p.ID, strings.Repeat([]string{"ab", "cd"}[r.IntN(2)], 32)
		return f
	}
	return p
}

// TestWhatIsKeptOfTheFleetIsWhatItsLinesComeTo draws all that terminals and people can do to lists.
func TestWhatIsKeptOfTheFleetIsWhatItsLinesComeTo(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r, db, now := rand.New(rand.NewPCG(seed, 7)), open(t), noon
			must(t, db.PutGroup(t.Context(), "office", "事務端末", "1007", noon))
			terminals, lists := []string{}, map[string]*listOf{}
			for range 150 {
				now = now.Add(time.Duration(r.IntN(5)-1) * time.Minute) // clocks are set back at times
				if len(terminals) < 2 || r.IntN(20) == 0 {
					id := fmt.Sprint("t", len(terminals)+int(seed)*100)
					enrol(t, db, id)
					terminals, lists[id] = append(terminals, id), &listOf{name: wire.SheetSoftware}
				}
				changeSomething(t, db, r, terminals[r.IntN(len(terminals))], lists, now)
				counted(t, db)
			}
		})
	}
}

func changeSomething(t testing.TB, db *DB, r *rand.Rand, id string, lists map[string]*listOf, now time.Time) {
	t.Helper()
	set := map[string]wire.Item{}
	for range r.IntN(5) {
		it := item(t, drawnProgram(r))
		set[it.ID] = it
	}
	var items []wire.Item
	for _, it := range set {
		items = append(items, it)
	}
	var gone []string
	for have := range lists[id].have {
		if _, again := set[have]; !again && r.IntN(4) == 0 {
			gone = append(gone, have)
		}
	}
	switch n := r.IntN(20); {
	case n < 10:
		bring(t, db, id, now, lists[id].step(false, r.IntN(4) == 0, gone, items...))
	case n < 14:
		bring(t, db, id, now, lists[id].step(true, r.IntN(3) == 0, nil, items...))
	case n < 17:
		must(t, ignoreGone(db.MoveTerminal(t.Context(), id, []string{"default", "office"}[r.IntN(2)], "1007", now)))
	case n < 18:
		must(t, ignoreGone(db.RetireTerminal(t.Context(), id, "廃棄", "1007", now)))
	default:
		_, err := db.writer.Exec(`UPDATE terminals SET name = name || 'x' WHERE id = $1`, id)
		must(t, err)
	}
}

// ignoreGone: a terminal may have been retired before.
func ignoreGone(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

func TestATerminalThatBeginsWithoutAnEndIsForgottenInTheCountAsWell(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	enrol(t, db, "t2")
	bring(t, db, "t2", noon, (&listOf{name: wire.SheetSoftware}).step(true, false, nil, item(t, curl("7.1"))))
	bring(t, db, "t1", noon, (&listOf{name: wire.SheetSoftware}).step(true, false, nil, item(t, curl("7.1"))))
	_, err := db.writer.Exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
		INSERT INTO software (terminal, item, turn, program, username, installed_at, first_seen, changed_at, body)
		SELECT 't1', 'again ' || i, turn, program, '', 0, first_seen, changed_at, body FROM n, software WHERE terminal = 't1'`)
	must(t, err)
	_, err = db.writer.Exec(`UPDATE holdings SET lines = 40001 WHERE terminal = 't1'`)
	must(t, err)
	counted(t, db)
	bring(t, db, "t1", noon, (&listOf{name: wire.SheetSoftware}).step(true, true, nil, item(t, curl("7.1"))))
	counted(t, db)
	if n := lines(t, db); n != 2 {
		t.Errorf("%d lines are kept", n)
	}
}

func TestANumberOfAProgramIsNeverGivenTwice(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	l := &listOf{name: wire.SheetSoftware}
	bring(t, db, "t1", noon, l.step(true, false, nil, item(t, curl("7.1"))))
	had, _, err := db.Fleet(t.Context(), "")
	must(t, err)
	bring(t, db, "t1", noon, l.step(false, false, []string{"deb:curl:amd64"}))
	bring(t, db, "t1", noon, l.step(false, false, nil, item(t, tool("/opt/x"))))
	now, _, err := db.Fleet(t.Context(), "")
	must(t, err)
	if len(had) != 1 || len(now) != 1 || had[0].ID == now[0].ID {
		t.Errorf("%+v was forgotten, and then there was %+v", had, now)
	}
}

// TestADatabaseBeforeSpreadsCountsWhatItHas begins with rows as the schema before wrote them.
func TestADatabaseBeforeSpreadsCountsWhatItHas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.db")
	old, err := sql.Open("sqlite", source(path))
	must(t, err)
	files, err := fs.Sub(migrations, "migrations/sqlite")
	must(t, err)
	p, err := goose.NewProvider(goose.DialectSQLite3, old, files)
	must(t, err)
	_, err = p.UpTo(t.Context(), 5)
	must(t, err)
	_, err = old.Exec(oldFleet(rand.New(rand.NewPCG(7, 7))))
	must(t, err)
	must(t, old.Close())
	db := reopen(t, path)
	counted(t, db)
	if list, _, err := db.Fleet(t.Context(), ""); err != nil || len(list) < 10 || !slices.ContainsFunc(list, func(sp Spread) bool { return sp.Shared > 0 }) {
		t.Errorf("%+v, %v", list, err)
	}
	bring(t, db, "t1", noon, (&listOf{name: wire.SheetSoftware}).step(true, false, nil, item(t, curl("7.1"))))
	must(t, db.MoveTerminal(t.Context(), "t2", "office", "1007", noon))
	counted(t, db)
	var first int64
	must(t, db.reader.QueryRow(`SELECT id FROM programs WHERE digest = $1`, digestOf(curl("7.1"))).Scan(&first))
	if first <= 12 {
		t.Errorf("a new program has the number %d of an older one", first)
	}
}

func digestOf(p policy.Program) []byte {
	sum := digest(p)
	return sum[:]
}

// oldFleet is terminals of two groups, one of them retired, with programs in several versions and twice.
func oldFleet(r *rand.Rand) string {
	var b strings.Builder
	b.WriteString(`INSERT INTO groups (id, name, created_at) VALUES ('default', '既定', 1), ('office', '事務', 1);`)
	for i := range 8 {
		fmt.Fprintf(&b, `INSERT INTO terminals (id, name, group_id, enrolled_at, os, arch, agent, revision, revised_at, retired_at) VALUES ('t%d', 'PC', '%s', 5, 'linux', 'amd64', '0.1', 1, 5, %d);`,
			i, []string{"default", "office"}[i%2], i/7)
	}
	for i := range 12 {
		kind := []string{"deb", "file"}[i%2]
		fmt.Fprintf(&b, `INSERT INTO programs (id, digest, kind, name, version, publisher, signer, source, origin, path, hash, essential) VALUES (%d, '%d', '%s', 'p%d', '%d', 'Debian', '', 'none', '', '/opt/%d', 'h%d', 0);`,
			i+1, i, kind, i%3, i, i, i%4)
	}
	for i := range 100 {
		fmt.Fprintf(&b, `INSERT INTO software (terminal, item, turn, program, username, installed_at, first_seen, changed_at, body) VALUES ('t%d', 'i%d', 1, %d, '', 0, %d, %d, '{}');`,
			r.IntN(8), i, i%12+1, 1000+r.IntN(50), 2000+r.IntN(50))
	}
	return b.String()
}

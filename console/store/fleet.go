package store

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"
	"time"

	"sekisho/internal/policy"
)

// Spread is a program and how far it is spread in one group.
type Spread struct {
	ID                   int64
	Product              int64           // all versions of a name and publisher have the same
	Program              *policy.Program // only what a rule can ask about; the same one for every group
	Group                string
	Terminals            int
	Shared               int // terminals of them that have another program of the product as well
	FirstSeen, ChangedAt time.Time
}

// maxSpreads bounds what is held of a fleet at a time; beyond it pages say that there is more.
const maxSpreads = 200_000

const programColumns = `p.id, p.product, p.kind, p.name, p.version, p.publisher, p.signer, p.source, p.origin, p.path, p.hash, p.essential`

// Fleet gives every program of the fleet once for each group that has it, by name; group "" is all. Cut says that there are
// more: then it is those that came last.
func (db *DB) Fleet(ctx context.Context, group string) (list []Spread, cut bool, err error) {
	err = db.view(ctx, func(tx *sql.Tx) error {
		where, programs, more, err := spreads(ctx, tx, `($1 = '' OR group_id = $1)`, group)
		if err != nil || len(where) == 0 {
			return err
		}
		cut, list = more, make([]Spread, 0, len(where))
		return programsInto(ctx, tx, &list, where, `p.id >= $1 ORDER BY p.name, p.publisher, p.id`, slices.Min(programs))
	})
	return list, cut, err
}

// ProductSpread gives the programs of one product alike.
func (db *DB) ProductSpread(ctx context.Context, name, publisher, hash string) (list []Spread, err error) {
	err = db.view(ctx, func(tx *sql.Tx) error {
		var product int64
		if err := tx.QueryRowContext(ctx, `SELECT id FROM products WHERE name = $1 AND publisher = $2 AND hash = $3`, name, publisher, hash).Scan(&product); err != nil {
			return err
		}
		where, _, _, err := spreads(ctx, tx, `program IN (SELECT id FROM programs WHERE product = $1)`, product)
		if err != nil {
			return err
		}
		return programsInto(ctx, tx, &list, where, `p.product = $1 ORDER BY p.id`, product)
	})
	return list, err
}

// spreads gives where programs are, by program. Programs are read apart: each has long words, and many groups.
func spreads(ctx context.Context, tx *sql.Tx, which string, arg any) (where map[int64][]Spread, programs []int64, cut bool, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT program, group_id, terminals, shared, first_seen, changed_at FROM spreads
		WHERE `+which+` ORDER BY program DESC LIMIT `+strconv.Itoa(maxSpreads+1), arg)
	list, err := collect(rows, err, readSpread)
	if cut = len(list) > maxSpreads; cut {
		list = list[:maxSpreads]
	}
	where = make(map[int64][]Spread, len(list))
	for _, sp := range list {
		if where[sp.ID] == nil {
			programs = append(programs, sp.ID)
		}
		where[sp.ID] = append(where[sp.ID], sp)
	}
	return where, programs, cut, err
}

func readSpread(s scanner) (sp Spread, err error) {
	var first, changed int64
	err = s.Scan(&sp.ID, &sp.Group, &sp.Terminals, &sp.Shared, &first, &changed)
	sp.FirstSeen, sp.ChangedAt = moment(first), moment(changed)
	return sp, err
}

func programsInto(ctx context.Context, tx *sql.Tx, list *[]Spread, where map[int64][]Spread, which string, arg any) error {
	rows, err := tx.QueryContext(ctx, `SELECT `+programColumns+` FROM programs p WHERE `+which, arg)
	_, err = collect(rows, err, func(s scanner) (none struct{}, err error) {
		var id, product, essential int64
		p := new(policy.Program)
		if err := s.Scan(&id, &product, &p.Kind, &p.Name, &p.Version, &p.Publisher, &p.Signer, &p.Source, &p.Origin, &p.Path, &p.Hash, &essential); err != nil {
			return none, err
		}
		p.Essential = essential != 0
		for _, sp := range where[id] {
			sp.Product, sp.Program = product, p
			*list = append(*list, sp)
		}
		return none, nil
	})
	return err
}

// CountTerminals counts the terminals that have one of the programs in one of the groups; who has several counts once.
func (db *DB) CountTerminals(ctx context.Context, of []Spread) (total int, err error) {
	by := map[string][]Spread{}
	for _, sp := range of {
		by[sp.Group] = append(by[sp.Group], sp)
	}
	for group, list := range by {
		n, sure := apart(list)
		if !sure {
			if n, err = db.together(ctx, group, list); err != nil {
				return 0, err
			}
		}
		total += n
	}
	return total, nil
}

// apart is the sum where no terminal has two of the programs.
func apart(list []Spread) (n int, sure bool) {
	shared := 0
	for _, sp := range list {
		if sp.Product != list[0].Product {
			return 0, false
		}
		n, shared = n+sp.Terminals, shared+sp.Shared
	}
	return n, len(list) == 1 || shared == 0
}

// together looks at who has the programs, the most spread first, until all terminals of the group are seen.
func (db *DB) together(ctx context.Context, group string, list []Spread) (int, error) {
	unseen, err := db.Names(ctx, group)
	if err != nil {
		return 0, err
	}
	all, list := len(unseen), slices.Clone(list)
	slices.SortFunc(list, func(a, b Spread) int { return cmp.Or(cmp.Compare(b.Terminals, a.Terminals), cmp.Compare(a.ID, b.ID)) })
	for n := 1; len(list) > 0 && len(unseen) > 0; n = min(4*n, 400) {
		some := list[:min(n, len(list))]
		list = list[len(some):]
		if err := db.seeHolders(ctx, unseen, some); err != nil {
			return 0, err
		}
	}
	return all - len(unseen), nil
}

// seeHolders takes those who have one of the programs out of the terminals.
func (db *DB) seeHolders(ctx context.Context, unseen map[string]string, programs []Spread) error {
	args, signs := make([]any, len(programs)), make([]string, len(programs))
	for i, sp := range programs {
		args[i], signs[i] = sp.ID, "$"+strconv.Itoa(i+1)
	}
	rows, err := db.reader.QueryContext(ctx, `SELECT DISTINCT terminal FROM software WHERE program IN (`+strings.Join(signs, ", ")+`)`, args...)
	_, err = collect(rows, err, func(s scanner) (id string, err error) {
		err = s.Scan(&id)
		delete(unseen, id)
		return id, err
	})
	return err
}

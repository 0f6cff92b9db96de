package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sekisho/internal/policy"
)

// Installed is a program on a terminal.
type Installed struct {
	Terminal, TerminalName string
	Group, GroupName       string
	ID                     int64          // of the program, the same on every terminal
	Program                policy.Program // as the terminal said it
	FirstSeen, ChangedAt   time.Time
	Old                    bool // known from before: the terminal's list is on its way
}

// SheetState is where a terminal's list stands.
type SheetState struct {
	Items              int
	Whole              bool
	BegunAt, ChangedAt time.Time
}

const installedSelect = `SELECT s.terminal, t.name, t.group_id, g.name, s.program, s.first_seen, s.changed_at, s.turn, COALESCE(h.turn, 0), s.item, s.body
	FROM software s JOIN terminals t ON t.id = s.terminal JOIN groups g ON g.id = t.group_id
	LEFT JOIN sheets h ON h.terminal = s.terminal AND h.name = 'software'`

func readInstalled(s scanner) (i Installed, err error) {
	var first, changed, turn, now int64
	var item, body string
	if err := s.Scan(&i.Terminal, &i.TerminalName, &i.Group, &i.GroupName, &i.ID, &first, &changed, &turn, &now, &item, &body); err != nil {
		return i, err
	}
	if json.Unmarshal([]byte(body), &i.Program) != nil || i.Program.Name == "" { // it is shown as far as it can be, as it is judged
		i.Program = policy.Program{Name: clean(item), Source: policy.SourceUnknown, Fault: "cannot read what the terminal says of it"}
	}
	i.Program.ID, i.Program.InstalledAt = item, bounded(i.Program.InstalledAt)
	i.FirstSeen, i.ChangedAt, i.Old = moment(first), moment(changed), turn != now
	return i, nil
}

// TerminalSoftware gives what is on a terminal, by name.
func (db *DB) TerminalSoftware(ctx context.Context, terminal string) (list []Installed, at SheetState, err error) {
	err = db.view(ctx, func(tx *sql.Tx) (err error) {
		rows, err := tx.QueryContext(ctx, installedSelect+` JOIN programs p ON p.id = s.program WHERE s.terminal = $1 ORDER BY p.name, s.item LIMIT 100000`, terminal)
		if list, err = collect(rows, err, readInstalled); err != nil {
			return err
		}
		at, err = sheetState(ctx, tx, terminal, "software")
		return err
	})
	return list, at, err
}

func sheetState(ctx context.Context, q querier, terminal, name string) (st SheetState, err error) {
	var whole, begun, changed int64
	rows, err := q.QueryContext(ctx, `SELECT items, whole, begun_at, changed_at FROM sheets WHERE terminal = $1 AND name = $2`, terminal, name)
	_, err = collect(rows, err, func(s scanner) (int, error) { return 0, s.Scan(&st.Items, &whole, &begun, &changed) })
	st.Whole, st.BegunAt, st.ChangedAt = whole != 0, moment(begun), moment(changed)
	return st, err
}

// InstalledItem gives one program of a terminal by the id that the terminal gave it.
func (db *DB) InstalledItem(ctx context.Context, terminal, item string) (Installed, error) {
	i, err := readInstalled(db.reader.QueryRowContext(ctx, installedSelect+` WHERE s.terminal = $1 AND s.item = $2`, terminal, item))
	return i, explain(err)
}

// Product gives where a product of a publisher is, newest first seen first.
func (db *DB) Product(ctx context.Context, name, publisher string, limit int) ([]Installed, error) {
	rows, err := db.reader.QueryContext(ctx, installedSelect+` JOIN programs p ON p.id = s.program
		WHERE p.name = $1 AND p.publisher = $2 AND t.retired_at = 0 ORDER BY s.first_seen DESC, t.name LIMIT $3`, name, publisher, clamp(limit, 500, 20000))
	return collect(rows, err, readInstalled)
}

// FindPrograms gives products whose name or publisher holds a text, by name.
func (db *DB) FindPrograms(ctx context.Context, text string, limit int) ([]policy.Program, error) {
	rows, err := db.reader.QueryContext(ctx, `SELECT DISTINCT p.kind, p.name, p.publisher,
			CASE WHEN p.kind IN ('file', 'script', 'appimage') THEN p.hash ELSE '' END, CASE WHEN p.kind IN ('file', 'script', 'appimage') THEN p.path ELSE '' END
		FROM programs p WHERE (LOWER(p.name) LIKE $1 ESCAPE '\' OR LOWER(p.publisher) LIKE $1 ESCAPE '\' OR p.hash = $2)
			AND EXISTS (SELECT 1 FROM software s JOIN terminals t ON t.id = s.terminal WHERE s.program = p.id AND t.retired_at = 0)
		ORDER BY p.name, p.publisher LIMIT $3`, like(text), text, clamp(limit, 10, 100))
	return collect(rows, err, func(s scanner) (p policy.Program, err error) {
		return p, s.Scan(&p.Kind, &p.Name, &p.Publisher, &p.Hash, &p.Path)
	})
}

// Names gives the terminals of a group, by id.
func (db *DB) Names(ctx context.Context, group string) (map[string]string, error) {
	rows, err := db.reader.QueryContext(ctx, `SELECT id, name FROM terminals WHERE group_id = $1 AND retired_at = 0`, group)
	list, err := collect(rows, err, func(s scanner) (t Terminal, err error) { return t, s.Scan(&t.ID, &t.Name) })
	names := make(map[string]string, len(list))
	for _, t := range list {
		names[t.ID] = t.Name
	}
	return names, err
}

// Holder is a terminal that has a program.
type Holder struct {
	Program        int64
	Terminal, Name string
}

// Holders names the terminals of a group ("" all) that have one of the programs, at most limit rows.
func (db *DB) Holders(ctx context.Context, programs []int64, group string, limit int) ([]Holder, error) {
	var all []Holder
	for len(programs) > 0 && len(all) < limit {
		n := min(len(programs), 400)
		some, err := db.holders(ctx, programs[:n], group, limit-len(all))
		if err != nil {
			return nil, err
		}
		all, programs = append(all, some...), programs[n:]
	}
	return all, nil
}

func (db *DB) holders(ctx context.Context, programs []int64, group string, limit int) ([]Holder, error) {
	args, signs := []any{group, limit}, make([]string, len(programs))
	for i, id := range programs {
		args = append(args, id)
		signs[i] = "$" + strconv.Itoa(i+3)
	}
	rows, err := db.reader.QueryContext(ctx, `SELECT DISTINCT s.program, s.terminal, t.name FROM software s JOIN terminals t ON t.id = s.terminal
		WHERE s.program IN (`+strings.Join(signs, ", ")+`) AND t.retired_at = 0 AND ($1 = '' OR t.group_id = $1) ORDER BY s.program, t.name LIMIT $2`, args...)
	return collect(rows, err, func(s scanner) (h Holder, err error) { return h, s.Scan(&h.Program, &h.Terminal, &h.Name) })
}

// Draft is a control of software that is not published yet.
type Draft struct {
	Group    string
	BasedOn  int64 // version of the group's policy
	Software *policy.Software
	By       string
	At       time.Time
}

// Draft gives a group's; ErrNotFound when there is none.
func (db *DB) Draft(ctx context.Context, group string) (d Draft, err error) {
	var body string
	var at int64
	err = db.reader.QueryRowContext(ctx, `SELECT group_id, based_on, body, made_by, made_at FROM drafts WHERE group_id = $1`, group).
		Scan(&d.Group, &d.BasedOn, &body, &d.By, &at)
	if err != nil {
		return d, explain(err)
	}
	d.At = moment(at)
	if err := json.Unmarshal([]byte(body), &d.Software); err != nil {
		return d, fmt.Errorf("cannot read draft of %s: %w", group, err)
	}
	return d, nil
}

// PutDraft keeps a draft in place of the one before; without a control it is thrown away.
func (db *DB) PutDraft(ctx context.Context, d Draft, now time.Time) error {
	body, err := json.Marshal(d.Software)
	if err != nil {
		return fmt.Errorf("cannot keep draft: %w", err)
	}
	return db.change(ctx, func(tx *sql.Tx) error {
		if d.Software == nil {
			_, err := tx.ExecContext(ctx, `DELETE FROM drafts WHERE group_id = $1`, d.Group)
			if err != nil {
				return err
			}
			return note(ctx, tx, now, d.By, "draft", d.Group, map[string]any{"state": "dropped"})
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO drafts (group_id, based_on, body, made_by, made_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (group_id) DO UPDATE SET based_on = excluded.based_on, body = excluded.body, made_by = excluded.made_by, made_at = excluded.made_at`,
			d.Group, d.BasedOn, string(body), d.By, ms(now))
		if err != nil {
			return err
		}
		return note(ctx, tx, now, d.By, "draft", d.Group, map[string]any{"rules": len(d.Software.Rules), "mode": d.Software.Mode})
	})
}

// States of a dry run.
const (
	RunRunning   = "running"
	RunDone      = "done"
	RunCancelled = "cancelled"
	RunFailed    = "failed"
)

// DryRun is one look at what a draft would have done; Body is JSON of who made it.
type DryRun struct {
	ID          int64
	Group       string
	State       string
	Done, Total int64
	Body        string
	By          string
	At, SeenAt  time.Time
}

const dryRunColumns = `id, group_id, state, done, total, body, made_by, made_at, seen_at`

func readDryRun(s scanner) (r DryRun, err error) {
	var at, seen int64
	err = s.Scan(&r.ID, &r.Group, &r.State, &r.Done, &r.Total, &r.Body, &r.By, &at, &seen)
	r.At, r.SeenAt = moment(at), moment(seen)
	return r, err
}

// BeginDryRun writes down that one begins. It takes the place of one of the group's that still runs: whoever runs that sees
// that it is cancelled. The group's older ones beyond the last twenty are forgotten.
func (db *DB) BeginDryRun(ctx context.Context, r DryRun, now time.Time) (id int64, err error) {
	err = db.change(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE dry_runs SET state = 'cancelled', seen_at = $1 WHERE group_id = $2 AND state = 'running'`, ms(now), r.Group); err != nil {
			return err
		}
		err := tx.QueryRowContext(ctx, `INSERT INTO dry_runs (group_id, state, done, total, body, made_by, made_at, seen_at)
			VALUES ($1, 'running', 0, $2, $3, $4, $5, $5) RETURNING id`, r.Group, r.Total, r.Body, r.By, ms(now)).Scan(&id)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM dry_runs WHERE group_id = $1 AND id NOT IN
			(SELECT id FROM dry_runs WHERE group_id = $1 ORDER BY id DESC LIMIT 20)`, r.Group)
		if err != nil {
			return err
		}
		return note(ctx, tx, now, r.By, "dry_run", r.Group, map[string]any{"run": id})
	})
	return id, err
}

// DryRun gives one.
func (db *DB) DryRun(ctx context.Context, id int64) (DryRun, error) {
	r, err := readDryRun(db.reader.QueryRowContext(ctx, `SELECT `+dryRunColumns+` FROM dry_runs WHERE id = $1`, id))
	return r, explain(err)
}

// MoveDryRun writes how far one that runs has come, or its end; ErrConflict when it does not run any more.
func (db *DB) MoveDryRun(ctx context.Context, r DryRun, now time.Time) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE dry_runs SET state = $1, done = $2, total = $3, body = $4, seen_at = $5 WHERE id = $6 AND state = 'running'`,
			r.State, r.Done, r.Total, r.Body, ms(now), r.ID)
		return changed(res, err, ErrConflict)
	})
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// TerminalPolicy is everything a terminal's policy document is composed of, from one moment. The same rows always give
// the same answer: what has ended is judged at the moment when the revision was made.
type TerminalPolicy struct {
	Terminal  Terminal  // without what it reports
	RevisedAt time.Time // when its revision was made
	Policy    GroupPolicy
	Grants    []Grant // neither revoked nor ended then
	Update    *Offered

	References []policy.Reference // what results are held against, everywhere
}

// TerminalPolicy reads it; ErrNotFound for a retired terminal.
func (db *DB) TerminalPolicy(ctx context.Context, id string) (p TerminalPolicy, err error) {
	err = db.view(ctx, func(tx *sql.Tx) (err error) {
		var at int64
		t := &p.Terminal
		err = tx.QueryRowContext(ctx, `SELECT t.id, t.name, t.group_id, g.name, t.revision, t.revised_at
			FROM terminals t JOIN groups g ON g.id = t.group_id WHERE t.id = $1 AND t.retired_at = 0`, id).
			Scan(&t.ID, &t.Name, &t.Group, &t.GroupName, &t.Revision, &at)
		if err != nil {
			return err
		}
		p.RevisedAt = moment(at)
		if p.Policy, err = groupPolicy(ctx, tx, t.Group, 0); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, grantSelect+` WHERE r.terminal = $1 AND r.until_at > $2 AND r.revoked_at = 0
			ORDER BY r.until_at, r.n LIMIT 1000`, id, at)
		if p.Grants, err = collect(rows, err, readGrant); err != nil {
			return err
		}
		if p.Update, err = offered(ctx, tx, id); err != nil {
			return err
		}
		p.References, err = referencesNow(ctx, tx)
		return err
	})
	return p, err
}

// Revision gives the policy revision that shall be in force on a terminal.
func (db *DB) Revision(ctx context.Context, id string) (int64, error) {
	var n int64
	err := db.reader.QueryRowContext(ctx, `SELECT revision FROM terminals WHERE id = $1 AND retired_at = 0`, id).Scan(&n)
	return n, explain(err)
}

// ErrAbsurd says that a terminal names a revision that no console can have given.
var ErrAbsurd = errors.New("cannot publish: the revision that the terminal names is beyond all bounds")

// Outrun gives a terminal a revision above the one it has, which this database did not give: it was restored from a
// backup. Without that the terminal would refuse every change as older. Nothing is done when another was quicker.
func (db *DB) Outrun(ctx context.Context, terminal string, has wire.PolicyTag, now time.Time) error {
	if has.Revision >= wire.MaxRevision {
		return errors.Join(ErrAbsurd, db.noteAbsurd(ctx, terminal, has, now))
	}
	return db.changeTerminal(ctx, terminal, func(tx *sql.Tx) error {
		var before int64
		err := tx.QueryRowContext(ctx, `SELECT revision FROM terminals WHERE id = $1 AND retired_at = 0`, terminal).Scan(&before)
		if err != nil || before > has.Revision {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE terminals SET revision = $2, revised_at = $3 WHERE id = $1`, terminal, has.Revision+1, ms(now))
		if err != nil {
			return err
		}
		return note(ctx, tx, now, "terminal "+terminal, "outrun", terminal, map[string]any{"before": before, "has": has.String(), "revision": has.Revision + 1})
	})
}

// noteAbsurd writes it down once for each terminal.
func (db *DB) noteAbsurd(ctx context.Context, terminal string, has wire.PolicyTag, now time.Time) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		var told int
		err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM audits WHERE act = 'absurd' AND object = $1`, terminal).Scan(&told)
		if err != nil || told > 0 {
			return err
		}
		return note(ctx, tx, now, "terminal "+terminal, "absurd", terminal, map[string]any{"has": fmt.Sprint(has.Revision)})
	})
}

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sekisho/internal/policy"
)

// groupBody is the part of a group policy that people edit.
type groupBody struct {
	Control  policy.Control   `json:"removable_media"`
	Contact  policy.Contact   `json:"contact"`
	Software *policy.Software `json:"software,omitempty"` // nil: programs are not controlled
	Health   *policy.Health   `json:"health,omitempty"`   // nil: nothing is checked
}

const groupPolicyColumns = `p.group_id, p.version, p.body, p.reason, p.changed_by, p.changed_at`

func readGroupPolicy(s scanner) (p GroupPolicy, err error) {
	var body string
	var at int64
	if err := s.Scan(&p.Group, &p.Version, &body, &p.Reason, &p.By, &at); err != nil {
		return p, err
	}
	var b groupBody
	if err := json.Unmarshal([]byte(body), &b); err != nil {
		return p, fmt.Errorf("cannot read policy %s version %d: %w", p.Group, p.Version, err)
	}
	p.Control, p.Contact, p.Software, p.Health, p.At = b.Control, b.Contact, b.Software, b.Health, moment(at)
	return p, nil
}

// Groups gives all groups with their newest policy's version and mode.
func (db *DB) Groups(ctx context.Context) ([]Group, error) {
	rows, err := db.reader.QueryContext(ctx, `SELECT g.id, g.name, COALESCE(p.version, 0), COALESCE(p.body, '{}'),
			(SELECT COUNT(*) FROM terminals t WHERE t.group_id = g.id AND t.retired_at = 0)
		FROM groups g LEFT JOIN group_policies p ON p.group_id = g.id
			AND p.version = (SELECT MAX(n.version) FROM group_policies n WHERE n.group_id = g.id)
		ORDER BY g.created_at, g.id LIMIT 1000`)
	return collect(rows, err, readGroup)
}

func readGroup(s scanner) (g Group, err error) {
	var body string
	if err := s.Scan(&g.ID, &g.Name, &g.Version, &body, &g.Terminals); err != nil {
		return g, err
	}
	var b groupBody
	err = json.Unmarshal([]byte(body), &b)
	g.Mode, g.Health = b.Control.Mode, b.Health
	return g, err
}

// GroupPolicy gives one version of a group's policy; version 0 is the newest.
func (db *DB) GroupPolicy(ctx context.Context, group string, version int64) (GroupPolicy, error) {
	p, err := groupPolicy(ctx, db.reader, group, version)
	return p, explain(err)
}

func groupPolicy(ctx context.Context, q querier, group string, version int64) (GroupPolicy, error) {
	return readGroupPolicy(q.QueryRowContext(ctx, `SELECT `+groupPolicyColumns+` FROM group_policies p
		WHERE p.group_id = $1 AND ($2 = 0 OR p.version = $2) ORDER BY p.version DESC LIMIT 1`, group, version))
}

// GroupHistory gives a group's policies, newest first.
func (db *DB) GroupHistory(ctx context.Context, group string) ([]GroupPolicy, error) {
	rows, err := db.reader.QueryContext(ctx, `SELECT `+groupPolicyColumns+` FROM group_policies p
		WHERE p.group_id = $1 ORDER BY p.version DESC LIMIT 200`, group)
	return collect(rows, err, readGroupPolicy)
}

// PutGroupPolicy adds a version and raises the wanted revision of every terminal of the group;
// ErrConflict when basedOn is not the newest version.
func (db *DB) PutGroupPolicy(ctx context.Context, p GroupPolicy, basedOn int64, now time.Time) (GroupPolicy, error) {
	body, err := json.Marshal(groupBody{p.Control, p.Contact, p.Software, p.Health})
	if err != nil {
		return GroupPolicy{}, fmt.Errorf("cannot store policy: %w", err)
	}
	var woken []string
	err = db.change(ctx, func(tx *sql.Tx) error {
		if err := checkNewest(ctx, tx, p.Group, basedOn); err != nil {
			return err
		}
		p.Version, p.At = basedOn+1, now
		_, err := tx.ExecContext(ctx, `INSERT INTO group_policies (group_id, version, body, reason, changed_by, changed_at)
			VALUES ($1, $2, $3, $4, $5, $6)`, p.Group, p.Version, string(body), p.Reason, p.By, ms(now))
		if err != nil {
			return err
		}
		if woken, err = raise(ctx, tx, p.Group, now); err != nil {
			return err
		}
		return note(ctx, tx, now, p.By, "policy", p.Group, map[string]any{"version": p.Version, "mode": p.Control.Mode, "reason": p.Reason})
	})
	if err != nil {
		return GroupPolicy{}, err
	}
	db.watch.wake(woken...)
	return p, nil
}

func checkNewest(ctx context.Context, tx *sql.Tx, group string, basedOn int64) error {
	have, err := groupPolicy(ctx, tx, group, 0)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil // the group's first policy
	}
	if err != nil {
		return err
	}
	if have.Version != basedOn {
		return fmt.Errorf("cannot change policy: version %d is newer than %d: %w", have.Version, basedOn, ErrConflict)
	}
	return nil
}

// raise makes the terminals of a group want a new policy revision, and names them.
func raise(ctx context.Context, tx *sql.Tx, group string, now time.Time) ([]string, error) {
	rows, err := tx.QueryContext(ctx, `UPDATE terminals SET revision = revision + 1, revised_at = $2
		WHERE group_id = $1 AND retired_at = 0 RETURNING id`, group, ms(now))
	return collect(rows, err, func(s scanner) (id string, err error) { return id, s.Scan(&id) })
}

// PutGroup makes a group or gives it another name, which stands in its terminals' policies.
func (db *DB) PutGroup(ctx context.Context, id, name, by string, now time.Time) error {
	var woken []string
	err := db.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO groups (id, name, created_at) VALUES ($1, $2, $3)
			ON CONFLICT (id) DO UPDATE SET name = excluded.name`, id, name, ms(now))
		if err != nil {
			return err
		}
		if woken, err = raise(ctx, tx, id, now); err != nil {
			return err
		}
		return note(ctx, tx, now, by, "group", id, map[string]any{"name": name})
	})
	if err == nil {
		db.watch.wake(woken...)
	}
	return err
}

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"sekisho/internal/bundle"
	"sekisho/internal/seal"
)

// Rings in which a release spreads. A terminal of the pilot ring belongs to the ring of all as well; of the offers that
// are meant for it the newest counts.
const (
	RingPilot = "pilot"
	RingAll   = "all"
)

// Update is a release that can be offered.
type Update struct {
	Version   string
	Manifest  bundle.Manifest // what Envelope says, verified when it came
	Envelope  seal.Envelope
	By        string
	AddedAt   time.Time
	RemovedAt time.Time // its programs are gone
}

// Offer is a release that somebody offered to a ring.
type Offer struct {
	ID          int64
	Ring        string
	Version     string
	Spread      time.Duration // within which the ring's terminals begin to fetch
	By          string
	At          time.Time
	WithdrawnBy string // "" while it stands
	WithdrawnAt time.Time
}

// Offered is the offer that counts for one terminal.
type Offered struct {
	ID     int64
	Spread time.Duration
	Update Update
}

// spreadMost is how long the last terminals of a large ring wait; a small one does not.
const spreadMost = 15 * time.Minute

// spreadOf gives each terminal of a ring a second of its own.
func spreadOf(terminals int) time.Duration {
	return min(time.Duration(terminals)*time.Second, spreadMost)
}

const updateColumns = `u.version, u.envelope, u.added_by, u.added_at, u.removed_at`

func readUpdate(s scanner) (u Update, err error) {
	var envelope string
	var added, removed int64
	if err := s.Scan(&u.Version, &envelope, &u.By, &added, &removed); err != nil {
		return u, err
	}
	u.AddedAt, u.RemovedAt = moment(added), moment(removed)
	return u, u.open(envelope)
}

// open reads what was verified when it was stored; terminals verify it again.
func (u *Update) open(envelope string) error {
	err := json.Unmarshal([]byte(envelope), &u.Envelope)
	if err == nil {
		err = json.Unmarshal(u.Envelope.Payload, &u.Manifest)
	}
	if err != nil {
		return fmt.Errorf("cannot read update %s: %w", u.Version, err)
	}
	return nil
}

// PutUpdate keeps a release whose programs are stored. The same again changes nothing, unless it was removed before;
// ErrConflict when another release of this version is there.
func (db *DB) PutUpdate(ctx context.Context, u Update, now time.Time) error {
	envelope, err := json.Marshal(u.Envelope)
	if err != nil {
		return fmt.Errorf("cannot store update: %w", err)
	}
	return db.change(ctx, func(tx *sql.Tx) error {
		have, err := readUpdate(tx.QueryRowContext(ctx, `SELECT `+updateColumns+` FROM updates u WHERE u.version = $1`, u.Version))
		switch {
		case err == nil && string(have.Envelope.Payload) != string(u.Envelope.Payload):
			return fmt.Errorf("cannot store update: another release calls itself %s: %w", u.Version, ErrConflict)
		case err == nil && have.RemovedAt.IsZero():
			return nil
		case err != nil && !errors.Is(err, sql.ErrNoRows):
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO updates (version, envelope, added_by, added_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (version) DO UPDATE SET added_by = excluded.added_by, added_at = excluded.added_at, removed_at = 0`,
			u.Version, string(envelope), u.By, ms(now))
		if err != nil {
			return err
		}
		return note(ctx, tx, now, u.By, "update", u.Version, map[string]any{"key": u.Envelope.Key, "systems": u.systems()})
	})
}

// systems names what a release is for.
func (u Update) systems() string {
	var list []string
	for _, p := range u.Manifest.Programs {
		list = append(list, p.OS+"/"+p.Arch)
	}
	return strings.Join(list, " ")
}

// RemoveUpdate gives the programs of a release free; ErrConflict while it is offered.
func (db *DB) RemoveUpdate(ctx context.Context, version, by string, now time.Time) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE updates SET removed_at = $1 WHERE version = $2 AND removed_at = 0
			AND NOT EXISTS (SELECT 1 FROM offers o WHERE o.version = $2 AND o.withdrawn_at = 0)`, ms(now), version)
		if err := changed(res, err, ErrConflict); err != nil {
			return err
		}
		return note(ctx, tx, now, by, "update_removed", version, map[string]any{})
	})
}

// Updates gives the releases that can be offered, newest first.
func (db *DB) Updates(ctx context.Context) ([]Update, error) {
	rows, err := db.reader.QueryContext(ctx, `SELECT `+updateColumns+` FROM updates u WHERE u.removed_at = 0 ORDER BY u.added_at DESC, u.version LIMIT 100`)
	return collect(rows, err, readUpdate)
}

// Update gives one that can be offered.
func (db *DB) Update(ctx context.Context, version string) (Update, error) {
	u, err := readUpdate(db.reader.QueryRowContext(ctx, `SELECT `+updateColumns+` FROM updates u WHERE u.version = $1 AND u.removed_at = 0`, version))
	return u, explain(err)
}

// PutOffer offers a release to a ring: the ring's offer before it is withdrawn, the policies of the ring's terminals get
// a new revision, and the act is written down, in one transaction.
func (db *DB) PutOffer(ctx context.Context, ring, version, by string, now time.Time) (o Offer, err error) {
	var woken []string
	err = db.change(ctx, func(tx *sql.Tx) error {
		var there int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM updates WHERE version = $1 AND removed_at = 0`, version).Scan(&there); err != nil {
			return err
		}
		if there == 0 || ring != RingPilot && ring != RingAll {
			return ErrNotFound
		}
		if _, err := tx.ExecContext(ctx, `UPDATE offers SET withdrawn_by = $1, withdrawn_at = $2 WHERE ring = $3 AND withdrawn_at = 0`, by, ms(now), ring); err != nil {
			return err
		}
		o = Offer{Ring: ring, Version: version, By: by, At: now}
		if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(id), 0) + 1 FROM offers`).Scan(&o.ID); err != nil {
			return err
		}
		if woken, err = raiseRing(ctx, tx, ring, now); err != nil {
			return err
		}
		o.Spread = spreadOf(len(woken))
		_, err := tx.ExecContext(ctx, `INSERT INTO offers (id, ring, version, spread, offered_by, offered_at) VALUES ($1, $2, $3, $4, $5, $6)`,
			o.ID, ring, version, int64(o.Spread.Seconds()), by, ms(now))
		if err != nil {
			return err
		}
		return note(ctx, tx, now, by, "offer", version, map[string]any{"offer": o.ID, "ring": ring, "terminals": len(woken)})
	})
	if err == nil {
		db.watch.wake(woken...)
	}
	return o, err
}

// WithdrawOffer stops a release from spreading; ErrConflict when it was withdrawn before. Terminals that have it keep it.
func (db *DB) WithdrawOffer(ctx context.Context, id int64, by string, now time.Time) error {
	var woken []string
	err := db.change(ctx, func(tx *sql.Tx) error {
		var ring, version string
		err := tx.QueryRowContext(ctx, `UPDATE offers SET withdrawn_by = $1, withdrawn_at = $2 WHERE id = $3 AND withdrawn_at = 0
			RETURNING ring, version`, by, ms(now), id).Scan(&ring, &version)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrConflict
		}
		if err != nil {
			return err
		}
		if woken, err = raiseRing(ctx, tx, ring, now); err != nil {
			return err
		}
		return note(ctx, tx, now, by, "offer_withdrawn", version, map[string]any{"offer": id, "ring": ring, "terminals": len(woken)})
	})
	if err == nil {
		db.watch.wake(woken...)
	}
	return err
}

func raiseRing(ctx context.Context, tx *sql.Tx, ring string, now time.Time) ([]string, error) {
	rows, err := tx.QueryContext(ctx, `UPDATE terminals SET revision = revision + 1, revised_at = $2
		WHERE retired_at = 0 AND ($1 = 'all' OR id IN (SELECT terminal FROM pilots)) RETURNING id`, ring, ms(now))
	return collect(rows, err, func(s scanner) (id string, err error) { return id, s.Scan(&id) })
}

// Offers gives the newest hundred, newest first.
func (db *DB) Offers(ctx context.Context) ([]Offer, error) {
	rows, err := db.reader.QueryContext(ctx, `SELECT id, ring, version, spread, offered_by, offered_at, withdrawn_by, withdrawn_at
		FROM offers ORDER BY id DESC LIMIT 100`)
	return collect(rows, err, readOffer)
}

func readOffer(s scanner) (o Offer, err error) {
	var spread, at, withdrawn int64
	err = s.Scan(&o.ID, &o.Ring, &o.Version, &spread, &o.By, &at, &o.WithdrawnBy, &withdrawn)
	o.Spread, o.At, o.WithdrawnAt = time.Duration(spread)*time.Second, moment(at), moment(withdrawn)
	return o, err
}

// SetRing takes a terminal into the pilot ring or out of it, and with that gives it another offer.
func (db *DB) SetRing(ctx context.Context, terminal, ring, by string, now time.Time) error {
	text := `DELETE FROM pilots WHERE terminal = $1`
	if ring == RingPilot {
		text = `INSERT INTO pilots (terminal) VALUES ($1) ON CONFLICT (terminal) DO NOTHING`
	}
	return db.changeTerminal(ctx, terminal, func(tx *sql.Tx) error {
		if _, err := raiseOne(ctx, tx, terminal, now); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, text, terminal); err != nil {
			return err
		}
		return note(ctx, tx, now, by, "ring", terminal, map[string]any{"ring": ring})
	})
}

// Pilots gives the terminals of the pilot ring.
func (db *DB) Pilots(ctx context.Context) (map[string]bool, error) {
	rows, err := db.reader.QueryContext(ctx, `SELECT terminal FROM pilots`)
	ids, err := collect(rows, err, func(s scanner) (id string, err error) { return id, s.Scan(&id) })
	set := make(map[string]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set, err
}

// offered gives the offer that counts for a terminal; nil when there is none.
func offered(ctx context.Context, q querier, terminal string) (*Offered, error) {
	var o Offered
	var envelope string
	var spread int64
	err := q.QueryRowContext(ctx, `SELECT o.id, o.spread, u.version, u.envelope FROM offers o JOIN updates u ON u.version = o.version
		WHERE o.withdrawn_at = 0 AND (o.ring = 'all' OR EXISTS (SELECT 1 FROM pilots p WHERE p.terminal = $1))
		ORDER BY o.id DESC LIMIT 1`, terminal).Scan(&o.ID, &spread, &o.Update.Version, &envelope)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o.Spread = time.Duration(spread) * time.Second
	return &o, o.Update.open(envelope)
}

// Blob gives what a terminal asks for by hash, a program or a reference; ErrNotFound unless its policy names it.
func (db *DB) Blob(ctx context.Context, terminal, hash string) (bundle.Program, error) {
	o, err := offered(ctx, db.reader, terminal)
	if err != nil {
		return bundle.Program{}, explain(err)
	}
	if o != nil {
		for _, p := range o.Update.Manifest.Programs {
			if p.SHA256 == hash {
				return p, nil
			}
		}
	}
	return db.referenceBlob(ctx, terminal, hash)
}

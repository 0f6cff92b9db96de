package store

import (
	"context"

	"sekisho/internal/policy"
)

// visitMost bounds how many later records of a device are looked at.
const visitMost = 500

// Later gives what was recorded of the same device while it stayed plugged in, its detach included, oldest first.
// A visit is known by the moment at which its attach was seen.
func (db *DB) Later(ctx context.Context, e Event) ([]Event, error) {
	ev := e.Record.Event
	if ev == nil || ev.What == policy.EventDetach {
		return nil, nil
	}
	rows, err := db.reader.QueryContext(ctx, `SELECT `+eventColumns+eventTables+`
		WHERE e.terminal = $1 AND e.id > $2 AND e.kind = 'device' AND e.serial = $3 ORDER BY e.id LIMIT $4`,
		e.Terminal, e.ID, clean(ev.Device.Serial), visitMost)
	list, err := collect(rows, err, readEvent)
	var later []Event
	for _, one := range list {
		next := one.Record.Event
		if next == nil || next.Device.Bus != ev.Device.Bus || next.Device.ID != ev.Device.ID {
			continue
		}
		if next.What == policy.EventDetach {
			return append(later, one), err
		}
		if !next.SeenAt.Equal(ev.SeenAt) {
			break // the detach is missing; this is another visit
		}
		later = append(later, one)
	}
	return later, err
}

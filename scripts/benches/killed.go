//go:build linux

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"sekisho/scripts/load"
)

// killedRounds kills the console at a random moment of every round, starts it again and lets the terminals go on from what
// was acknowledged, as agents do. Lost: acknowledged and not in the database right after the kill, or not there at the end.
// Twice: in the database more than once at the end.
func killedRounds(ctx context.Context, b bench, rounds int) (lost, twice int, err error) {
	c, err := newConsole(b, "127.0.0.1", "127.0.0.1")
	if err != nil {
		return 0, 0, err
	}
	defer c.close()
	terminals, journals, err := prepareSenders(ctx, c)
	if err != nil {
		return 0, 0, err
	}
	acked := make([]uint64, ingestTerminals)
	for round := range rounds {
		after := time.Duration(20+rand.IntN(280)) * time.Millisecond
		answered, err := sendUntilKilled(ctx, c, terminals, journals, acked, after)
		if err != nil {
			return 0, 0, err
		}
		missing, err := missingRecords(ctx, c, terminals, acked)
		if err != nil {
			return 0, 0, err
		}
		lost += missing
		b.say("round %d: killed after %v and %d batches that were acknowledged; %d acknowledged records missing", round+1, after, answered, missing)
		if err := c.start(ctx); err != nil {
			return 0, 0, err
		}
	}
	if err := sendRest(ctx, terminals, journals, acked); err != nil {
		return 0, 0, err
	}
	c.kill()
	missing, err := missingRecords(ctx, c, terminals, acked)
	if err != nil {
		return 0, 0, err
	}
	twice, err = doubled(ctx, c)
	b.say("all %d records were sent to the end: %d missing, %d doubled", ingestRecords, missing, twice)
	return lost + missing, twice, err
}

// sendUntilKilled gives how many batches were acknowledged in this round.
func sendUntilKilled(ctx context.Context, c *console, terminals []*load.Terminal, journals [][]load.Batch, acked []uint64, after time.Duration) (int64, error) {
	var answered atomic.Int64
	killed := make(chan struct{})
	time.AfterFunc(after, func() {
		c.cmd.Process.Kill()
		close(killed)
	})
	err := each(len(terminals), len(terminals), func(i int) error {
		for _, batch := range journals[i] {
			if batch.Last <= acked[i] {
				continue
			}
			stored, err := terminals[i].Send(ctx, batch)
			if err != nil {
				break // the console is gone; what was not acknowledged goes again
			}
			acked[i] = stored
			answered.Add(1)
		}
		terminals[i].Close()
		return ctx.Err()
	})
	<-killed
	c.kill()
	return answered.Load(), err
}

func sendRest(ctx context.Context, terminals []*load.Terminal, journals [][]load.Batch, acked []uint64) error {
	return each(len(terminals), len(terminals), func(i int) error {
		for _, batch := range journals[i] {
			if batch.Last <= acked[i] {
				continue
			}
			stored, err := terminals[i].Send(ctx, batch)
			if err == nil && stored < batch.Last {
				err = fmt.Errorf("a batch up to %d was answered with %d", batch.Last, stored)
			}
			if err != nil {
				return err
			}
			acked[i] = stored
		}
		return nil
	})
}

// missingRecords counts acknowledged numbers that the database does not have. It looks on its own, past the store.
func missingRecords(ctx context.Context, c *console, terminals []*load.Terminal, acked []uint64) (int, error) {
	db, err := sql.Open("sqlite", "file:"+c.database())
	if err != nil {
		return 0, err
	}
	defer db.Close()
	missing := 0
	for i, t := range terminals {
		var have int
		err := db.QueryRowContext(ctx, `SELECT COUNT(DISTINCT e.seq) FROM events e JOIN journals j ON j.id = e.journal
			WHERE j.terminal = $1 AND j.outbox = $2 AND e.seq <= $3 AND json_extract(e.body, '$.note') = $2 || '/' || e.seq`,
			t.ID, "journal-"+t.ID, int64(acked[i])).Scan(&have)
		if err != nil {
			return 0, err
		}
		missing += int(acked[i]) - have
	}
	var sound string
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check`).Scan(&sound); err != nil || sound != "ok" {
		return 0, errors.Join(err, fmt.Errorf("the database is damaged: %s", sound))
	}
	return missing, nil
}

// doubled counts records that stand in the database more than once, in whatever journal.
func doubled(ctx context.Context, c *console) (int, error) {
	db, err := sql.Open("sqlite", "file:"+c.database())
	if err != nil {
		return 0, err
	}
	defer db.Close()
	var n int
	err = db.QueryRowContext(ctx, `SELECT COALESCE(SUM(n - 1), 0) FROM (SELECT COUNT(*) AS n FROM events
		WHERE kind = 'device' GROUP BY json_extract(body, '$.note') HAVING COUNT(*) > 1)`).Scan(&n)
	return n, err
}

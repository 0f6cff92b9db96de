//go:build linux

package main

import (
	"context"
	"time"

	"sekisho/scripts/load"
)

// The console's load: so many terminals at once, each sending batches one after the other, as an agent does.
const (
	ingestTerminals = 8
	ingestBatches   = 150 // of each terminal
	ingestBatch     = 100 // records
	ingestRecords   = ingestTerminals * ingestBatches * ingestBatch
)

// ingestFigures: speed against bare SQLite, then what a kill costs.
func ingestFigures(ctx context.Context, b bench) error {
	rate, err := ingestRate(ctx, b)
	if err != nil {
		return err
	}
	bare, err := bareRate(ctx, b)
	if err != nil {
		return err
	}
	b.against("console_ingest", rate, "records/s", "raw-sqlite", bare)
	lost, twice, err := killedRounds(ctx, b, or(b.rounds, 8))
	if err != nil {
		return err
	}
	b.figure("ingest_lost", float64(lost), "records")
	b.figure("ingest_twice", float64(twice), "records")
	return nil
}

func ingestRate(ctx context.Context, b bench) (float64, error) {
	c, err := newConsole(b, "127.0.0.1", "127.0.0.1")
	if err != nil {
		return 0, err
	}
	defer c.close()
	terminals, journals, err := prepareSenders(ctx, c)
	if err != nil {
		return 0, err
	}
	b.say("%d terminals send %d batches of %d records each to a console in another process", ingestTerminals, ingestBatches, ingestBatch)
	from, err := cpuTime(c.pid())
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	if err := sendRest(ctx, terminals, journals, make([]uint64, ingestTerminals)); err != nil {
		return 0, err
	}
	took := time.Since(begun)
	to, err := cpuTime(c.pid())
	b.say("the console used %.1f µs of processor time for a record", float64((to-from).Microseconds())/ingestRecords)
	return ingestRecords / took.Seconds(), err
}

// prepareSenders enrols the terminals and makes all they will send, before anything is measured.
func prepareSenders(ctx context.Context, c *console) ([]*load.Terminal, [][]load.Batch, error) {
	terminals, err := c.enrol(ctx, ingestTerminals)
	if err != nil {
		return nil, nil, err
	}
	journals := make([][]load.Batch, ingestTerminals)
	for i, t := range terminals {
		if journals[i], err = load.Batches("journal-"+t.ID, ingestBatches, ingestBatch, time.Now().Add(-time.Hour)); err != nil {
			return nil, nil, err
		}
		if err := t.Report(ctx, status()); err != nil { // the connection stands before the clock starts
			return nil, nil, err
		}
	}
	return terminals, journals, nil
}

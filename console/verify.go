package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"sekisho/console/store"
)

// When the console looks through its own records, and how long it rests after every few hundred of them: people and
// terminals come first. A million records take about two minutes of a mostly idle processor.
const (
	verifyFirst = time.Minute
	verifyEvery = 24 * time.Hour
	verifyRest  = 50 * time.Millisecond
)

// tellEvery is how many records lie between two lines of progress.
const tellEvery = 100_000

// verify needs no key and changes nothing, so that an auditor can run it on a copy, anywhere.
func verify(ctx context.Context, c call) error {
	path := c.flags.Lookup("db").Value.String()
	if path == "" {
		path = filepath.Join(c.state, "console.db")
	}
	if err := foreign(filepath.Dir(path), os.Geteuid()); err != nil { // a database that is in use gets companion files
		return err
	}
	db, err := store.OpenToRead(ctx, path, time.UTC)
	if err != nil {
		return hint(err, dbHint(err))
	}
	defer db.Close()
	all, err := db.CountRecords(ctx)
	if err != nil {
		return err
	}
	v, err := db.Verify(ctx, time.Now(), tell(c.err, all))
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s\n  %d records computed again, %d of them did not follow when they came (the console shows them)\n", path, v.Records, v.Known)
	if v.Faults > 0 {
		return hint(fmt.Errorf("cannot confirm the records: %d faults; the first: %s", v.Faults, v.First),
			"keep this file as it is, and verify older backups to find out when it happened")
	}
	fmt.Fprintln(c.out, "  every hash follows, in the records and in the audit trail")
	return nil
}

// tell prints how far the look has come.
func tell(to io.Writer, all int64) func(int64) error {
	next := int64(tellEvery)
	return func(done int64) error {
		if done >= next {
			next += tellEvery
			fmt.Fprintf(to, "%d of %d records\n", done, all)
		}
		return nil
	}
}

// verifier looks through the records once a day and notes the result where the pages find it.
type verifier struct {
	db                 *store.DB
	log                zerolog.Logger
	now                func() time.Time
	first, every, rest time.Duration
}

func (v verifier) run(ctx context.Context) {
	for wait(ctx, v.due(ctx)) {
		if err := v.look(ctx); err != nil && ctx.Err() == nil {
			v.log.Error().Err(err).Msg("cannot verify the records")
			if !wait(ctx, v.every/24) {
				return
			}
		}
	}
}

// due is when the next look comes: a day after the last one, but not while everything starts.
func (v verifier) due(ctx context.Context) time.Duration {
	last, err := lastVerified(ctx, v.db)
	if err != nil {
		return v.first
	}
	return max(v.first, min(v.every, v.every-v.now().Sub(last.At)))
}

func lastVerified(ctx context.Context, db *store.DB) (last store.Verification, err error) {
	text, err := db.Setting(ctx, store.SettingVerified)
	if err != nil {
		return last, err
	}
	return last, json.Unmarshal([]byte(text), &last)
}

func (v verifier) look(ctx context.Context) error {
	found, err := v.db.Verify(ctx, v.now(), func(int64) error {
		if !wait(ctx, v.rest) {
			return ctx.Err()
		}
		return nil
	})
	if err != nil {
		return err
	}
	if found.Faults > 0 {
		v.log.Error().Int64("faults", found.Faults).Str("detail", found.First).Msg("records were changed")
	}
	text, err := json.Marshal(found)
	if err != nil {
		return errors.Join(errors.New("cannot note what was verified"), err)
	}
	return v.db.PutSetting(ctx, store.SettingVerified, string(text), "console", v.now())
}

// wait says whether the wait was not cut short.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

//go:build linux

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"sekisho/agent/outbox"
	"sekisho/scripts/load"
)

// Records of the journal's figure: groups of a size that a busy minute on a terminal makes.
const (
	outboxGroups = 400
	outboxGroup  = 250
)

// outboxFigures appends groups of whole records, one fsync a group; the peer is the same bytes into a bare file.
func outboxFigures(ctx context.Context, b bench) error {
	dir, err := os.MkdirTemp("", "sekisho-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b.say("appending %d groups of %d records to a journal in %s, one fsync a group", outboxGroups, outboxGroup, dir)
	groups, err := outboxRecords()
	if err != nil {
		return err
	}
	own, err := appendJournal(ctx, filepath.Join(dir, "journal"), groups)
	if err != nil {
		return err
	}
	bare, err := appendBare(ctx, filepath.Join(dir, "bare"), groups)
	if err != nil {
		return err
	}
	b.against("outbox_append", own, "records/s", "bare-file", bare)
	return nil
}

func outboxRecords() ([][][]byte, error) {
	groups := make([][][]byte, outboxGroups)
	seq, at := uint64(0), time.Now()
	for i := range groups {
		for range outboxGroup {
			seq++
			body, err := load.Record("bench", seq, at)
			if err != nil {
				return nil, err
			}
			groups[i] = append(groups[i], body)
		}
	}
	return groups, nil
}

func appendJournal(ctx context.Context, dir string, groups [][][]byte) (float64, error) {
	box, err := outbox.Open(dir, outbox.Options{MaxBytes: 1 << 30, Log: zerolog.Nop()})
	if err != nil {
		return 0, err
	}
	defer box.Close()
	begun := time.Now()
	for _, bodies := range groups {
		if _, err := box.Append(bodies...); err != nil {
			return 0, err
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	rate := float64(outboxGroups*outboxGroup) / time.Since(begun).Seconds()
	if box.Len() < outboxGroups*outboxGroup {
		return 0, errors.New("the journal holds fewer records than were appended")
	}
	return rate, nil
}

func appendBare(ctx context.Context, path string, groups [][][]byte) (float64, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	begun := time.Now()
	var buf []byte
	for _, bodies := range groups {
		buf = buf[:0]
		for _, body := range bodies {
			buf = append(buf, body...)
		}
		if _, err := f.Write(buf); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil || ctx.Err() != nil {
			return 0, errors.Join(err, ctx.Err())
		}
	}
	return float64(outboxGroups*outboxGroup) / time.Since(begun).Seconds(), nil
}

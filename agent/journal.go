package main

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/wire"
)

// How much is kept in memory: while the disk is merely slow, and while it takes nothing at all.
const (
	keepWhileSlow = 5000
	keepWhileFull = 1000
	journalGroup  = 500 // records in one append
	retryFirst    = time.Minute
	retryLast     = 16 * time.Minute
)

// journal stands between the guard, which never waits, and the outbox, which waits for the disk. What comes while
// an append is under way shares the next one. When nothing can be written it keeps a thousand records and counts the rest.
type journal struct {
	append func(bodies ...[]byte) (uint64, error)
	fault  func(error) // told when writing begins to fail, and with nil when it works again
	now    func() time.Time
	boot   string
	log    zerolog.Logger

	wake chan struct{}

	mu      sync.Mutex
	waiting [][]byte
	lost    uint64
	failing bool
}

func newJournal(appendTo func(...[]byte) (uint64, error), fault func(error), now func() time.Time, boot string, log zerolog.Logger) *journal {
	return &journal{append: appendTo, fault: fault, now: now, boot: boot, log: log, wake: make(chan struct{}, 1)}
}

// put takes a record and never waits.
func (j *journal) put(r wire.Record) {
	if r.At.IsZero() {
		r.At = j.now()
	}
	r.Boot = j.boot
	body, err := encode(r)
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil || len(j.waiting) >= j.room() {
		j.lost++
		j.log.Error().Err(err).Str("kind", r.Kind).Msg("record lost")
	} else {
		j.waiting = append(j.waiting, body)
	}
	j.ring()
}

// queued is how many records wait for the disk. Who has very many to write lets them become fewer first: those that find no
// room are lost.
func (j *journal) queued() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.waiting)
}

func (j *journal) room() int {
	if j.failing {
		return keepWhileFull
	}
	return keepWhileSlow
}

func (j *journal) ring() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

var errTooLong = errors.New("cannot keep a record of more than 64 KiB")

// encode bounds a record: a device may show hundreds of interfaces, the journal takes 64 KiB.
func encode(r wire.Record) ([]byte, error) {
	body, err := json.Marshal(r)
	if err != nil || len(body) <= wire.MaxRecord {
		return body, err
	}
	r.Note = cut(r.Note, 512) + " (facts were cut: the record was too long)"
	r.Steps = r.Steps[:min(len(r.Steps), 16)]
	if r.Event != nil {
		ev := *r.Event
		ev.Device.Interfaces = ev.Device.Interfaces[:min(len(ev.Device.Interfaces), 64)]
		r.Event = &ev
	}
	if body, err = json.Marshal(r); err == nil && len(body) > wire.MaxRecord {
		err = errTooLong // it would keep all that follow out of the journal
	}
	return body, err
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// run writes until ctx ends, and then once more what is still there.
func (j *journal) run(ctx context.Context) {
	delay := retryFirst
	for {
		select {
		case <-j.wake:
		case <-ctx.Done():
			j.flush()
			return
		}
		for j.flush() != nil {
			if !pause(ctx, delay) {
				j.flush()
				return
			}
			delay = min(2*delay, retryLast)
		}
		delay = retryFirst
	}
}

// flush writes everything that waits, in groups.
func (j *journal) flush() error {
	for {
		group, kept, lost := j.group()
		if len(group) == 0 {
			return nil
		}
		_, err := j.append(group...)
		j.settle(kept, lost, err)
		if err != nil {
			return err
		}
	}
}

// group gives the oldest records, and behind the last of them the one that tells how many are missing.
func (j *journal) group() (group [][]byte, kept int, lost uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	kept = min(len(j.waiting), journalGroup)
	group = append(group, j.waiting[:kept]...)
	if kept == len(j.waiting) && j.lost > 0 {
		lost = j.lost
		group = append(group, gapRecord(lost, "memory_full", j.now(), j.boot))
	}
	return group, kept, lost
}

func (j *journal) settle(kept int, lost uint64, err error) {
	j.mu.Lock()
	changed := j.failing != (err != nil)
	j.failing = err != nil
	if err == nil {
		clear(j.waiting[:kept])
		if j.waiting = j.waiting[kept:]; len(j.waiting) == 0 {
			j.waiting = nil // gives the memory of a storm back
		}
		j.lost -= lost
	}
	j.mu.Unlock()
	if changed {
		j.fault(err)
	}
}

// gapRecord is the body that says that records are missing; lost 0 is an unknown number.
func gapRecord(lost uint64, code string, now time.Time, boot string) []byte {
	body, err := json.Marshal(wire.Record{Kind: wire.RecordGap, Code: code, At: now, Lost: lost, Boot: boot})
	if err != nil {
		return []byte(`{"kind":"gap","at":"1970-01-01T00:00:00Z"}`) // only a clock beyond the year 9999 comes here
	}
	return body
}

// pause waits and says whether the wait was not cut short.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

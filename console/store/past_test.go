package store

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// programsTried records n tries of programs, in batches as terminals send them.
func programsTried(t testing.TB, db *DB, terminal string, n int) {
	t.Helper()
	var prev wire.Hash
	for i := 0; i < n; {
		req := wire.EventsRequest{Version: wire.Version, Outbox: "programs-" + terminal, First: uint64(i + 1), Prev: prev}
		for ; i < n && len(req.Entries) < 500; i++ {
			body := programTried(t, fmt.Sprint("Forms ", i))
			prev = wire.Chain(prev, uint64(i+1), body)
			req.Entries = append(req.Entries, wire.Entry{Hash: prev, Body: body})
		}
		_, err := db.AddEvents(t.Context(), terminal, req, noon)
		must(t, err)
	}
}

func programTried(t testing.TB, name string) []byte {
	t.Helper()
	prog := policy.Program{ID: "app:forms", Kind: policy.ProgramApp, Name: name}
	body, err := json.Marshal(wire.Record{Kind: wire.RecordProgram, At: noon, Outcome: policy.OutcomeBlocked,
		Software: &policy.ProgramEvent{What: policy.ProgramRun, Program: prog, SeenAt: noon}})
	must(t, err)
	return body
}

// Ten look at the whole past and take their time. Terminals and pages must not wait for one of them.
func TestWhoLooksAtThePastHoldsNobodyUp(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	enrol(t, db, "t2")
	programsTried(t, db, "t1", 3)
	looking, resume, ended := make(chan bool, 10), make(chan bool), make(chan error, 10)
	for range 10 {
		go func() {
			seen := 0
			err := db.ProgramEvents(context.Background(), func(ProgramEvent) bool {
				if seen++; seen == 1 {
					looking <- true
					<-resume
				}
				return true
			})
			if err == nil && seen != 3 {
				err = fmt.Errorf("saw %d", seen)
			}
			ended <- err
		}()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for range 10 {
		select {
		case <-looking:
		case <-ctx.Done():
			t.Error("who looks at the past waits for the others who do")
		}
	}
	if _, err := db.Draft(ctx, "default"); err == nil || ctx.Err() != nil {
		t.Errorf("another question: %v", err)
	}
	programsTried(t, db, "t2", 1) // is not of the past that they look at
	close(resume)
	for range 10 {
		must(t, <-ended)
	}
}

func TestThePastIsSeenInOrderAndOnlyOnceAlsoOverManyPages(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	programsTried(t, db, "t1", 2*pastPage+7)
	n, err := db.CountProgramEvents(t.Context())
	must(t, err)
	var last, seen int64
	must(t, db.ProgramEvents(t.Context(), func(e ProgramEvent) bool {
		var r wire.Record
		must(t, json.Unmarshal(e.Body, &r))
		if want := fmt.Sprint("Forms ", seen); e.ID <= last || e.Terminal != "t1" || r.Software.Program.Name != want {
			t.Fatalf("event %d after %d of %s is %s, not %s", e.ID, last, e.Terminal, r.Software.Program.Name, want)
		}
		last, seen = e.ID, seen+1
		return true
	}))
	if seen != n || n != 2*pastPage+7 {
		t.Errorf("saw %d of %d", seen, n)
	}
	seen = 0
	must(t, db.ProgramEvents(t.Context(), func(ProgramEvent) bool { seen++; return seen < pastPage+2 }))
	if seen != pastPage+2 {
		t.Errorf("who had enough saw %d", seen)
	}
}

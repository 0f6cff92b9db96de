package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/pprof"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// tries are n more tries of a game on the terminal, in batches as terminals send them.
func (s *site) tries(terminal, outbox string, n int) {
	s.t.Helper()
	j, control := newJournal(), counterSoftware()
	for range n {
		j.add(programRecord(game, policy.ProgramRun, control, policy.OutcomeBlocked, s.now.Add(-time.Hour)))
	}
	for at := 0; at < n; at += 500 {
		req := wire.EventsRequest{Version: wire.Version, Outbox: outbox, First: uint64(at + 1), Entries: j.entries[at:min(n, at+500)]}
		if at > 0 {
			req.Prev = j.entries[at-1].Hash
		}
		_, err := s.db.AddEvents(context.Background(), terminal, req, s.now)
		s.must(err)
	}
}

// replica is another server at the same database, with a clock of its own.
func (s *site) replica(now func() time.Time) *server {
	return &server{Options: Options{DB: s.db, Log: zerolog.Nop(), Now: now, Zone: tokyo}}
}

// Somebody presses "cancel" while one looks at real records: whoever looks hears it at the next time that it tells how far
// it is, and does not look at the rest.
func TestADryRunThatIsCancelledOverRealRecordsEndsBeforeTheirEnd(t *testing.T) {
	s := newSite(t, nil)
	f := s.full()
	s.tries(f.counter, "outbox-many", 5*dryRunLooks)
	b, ctx := s.as("1007"), context.Background()
	d, err := s.db.Draft(ctx, f.group)
	s.must(err)
	id, err := s.db.BeginDryRun(ctx, store.DryRun{Group: f.group, Body: `{}`, By: "1007"}, s.now)
	s.must(err)
	at := fmt.Sprint("/policy/", f.group, "/software/dryrun/", id)
	looks := 0
	srv := s.replica(func() time.Time {
		if looks++; looks == 4 { // it began, it told once, and is about to tell again
			b.get(at).wants(t, `data-state="running"`, "1024")
			if a := b.post(at+"/cancel", nil); a.StatusCode != http.StatusSeeOther {
				t.Errorf("cancelling: %d", a.StatusCode)
			}
		}
		return s.now.Add(time.Duration(looks) * time.Second)
	})
	run := store.DryRun{ID: id, Group: f.group, Body: `{}`, By: "1007", State: store.RunRunning}
	if _, err := srv.rehearse(ctx, &run, groupView{ID: f.group}, d, s.now); !errors.Is(err, store.ErrConflict) {
		t.Errorf("it ended with %v", err)
	}
	if run.Done != 2*dryRunLooks || run.Total < 5*dryRunLooks {
		t.Errorf("it looked at %d of %d", run.Done, run.Total)
	}
	b.get(at).wants(t, "試行を取りやめました")
}

// Who runs it writes nothing over what "cancel" said, also when it had come to the end already.
func TestACancelledDryRunStaysCancelledWhenItsAnswerComesLater(t *testing.T) {
	s := newSite(t, nil)
	f := s.full()
	b, ctx := s.as("1007"), context.Background()
	d, err := s.db.Draft(ctx, f.group)
	s.must(err)
	run := store.DryRun{Group: f.group, Body: `{}`, By: "1007", State: store.RunRunning}
	run.ID, err = s.db.BeginDryRun(ctx, run, s.now)
	s.must(err)
	at := fmt.Sprint("/policy/", f.group, "/software/dryrun/", run.ID)
	b.post(at+"/cancel", nil)
	s.replica(func() time.Time { return s.now }).runDry(ctx, run, groupView{ID: f.group}, d, s.now)
	b.get(at).wants(t, "試行を取りやめました")
}

// Eight administrators try the draft at once, twice, while terminals send and others read. Everybody is answered.
func TestManyDryRunsAtOnceHoldNobodyUp(t *testing.T) {
	s := newSite(t, nil)
	f := s.full()
	s.tries(f.counter, "outbox-many", dryRunLooks)
	var all sync.WaitGroup
	for i := range 8 {
		b := s.as("1007")
		all.Go(func() {
			for range 2 {
				a := b.post("/policy/"+f.group+"/software/dryrun", nil)
				if a.StatusCode != http.StatusSeeOther {
					t.Errorf("a dry run: %d", a.StatusCode)
					return
				}
				b.get(a.Header.Get("Location")).wants(t, "data-state=")
			}
		})
		all.Go(func() { s.tries(f.desk, fmt.Sprint("outbox-desk-", i), 50) })
	}
	answered := make(chan struct{})
	go func() { all.Wait(); close(answered) }()
	select {
	case <-answered:
	case <-time.After(2 * time.Minute):
		var stacks bytes.Buffer
		s.must(pprof.Lookup("goroutine").WriteTo(&stacks, 1))
		t.Fatalf("somebody is not answered:\n%s", &stacks)
	}
}

package main

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sekisho/console/store"
)

func TestVerifySaysWhetherEveryHashFollowsAlsoOfABackup(t *testing.T) {
	dir := state(t)
	if code, _, errs := words(t, "verify", "--state", dir); code != exitFault || !strings.Contains(errs, "console.db") {
		t.Fatalf("without a database: %d %q", code, errs)
	}
	if code, _, errs := words(t, "token", "--state", dir); code != exitOK {
		t.Fatal(errs)
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	if code, _, errs := words(t, "backup", "--state", dir, copied); code != exitOK {
		t.Fatal(errs)
	}
	for _, args := range [][]string{{"--state", dir}, {"--db", copied}} {
		if code, out, errs := words(t, append([]string{"verify"}, args...)...); code != exitOK || !strings.Contains(out, "every hash follows") {
			t.Errorf("%v: %d %q %q", args, code, out, errs)
		}
	}
	tamper(t, copied)
	code, out, errs := words(t, "verify", "--db", copied)
	if code != exitFault || !strings.Contains(errs, "audit trail: row 2") || !strings.Contains(errs, "→") || strings.Contains(out, "every hash") {
		t.Errorf("changed: %d %q %q", code, out, errs)
	}
}

func tamper(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err == nil {
		_, err = db.Exec(`UPDATE audits SET actor = 'somebody else' WHERE id = 2`)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTheConsoleVerifiesItsRecordsOnceADayAndNotesIt(t *testing.T) {
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "console.db"), time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	v := verifier{db: db, log: zerolog.Nop(), now: time.Now, every: time.Hour}
	go func() { defer close(ended); v.run(ctx) }()
	for {
		if last, err := lastVerified(t.Context(), db); err == nil {
			if !last.Audits || last.Faults != 0 || time.Since(last.At) > time.Minute {
				t.Errorf("noted %+v", last)
			}
			break
		}
	}
	if due := v.due(t.Context()); due < 59*time.Minute || due > time.Hour {
		t.Errorf("again in %s", due)
	}
	stop()
	<-ended
}

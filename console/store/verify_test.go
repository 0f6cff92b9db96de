package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sekisho/internal/wire"
)

func noProgress(int64) error { return nil }

// storeOf gives a database with a journal of a thousand records, one of three, and a hole that was told.
func storeOf(t *testing.T) *DB {
	t.Helper()
	db := open(t)
	enrol(t, db, "t1")
	enrol(t, db, "t2")
	long, short, torn := journalOf{outbox: "journal-1"}, journalOf{outbox: "journal-2"}, journalOf{outbox: "journal-3"}
	add := func(terminal string, req wire.EventsRequest) {
		_, err := db.AddEvents(t.Context(), terminal, req, noon)
		must(t, err)
	}
	for range 10 {
		var many []wire.Record
		for range 100 {
			many = append(many, stick("A"))
		}
		add("t1", long.batch(t, many...))
	}
	add("t2", short.batch(t, stick("B"), stick("C"), stick("D")))
	add("t2", torn.batch(t, stick("E")))
	torn.batch(t, stick("F")) // never arrives
	add("t2", torn.batch(t, stick("G"), stick("H")))
	return db
}

func TestRecordsThatNobodyChangedAreVerified(t *testing.T) {
	db := storeOf(t)
	var seen []int64
	v, err := db.Verify(t.Context(), noon, func(n int64) error { seen = append(seen, n); return nil })
	must(t, err)
	// The console's own journal says that the third journal was begun and has a hole.
	if v.Faults != 0 || v.Records != 1000+3+3+2 || v.Known != 1 || !v.Audits || v.First != "" {
		t.Fatalf("got %+v", v)
	}
	if len(seen) < 4 || seen[0] != verifyRows {
		t.Fatalf("progress %v", seen)
	}
	stop := errors.New("stop")
	if _, err := db.VerifyRecords(t.Context(), func(int64) error { return stop }); !errors.Is(err, stop) {
		t.Fatal(err)
	}
}

func TestAChangedRecordIsNamedWithTerminalJournalAndNumber(t *testing.T) {
	whole := storeOf(t)
	_, err := whole.writer.Exec(`DELETE FROM handling`)
	must(t, err)
	for change, want := range map[string]string{
		`UPDATE events SET body = replace(body, '"blocked"', '"allowed"') WHERE seq = 777`:                              "terminal PC-t1 (t1), journal journal-1, number 777: its hash",
		`UPDATE events SET hash = x'00' WHERE seq = 777`:                                                                "journal-1, number 777: its hash",
		`DELETE FROM events WHERE seq = 777`:                                                                            "journal-1, number 778: 1 records before it are missing",
		`DELETE FROM events WHERE seq > 777`:                                                                            "journal-1: it ends at number 777, but 1000",
		`DELETE FROM events WHERE journal = 1`:                                                                          "journal-1: it ends at number 0, but 1000",
		`UPDATE journals SET last = 777 WHERE id = 1`:                                                                   "journal-1: it ends at number 777, but 777",
		`UPDATE journals SET last = 777, head = (SELECT hash FROM events WHERE journal = 1 AND seq = 777) WHERE id = 1`: "journal-1: 223 records stand behind its end",
		`UPDATE events SET chain_ok = 0, body = '{}' WHERE seq = 777`:                                                   "journal-1, number 777: it is marked as broken, and nobody was told",
		`UPDATE events SET terminal = 't2' WHERE seq = 777`:                                                             "journal-1, number 777: it stands under another terminal",
		`UPDATE audits SET detail = '{}' WHERE id = 3`:                                                                  "audit trail: row 3",
		`DELETE FROM events WHERE journal = (SELECT id FROM journals WHERE outbox = 'journal-3') AND seq = 3`:           "journal-3, number 4: the record before it is missing",
	} {
		path := filepath.Join(t.TempDir(), "copy.db")
		must(t, whole.Backup(t.Context(), path))
		db := reopen(t, path)
		_, err := db.writer.Exec(change)
		must(t, err)
		v, err := db.Verify(t.Context(), noon, noProgress)
		must(t, err)
		if v.Faults == 0 || !strings.Contains(v.First, want) {
			t.Errorf("%s\n\twant %s\n\tgot  %d %s", change, want, v.Faults, v.First)
		}
	}
}

func TestABackupIsVerifiedWithoutBeingChanged(t *testing.T) {
	db := storeOf(t)
	path := filepath.Join(t.TempDir(), "copy.db")
	must(t, db.Backup(t.Context(), path))
	before, err := os.ReadFile(path)
	must(t, err)
	copied, err := OpenToRead(t.Context(), path, tokyo(t))
	must(t, err)
	v, err := copied.Verify(t.Context(), noon, noProgress)
	must(t, err)
	must(t, copied.Close())
	after, err := os.ReadFile(path)
	must(t, err)
	left, err := os.ReadDir(filepath.Dir(path))
	must(t, err)
	if v.Faults != 0 || v.Records != 1008 || !bytes.Equal(before, after) || len(left) != 1 {
		t.Fatalf("%+v, changed %t, beside it %v", v, !bytes.Equal(before, after), left)
	}
	if _, err := OpenToRead(t.Context(), path+"x", tokyo(t)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	must(t, os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600))
	if _, err := OpenToRead(t.Context(), path, tokyo(t)); !errors.Is(err, ErrDamaged) {
		t.Errorf("no database: %v", err)
	}
}

func TestTheDatabaseOfARunningConsoleIsVerifiedBesideIt(t *testing.T) {
	db := storeOf(t)
	var path string
	must(t, db.reader.QueryRow(`SELECT file FROM pragma_database_list WHERE name = 'main'`).Scan(&path))
	beside, err := OpenToRead(t.Context(), path, tokyo(t))
	must(t, err)
	defer beside.Close()
	v, err := beside.Verify(t.Context(), noon, noProgress)
	must(t, err)
	if v.Faults != 0 || v.Records != 1008 {
		t.Fatalf("%+v", v)
	}
}

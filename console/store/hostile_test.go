package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

func TestADamagedHashInTheDatabaseCostsNoMoreThanItsRecord(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	j := journalOf{outbox: "journal-1"}
	req := j.batch(t, stick("A"))
	_, err := db.AddEvents(t.Context(), "t1", req, noon)
	must(t, err)
	_, err = db.writer.Exec(`UPDATE events SET hash = x'00'`)
	must(t, err)
	if _, err := db.AddEvents(t.Context(), "t1", req, noon); err != nil && !errors.Is(err, ErrAltered) {
		t.Fatal(err)
	}
	_, err = db.AddEvents(t.Context(), "t1", wire.EventsRequest{Status: &wire.Status{}}, noon)
	must(t, err) // the console lives
}

func TestAKnownFaultDoesNotHideTheNextOne(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	j := journalOf{outbox: "journal-1"}
	_, err := db.AddEvents(t.Context(), "t1", j.batch(t, stick("A"), stick("B")), noon)
	must(t, err)
	told := func() int {
		t.Helper()
		list, err := db.Events(t.Context(), EventFilter{Kind: wire.RecordGap})
		must(t, err)
		return len(list)
	}
	broken := func(n int) wire.EventsRequest { // all hashes from n on are wrong
		k := j
		req := k.batch(t, stick("C"), stick("D"))
		for i := n; i < len(req.Entries); i++ {
			req.Entries[i].Hash[0] ^= 1
		}
		return req
	}
	must(t, db.spoil(t, j.outbox, 3))
	if _, err := db.AddEvents(t.Context(), "t1", broken(0), noon); err != nil {
		t.Fatal(err)
	}
	if n := told(); n != 1 {
		t.Errorf("of a known fault and a new one %d were told", n)
	}
}

// spoil notes a fault as if it had been told already.
func (db *DB) spoil(t *testing.T, outbox string, seq int) error {
	_, err := db.writer.Exec(`INSERT INTO faults (journal, seq, code, hash, at) SELECT id, $1, $2, x'00', 1 FROM journals WHERE outbox = $3`, seq, CodeBroken, outbox)
	return err
}

func TestAStatusThatIsTooLongKeepsNoRecordFromBeingStored(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	for name, s := range map[string]*wire.Status{
		"devices": {Gate: "shut", Devices: make([]wire.Attached, 4000)},
		"words":   {Gate: "shut", OS: strings.Repeat("x", maxStatus+1), Faults: []string{strings.Repeat("y", maxStatus)}},
		"time":    {Gate: "shut", At: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		j := journalOf{outbox: "journal-" + name}
		req := j.batch(t, stick("A"))
		req.Status = s
		answer, err := db.AddEvents(t.Context(), "t1", req, noon)
		must(t, err)
		got, err := db.Terminal(t.Context(), "t1")
		must(t, err)
		if answer.Acked != 1 || got.Status.Gate != "shut" || len(got.Status.Faults) != 1 || !strings.HasPrefix(got.Status.Faults[0], "cannot show") {
			t.Errorf("%s: acked %d, status %.200v", name, answer.Acked, got.Status)
		}
	}
}

func TestTimesAtTheEndsOfTheCalendarAreKeptWithinIt(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	j := journalOf{outbox: "journal-1"}
	for _, at := range []time.Time{time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(0, 1, 1, 0, 0, 0, 0, time.FixedZone("", 14*3600)), time.Unix(-1, 0), {}} {
		r := stick("A")
		r.At, r.Event.SeenAt, r.Steps = at, at, []wire.Step{{At: at}}
		r.Decision = &policy.Decision{Action: policy.ActionBlock, Until: at}
		_, err := db.AddEvents(t.Context(), "t1", j.batch(t, r), noon)
		must(t, err)
	}
	list, err := db.Events(t.Context(), EventFilter{Terminal: "t1"})
	must(t, err)
	for _, e := range list {
		for _, at := range []time.Time{e.Record.At, e.Record.Event.SeenAt, e.Record.Steps[0].At, e.Record.Decision.Until} {
			for _, hours := range []int{-12, 14} {
				if _, err := at.In(time.FixedZone("", hours*3600)).AddDate(5, 0, 0).MarshalJSON(); err != nil && !at.IsZero() {
					t.Error(err)
				}
			}
		}
	}
}

func TestADamagedStatusHidesNoOtherTerminal(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	enrol(t, db, "t2")
	_, err := db.writer.Exec(`UPDATE terminals SET status = '{' WHERE id = 't1'`)
	must(t, err)
	list, err := db.Terminals(t.Context(), "", "")
	must(t, err)
	if len(list) != 2 {
		t.Fatalf("%d terminals", len(list))
	}
}

func TestWhoHasToMakeRoomOnAFullDiskStillSeesThePages(t *testing.T) {
	db := open(t)
	must(t, db.PutAccount(t.Context(), Account{Name: "a", Role: RoleAdmin}, "test", noon))
	a, err := db.Account(t.Context(), "a")
	must(t, err)
	must(t, db.PutSession(t.Context(), Session{Hash: [32]byte{1}, Account: a, ExpiresAt: noon.Add(time.Hour)}, noon))
	_, err = db.writer.Exec(`CREATE TRIGGER full BEFORE UPDATE ON sessions BEGIN
		INSERT INTO settings (name, value) VALUES (hex(randomblob(8)), hex(zeroblob(20000))); END`)
	must(t, err)
	fill(t, db)
	if _, err := db.SessionInUse(t.Context(), [32]byte{1}, time.Hour, noon.Add(2*sessionTouch)); err != nil {
		t.Fatal(err)
	}
}

// fill leaves the database no page to write to.
func fill(t *testing.T, db *DB) {
	t.Helper()
	var pages int
	must(t, db.writer.QueryRow(`PRAGMA page_count`).Scan(&pages))
	_, err := db.writer.Exec(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages))
	must(t, err)
}

func TestABackupOverwritesNothing(t *testing.T) {
	dir := t.TempDir()
	db := reopen(t, filepath.Join(dir, "console.db"))
	must(t, os.WriteFile(filepath.Join(dir, "there.db"), []byte("something"), 0o600))
	if err := db.Backup(t.Context(), filepath.Join(dir, "there.db")); err == nil {
		t.Error("a file was overwritten")
	}
}

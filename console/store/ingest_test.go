package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

func TestABatchIsKeptOnceHoweverOftenItComes(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	j := journalOf{outbox: "journal-1"}
	req := j.batch(t, stick("A"), stick("B"), stick("C"))
	for range 3 {
		answer, err := db.AddEvents(t.Context(), "t1", req, noon)
		must(t, err)
		if answer.Acked != 3 {
			t.Fatalf("acked %d, want 3", answer.Acked)
		}
	}
	list, err := db.Events(t.Context(), EventFilter{Terminal: "t1"})
	must(t, err)
	if len(list) != 3 || list[0].Record.Event.Device.Serial != "C" || list[2].Seq != 1 {
		t.Fatalf("kept %d events, newest %+v", len(list), list[0])
	}
	for _, e := range list {
		if !e.ChainOK || !e.Violation || e.Severity != "warning" || e.TerminalName != "PC-t1" || e.GroupName != "既定" {
			t.Errorf("event is not as it came: %+v", e)
		}
	}
}

func TestAHoleInTheNumbersIsKeptMarkedAndReportedOnce(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	j := journalOf{outbox: "journal-1"}
	first := j.batch(t, stick("A"))
	lost := j.batch(t, stick("B"), stick("C"))
	third := j.batch(t, stick("D"), stick("E"))
	for _, req := range []wire.EventsRequest{first, third, third} {
		_, err := db.AddEvents(t.Context(), "t1", req, noon)
		must(t, err)
	}
	gaps, err := db.Events(t.Context(), EventFilter{Kind: wire.RecordGap})
	must(t, err)
	if len(gaps) != 1 || gaps[0].Record.Code != CodeMissing || gaps[0].Record.Lost != 2 || gaps[0].Severity != "alarm" || !gaps[0].Violation {
		t.Fatalf("gap records: %+v", gaps)
	}
	list, err := db.Events(t.Context(), EventFilter{Kind: wire.RecordDevice})
	must(t, err)
	if len(list) != 3 || list[1].ChainOK || !list[0].ChainOK {
		t.Fatalf("the record behind the hole must be marked, the next one not: %+v", list)
	}
	// What was missing may still come; it fills the hole.
	answer, err := db.AddEvents(t.Context(), "t1", lost, noon)
	must(t, err)
	if answer.Acked != 5 {
		t.Fatalf("acked %d, want 5", answer.Acked)
	}
	list, err = db.Events(t.Context(), EventFilter{Kind: wire.RecordDevice})
	must(t, err)
	if len(list) != 5 {
		t.Fatalf("kept %d, want 5", len(list))
	}
}

func TestANumberThatComesAgainWithOtherContentDoesNotReplaceTheFirst(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	j := journalOf{outbox: "journal-1"}
	_, err := db.AddEvents(t.Context(), "t1", j.batch(t, stick("A")), noon)
	must(t, err)
	forged := journalOf{outbox: "journal-1"}
	req := forged.batch(t, stick("innocent"), stick("B"))
	answer, err := db.AddEvents(t.Context(), "t1", req, noon)
	if !errors.Is(err, ErrAltered) || answer.Acked != 1 {
		t.Fatalf("acked %d, %v; want 1 and %v", answer.Acked, err, ErrAltered)
	}
	list, err := db.Events(t.Context(), EventFilter{Kind: wire.RecordDevice})
	must(t, err)
	if len(list) != 1 || list[0].Record.Event.Device.Serial != "A" {
		t.Fatalf("want A kept and nothing else stored: %+v", list)
	}
	fresh := journalOf{outbox: "journal-2"}
	answer, err = db.AddEvents(t.Context(), "t1", fresh.batch(t, stick("innocent"), stick("B")), noon)
	must(t, err)
	if answer.Acked != 2 {
		t.Fatalf("the new journal: acked %d, want 2", answer.Acked)
	}
	codes := map[string]int{}
	gaps, err := db.Events(t.Context(), EventFilter{Kind: wire.RecordGap})
	must(t, err)
	for _, g := range gaps {
		codes[g.Record.Code]++
	}
	if codes[CodeAltered] != 1 || codes[CodeBroken] != 1 {
		t.Fatalf("faults reported: %v", codes)
	}
}

func TestABodyThatDoesNotMatchItsHashIsMarked(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	j := journalOf{outbox: "journal-1"}
	req := j.batch(t, stick("A"), stick("B"))
	req.Entries[1].Body = append([]byte(nil), req.Entries[0].Body...)
	_, err := db.AddEvents(t.Context(), "t1", req, noon)
	must(t, err)
	list, err := db.Events(t.Context(), EventFilter{Kind: wire.RecordDevice})
	must(t, err)
	if len(list) != 2 || list[0].ChainOK || !list[1].ChainOK {
		t.Fatalf("chain marks: %+v", list)
	}
	o, err := db.Overview(t.Context(), noon, time.Hour)
	must(t, err)
	if o.ChainFaults != 1 || o.Gaps != 1 {
		t.Fatalf("overview counts %d faults, %d gaps", o.ChainFaults, o.Gaps)
	}
}

func TestATimeAheadOfTheClockIsKeptMarkedAndCountedToday(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	r := stick("A")
	r.At = noon.AddDate(50, 0, 0)
	j := journalOf{outbox: "journal-1"}
	_, err := db.AddEvents(t.Context(), "t1", j.batch(t, r), noon)
	must(t, err)
	list, err := db.Events(t.Context(), EventFilter{From: noon.Add(-time.Minute), To: noon.Add(time.Minute)})
	must(t, err)
	if len(list) != 1 || list[0].Mark != "future" || !list[0].Record.At.Equal(r.At) {
		t.Fatalf("want it listed at its arrival, marked, with its own time: %+v", list)
	}
}

func TestARecordThatCannotBeReadIsKeptAsAnAlarm(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	body := []byte(`{"kind": 7}`)
	req := wire.EventsRequest{Outbox: "journal-1", First: 1, Entries: []wire.Entry{{Hash: wire.Chain(wire.Hash{}, 1, body), Body: body}}}
	_, err := db.AddEvents(t.Context(), "t1", req, noon)
	must(t, err)
	list, err := db.Events(t.Context(), EventFilter{Kind: "unreadable"})
	must(t, err)
	if len(list) != 1 || list[0].Severity != "alarm" || list[0].Record.Note != string(body) || !list[0].ChainOK {
		t.Fatalf("got %+v", list)
	}
}

func TestABatchBeyondTheBoundsIsRefusedWhole(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	long := make([]byte, wire.MaxRecord+1)
	for name, req := range map[string]wire.EventsRequest{
		"too many":          {Outbox: "journal-1", First: 1, Entries: make([]wire.Entry, wire.MaxEntries+1)},
		"the console's own": {Outbox: consoleJournal, First: 1, Entries: make([]wire.Entry, 1)},
		"number zero":       {Outbox: "journal-1", First: 0, Entries: []wire.Entry{{Body: []byte("{}")}}},
		"number too high":   {Outbox: "journal-1", First: 1 << 63, Entries: []wire.Entry{{Body: []byte("{}")}}},
		"record too long":   {Outbox: "journal-1", First: 1, Entries: []wire.Entry{{Body: long}}},
		"not UTF-8":         {Outbox: "journal-1", First: 1, Entries: []wire.Entry{{Body: []byte("{\"a\":\"\xff\"}")}}},
	} {
		if _, err := db.AddEvents(t.Context(), "t1", req, noon); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	list, err := db.Events(t.Context(), EventFilter{})
	must(t, err)
	if len(list) != 0 {
		t.Fatalf("kept %d records of refused batches", len(list))
	}
}

func TestOneSpoiledBatchDoesNotHarmTheOthersOfItsGroup(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	group := make([]*batch, 3)
	for i := range group {
		j := journalOf{outbox: fmt.Sprintf("journal-%d", i)}
		b, err := prepare("t1", j.batch(t, stick("A")), noon)
		must(t, err)
		b.done = make(chan error, 1)
		group[i] = b
	}
	group[1].terminal = "nobody" // breaks the reference to terminals
	db.storeGroup(group)
	for i, b := range group {
		if err := <-b.done; (err != nil) != (i == 1) {
			t.Errorf("batch %d: %v", i, err)
		}
	}
}

func TestAStatusReplacesTheOneBefore(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	for i, gate := range []string{"open", "shut"} {
		_, err := db.AddEvents(t.Context(), "t1", wire.EventsRequest{Status: &wire.Status{Gate: gate, Agent: "1.0", Revision: int64(i + 1)}}, noon.Add(time.Minute))
		must(t, err)
	}
	got, err := db.Terminal(t.Context(), "t1")
	must(t, err)
	if got.Status.Gate != "shut" || got.Applied != 2 || got.Agent != "1.0" || !got.LastContact.Equal(noon.Add(time.Minute)) {
		t.Fatalf("got %+v", got)
	}
}

func TestAFullDiskIsSaidAndNothingIsAcknowledged(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	var pages int
	must(t, db.writer.QueryRow(`PRAGMA page_count`).Scan(&pages))
	_, err := db.writer.Exec(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages+2))
	must(t, err)
	j := journalOf{outbox: "journal-1"}
	records := make([]wire.Record, 400)
	for i := range records {
		records[i] = stick(fmt.Sprint(i))
	}
	req := j.batch(t, records...)
	answer, err := db.AddEvents(t.Context(), "t1", req, noon)
	if !errors.Is(err, ErrFull) || answer.Acked != 0 {
		t.Fatalf("acked %d, %v", answer.Acked, err)
	}
	_, err = db.writer.Exec(`PRAGMA max_page_count = 1000000`)
	must(t, err)
	answer, err = db.AddEvents(t.Context(), "t1", req, noon)
	must(t, err)
	if answer.Acked != 400 {
		t.Fatalf("acked %d after room was made", answer.Acked)
	}
}

func TestAStickPulledOutBeforeTheVerdictWasATryAllTheSame(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	j := journalOf{outbox: "journal-1"}
	early, gone := stick("A"), stick("B")
	early.Outcome = policy.OutcomeRemoved
	gone.Outcome, gone.Event.What = policy.OutcomeRemoved, policy.EventDetach
	_, err := db.AddEvents(t.Context(), "t1", j.batch(t, early, gone), noon)
	must(t, err)
	list, err := db.Events(t.Context(), EventFilter{Violations: true})
	must(t, err)
	if len(list) != 1 || list[0].Record.Event.Device.Serial != "A" {
		t.Fatalf("want the try and not the removal: %+v", list)
	}
}

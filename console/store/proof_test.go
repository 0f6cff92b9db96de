package store

import (
	"errors"
	"testing"

	"sekisho/internal/wire"
)

func TestAProofHoldsWhatItsHashIsMadeOf(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	j := journalOf{outbox: "journal-1"}
	batch := j.batch(t, stick("A"), stick("<B> & \u2028 写真"), stick("C"))
	_, err := db.AddEvents(t.Context(), "t1", batch, noon)
	must(t, err)
	_ = j.batch(t, stick("lost"))
	_, err = db.AddEvents(t.Context(), "t1", j.batch(t, stick("E")), noon)
	must(t, err)
	list, err := db.Events(t.Context(), EventFilter{Kind: wire.RecordDevice})
	must(t, err)
	for i, e := range list {
		p, err := db.Proof(t.Context(), e.ID)
		must(t, err)
		if p.Known != (p.Seq != 5) {
			t.Errorf("record %d: known %v", p.Seq, p.Known)
		}
		if p.Known && (wire.Chain(p.Before, p.Seq, []byte(p.Body)) != p.Hash || p.Body != string(batch.Entries[p.Seq-1].Body)) {
			t.Errorf("record %d does not prove itself", p.Seq)
		}
		if p.Seq == 2 && (p.Earlier != list[i+1].ID || p.Next != list[i-1].ID) {
			t.Errorf("its neighbours are %d and %d", p.Earlier, p.Next)
		}
		if p.Seq == 3 && p.Next != 0 || p.Seq == 1 && p.Earlier != 0 {
			t.Errorf("record %d has neighbours that are not there: %+v", p.Seq, p)
		}
	}
	if _, err := db.Proof(t.Context(), 999); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
}

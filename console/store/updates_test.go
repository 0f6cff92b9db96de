package store

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"sekisho/internal/bundle"
	"sekisho/internal/seal"
)

// release is an update as the depot gives it; the store does not look at the signature.
func release(t testing.TB, version, hash string) Update {
	t.Helper()
	m := bundle.Manifest{Format: bundle.Format, Version: version, Programs: []bundle.Program{{OS: "linux", Arch: "amd64", SHA256: strings.Repeat(hash, 64), Size: 1}}}
	raw, err := json.Marshal(m)
	must(t, err)
	return Update{Version: version, Manifest: m, Envelope: seal.Envelope{Key: "k", Payload: raw, Signature: []byte("s")}, By: "1007"}
}

// offeredTo is the version that a terminal's policy offers.
func offeredTo(t testing.TB, db *DB, id string) string {
	t.Helper()
	p, err := db.TerminalPolicy(t.Context(), id)
	must(t, err)
	if p.Update == nil {
		return ""
	}
	return p.Update.Update.Version
}

func revisionOf(t testing.TB, db *DB, id string) int64 {
	t.Helper()
	n, err := db.Revision(t.Context(), id)
	must(t, err)
	return n
}

func TestAReleaseGoesToThePilotsAndThenToEverybody(t *testing.T) {
	db := open(t)
	enrol(t, db, "p")
	enrol(t, db, "q")
	must(t, db.PutUpdate(t.Context(), release(t, "1.1", "a"), noon))
	must(t, db.SetRing(t.Context(), "p", RingPilot, "1007", noon))
	before := revisionOf(t, db, "q")
	wake, end := db.Watch("p")
	defer end()

	pilot, err := db.PutOffer(t.Context(), RingPilot, "1.1", "1007", noon)
	must(t, err)
	select {
	case <-wake:
	default:
		t.Error("the pilot was not woken")
	}
	if offeredTo(t, db, "p") != "1.1" || offeredTo(t, db, "q") != "" || revisionOf(t, db, "q") != before {
		t.Errorf("the pilot has %q, the other %q at %d", offeredTo(t, db, "p"), offeredTo(t, db, "q"), revisionOf(t, db, "q"))
	}
	_, err = db.PutOffer(t.Context(), RingAll, "1.1", "1007", noon)
	must(t, err)
	if offeredTo(t, db, "q") != "1.1" || revisionOf(t, db, "q") != before+1 {
		t.Errorf("the other has %q at %d", offeredTo(t, db, "q"), revisionOf(t, db, "q"))
	}
	must(t, db.PutUpdate(t.Context(), release(t, "1.2", "b"), noon.Add(time.Hour)))
	_, err = db.PutOffer(t.Context(), RingPilot, "1.2", "1007", noon)
	must(t, err)
	if offeredTo(t, db, "p") != "1.2" || offeredTo(t, db, "q") != "1.1" {
		t.Errorf("the pilot has %q, the other %q", offeredTo(t, db, "p"), offeredTo(t, db, "q"))
	}
	if err := db.WithdrawOffer(t.Context(), pilot.ID, "1007", noon); !errors.Is(err, ErrConflict) {
		t.Errorf("an offer that was replaced was withdrawn again: %v", err)
	}
	must(t, db.SetRing(t.Context(), "p", RingAll, "1007", noon))
	if offeredTo(t, db, "p") != "1.1" {
		t.Errorf("out of the pilot ring it has %q", offeredTo(t, db, "p"))
	}
	verifyAudits(t, db)
}

func TestAWithdrawnOfferIsNoneAndItsProgramsMayGo(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	must(t, db.PutUpdate(t.Context(), release(t, "1.1", "a"), noon))
	if _, err := db.Blob(t.Context(), "t1", strings.Repeat("a", 64)); !errors.Is(err, ErrNotFound) {
		t.Errorf("a program that nobody offered: %v", err)
	}
	o, err := db.PutOffer(t.Context(), RingAll, "1.1", "1007", noon)
	must(t, err)
	if p, err := db.Blob(t.Context(), "t1", strings.Repeat("a", 64)); err != nil || p.Size != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	if err := db.RemoveUpdate(t.Context(), "1.1", "1007", noon); !errors.Is(err, ErrConflict) {
		t.Errorf("it was removed while it is offered: %v", err)
	}
	before := revisionOf(t, db, "t1")
	must(t, db.WithdrawOffer(t.Context(), o.ID, "1007", noon))
	if offeredTo(t, db, "t1") != "" || revisionOf(t, db, "t1") != before+1 {
		t.Error("the terminal does not hear of it")
	}
	must(t, db.RemoveUpdate(t.Context(), "1.1", "1007", noon))
	if list, err := db.Updates(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := db.PutOffer(t.Context(), RingAll, "1.1", "1007", noon); !errors.Is(err, ErrNotFound) {
		t.Errorf("what was removed was offered: %v", err)
	}
	must(t, db.PutUpdate(t.Context(), release(t, "1.1", "a"), noon))
	if _, err := db.Update(t.Context(), "1.1"); err != nil {
		t.Errorf("carried in again: %v", err)
	}
	verifyAudits(t, db)
}

func TestTwoReleasesCannotHaveOneVersion(t *testing.T) {
	db := open(t)
	must(t, db.PutUpdate(t.Context(), release(t, "1.1", "a"), noon))
	must(t, db.PutUpdate(t.Context(), release(t, "1.1", "a"), noon))
	if err := db.PutUpdate(t.Context(), release(t, "1.1", "b"), noon); !errors.Is(err, ErrConflict) {
		t.Errorf("%v", err)
	}
	if _, err := db.PutOffer(t.Context(), "everybody", "1.1", "1007", noon); !errors.Is(err, ErrNotFound) {
		t.Errorf("a ring that nobody knows: %v", err)
	}
}

func verifyAudits(t testing.TB, db *DB) {
	t.Helper()
	if broken, err := db.VerifyAudits(t.Context()); err != nil || broken != 0 {
		t.Errorf("audit row %d does not follow: %v", broken, err)
	}
}

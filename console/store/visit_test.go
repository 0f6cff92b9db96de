package store

import (
	"testing"
	"time"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// visit is what a terminal records of one stick that stays while the policy changes.
func visit(serial string, seen time.Time, outcomes ...policy.Outcome) []wire.Record {
	var list []wire.Record
	for i, o := range outcomes {
		r := stick(serial)
		r.Event.SeenAt, r.At, r.Outcome = seen, seen.Add(time.Duration(i)*time.Minute), o
		switch {
		case o == policy.OutcomeRemoved:
			r.Event.What, r.Event.SeenAt = policy.EventDetach, r.At
		case o == policy.OutcomeAllowed:
			r.Decision.Action, r.Decision.Grant = policy.ActionAllow, "G-7"
		case i > 0:
			r.Code = wire.CodeAgain
		}
		list = append(list, r)
	}
	return list
}

func TestAStickThatIsJudgedAgainIsNoSecondViolationUnlessItCouldNotBeBlocked(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	j := journalOf{outbox: "journal-1"}
	_, err := db.AddEvents(t.Context(), "t1", j.batch(t, visit("A", noon, policy.OutcomeAudit, policy.OutcomeDetected, policy.OutcomeBlocked,
		policy.OutcomeAllowed, policy.OutcomeBlocked, policy.OutcomeBlockFailed, policy.OutcomeRemoved)...), noon)
	must(t, err)
	list, err := db.Events(t.Context(), EventFilter{Violations: true})
	must(t, err)
	if len(list) != 2 || list[0].Record.Outcome != policy.OutcomeBlockFailed || list[0].Severity != "alarm" || list[1].Record.Outcome != policy.OutcomeAudit {
		t.Fatalf("violations: %+v", list)
	}
}

func TestAVisitEndsWithItsDetachOrWithAnother(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	j := journalOf{outbox: "journal-1"}
	records := visit("A", noon, policy.OutcomeBlocked, policy.OutcomeAllowed, policy.OutcomeRemoved)
	records = append(records, visit("A", noon.Add(time.Hour), policy.OutcomeBlocked)...) // its detach is lost
	records = append(records, visit("B", noon.Add(2*time.Hour), policy.OutcomeBlocked)...)
	records = append(records, visit("A", noon.Add(3*time.Hour), policy.OutcomeBlocked, policy.OutcomeRemoved)...)
	_, err := db.AddEvents(t.Context(), "t1", j.batch(t, records...), noon)
	must(t, err)
	list, err := db.Events(t.Context(), EventFilter{Violations: true})
	must(t, err)
	var counts []int
	for _, e := range list {
		later, err := db.Later(t.Context(), e)
		must(t, err)
		counts = append(counts, len(later))
	}
	if len(counts) != 4 || counts[0] != 1 || counts[1] != 0 || counts[2] != 0 || counts[3] != 2 {
		t.Fatalf("later records, newest visit first: %v", counts)
	}
	later, err := db.Later(t.Context(), list[3])
	must(t, err)
	if later[0].Record.Decision.Grant != "G-7" || later[1].Record.Outcome != policy.OutcomeRemoved {
		t.Errorf("%+v", later)
	}
}

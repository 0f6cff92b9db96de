package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

func TestTheNumberThatACallerSaysLeadsStraightToTheViolation(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	rec := s.record(stick, policy.OutcomeBlocked, policy.ModeEnforce, s.now)
	rec.Request = "0931-5582"
	j := newJournal()
	j.add(rec)
	rec.Event.What = policy.EventDetach // says the same number and is no second hit
	j.add(rec)
	_, err := s.db.AddEvents(context.Background(), f.desk, wire.EventsRequest{Version: 1, Outbox: "second-outbox", First: 1, Entries: j.entries}, s.now)
	s.must(err)
	list, err := s.db.Events(context.Background(), store.EventFilter{Violations: true, Request: "0931-5582"})
	if err != nil || len(list) != 1 {
		t.Fatalf("%d violations, %v", len(list), err)
	}
	b := s.as("1012")
	for _, said := range []string{"0931-5582", "09315582", "０９３１－５５８２", "０９３１５５８２", "0931ー5582", " 0931 5582 "} {
		a := b.get("/search?q=" + url.QueryEscape(said))
		if want := fmt.Sprint("/violations/", list[0].ID); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != want {
			t.Errorf("%q: %d %s, not %s", said, a.StatusCode, a.Header.Get("Location"), want)
		}
	}
	b.get("/search").wants(t, "要求番号・端末・利用者・シリアル番号で検索")
}

func TestANumberOfSeveralViolationsListsThem(t *testing.T) {
	s := newSite(t, nil)
	s.fill() // every record carries the same number
	b := s.as("1012")
	b.get("/search?q=48217730").wants(t, "/violations?request=4821-7730&amp;state=all", "KT-0123", "KT-0131")
	b.get("/violations?request=4821-7730&state=all").wants(t, "要求番号: 4821-7730")
}

func TestEightDigitsThatAreNoRequestNumberAreLookedForAsASerialNumber(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	d := stick
	d.Serial = "20260401"
	j := newJournal()
	j.add(s.record(d, policy.OutcomeBlocked, policy.ModeEnforce, s.now.Add(-time.Minute)))
	_, err := s.db.AddEvents(context.Background(), f.desk, wire.EventsRequest{Version: 1, Outbox: "second-outbox", First: 1, Entries: j.entries}, s.now)
	s.must(err)
	a := s.as("1012").get("/search?q=20260401")
	if a.StatusCode != http.StatusOK || !strings.Contains(a.text, "20260401</small>") {
		t.Errorf("%d: the stick is not found", a.StatusCode)
	}
}

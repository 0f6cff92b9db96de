package main

import (
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"

	"sekisho/agent/outbox"
	"sekisho/internal/wire"
)

func TestAnotherIdentitySendsItsUnsentRecordsInAJournalOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	m := newMemory(func() (*outbox.Outbox, error) {
		return outbox.Open(filepath.Join(dir, "outbox"), outbox.Options{Gap: func(uint64) []byte { return []byte(`{}`) }, Log: zerolog.Nop()})
	})
	defer m.Close()
	v := &voice{a: &agent{agentOptions: agentOptions{config: config{State: dir}, log: zerolog.Nop()}, memory: m}}
	next := func() wire.EventsRequest {
		t.Helper()
		req, err := m.Next(10)
		if err != nil {
			t.Fatal(err)
		}
		return req
	}
	if _, err := m.Append([]byte(`{"note":"1"}`), []byte(`{"note":"2"}`)); err != nil {
		t.Fatal(err)
	}
	first := next()
	v.own("T1")
	v.own("T1")
	if got := next(); got.Outbox != first.Outbox {
		t.Fatal("the first enrolment, or the next start, began a new journal")
	}
	if err := m.Drop(1); err != nil {
		t.Fatal(err)
	}
	v.own("T2")
	got := next()
	if got.Outbox == first.Outbox || got.First != 1 || len(got.Entries) != 1 || string(got.Entries[0].Body) != `{"note":"2"}` {
		t.Fatalf("got %+v", got)
	}
	v.own("T2")
	if next().Outbox != got.Outbox {
		t.Fatal("it began another one at the next start")
	}
}

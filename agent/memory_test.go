package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"sekisho/agent/outbox"
)

func TestAJournalThatCannotBeOpenedIsTriedAgainWithEveryAppend(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "outbox")
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // a file stands where the folder should
		t.Fatal(err)
	}
	m := newMemory(func() (*outbox.Outbox, error) { return outbox.Open(dir, outbox.Options{Log: zerolog.Nop()}) })
	defer m.Close()
	waiting := m.Wake()
	if _, err := m.Append([]byte(`{}`)); err == nil || !strings.Contains(err.Error(), "cannot open journal") {
		t.Fatalf("%v", err)
	}
	req, err := m.Next(10)
	if err != nil || len(req.Entries) != 0 || m.Len() != 0 || m.Drop(1) != nil || m.Renew() != nil {
		t.Fatalf("%+v, %v", req, err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if seq, err := m.Append([]byte(`{}`)); err != nil || seq != 1 {
		t.Fatalf("%d, %v", seq, err)
	}
	<-waiting // who waited for the first record hears of it
	if req, err := m.Next(10); err != nil || len(req.Entries) != 1 || m.Len() != 1 || m.Drop(1) != nil || m.Len() != 0 {
		t.Fatalf("%+v, %v", req, err)
	}
}

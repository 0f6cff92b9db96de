package agentapi

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"sekisho/internal/wire"
)

func sheet(t *testing.T, ids ...string) wire.Sheet {
	t.Helper()
	sh := wire.Sheet{Name: wire.SheetSoftware}
	for _, id := range ids {
		sh.Set = append(sh.Set, wire.Item{ID: id, Body: []byte(`{"name":"` + id + `"}`)})
		sh.To = sh.To.Mix(sh.Set[len(sh.Set)-1])
	}
	return sh
}

func TestASheetTravelsBesideRecordsAndIsAnsweredWithWhereItStands(t *testing.T) {
	c := start(t)
	tm := c.enrol(t)
	j := &journal{outbox: "outbox-1"}
	req := j.batch(t, 3)
	req.Sheets = []wire.Sheet{sheet(t, "a", "b")}
	var answer wire.EventsAnswer
	if code := post(t, tm.Client, c.url+wire.PathEvents, req, &answer); code != http.StatusOK || answer.Acked != 3 || answer.Sheets[wire.SheetSoftware] != req.Sheets[0].To {
		t.Fatalf("%d %+v", code, answer)
	}
	req = j.batch(t, 1)
	req.Sheets = []wire.Sheet{{Name: wire.SheetSoftware, From: wire.Hash{1}, To: wire.Hash{2}}}
	before := answer.Sheets[wire.SheetSoftware]
	if code := post(t, tm.Client, c.url+wire.PathEvents, req, &answer); code != http.StatusOK || answer.Acked != 4 || answer.Sheets[wire.SheetSoftware] != before {
		t.Fatalf("from elsewhere: %d %+v", code, answer)
	}
}

func TestSheetsLeaveRoomForRecordsHoweverTheyFit(t *testing.T) {
	f := flow{burst: 128 << 10}
	now := time.Now()
	many := wire.EventsRequest{Sheets: []wire.Sheet{sheet(t, "a", "b")}}
	for f.takeSheets("pc", many, now) {
	}
	if !f.take("pc", (&journal{outbox: "outbox-1"}).batch(t, 20), now) {
		t.Error("twenty records found no room")
	}
}

func TestATerminalThatFloodsWithSheetsStillGetsItsRecordsThrough(t *testing.T) {
	c := start(t)
	c.api.flow.burst = 200 << 10
	tm := c.enrol(t)
	j := &journal{outbox: "outbox-1"}
	ids := make([]string, 40)
	for i := range ids {
		ids[i] = strings.Repeat("i", 100) + string(rune('a'+i))
	}
	var left bool
	for range 6 {
		req := j.batch(t, 1)
		req.Sheets = []wire.Sheet{sheet(t, ids...)}
		var answer wire.EventsAnswer
		if code := post(t, tm.Client, c.url+wire.PathEvents, req, &answer); code != http.StatusOK || answer.Acked != j.seq {
			t.Fatalf("the record was refused: %d %+v", code, answer)
		}
		_, answered := answer.Sheets[wire.SheetSoftware]
		left = left || !answered
	}
	if !left {
		t.Error("sheets count nothing")
	}
}

package link

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/wire"
)

// shelf is a list whose steps are written down beforehand.
type shelf struct {
	mu      sync.Mutex
	steps   []wire.Sheet
	resting bool
	wake    chan struct{}
}

func someSheets() *shelf {
	return &shelf{wake: make(chan struct{}, 1), steps: []wire.Sheet{{Name: wire.SheetSoftware, To: wire.Hash{1}, Set: []wire.Item{{ID: "deb:a", Body: []byte(`{"name":"a"}`)}}}}}
}

func (k *shelf) put(s wire.Sheet) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.steps = append(k.steps, s)
	k.wake <- struct{}{}
}

func (k *shelf) Next() []wire.Sheet {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.resting {
		return nil
	}
	return k.steps[:min(len(k.steps), 1)]
}

func (k *shelf) Answered(tags map[string]wire.Hash) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if tag, said := tags[wire.SheetSoftware]; said && tag == k.steps[0].To {
		k.steps = k.steps[1:]
	} else {
		k.resting = true
	}
	return len(k.steps) > 0 && !k.resting
}

func (k *shelf) Refused()              { k.mu.Lock(); defer k.mu.Unlock(); k.resting = true }
func (k *shelf) Wake() <-chan struct{} { return k.wake }
func (k *shelf) Rest() time.Duration   { return 0 }

func TestAListGoesUpBesideTheRecordsAndNotTwice(t *testing.T) {
	c, q, dir, k := newConsole(t), newQueue(), t.TempDir(), someSheets()
	c.speaks, c.stands = "3", func(s wire.Sheet) (wire.Hash, bool) { return s.To, true }
	run(t, Options{URL: c.url(), Dir: dir, Identity: c.enrolled(t, dir), Queue: q, Sheets: k, Log: zerolog.Nop(),
		Status: func() wire.Status { return wire.Status{Mode: "audit"} }})
	came := func() (n int) { c.set(func() { n = len(c.sheets) }); return n }
	eventually(t, "the list comes", func() bool { return came() == 1 })
	q.add(1, 3)
	eventually(t, "the records come", func() bool { return q.left() == 0 })
	k.put(wire.Sheet{Name: wire.SheetSoftware, From: wire.Hash{1}, To: wire.Hash{2}, Set: []wire.Item{{ID: "deb:b", Body: []byte("{}")}}})
	eventually(t, "the difference comes", func() bool { return came() == 2 })
	c.set(func() {
		if last := c.sheets[1]; last.From != c.sheets[0].To || len(last.Set) != 1 || last.Set[0].ID != "deb:b" {
			t.Errorf("the difference is %+v", last)
		}
	})
}

func TestAnOlderConsoleGetsNoLists(t *testing.T) {
	for _, speaks := range []string{"", "2"} {
		c, q, dir := newConsole(t), newQueue(), t.TempDir()
		c.speaks = speaks
		run(t, Options{URL: c.url(), Dir: dir, Identity: c.enrolled(t, dir), Queue: q, Sheets: someSheets(), Log: zerolog.Nop(),
			Status: func() wire.Status { return wire.Status{Mode: "audit"} }})
		q.add(1, 200)
		eventually(t, "the records come", func() bool { return q.left() == 0 })
		c.set(func() {
			if len(c.sheets) > 0 {
				t.Errorf("a console that says %q was sent %d steps", speaks, len(c.sheets))
			}
		})
	}
}

func TestAConsoleThatIgnoresListsIsNotAskedAgainAtOnce(t *testing.T) {
	c, q, dir := newConsole(t), newQueue(), t.TempDir()
	c.speaks = "3"
	run(t, Options{URL: c.url(), Dir: dir, Identity: c.enrolled(t, dir), Queue: q, Sheets: someSheets(), Log: zerolog.Nop(),
		Status: func() wire.Status { return wire.Status{Mode: "audit"} }})
	for i := range 5 {
		q.add(i+1, i+1)
		eventually(t, "the record comes", func() bool { return q.left() == 0 })
	}
	c.set(func() {
		if len(c.sheets) != 1 || c.posted > 8 {
			t.Errorf("%d steps in %d requests", len(c.sheets), c.posted)
		}
	})
}

func TestRecordsDoNotWaitForAListThatTheConsoleRefuses(t *testing.T) {
	l := &Link{o: Options{Sheets: someSheets()}}
	u := uploader{Link: l}
	req := wire.EventsRequest{Sheets: l.o.Sheets.Next()}
	u.withoutSheets(req, &unreached{errors.New("no route")})
	if len(l.o.Sheets.Next()) != 1 {
		t.Error("a list rests because the network was away")
	}
	u.withoutSheets(req, &refusal{status: 400})
	if len(l.o.Sheets.Next()) != 0 {
		t.Error("the request would be refused again and again")
	}
}

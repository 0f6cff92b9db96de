package sheet

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"sekisho/internal/wire"
)

// copyOf is a console's copy of one sheet, as docs/protocol.md has it.
type copyOf struct {
	items map[string]string
	tag   wire.Hash
}

func (c *copyOf) take(s wire.Sheet) wire.Hash {
	if s.From == (wire.Hash{}) {
		c.items, c.tag = map[string]string{}, wire.Hash{}
	}
	if s.From != c.tag {
		return c.tag
	}
	for _, id := range s.Gone {
		delete(c.items, id)
	}
	for _, i := range s.Set {
		c.items[i.ID] = string(i.Body)
	}
	c.tag = wire.Hash{}
	for id, body := range c.items {
		c.tag = c.tag.Mix(wire.Item{ID: id, Body: json.RawMessage(body)})
	}
	return c.tag
}

// clockwork is a clock that is turned by hand.
type clockwork struct{ at time.Time }

func (c *clockwork) now() time.Time { return c.at }

func items(of map[string]string) (out Items) {
	for id, body := range of {
		out = append(out, wire.Item{ID: id, Body: json.RawMessage(body)})
	}
	return out
}

func open(t testing.TB, dir string, c *clockwork) *Keeper { return Open(dir, c.now, zerolog.Nop()) }

// deliver sends steps until there is none, and counts them.
func deliver(k *Keeper, c *copyOf) (steps, bytes int) {
	for {
		next := k.Next()
		if len(next) == 0 {
			return steps, bytes
		}
		steps++
		raw, _ := json.Marshal(next)
		bytes += len(raw)
		k.Answered(map[string]wire.Hash{next[0].Name: c.take(next[0])})
	}
}

func TestTheConsolesCopyIsWhatIsTrueWhateverHappensBetween(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp("", "sheet-")
		if err != nil {
			r.Fatal(err)
		}
		defer os.RemoveAll(dir)
		clock, console := &clockwork{at: time.Now()}, &copyOf{}
		k := open(t, dir, clock)
		truth := map[string]string{}
		for range rapid.IntRange(1, 12).Draw(r, "days") {
			truth = maps.Clone(truth)
			for range rapid.IntRange(0, 4).Draw(r, "changes") {
				id := fmt.Sprint("p", rapid.IntRange(0, 5).Draw(r, "which"))
				if rapid.Bool().Draw(r, "gone") {
					delete(truth, id)
				} else {
					truth[id] = fmt.Sprintf(`{"v":%d}`, rapid.IntRange(0, 3).Draw(r, "version"))
				}
			}
			if err := k.Put(wire.SheetSoftware, items(truth)); err != nil {
				r.Fatal(err)
			}
			switch rapid.SampledFrom([]string{"all is well", "answer lost", "restarted", "backup restored", "state lost"}).Draw(r, "fate") {
			case "answer lost":
				for _, s := range k.Next() {
					console.take(s)
				}
			case "restarted":
				k = open(t, dir, clock)
				k.Put(wire.SheetSoftware, items(truth))
			case "backup restored":
				*console = copyOf{}
			case "state lost":
				os.Remove(filepath.Join(dir, "sheet-software.json"))
				k = open(t, dir, clock)
				k.Put(wire.SheetSoftware, items(truth))
			}
			for range 3 { // a console that stands elsewhere again and again is let rest, and asked once a day
				clock.at = clock.at.Add(askEvery)
				deliver(k, console)
			}
			if !maps.Equal(console.items, truth) && len(console.items)+len(truth) > 0 {
				r.Fatalf("the console has %v, true is %v", console.items, truth)
			}
		}
	})
}

func TestALongListGoesInStepsAndIsNotSentAgainAfterARestart(t *testing.T) {
	clock, console, dir := &clockwork{at: time.Now()}, &copyOf{}, t.TempDir()
	all := map[string]string{}
	for i := range 5000 {
		all[fmt.Sprint("deb:p", i)] = fmt.Sprintf(`{"name":"p%d","note":"%0300d"}`, i, i)
	}
	k := open(t, dir, clock)
	if err := k.Put(wire.SheetSoftware, items(all)); err != nil {
		t.Fatal(err)
	}
	steps, _ := deliver(k, console)
	if !maps.Equal(console.items, all) || steps < 3 {
		t.Fatalf("%d items in %d steps", len(console.items), steps)
	}
	k = open(t, dir, clock)
	k.Put(wire.SheetSoftware, items(all))
	if n, bytes := deliver(k, console); n != 1 || bytes > 256 {
		t.Errorf("asking where the console stands is %d steps of %d bytes", n, bytes)
	}
	all["deb:new"] = `{"name":"new"}`
	k.Put(wire.SheetSoftware, items(all))
	if n, bytes := deliver(k, console); n != 1 || bytes > 512 {
		t.Errorf("one install is %d steps of %d bytes", n, bytes)
	}
}

func TestALongListIsTakenBackInStepsToo(t *testing.T) {
	clock, console := &clockwork{at: time.Now()}, &copyOf{}
	all := map[string]string{}
	for i := range 2*wire.MaxSheetStep + 100 {
		all[fmt.Sprint("deb:p", i)] = `{"v":1}`
	}
	k := open(t, t.TempDir(), clock)
	k.Put(wire.SheetSoftware, items(all))
	deliver(k, console)
	left := map[string]string{"deb:p7": `{"v":2}`, "deb:p8": `{"v":1}`, "deb:a": `{"v":1}`, "deb:z": `{"v":1}`}
	k.Put(wire.SheetSoftware, items(left))
	steps, _ := deliver(k, console)
	if !maps.Equal(console.items, left) || steps != 3 {
		t.Errorf("%d items in %d steps", len(console.items), steps)
	}
}

func TestOfTwoLinesWithOneIdOneIsShownAndThatIsSaid(t *testing.T) {
	k := open(t, t.TempDir(), &clockwork{at: time.Now()})
	err := k.Put(wire.SheetSoftware, Items{{ID: "b", Body: json.RawMessage("1")}, {ID: "a", Body: json.RawMessage("1")}, {ID: "b", Body: json.RawMessage("2")}})
	if err == nil || len(k.Next()[0].Set) != 2 {
		t.Error(err)
	}
}

func TestAConsoleThatKeepsNoSuchListIsLeftInPeace(t *testing.T) {
	clock := &clockwork{at: time.Now()}
	k := open(t, t.TempDir(), clock)
	k.Put(wire.SheetSoftware, items(map[string]string{"a": "1"}))
	sent := 0
	for end := clock.at.Add(48 * time.Hour); clock.at.Before(end); clock.at = clock.at.Add(max(time.Second, k.Rest())) {
		if len(k.Next()) == 1 {
			sent++
		}
		if k.Answered(nil) || len(k.Next()) != 0 {
			t.Fatal("it is sent again at once")
		}
	}
	if sent < 8 || sent > 16 {
		t.Errorf("it is sent %d times in two days", sent)
	}
}

func TestAConsoleThatNeverAgreesMakesNoHotLoop(t *testing.T) {
	clock := &clockwork{at: time.Now()}
	k := open(t, t.TempDir(), clock)
	k.Put(wire.SheetSoftware, items(map[string]string{"a": "1"}))
	sent := 0
	for end := clock.at.Add(24 * time.Hour); clock.at.Before(end); clock.at = clock.at.Add(time.Second) {
		for range 100 {
			next := k.Next()
			if len(next) == 0 {
				break
			}
			sent++
			k.Answered(map[string]wire.Hash{wire.SheetSoftware: {1, 2, 3}})
		}
	}
	if sent > 20 {
		t.Errorf("%d steps in a day", sent)
	}
}

func TestARefusedStepLetsTheRecordsGo(t *testing.T) {
	k := open(t, t.TempDir(), &clockwork{at: time.Now()})
	k.Put(wire.SheetSoftware, items(map[string]string{"a": "1"}))
	k.Next()
	k.Refused()
	if len(k.Next()) != 0 || k.Rest() == 0 {
		t.Error("what was refused is sent again at once, or never")
	}
}

func TestADamagedNoteOfTheConsolesStateSendsEverything(t *testing.T) {
	clock, console, dir := &clockwork{at: time.Now()}, &copyOf{}, t.TempDir()
	k := open(t, dir, clock)
	k.Put(wire.SheetSoftware, items(map[string]string{"a": "1", "b": "2"}))
	deliver(k, console)
	path := filepath.Join(dir, "sheet-software.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{nil, raw[:len(raw)/2], []byte(`{"begun":true,"tag":"` + fmt.Sprintf("%064d", 7) + `"}`)} {
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		k = open(t, dir, clock)
		k.Put(wire.SheetSoftware, items(map[string]string{"a": "1", "b": "2"}))
		if next := k.Next(); len(next) != 1 || next[0].From != (wire.Hash{}) || len(next[0].Set) != 2 {
			t.Errorf("%.20q: %+v", bad, next)
		}
	}
}

func TestWhatIsTooLongForTheWireIsLeftOutAndSaid(t *testing.T) {
	k := open(t, t.TempDir(), &clockwork{at: time.Now()})
	long := `"` + string(make([]byte, 0)) + fmt.Sprintf("%0*d", wire.MaxItem, 1) + `"`
	err := k.Put(wire.SheetSoftware, Items{{ID: "a", Body: json.RawMessage("1")}, {ID: "b", Body: json.RawMessage(long)}, {ID: "", Body: json.RawMessage("1")}, {ID: "c", Body: json.RawMessage("{")}})
	if err == nil || len(k.Next()[0].Set) != 1 {
		t.Error(err)
	}
	if k.Put("weather", nil) == nil {
		t.Error("a list that nobody reads is kept")
	}
}

func TestNothingIsSentBeforeAnythingIsKnown(t *testing.T) {
	k := open(t, t.TempDir(), &clockwork{at: time.Now()})
	if len(k.Next()) != 0 || k.Rest() != 0 {
		t.Error("an empty list is sent before the first look")
	}
}

// longList is made line by line, as that of the programs is.
type longList int

func (l longList) Len() int { return int(l) }

func (l longList) Item(n int) wire.Item {
	id := fmt.Sprintf("deb:libexample-part%05d:amd64", n)
	return wire.Item{ID: id, Body: json.RawMessage(fmt.Sprintf(`{"id":%q,"version":"1:%d","origin":"deb.example.lan/debian stable main","note":"%0150d"}`, id, n, n))}
}

// BenchmarkKeep shows the bytes that a list of 6,000 lines keeps once the console has it, and what another Put of it costs.
func BenchmarkKeep(b *testing.B) {
	before := alive()
	k := open(b, b.TempDir(), &clockwork{at: time.Now()})
	k.Put(wire.SheetSoftware, longList(6000))
	deliver(k, &copyOf{})
	kept := alive() - before
	for b.Loop() {
		k.Put(wire.SheetSoftware, longList(6000))
	}
	b.ReportMetric(float64(kept), "bytes/6000")
}

func alive() uint64 {
	runtime.GC()
	runtime.GC() // the first only empties the pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

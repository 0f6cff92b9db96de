package outbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"sekisho/internal/wire"
)

// body is a record that names itself.
func body(n int) []byte {
	b, _ := json.Marshal(wire.Record{Kind: wire.RecordAgent, Note: fmt.Sprintf("record-%d", n)})
	return b
}

func bodies(from, to int) [][]byte {
	var out [][]byte
	for n := from; n <= to; n++ {
		out = append(out, body(n))
	}
	return out
}

func open(t testing.TB, dir string, o Options) *Outbox {
	t.Helper()
	b, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// console stores what it is sent as the real one does: (journal, number) once, and remembers what did not follow.
type console struct {
	got      map[string]map[uint64]string
	order    []string // notes in order of arrival, repeats left out
	lost     uint64
	gaps     int
	conflict int
	high     map[string]uint64
}

func newConsole() *console {
	return &console{got: map[string]map[uint64]string{}, high: map[string]uint64{}}
}

func (c *console) take(t testing.TB, req wire.EventsRequest) uint64 {
	t.Helper()
	journal := c.got[req.Outbox]
	if journal == nil {
		journal = map[uint64]string{}
		c.got[req.Outbox] = journal
	}
	prev := req.Prev
	for i, e := range req.Entries {
		seq := req.First + uint64(i)
		if wire.Chain(prev, seq, e.Body) != e.Hash {
			t.Fatalf("entry %d: hash does not follow", seq)
		}
		prev = e.Hash
		c.store(t, req.Outbox, journal, seq, e)
	}
	return c.high[req.Outbox]
}

func (c *console) store(t testing.TB, outbox string, journal map[uint64]string, seq uint64, e wire.Entry) {
	t.Helper()
	if have, ok := journal[seq]; ok {
		if have != string(e.Body) {
			c.conflict++
		}
		return
	}
	journal[seq] = string(e.Body)
	var r wire.Record
	if err := json.Unmarshal(e.Body, &r); err != nil {
		t.Fatal(err)
	}
	if r.Kind == wire.RecordGap {
		c.lost += r.Lost
		c.gaps++
	} else {
		c.order = append(c.order, r.Note)
	}
	c.high[outbox] = max(c.high[outbox], seq)
}

// drain uploads everything.
func (c *console) drain(t testing.TB, o *Outbox) {
	t.Helper()
	for range 10_000 {
		req := must[wire.EventsRequest](t)(o.Next(wire.MaxEntries))
		if len(req.Entries) == 0 {
			return
		}
		if err := o.Drop(c.take(t, req)); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the journal does not become empty")
}

// want checks that exactly the records from..to arrived, once and in order.
func (c *console) want(t testing.TB, from, to int) {
	t.Helper()
	if len(c.order) != to-from+1 {
		t.Fatalf("%d records arrived instead of %d: %v", len(c.order), to-from+1, c.order)
	}
	for i, note := range c.order {
		if note != fmt.Sprintf("record-%d", from+i) {
			t.Fatalf("record %d is %q", from+i, note)
		}
	}
	if c.conflict > 0 {
		t.Fatalf("%d numbers with another content", c.conflict)
	}
}

func TestRecordsArriveOnceAndInOrderAfterReopening(t *testing.T) {
	dir, c := t.TempDir(), newConsole()
	for day := range 7 {
		o := open(t, dir, Options{SegmentBytes: 500})
		must[uint64](t)(o.Append(bodies(day*10+1, day*10+10)...))
		if day == 3 {
			req := must[wire.EventsRequest](t)(o.Next(7))
			c.take(t, req) // stored, but the answer was lost
		}
		o.Close()
	}
	o := open(t, dir, Options{SegmentBytes: 500})
	if o.Len() != 70 {
		t.Fatalf("%d records wait instead of 70", o.Len())
	}
	c.drain(t, o)
	c.want(t, 1, 70)
	if files := must[[]string](t)(filepath.Glob(filepath.Join(dir, "*.seg"))); len(files) != 1 {
		t.Fatalf("acknowledged segments are still there: %v", files)
	}
	if o.Len() != 0 || c.gaps != 0 {
		t.Fatalf("%d wait, %d gaps", o.Len(), c.gaps)
	}
}

func TestConcurrentCallersGetTheirOwnNumbersAndShareFsyncs(t *testing.T) {
	disk := &full{room: 1 << 30}
	o := open(t, t.TempDir(), Options{open: disk.open})
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[uint64]bool{}
	for g := range 50 {
		wg.Go(func() {
			for i := range 20 {
				n, err := o.Append(body(g*20+i), body(g))
				mu.Lock()
				if err != nil || seen[n] {
					t.Errorf("number %d, %v", n, err)
				}
				seen[n] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if o.Len() != 2000 || len(seen) != 1000 {
		t.Fatalf("%d records, %d numbers", o.Len(), len(seen))
	}
	if disk.syncs >= 1000 {
		t.Fatalf("%d fsyncs for 1000 appends: nobody shared", disk.syncs)
	}
	newConsole().drain(t, o)
}

func TestWhatIsNotJSONOrTooLargeIsRefused(t *testing.T) {
	o := open(t, t.TempDir(), Options{})
	for _, bad := range []string{"", "{", "no", `"` + strings.Repeat("x", wire.MaxRecord) + `"`} {
		if _, err := o.Append([]byte(bad)); err == nil {
			t.Errorf("a body of %d bytes was taken", len(bad))
		}
	}
	if o.Len() != 0 {
		t.Fatal("a refused record is in the journal")
	}
}

func TestBodiesAreStoredAsTheyCrossTheWire(t *testing.T) {
	o := open(t, t.TempDir(), Options{})
	must[uint64](t)(o.Append([]byte("{ \"note\": \"<a> & b\" }\n")))
	req := must[wire.EventsRequest](t)(o.Next(1))
	sent := must[[]byte](t)(json.Marshal(req))
	var back wire.EventsRequest
	if err := json.Unmarshal(sent, &back); err != nil {
		t.Fatal(err)
	}
	if wire.Chain(back.Prev, back.First, back.Entries[0].Body) != back.Entries[0].Hash {
		t.Fatal("the hash does not fit what was sent")
	}
}

func TestAFullJournalDropsTheOldestAndSaysHowMany(t *testing.T) {
	dir, c := t.TempDir(), newConsole()
	o := open(t, dir, Options{MaxBytes: 4000, SegmentBytes: 600})
	for n := 1; n <= 200; n++ {
		must[uint64](t)(o.Append(body(n)))
	}
	o.Close()
	o = open(t, dir, Options{MaxBytes: 4000, SegmentBytes: 600})
	c.drain(t, o)
	if c.gaps == 0 || int(c.lost)+len(c.order) != 200 {
		t.Fatalf("%d gap records tell of %d lost, %d arrived", c.gaps, c.lost, len(c.order))
	}
	if c.order[len(c.order)-1] != "record-200" {
		t.Fatalf("the newest record is %s", c.order[len(c.order)-1])
	}
}

// full is a disk that has room for so many bytes; then it takes a part of a write and says no, as a real one does.
type full struct {
	mu     sync.Mutex
	room   int
	syncs  int
	broken bool // fsync fails
}

func (d *full) open(path string) (file, error) {
	f, err := openFile(path)
	return &fullFile{f, d}, err
}

type fullFile struct {
	file
	d *full
}

func (f *fullFile) Write(b []byte) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if len(b) <= f.d.room {
		f.d.room -= len(b)
		return f.file.Write(b)
	}
	n, _ := f.file.Write(b[:f.d.room])
	f.d.room = 0
	return n, syscall.ENOSPC
}

func (f *fullFile) Sync() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.d.syncs++
	if f.d.broken {
		return syscall.EIO
	}
	return f.file.Sync()
}

func TestAFullDiskIsSaidAndHarmsNothing(t *testing.T) {
	for room := 200; room < 2000; room += 37 {
		dir, c, d := t.TempDir(), newConsole(), &full{room: room}
		o := open(t, dir, Options{open: d.open, SegmentBytes: 400})
		kept := 0
		for n := 1; n <= 30; n++ {
			if _, err := o.Append(body(kept + 1)); err == nil {
				kept++
			} else if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
		}
		d.room = 1 << 20
		must[uint64](t)(o.Append(body(kept + 1)))
		o.Close()
		o = open(t, dir, Options{})
		c.drain(t, o)
		c.want(t, 1, kept+1)
		if c.gaps > 0 {
			t.Fatalf("room %d: %d gap records", room, c.gaps)
		}
	}
}

func TestAFailedFsyncIsAnErrorAndTheRecordIsNotKept(t *testing.T) {
	dir, c, d := t.TempDir(), newConsole(), &full{room: 1 << 20}
	o := open(t, dir, Options{open: d.open})
	must[uint64](t)(o.Append(body(1)))
	d.broken = true
	if _, err := o.Append(body(99)); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	d.broken = false
	must[uint64](t)(o.Append(body(2)))
	o.Close()
	c.drain(t, open(t, dir, Options{}))
	c.want(t, 1, 2)
}

func TestAMachineRestoredFromAnImageBeginsANewJournal(t *testing.T) {
	dir, c := t.TempDir(), newConsole()
	o := open(t, dir, Options{})
	must[uint64](t)(o.Append(bodies(1, 3)...))
	c.drain(t, o)
	old := o.state.Outbox
	must[uint64](t)(o.Append(bodies(4, 5)...)) // what the console knows as 4 to 9 is another story
	if err := o.Drop(9); err != nil {
		t.Fatal(err)
	}
	o.Close()
	o = open(t, dir, Options{})
	if o.state.Outbox == old {
		t.Fatal("the identity is the old one")
	}
	c.drain(t, o)
	c.want(t, 1, 5)
	if len(must[[]string](t)(filepath.Glob(filepath.Join(dir, "*.seg")))) != 1 {
		t.Fatal("the old journal is still there")
	}
}

// lazy is a file without fsync: thousands of journals are opened here and no power is cut.
func lazy(path string) (file, error) {
	f, err := openFile(path)
	return lazyFile{f}, err
}

type lazyFile struct{ file }

func (lazyFile) Sync() error { return nil }

// copyDir gives a copy of a journal folder with one file changed.
func copyDir(t testing.TB, from, name string, change func([]byte) []byte) string {
	t.Helper()
	to := t.TempDir()
	for _, e := range must[[]os.DirEntry](t)(os.ReadDir(from)) {
		b := must[[]byte](t)(os.ReadFile(filepath.Join(from, e.Name())))
		if e.Name() == name {
			b = change(b)
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// prepared is a journal of three segments whose first records are acknowledged; it gives the segments' names.
func prepared(t *testing.T) (dir string, names []string) {
	dir = t.TempDir()
	o := open(t, dir, Options{SegmentBytes: 350})
	for n := 1; n <= 9; n++ {
		must[uint64](t)(o.Append(body(n)))
	}
	if err := o.Drop(1); err != nil {
		t.Fatal(err)
	}
	for _, s := range o.segments {
		names = append(names, filepath.Base(s.path))
	}
	o.Close()
	return dir, names
}

// survivors opens a changed journal, appends, uploads, and checks what must hold whatever happened to it:
// in order, once, no number used twice, and a gap record when something is missing.
func survivors(t *testing.T, dir, what string, silent bool) {
	t.Helper()
	c := newConsole()
	o, err := Open(dir, Options{SegmentBytes: 350, open: lazy})
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer o.Close()
	must[uint64](t)(o.Append(body(10)))
	c.drain(t, o)
	missing := 9 - len(c.order) // 2 to 10, and 1 when the acknowledgement is lost
	if len(c.order) > 0 && c.order[0] == "record-1" {
		missing++
	}
	if len(c.order) == 0 || c.order[len(c.order)-1] != "record-10" || !sortedNotes(c.order) {
		t.Fatalf("%s: arrived %v", what, c.order)
	}
	if missing > 0 && c.gaps == 0 && !silent {
		t.Fatalf("%s: %d records are missing and nobody says so: %v", what, missing, c.order)
	}
	if missing == 0 && c.lost > 0 || int(c.lost) > missing {
		t.Fatalf("%s: %d told lost, %d missing", what, c.lost, missing)
	}
	gaps := c.gaps
	o.Close()
	again := open(t, dir, Options{SegmentBytes: 350, open: lazy})
	c.drain(t, again)
	if c.gaps != gaps {
		t.Fatalf("%s: told again at the next start", what)
	}
}

func sortedNotes(notes []string) bool {
	last := 0
	for _, note := range notes {
		var n int
		if fmt.Sscanf(note, "record-%d", &n); n <= last {
			return false
		}
		last = n
	}
	return true
}

func TestAJournalCutAtAnyByteKeepsWhatIsBeforeTheCut(t *testing.T) {
	dir, names := prepared(t)
	for i, name := range names {
		size := len(must[[]byte](t)(os.ReadFile(filepath.Join(dir, name))))
		for cut := 0; cut < size; cut += stride {
			d := copyDir(t, dir, name, func(b []byte) []byte { return b[:cut] })
			// A cut in the last segment looks like an append that never ended: nothing that was acknowledged to a caller is
			// ever cut so by a crash, for it was flushed before.
			survivors(t, d, fmt.Sprintf("%s cut at %d", name, cut), i == len(names)-1)
		}
	}
}

func TestAFlippedByteCostsOneRecordAtMostAndIsTold(t *testing.T) {
	dir, names := prepared(t)
	for _, name := range append(names, stateFile, ackFile) {
		size := len(must[[]byte](t)(os.ReadFile(filepath.Join(dir, name))))
		for at := 0; at < size; at += stride {
			d := copyDir(t, dir, name, func(b []byte) []byte { b[at] ^= 1 << (at % 8); return b })
			survivors(t, d, fmt.Sprintf("%s flipped at %d", name, at), false)
		}
	}
}

func TestASegmentThatIsGoneIsTold(t *testing.T) {
	dir, names := prepared(t)
	for _, name := range names {
		d := copyDir(t, dir, "", nil)
		os.Remove(filepath.Join(d, name))
		survivors(t, d, name+" gone", name == names[len(names)-1])
	}
}

func TestZerosBehindTheLastRecordAreAnAppendThatNeverEnded(t *testing.T) {
	dir, names := prepared(t)
	d := copyDir(t, dir, names[len(names)-1], func(b []byte) []byte { return append(b, make([]byte, 4096)...) })
	c, o := newConsole(), open(t, d, Options{})
	c.drain(t, o)
	c.want(t, 2, 9)
	if c.gaps != 0 {
		t.Fatal("a loss is told that was none")
	}
}

func TestWhateverHappensEveryRecordArrivesOnceInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "j")
		if err != nil {
			rt.Fatal(err)
		}
		size := rapid.Int64Range(100, 2000).Draw(rt, "segment")
		opt := Options{SegmentBytes: size}
		o, c, n := open(t, dir, opt), newConsole(), 0
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				k := rapid.IntRange(1, 6).Draw(rt, "records")
				must[uint64](t)(o.Append(bodies(n+1, n+k)...))
				n += k
			},
			"upload": func(rt *rapid.T) {
				req := must[wire.EventsRequest](t)(o.Next(rapid.IntRange(1, 9).Draw(rt, "most")))
				if len(req.Entries) == 0 {
					return
				}
				if high := c.take(t, req); rapid.Bool().Draw(rt, "answered") && o.Drop(high) != nil {
					rt.Fatal("cannot drop")
				}
			},
			"restart": func(*rapid.T) { o.Close(); o = open(t, dir, opt) },
			"power cut takes the acknowledgement": func(*rapid.T) {
				o.Close()
				os.Truncate(filepath.Join(dir, ackFile), 5)
				o = open(t, dir, opt)
			},
			"torn append": func(rt *rapid.T) {
				o.Close()
				b := appendRecord(nil, o.last+1, o.hash, body(n+1))
				f, _ := os.OpenFile(o.segments[len(o.segments)-1].path, os.O_APPEND|os.O_WRONLY, 0)
				f.Write(b[:rapid.IntRange(1, len(b)-1).Draw(rt, "bytes")])
				f.Close()
				o = open(t, dir, opt)
			},
		})
		c.drain(t, o)
		c.want(t, 1, n)
		if c.gaps > 0 {
			rt.Fatal("a loss is told that was none")
		}
		o.Close()
	})
}

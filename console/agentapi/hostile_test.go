package agentapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sekisho/internal/wire"
)

// bomb is a batch whose body is small on the wire and legal in length when unpacked.
func bomb(t testing.TB, before, element, after string) []byte {
	t.Helper()
	n := (wire.MaxBody/8 - len(before) - len(after)) / (len(element) + 1)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(before + strings.Repeat(element+",", n-1) + element + after))
	must(t, err)
	must(t, z.Close())
	return b.Bytes()
}

func TestAListOfMillionsIsRefusedBeforeItFillsTheMemory(t *testing.T) {
	for name, body := range map[string][]byte{
		"records":  bomb(t, `{"outbox":"journal-1","first":1,"entries":[`, `{}`, `]}`),
		"devices":  bomb(t, `{"outbox":"journal-1","status":{"devices":[`, `{}`, `]}}`),
		"faults":   bomb(t, `{"outbox":"journal-1","status":{"faults":[`, `""`, `]}}`),
		"twice":    bomb(t, `{"Entries":[{}],"entries":[`, `0`, `]}`),
		"pretends": bomb(t, `{"outbox":"]\"]","entries":[`, `{"body":"]"}`, `]}`),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := readEvents(bytes.NewReader(body), "gzip", len(body))
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), "more than 4096 members") {
			t.Errorf("%s: %v", name, err)
		}
		if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 8 { // without the bound it was 900
			t.Errorf("%s: %d bytes on the wire became %d MB in memory", name, len(body), used)
		}
	}
}

// slow is a body of which nothing arrives until it is closed.
func slow(t *testing.T, tm *terminal) (end func()) {
	t.Helper()
	r, w := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, tm.url+wire.PathEvents, r)
	must(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if res, err := tm.Do(req); err == nil {
			res.Body.Close()
		}
	}()
	return func() { w.Close(); <-done }
}

func TestOneTerminalThatTricklesHoldsNobodyElseUp(t *testing.T) {
	c := start(t)
	hostile, honest := c.enrol(t), c.enrol(t)
	for range 2 * maxDecoding {
		defer slow(t, hostile)()
	}
	for len(c.api.decode) < perTerminal { // until the first of them are being read
		runtime.Gosched()
	}
	j := journal{outbox: "journal-1"}
	var a wire.EventsAnswer
	if status := post(t, honest.Client, c.url+wire.PathEvents, j.batch(t, 1), &a); status != http.StatusOK || a.Acked != 1 {
		t.Fatalf("answered %d, %+v", status, a)
	}
	if n := len(c.api.decode); n > perTerminal {
		t.Fatalf("one terminal holds %d places", n)
	}
}

func TestATerminalThatSendsNonsenseWithoutEndIsNotListenedToForAWhile(t *testing.T) {
	c := start(t)
	hostile, honest := c.enrol(t), c.enrol(t)
	var e wire.ErrorAnswer
	for i := range 60 {
		if status := send(t, hostile.Client, c.url+wire.PathEvents, strings.NewReader("{"), nil, &e); status != http.StatusBadRequest {
			t.Fatalf("batch %d: answered %d", i, status)
		}
	}
	j := journal{outbox: "journal-1"}
	if status := post(t, hostile.Client, c.url+wire.PathEvents, j.batch(t, 1), &e); status != http.StatusTooManyRequests || e.Hint == "" {
		t.Errorf("answered %d %+v", status, e)
	}
	k := journal{outbox: "journal-1"}
	if status := post(t, honest.Client, c.url+wire.PathEvents, k.batch(t, 1), &e); status != http.StatusOK {
		t.Errorf("the honest one is answered %d", status)
	}
	c.clock.advance(10 * time.Minute)
	j = journal{outbox: "journal-1"}
	if status := post(t, hostile.Client, c.url+wire.PathEvents, j.batch(t, 1), &e); status != http.StatusOK {
		t.Errorf("after a while: answered %d", status)
	}
}

func TestOneTerminalCannotFillTheDisk(t *testing.T) {
	c := start(t)
	c.api.flow.burst = 300_000
	hostile, honest := c.enrol(t), c.enrol(t)
	j, k := journal{outbox: "journal-1"}, journal{outbox: "journal-1"}
	var a wire.EventsAnswer
	sent := uint64(0)
	batch := j.batch(t, 20)
	for post(t, hostile.Client, c.url+wire.PathEvents, batch, &a) == http.StatusOK {
		if sent = a.Acked; sent > 1000 {
			t.Fatal("there is no end")
		}
		batch = j.batch(t, 20)
	}
	if sent < 60 {
		t.Errorf("only %d records were taken at once", sent)
	}
	if status := post(t, honest.Client, c.url+wire.PathEvents, k.batch(t, 20), &a); status != http.StatusOK {
		t.Errorf("the honest one is answered %d", status)
	}
	c.clock.advance(time.Minute) // a little room at a time
	if status := post(t, hostile.Client, c.url+wire.PathEvents, batch, &a); status != http.StatusOK || a.Acked != sent+20 {
		t.Errorf("what was refused is taken later: answered %d, acked %d", status, a.Acked)
	}
}

func TestATerminalThatHangsUpLeavesNothingBehind(t *testing.T) {
	c := start(t, func(o *Options) { o.Look = time.Hour })
	tm := c.enrol(t)
	before := runtime.NumGoroutine()
	ctx, hangUp := context.WithCancel(t.Context())
	var turnedAway atomic.Int32
	for range 100 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, tm.url+wire.PathPolicy, nil)
		must(t, err)
		req.Header.Set("If-None-Match", `"1"`)
		go func() {
			if res, err := tm.Do(req); err == nil {
				if res.StatusCode == http.StatusTooManyRequests {
					turnedAway.Add(1)
				}
				res.Body.Close()
			}
		}()
	}
	for turnedAway.Load() < 100-hanging { // until all have come
		runtime.Gosched()
	}
	if !c.db.Watched(tm.id) {
		t.Error("none hangs")
	}
	hangUp()
	for c.db.Watched(tm.id) || runtime.NumGoroutine() > before+10 { // the connection itself has some
		tm.CloseIdleConnections()
		runtime.Gosched()
	}
}

// members is the longest list or object in a value.
func members(v any) (most int) {
	switch v := v.(type) {
	case []any:
		most = len(v)
		for _, one := range v {
			most = max(most, members(one))
		}
	case map[string]any:
		for _, one := range v {
			most = max(most, members(one))
		}
	}
	return most
}

func FuzzCrowded(f *testing.F) {
	f.Add([]byte(`{"a\"[,":[{},{"b":[1,2,"]\\"]}]}`), 3)
	f.Add([]byte(`[[],[],[[1]]]`), 3)
	f.Fuzz(func(t *testing.T, raw []byte, times int) {
		raw = bytes.Repeat(raw, max(1, min(times, 10_000)))
		if len(raw) > 1<<20 || crowded(raw) {
			return
		}
		var v any
		if json.Unmarshal(raw, &v) == nil && members(v) > maxMembers+1 {
			t.Fatalf("a list of %d members was let through", members(v))
		}
	})
}

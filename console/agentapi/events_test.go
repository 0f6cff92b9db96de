package agentapi

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"sekisho/console/store"
	"sekisho/internal/wire"
)

func TestRecordsBelongToTheTerminalOfTheCertificate(t *testing.T) {
	c := start(t)
	honest, liar := c.enrol(t), c.enrol(t)
	j := journal{outbox: "journal-1"}
	req := j.batch(t, 3)
	for _, from := range []*terminal{honest, liar} { // the liar sends the honest one's own records
		var a wire.EventsAnswer
		if status := post(t, from.Client, c.url+wire.PathEvents, req, &a); status != http.StatusOK || a.Acked != 3 {
			t.Fatalf("answered %d %+v", status, a)
		}
		list, err := c.db.Events(t.Context(), store.EventFilter{Terminal: from.id})
		must(t, err)
		if len(list) != 3 {
			t.Fatalf("terminal has %d records, want its own 3", len(list))
		}
	}
}

func TestAPackedBatchIsTheSameAsAPlainOne(t *testing.T) {
	c := start(t)
	terminal := c.enrol(t)
	j := journal{outbox: "journal-1"}
	raw, err := json.Marshal(j.batch(t, 100))
	must(t, err)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err = z.Write(raw)
	must(t, err)
	must(t, z.Close())
	var a wire.EventsAnswer
	status := send(t, terminal.Client, c.url+wire.PathEvents, &packed, http.Header{"Content-Encoding": {"gzip"}}, &a)
	if status != http.StatusOK || a.Acked != 100 {
		t.Fatalf("answered %d %+v", status, a)
	}
}

// zeros is a body that does not lie in memory.
func zeros(n int64) io.Reader {
	return io.MultiReader(strings.NewReader(`{"outbox":"`), io.LimitReader(endless{}, n))
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

func TestAHostileBatchIsRefusedWithoutBeingKept(t *testing.T) {
	c := start(t)
	terminal := c.enrol(t)
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, err := io.Copy(z, zeros(4*wire.MaxBody))
	must(t, err)
	must(t, z.Close())
	j := journal{outbox: "journal-1"}
	many, err := json.Marshal(j.batch(t, wire.MaxEntries+1))
	must(t, err)
	entry := fmt.Sprintf(`{"hash":"%064d","body":{"kind":"x","note":"%s"}}`, 0, strings.Repeat("z", wire.MaxRecord))
	for _, hostile := range []struct {
		name   string
		body   io.Reader
		header http.Header
		want   int
	}{
		{"100 MB", zeros(100 << 20), nil, http.StatusRequestEntityTooLarge},
		{"gzip bomb", &bomb, http.Header{"Content-Encoding": {"gzip"}}, http.StatusRequestEntityTooLarge},
		{"not gzip", strings.NewReader("{}"), http.Header{"Content-Encoding": {"gzip"}}, http.StatusBadRequest},
		{"another packing", strings.NewReader("{}"), http.Header{"Content-Encoding": {"br"}}, http.StatusBadRequest},
		{"not JSON", strings.NewReader("{"), nil, http.StatusBadRequest},
		{"deep", strings.NewReader(strings.Repeat(`{"a":`, 100_000)), nil, http.StatusBadRequest},
		{"too many", bytes.NewReader(many), nil, http.StatusBadRequest},
		{"a long record", strings.NewReader(`{"outbox":"journal-1","first":1,"entries":[` + entry + `]}`), nil, http.StatusBadRequest},
		{"a newer protocol", strings.NewReader(`{"version":99}`), nil, http.StatusBadRequest},
		{"a number below zero", strings.NewReader(`{"first":-1}`), nil, http.StatusBadRequest},
		{"a short hash", strings.NewReader(`{"prev":"00"}`), nil, http.StatusBadRequest},
	} {
		var e wire.ErrorAnswer
		if status := send(t, terminal.Client, c.url+wire.PathEvents, hostile.body, hostile.header, &e); status != hostile.want || e.Error == "" {
			t.Errorf("%s answered %d %+v, want %d", hostile.name, status, e, hostile.want)
		}
	}
	list, err := c.db.Events(t.Context(), store.EventFilter{})
	must(t, err)
	if len(list) != 0 {
		t.Fatalf("%d records of refused batches were kept", len(list))
	}
}

func TestAfterARestartInTheMiddleTheBatchIsKeptOnce(t *testing.T) {
	dir := t.TempDir()
	first := startIn(t, dir)
	terminal := first.enrol(t)
	j := journal{outbox: "journal-1"}
	batch, next := j.batch(t, 50), j.batch(t, 50)
	var a wire.EventsAnswer
	post(t, terminal.Client, first.url+wire.PathEvents, batch, &a)
	first.stop() // the answer may never have arrived

	second := startIn(t, dir)
	for _, req := range []wire.EventsRequest{batch, next} {
		if status := post(t, terminal.Client, second.url+wire.PathEvents, req, &a); status != http.StatusOK {
			t.Fatalf("answered %d", status)
		}
	}
	list, err := second.db.Events(t.Context(), store.EventFilter{Terminal: terminal.id, Limit: 500})
	must(t, err)
	if len(list) != 100 || a.Acked != 100 {
		t.Fatalf("kept %d, acked %d", len(list), a.Acked)
	}
	for i, e := range list {
		if e.Seq != uint64(100-i) || !e.ChainOK {
			t.Fatalf("record %d is number %d, chain %v", i, e.Seq, e.ChainOK)
		}
	}
}

func TestEveryAnswerCarriesTheConsolesClock(t *testing.T) {
	c := start(t)
	res, err := c.client().Get(c.url + "/nothing")
	must(t, err)
	defer res.Body.Close()
	if res.StatusCode != http.StatusNotFound || res.Header.Get(wire.HeaderTime) == "" {
		t.Fatalf("answered %d, time %q", res.StatusCode, res.Header.Get(wire.HeaderTime))
	}
}

func FuzzEvents(f *testing.F) {
	j := journal{outbox: "journal-1"}
	good, err := json.Marshal(j.batch(f, 2))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, "")
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00"), "gzip")
	f.Add([]byte(`{"outbox":"journal-1","first":18446744073709551615,"entries":[{"hash":"","body":null}]}`), "")
	f.Fuzz(func(t *testing.T, body []byte, encoding string) {
		req, err := readEvents(bytes.NewReader(body), encoding, len(body))
		if err != nil {
			return
		}
		if again, err := json.Marshal(req); err != nil || len(again) > 8*wire.MaxBody {
			t.Fatalf("a batch that was read cannot be written: %v", err)
		}
	})
}

func TestALimiterForgetsAfterItsWindow(t *testing.T) {
	l := limiter{each: 1, all: 2, within: time.Minute}
	now := time.Unix(1000, 0)
	l.count("a", now)
	if l.open("a", now) || !l.open("b", now) {
		t.Fatal("one key's tries must not close another's")
	}
	l.count("b", now)
	if l.open("c", now) {
		t.Fatal("all tries together have their bound")
	}
	if !l.open("a", now.Add(time.Minute)) {
		t.Fatal("the window has ended")
	}
}

package web

import (
	"context"
	"encoding/csv"
	"encoding/json"
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

// evil is what a hostile terminal, device or colleague would like to be believed.
const evil = `=cmd|' /C calc'!A0"><script>alert(1)</script><img src=x onerror=alert(1)>` + "\x00\x1b[2J\r\nSet-Cookie: a=b\u202e{{.}}"

// hostileDay is a console in which everything that somebody else chose is evil.
func hostileDay(s *site) fleet {
	f := s.fill()
	s.terminal("t-evil", evil, f.group)
	j := newJournal()
	far, past := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, at := range []time.Time{s.now, far, past, time.Unix(0, 0).Add(-time.Hour), {}} {
		j.add(evilRecord(s, at))
		j.add(wire.Record{Kind: evil, At: at, Code: evil, Note: evil})
		for _, kind := range []string{wire.RecordGap, wire.RecordGate, wire.RecordPolicy, wire.RecordClock, wire.RecordAgent} {
			j.add(wire.Record{Kind: kind, At: at, Code: evil, Note: evil, Lost: 1 << 63, Revision: -1, Boot: evil})
		}
	}
	for _, body := range []string{`null`, `[]`, `"x"`, `{"kind":"device"}`, `{"kind":"device","event":{}}`, `{"kind":"device","event":null,"decision":{"action":"block"}}`,
		`{"kind":"device","outcome":"blocked","decision":{"action":"block"},"event":{"device":{"kinds":null,"interfaces":[{"class":255}],"capacity":-9223372036854775808}},"steps":[{}]}`,
		`{"at":"9999-12-31T23:59:59.999999999+14:00","kind":"device"}`} {
		j.prev = wire.Chain(j.prev, uint64(len(j.entries)+1), []byte(body))
		j.entries = append(j.entries, wire.Entry{Hash: j.prev, Body: json.RawMessage(body)})
	}
	s.send("t-evil", j, &wire.Status{
		At: far, Agent: evil, OS: evil, Kernel: evil, Boot: evil, Revision: -1, Mode: evil, Gate: evil, User: evil, Unsent: 1 << 63, Faults: []string{evil, ""},
		Devices: []wire.Attached{{}, {Device: evilRecord(s, far).Event.Device, Decision: *evilRecord(s, far).Decision, Outcome: evil, Since: past}},
	})
	return f
}

func evilRecord(s *site, at time.Time) wire.Record {
	d := policy.Device{ID: "../../" + evil, Bus: evil, Kinds: []policy.Kind{evil, policy.KindStorage}, Vendor: evil, Product: evil, Serial: evil,
		Manufacturer: evil, Name: evil, Port: evil, Class: evil, Capacity: -1, Digest: evil, Fault: evil}
	r := s.record(d, policy.OutcomeBlocked, policy.ModeEnforce, at)
	r.Event.User, r.Request, r.Note, r.Told = evil, evil, evil, -1
	r.Decision.Rule, r.Decision.RuleName, r.Decision.Clause, r.Decision.Grant = evil, policy.Text{JA: evil, EN: evil}, evil, evil
	r.Steps = append(r.Steps, wire.Step{At: at, Code: evil, Detail: evil})
	return r
}

func TestNothingThatOthersChoseBecomesAPartOfAPage(t *testing.T) {
	s := newSite(t, nil)
	f := hostileDay(s)
	s.account(`<script>alert(1)</script>`, store.RoleAuditor)
	b := s.as("1007")
	b.post("/policy", url.Values{"name": {`<script>alert(1)</script>`}})
	b.post("/tokens", url.Values{"group": {f.group}, "note": {evil}})
	b.post("/account/tokens", url.Values{"note": {evil}})
	b.post(fmt.Sprint("/violations/", f.blocked), url.Values{"do": {"close"}, "state": {"closed"}, "reason": {evil}, "assignee": {evil}})
	addresses := append(f.addresses(), "/terminals/t-evil", "/violations?q="+url.QueryEscape(evil), "/violations?state="+url.QueryEscape(evil),
		"/violations?user="+url.QueryEscape(evil)+"&serial="+url.QueryEscape(evil)+"&kind="+url.QueryEscape(evil)+"&outcome="+url.QueryEscape(evil)+"&group="+url.QueryEscape(evil),
		"/terminals?q="+url.QueryEscape(evil)+"&group="+url.QueryEscape(evil)+"&only="+url.QueryEscape(evil), "/search?q="+url.QueryEscape(evil),
		"/login?next="+url.QueryEscape(evil), "/carryout?state="+url.QueryEscape(evil), "/account?done="+url.QueryEscape(evil), "/violations?days=99999999999999999999&before=-1&skip=-5",
		"/violations?skip=9223372036854775807&days=9223372036854775807")
	list, err := s.db.Events(context.Background(), store.EventFilter{Terminal: "t-evil", Limit: 500})
	s.must(err)
	for _, e := range list {
		addresses = append(addresses, fmt.Sprint("/violations/", e.ID), fmt.Sprint("/carryout/new?event=", e.ID))
	}
	for _, address := range addresses {
		for _, accept := range []string{"text/html", "application/json"} {
			b.header = http.Header{"Accept": {accept}}
			a := b.get(address)
			if a.StatusCode >= 500 {
				t.Errorf("%s as %s: status %d", address, accept, a.StatusCode)
			}
			low := strings.ToLower(a.text)
			if accept == "text/html" && (strings.Contains(low, "<script>") || strings.Contains(low, "<img") || strings.Contains(low, `"><`+"script") || strings.Contains(a.text, "ZgotmplZ")) {
				t.Errorf("%s: what others chose is a part of the page", address)
			}
			if a.Header.Get("Set-Cookie") != "" && strings.Contains(a.Header.Get("Set-Cookie"), "a=b") {
				t.Errorf("%s sets a cookie that others chose", address)
			}
		}
	}
}

func TestNoCellOfAFileActsAsAFormula(t *testing.T) {
	s := newSite(t, nil)
	f := hostileDay(s)
	j := newJournal()
	for _, first := range []string{"=", "+", "-", "@", "\t=", "＝", "＋", "－", "＠", " ="} {
		r := evilRecord(s, s.now)
		r.Event.Device.Serial, r.Event.User = first+"1+1", first+`HYPERLINK("http://evil.example")`
		j.add(r)
	}
	s.send(f.counter+"", &journal{}, nil)
	_, err := s.db.AddEvents(context.Background(), f.desk, wire.EventsRequest{Version: 1, Outbox: "outbox-formulas", First: 1, Entries: j.entries}, s.now)
	s.must(err)
	a := s.as("1007").get("/violations.csv?state=all")
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(a.text, "\uFEFF"))).ReadAll()
	s.must(err)
	if len(rows) < 10 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		for _, cell := range row {
			if trimmed := strings.TrimLeft(cell, " "); trimmed != "" && strings.ContainsRune("=+-@＝＋－＠\t\r\n", []rune(trimmed)[0]) {
				t.Errorf("a spreadsheet may take %q for a formula", cell)
			}
		}
	}
}

func TestManyGuessesAtOnceAreCountedLikeOneAfterTheOther(t *testing.T) {
	s := newSite(t, nil)
	done := make(chan struct{})
	const tries = 40
	for range tries {
		go func() {
			defer func() { done <- struct{}{} }()
			res, err := s.Client().PostForm(s.URL+"/login", url.Values{"name": {"1007"}, "password": {"wrong"}})
			if err == nil {
				res.Body.Close()
			}
		}()
	}
	for range tries {
		<-done
	}
	n, err := s.db.FailedSignIns(context.Background(), "1007", s.now.Add(-lockWindow))
	s.must(err)
	if n > lockAfter {
		t.Errorf("%d passwords were tried, the limit is %d", n, lockAfter)
	}
}

func TestAnAddressThatTriesManyNamesIsSlowedDownAndFillsNoDisk(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser()
	for i := range addressTries {
		if a := b.post("/login", url.Values{"name": {fmt.Sprint("guess", i)}, "password": {"wrong"}}); a.StatusCode != http.StatusUnauthorized {
			t.Fatalf("try %d: %d", i, a.StatusCode)
		}
	}
	if a := b.post("/login", url.Values{"name": {"1007"}, "password": {password}}); a.StatusCode != http.StatusTooManyRequests {
		t.Errorf("status %d", a.StatusCode)
	}
	s.now = s.now.Add(lockWindow)
	s.as("1007")
}

func TestAFullDiskAndADamagedDatabaseAreSaidAsWhatTheyAre(t *testing.T) {
	for word, err := range map[string]error{"full": store.ErrFull, "damaged": store.ErrDamaged} {
		f := failureOf(fmt.Errorf("cannot sign in: %w", err))
		if f.Word != word || f.Status < 500 {
			t.Errorf("%v is shown as %+v", err, f)
		}
		for _, lang := range languages {
			w := loadKeys(t, lang)
			if w["error."+word] == "" || w["error."+word+".do"] == "" {
				t.Errorf("%s has no words in %s", word, lang)
			}
		}
	}
}

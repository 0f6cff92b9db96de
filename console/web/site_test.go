package web

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rs/zerolog"

	"sekisho/console/store"
	"sekisho/console/store/blank"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

var tokyo = time.FixedZone("Asia/Tokyo", 9*3600)

// noon is when the tests happen: a Tuesday.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, tokyo)

// site is a console with a real store behind TLS, at a clock that tests set.
type site struct {
	*httptest.Server
	t   testing.TB
	db  *store.DB
	now time.Time
}

// newSite has an administrator 1007, a helpdesk 1012 and an auditor 1020.
func newSite(t testing.TB, files *Options) *site {
	t.Helper()
	s := newBareSite(t, files)
	s.account("1007", store.RoleAdmin)
	s.account("1012", store.RoleHelpdesk)
	s.account("1020", store.RoleAuditor)
	return s
}

// newFile is an empty database.
var newFile = blank.Of(func(path string) (io.Closer, error) { return store.Open(context.Background(), path, tokyo) })

func newBareSite(t testing.TB, files *Options) *site {
	t.Helper()
	db, err := store.Open(context.Background(), newFile(t), tokyo)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, db: db, now: noon}
	o := Options{
		DB: db, Carryout: desk{db}, Bundles: newShelf(), References: rack{}, Log: zerolog.Nop(), Now: func() time.Time { return s.now }, Zone: tokyo, Version: "test",
		AgentURL: "https://console.example:8444", Fingerprint: strings.Repeat("ab", 32),
		Assets: fstest.MapFS{"app.css": {Data: []byte("a")}, "app.js": {Data: []byte("b")}, "theme.js": {Data: []byte("c")}},
	}
	if files != nil {
		o.Assets = files.Assets
	}
	srv, err := newServer(o, newHasher(64, 1))
	if err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewTLSServer(srv.handler())
	t.Cleanup(func() { s.Close(); db.Close() })
	return s
}

// desk gives permissions as the carry-out office does, without its checks of the device.
type desk struct{ db *store.DB }

func (d desk) Give(ctx context.Context, g store.Grant, now time.Time) (store.Grant, []policy.Problem, error) {
	if !g.Until.After(g.From) {
		return g, []policy.Problem{{Path: "until", Text: policy.Text{JA: "終了日時は開始日時より後にしてください", EN: "the end must be after the beginning"}}}, nil
	}
	g, err := d.db.PutGrant(ctx, g, now)
	return g, nil, err
}

const password = "correct horse 7"

func (s *site) account(name, role string) {
	s.must(s.db.PutAccount(context.Background(), store.Account{
		Name: name, Role: role, Language: "ja", Theme: "auto", Hash: newHasher(64, 1).make(password), CreatedAt: s.now,
	}, "setup", s.now))
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// browser is one person's, with its cookies; it does not follow redirects.
func (s *site) browser() *browser {
	jar, err := cookiejar.New(nil)
	s.must(err)
	c := s.Client()
	return &browser{s: s, c: &http.Client{
		Transport: c.Transport, Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (s *site) as(name string) *browser {
	s.t.Helper()
	b := s.browser()
	if a := b.post("/login", url.Values{"name": {name}, "password": {password}}); a.StatusCode != http.StatusSeeOther {
		s.t.Fatalf("sign-in of %s: %d", name, a.StatusCode)
	}
	return b
}

type browser struct {
	s      *site
	c      *http.Client
	header http.Header
}

type answer struct {
	*http.Response
	text string
}

func (b *browser) do(method, path string, form url.Values) answer {
	b.s.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequest(method, b.s.URL+path, body)
	b.s.must(err)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for k, v := range b.header {
		req.Header[k] = v
	}
	resp, err := b.c.Do(req)
	b.s.must(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	b.s.must(err)
	return answer{resp, string(text)}
}

func (b *browser) get(path string) answer { b.s.t.Helper(); return b.do("GET", path, nil) }
func (b *browser) post(path string, form url.Values) answer {
	b.s.t.Helper()
	return b.do("POST", path, form)
}

// wants fails unless the page holds all of the words.
func (a answer) wants(t testing.TB, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(a.text, w) {
			t.Errorf("%s (%d) does not say %q", a.Request.URL.Path, a.StatusCode, w)
		}
	}
}

// fleet is what a full console knows: two categories, terminals, a fortnight of records, permissions.
type fleet struct {
	group, other       string
	counter, desk      string // terminals
	blocked, failed    int64  // events
	composite, audited int64
	grant              string
	program            int64 // event of a program that was blocked
	unknown            int64 // a program that no rule names, in group
	permit             string
	run                int64 // a dry run that is done
}

var stick = policy.Device{
	ID: "1-2", Bus: policy.BusUSB, Kinds: []policy.Kind{policy.KindStorage}, Vendor: "0781", Product: "5583", Serial: "4C530099181123",
	Manufacturer: "SanDisk", Name: "Ultra Fit", Port: "usb1/1-2", Class: "00/00/00", Capacity: 32_000_000_000,
	Interfaces: []policy.Interface{{Class: 8, Subclass: 6, Protocol: 0x50}}, Digest: strings.Repeat("3f", 32),
}

var keyboard = policy.Device{
	ID: "1-1", Bus: policy.BusUSB, Kinds: []policy.Kind{policy.KindKeyboard}, Vendor: "046d", Product: "c31c",
	Name: "USB Keyboard", Port: "usb1/1-1", Interfaces: []policy.Interface{{Class: 3, Subclass: 1, Protocol: 1}},
}

func phone() policy.Device {
	d := stick
	d.ID, d.Serial, d.Kinds, d.Name, d.Manufacturer = "1-3", "R58M12ABCDE", []policy.Kind{policy.KindPortable}, "Pixel 8", "Google"
	d.Interfaces, d.Capacity = []policy.Interface{{Class: 6, Subclass: 1, Protocol: 1}}, 0
	return d
}

func ducky() policy.Device {
	d := stick
	d.ID, d.Serial, d.Vendor, d.Product = "1-4", "", "1209", "0001"
	d.Kinds = []policy.Kind{policy.KindKeyboard, policy.KindStorage}
	d.Interfaces = []policy.Interface{{Class: 8, Subclass: 6, Protocol: 0x50}, {Class: 3, Subclass: 1, Protocol: 1}}
	return d
}

func (s *site) fill() fleet {
	s.t.Helper()
	ctx := context.Background()
	f := fleet{group: "counter", other: "office", counter: "t-counter", desk: "t-desk"}
	for id, name := range map[string]string{f.group: "窓口端末", f.other: "事務端末"} {
		s.must(s.db.PutGroup(ctx, id, name, "1007", s.now))
		mode := policy.ModeEnforce
		if id == f.other {
			mode = policy.ModeAudit
		}
		_, err := s.db.PutGroupPolicy(ctx, store.GroupPolicy{
			Health: s.health(id == f.group, f.counter),
			Group:  id, Control: policy.DefaultControl(mode), Contact: policy.Contact{Name: "ヘルプデスク", Phone: "2300"},
			Reason: "記録のみの2週間で業務への影響がないことを確認", By: "1007",
		}, 0, s.now)
		s.must(err)
	}
	s.terminal(f.counter, "KT-0123", f.group)
	s.terminal(f.desk, "KT-0131", f.other)
	s.history(f)
	f.find(s)
	s.permit(&f)
	s.offers(f)
	s.checks(f)
	return f
}

// full is fill with software.
func (s *site) full() fleet {
	f := s.fill()
	s.software(&f)
	return f
}

func (s *site) terminal(id, name, group string) {
	s.t.Helper()
	ctx, code := context.Background(), sha256.Sum256([]byte(id))
	s.must(s.db.PutToken(ctx, store.Token{Hash: code, Group: group, Note: name, By: "1007", ExpiresAt: s.now.Add(time.Hour)}, s.now))
	s.must(s.db.Enroll(ctx, code, store.Terminal{ID: id, Name: name, OS: "linux", Arch: "amd64", Agent: "0.1.0"},
		store.Certificate{Serial: "01" + id, Issued: s.now, Expires: s.now.Add(90 * day)}, s.now))
}

// history sends each terminal's records, oldest first, as its agent would.
func (s *site) history(f fleet) {
	counter := newJournal()
	for i := 13; i > 0; i-- {
		for n := range (i * 7) % 5 {
			counter.add(s.record(stick, policy.OutcomeBlocked, policy.ModeEnforce, s.now.AddDate(0, 0, -i).Add(time.Duration(n)*time.Hour)))
		}
	}
	counter.add(wire.Record{Kind: wire.RecordAgent, Code: "started", At: s.now.Add(-4 * time.Hour), Note: "version 0.1.0"})
	counter.add(s.record(ducky(), policy.OutcomeBlocked, policy.ModeEnforce, s.now.Add(-150*time.Minute)))
	counter.add(s.record(stick, policy.OutcomeBlocked, policy.ModeEnforce, s.now.Add(-2*time.Hour)))
	s.send(f.counter, counter, &wire.Status{
		At: s.now.Add(-time.Minute), Agent: "0.1.0", OS: "Debian GNU/Linux 12", Kernel: "6.1.0-40-amd64", Revision: 1, Mode: "enforce", Gate: "shut", User: "1042",
		Devices: []wire.Attached{
			{Device: keyboard, Since: s.now.Add(-4 * time.Hour), Outcome: policy.OutcomeAllowed, Decision: policy.Decide(policy.Builtin(policy.ModeEnforce), policy.Event{Device: keyboard}, s.now)},
			{Device: stick, Since: s.now.Add(-2 * time.Hour), Outcome: policy.OutcomeBlocked, Decision: policy.Decide(policy.Builtin(policy.ModeEnforce), policy.Event{Device: stick}, s.now)},
		},
	})
	office := newJournal()
	office.add(s.record(stick, policy.OutcomeAudit, policy.ModeAudit, s.now.AddDate(0, 0, -1)))
	office.add(s.record(phone(), policy.OutcomeBlockFailed, policy.ModeEnforce, s.now.Add(-108*time.Minute)))
	s.send(f.desk, office, &wire.Status{
		At: s.now.Add(-time.Minute), Agent: "0.1.0", OS: "Debian GNU/Linux 12", Revision: 1, Mode: "audit", Gate: "open",
		Faults: []string{"cannot watch devices: netlink: permission denied", "cannot tell the user: no desktop session was found"}, Codes: []string{wire.FaultSensor, "desktop"},
	})
}

func (s *site) record(d policy.Device, o policy.Outcome, m policy.Mode, at time.Time) wire.Record {
	ev := policy.Event{What: policy.EventAttach, Device: d, SeenAt: at, User: "1042"}
	decision := policy.Decide(policy.Builtin(m), ev, at)
	decision.Revision = 42
	step := func(code, detail string, after time.Duration) wire.Step {
		return wire.Step{At: at.Add(after), Code: code, Detail: detail, OK: true}
	}
	r := wire.Record{
		Kind: wire.RecordDevice, At: at, Event: &ev, Decision: &decision, Outcome: o, Request: "4821-7730", Told: 1,
		Steps: []wire.Step{
			step("seen", "uevent add "+d.ID, 0), step("decided", decision.Rule, 5*time.Millisecond),
			step("deauthorized", d.ID+":1.0", 22*time.Millisecond), step("verified", "no driver, no block device", 390*time.Millisecond),
			step("told", "1 session", 440*time.Millisecond),
		},
	}
	if o == policy.OutcomeBlockFailed {
		r.Steps[3].OK = false
	}
	return r
}

// journal makes the chained entries of one outbox.
type journal struct {
	prev    wire.Hash
	entries []wire.Entry
}

func newJournal() *journal { return &journal{} }

func (j *journal) add(r wire.Record) {
	body, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	j.prev = wire.Chain(j.prev, uint64(len(j.entries)+1), body)
	j.entries = append(j.entries, wire.Entry{Hash: j.prev, Body: body})
}

func (s *site) send(terminal string, j *journal, st *wire.Status) {
	s.t.Helper()
	_, err := s.db.AddEvents(context.Background(), terminal, wire.EventsRequest{
		Version: wire.Version, Outbox: "outbox-" + terminal, First: 1, Entries: j.entries, Status: st,
	}, s.now)
	s.must(err)
}

func (f *fleet) find(s *site) {
	list, err := s.db.Events(context.Background(), store.EventFilter{Violations: true, Limit: 500})
	s.must(err)
	for _, e := range list {
		switch {
		case e.Record.Outcome == policy.OutcomeBlockFailed:
			f.failed = e.ID
		case e.Record.Outcome == policy.OutcomeAudit:
			f.audited = e.ID
		case e.Record.Event == nil:
		case policy.Composite(e.Record.Event.Device.Kinds):
			f.composite = e.ID
		case e.ID > f.blocked:
			f.blocked = e.ID
		}
	}
	if f.failed == 0 || f.audited == 0 || f.composite == 0 || f.blocked == 0 {
		s.t.Fatalf("the records are not all there: %+v", *f)
	}
}

func (s *site) permit(f *fleet) {
	ctx := context.Background()
	for i, until := range []time.Time{noon.Add(5*time.Hour + 15*time.Minute), noon.AddDate(0, 0, -1)} {
		g, err := s.db.PutGrant(ctx, store.Grant{
			Grant: policy.Grant{Bus: "usb", Vendor: stick.Vendor, Product: stick.Product, Serial: stick.Serial,
				From: until.Add(-8 * time.Hour), Until: until, Approver: "1012"},
			Terminal: f.counter, Event: f.blocked, Reason: fmt.Sprintf("構成市町への統計資料の提供(%d)", i+1), By: "1012", DeviceName: "SanDisk Ultra Fit",
		}, s.now)
		s.must(err)
		if i == 0 {
			f.grant = g.ID
		}
	}
	s.must(s.db.Handle(ctx, f.audited, store.Handling{State: store.StateWorking, Assignee: "1012", At: s.now}, "1012", s.now))
}

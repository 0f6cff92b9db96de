package link

import (
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/policy"
	"sekisho/internal/seal"
	"sekisho/internal/wire"
)

// console is a console with a real TLS listener, its own CA, and a memory instead of a database.
type console struct {
	*httptest.Server
	ca      *x509.Certificate
	caKey   *ecdsa.PrivateKey
	signer  ed25519.PrivateKey
	life    time.Duration // of the certificates it gives
	wake    chan struct{}
	answers chan struct{} // one for every answer to GET policy

	mu      sync.Mutex
	token   string
	down    bool // the network is gone
	forget  bool // crash between storing and answering, once
	refuse  int  // status for batches
	doc     []byte
	etag    int64
	records []string
	seen    map[uint64]bool
	status  []wire.Status
	serials map[string]bool // client certificates that came
	asked   int             // policy questions
	tags    []string        // that came with them
	posted  int
	blob    http.HandlerFunc
	speaks  string       // protocol version that it says; "" says none
	sheets  []wire.Sheet // that came
	stands  func(wire.Sheet) (wire.Hash, bool)
}

func newConsole(t *testing.T) *console {
	t.Helper()
	c := &console{token: "once", seen: map[uint64]bool{}, serials: map[string]bool{}, life: time.Hour, wake: make(chan struct{}, 10), answers: make(chan struct{}, 1000)}
	_, c.signer, _ = ed25519.GenerateKey(rand.Reader)
	c.caKey, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c.ca = c.issue(t, &c.caKey.PublicKey, "test CA", nil, 10*time.Hour)
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	leaf := c.issue(t, &key.PublicKey, "console", []string{"localhost"}, 10*time.Hour)
	c.Server = httptest.NewUnstartedServer(c)
	c.Server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that fail are the story of some tests
	c.Server.EnableHTTP2 = true
	pool := x509.NewCertPool()
	pool.AddCert(c.ca)
	c.TLS = &tls.Config{MinVersion: tls.VersionTLS13, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool,
		Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw, c.ca.Raw}, PrivateKey: key}}}
	c.StartTLS()
	t.Cleanup(func() { c.CloseClientConnections(); c.Close() })
	return c
}

// url carries the name that the certificate carries.
func (c *console) url() string {
	_, port, _ := net.SplitHostPort(c.Listener.Addr().String())
	return "https://localhost:" + port
}

func (c *console) pin() string { s := sha256.Sum256(c.ca.Raw); return hex.EncodeToString(s[:]) }

func (c *console) issue(t *testing.T, key any, name string, hosts []string, life time.Duration) *x509.Certificate {
	t.Helper()
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<60))
	tpl := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: hosts, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Second), NotAfter: time.Now().Add(life), KeyUsage: x509.KeyUsageDigitalSignature}
	parent := c.ca
	if parent == nil {
		tpl.IsCA, tpl.KeyUsage, parent = true, x509.KeyUsageCertSign, tpl
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, parent, key, c.caKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func (c *console) publish(doc []byte, revision int64) {
	c.mu.Lock()
	c.doc, c.etag = doc, revision
	c.mu.Unlock()
	c.wake <- struct{}{}
}

func (c *console) set(f func()) { c.mu.Lock(); defer c.mu.Unlock(); f() }

func (c *console) sealed(p policy.Policy) []byte {
	payload, _ := json.Marshal(p)
	raw, _ := json.Marshal(seal.Sign(c.signer, payload))
	return raw
}

// ServeHTTP is the protocol as docs/protocol.md has it.
func (c *console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	down := c.down
	if len(r.TLS.PeerCertificates) > 0 {
		c.serials[r.TLS.PeerCertificates[0].SerialNumber.String()] = true
	}
	c.mu.Unlock()
	if down {
		panic(http.ErrAbortHandler)
	}
	if c.speaks != "" {
		w.Header().Set(wire.HeaderVersion, c.speaks)
	}
	w.Header().Set(wire.HeaderTime, strconv.FormatInt(time.Now().UnixMilli(), 10))
	switch r.URL.Path {
	case wire.PathEnroll:
		c.enroll(w, r)
	case wire.PathEvents:
		c.events(w, r)
	case wire.PathPolicy:
		c.policy(w, r)
	case wire.PathBlob + "program":
		c.blob(w, r)
	case wire.PathRenew:
		var req wire.RenewRequest
		json.NewDecoder(r.Body).Decode(&req)
		json.NewEncoder(w).Encode(wire.RenewAnswer{Certificate: c.certify(req.CSR)})
	}
}

func (c *console) certify(csr []byte) []byte {
	req, err := x509.ParseCertificateRequest(csr)
	if err != nil || req.CheckSignature() != nil {
		return nil
	}
	return c.issue(&testing.T{}, req.PublicKey, "T1", nil, c.life).Raw
}

func (c *console) enroll(w http.ResponseWriter, r *http.Request) {
	var req wire.EnrollRequest
	json.NewDecoder(r.Body).Decode(&req)
	c.mu.Lock()
	defer c.mu.Unlock()
	if req.Token != c.token {
		w.WriteHeader(http.StatusForbidden)
		json.NewEncoder(w).Encode(wire.ErrorAnswer{Error: "cannot enrol: the code is used", Hint: "make a new code"})
		return
	}
	c.token = "used up"
	pub := c.signer.Public().(ed25519.PublicKey)
	json.NewEncoder(w).Encode(wire.EnrollAnswer{Terminal: "T1", Certificate: c.certify(req.CSR), CA: c.ca.Raw, PolicyKeys: map[string][]byte{seal.KeyID(pub): pub}})
}

func (c *console) events(w http.ResponseWriter, r *http.Request) {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		body, _ = gzip.NewReader(r.Body)
	}
	var req wire.EventsRequest
	if err := json.NewDecoder(body).Decode(&req); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.posted++
	if c.refuse != 0 {
		w.WriteHeader(c.refuse)
		json.NewEncoder(w).Encode(wire.ErrorAnswer{Error: "cannot take the batch", Hint: "nothing of it was stored"})
		return
	}
	high, prev := uint64(0), req.Prev
	for i, e := range req.Entries {
		seq := req.First + uint64(i)
		if wire.Chain(prev, seq, e.Body) != e.Hash {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		prev, high = e.Hash, seq
		if !c.seen[seq] {
			c.seen[seq] = true
			c.records = append(c.records, string(e.Body))
		}
	}
	if req.Status != nil {
		c.status = append(c.status, *req.Status)
	}
	if c.forget && len(req.Entries) > 0 {
		c.forget = false
		panic(http.ErrAbortHandler)
	}
	a := wire.EventsAnswer{Acked: high}
	for _, sheet := range req.Sheets {
		c.sheets = append(c.sheets, sheet)
		if c.stands == nil {
			continue
		}
		if tag, said := c.stands(sheet); said {
			a.Sheets = map[string]wire.Hash{sheet.Name: tag}
		}
	}
	json.NewEncoder(w).Encode(a)
}

func (c *console) policy(w http.ResponseWriter, r *http.Request) {
	defer func() { c.answers <- struct{}{} }()
	for {
		c.mu.Lock()
		c.asked++
		doc := c.doc
		var e seal.Envelope
		json.Unmarshal(doc, &e)
		tag := wire.TagOf(c.etag, e.Payload).String()
		c.tags = append(c.tags, r.Header.Get("If-None-Match"))
		c.mu.Unlock()
		if doc != nil && r.Header.Get("If-None-Match") != tag {
			w.Header().Set("ETag", tag)
			w.Write(doc)
			return
		}
		select {
		case <-c.wake:
		case <-r.Context().Done():
			return
		}
	}
}

// queue is a journal in memory.
type queue struct {
	mu    sync.Mutex
	all   [][]byte
	acked uint64
	wake  chan struct{}
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

func (q *queue) add(from, to int) {
	q.mu.Lock()
	for n := from; n <= to; n++ {
		q.all = append(q.all, []byte(fmt.Sprintf(`{"note":"%d"}`, n)))
	}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) Wake() <-chan struct{} { return q.wake }

func (q *queue) Drop(n uint64) error { q.mu.Lock(); defer q.mu.Unlock(); q.acked = n; return nil }

func (q *queue) left() int { q.mu.Lock(); defer q.mu.Unlock(); return len(q.all) - int(q.acked) }

func (q *queue) Next(most int) (wire.EventsRequest, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	req := wire.EventsRequest{Version: 1, Outbox: "q", First: q.acked + 1}
	var h wire.Hash
	for i, b := range q.all {
		prev := h
		h = wire.Chain(h, uint64(i+1), b)
		if uint64(i) < q.acked || len(req.Entries) == most {
			continue
		}
		if len(req.Entries) == 0 {
			req.Prev = prev
		}
		req.Entries = append(req.Entries, wire.Entry{Hash: h, Body: b})
	}
	return req, nil
}

// eventually waits for a condition that other goroutines bring about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick, end := time.NewTicker(5*time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("it did not happen: %s", what)
		}
	}
}

func (c *console) enrolled(t *testing.T, dir string) Identity {
	t.Helper()
	id, err := Enroll(t.Context(), EnrollOptions{URL: c.url(), Token: "once", Fingerprint: c.pin(), Name: "pc", Dir: dir, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// run starts a link; it ends before the test does.
func run(t *testing.T, o Options) *Link {
	t.Helper()
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { l.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return l
}

func TestEnrolmentGivesAnIdentityThatCanBeLoadedAgain(t *testing.T) {
	c, dir := newConsole(t), t.TempDir()
	pin := strings.ToUpper(c.pin())
	id, err := Enroll(t.Context(), EnrollOptions{URL: c.url() + "/", Token: " once\n", Fingerprint: pin[:2] + ":" + pin[2:10] + " " + pin[10:], Dir: dir, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	again, err := Load(dir)
	if err != nil || again.Terminal != "T1" || id.Terminal != "T1" {
		t.Fatalf("%v %v", again.Terminal, err)
	}
}

func TestAWrongFingerprintIsRefusedAndBothAreNamed(t *testing.T) {
	c := newConsole(t)
	wrong := strings.Repeat("ab", 32)
	_, err := Enroll(t.Context(), EnrollOptions{URL: c.url(), Token: "once", Fingerprint: wrong, Dir: t.TempDir(), Log: zerolog.Nop()})
	if err == nil || !strings.Contains(err.Error(), wrong) || !strings.Contains(err.Error(), c.pin()) {
		t.Fatalf("the error does not name both: %v", err)
	}
	if c.token != "once" {
		t.Fatal("the code was sent to a server that is not the console")
	}
}

func TestAUsedCodeIsRefusedAndTheKeyStaysForTheNextTry(t *testing.T) {
	c, dir := newConsole(t), t.TempDir()
	o := EnrollOptions{URL: c.url(), Token: "old", Fingerprint: c.pin(), Dir: dir, Log: zerolog.Nop()}
	_, err := Enroll(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "make a new code") {
		t.Fatalf("no hint: %v", err)
	}
	if _, err := Load(dir); !errors.Is(err, ErrNotEnrolled) {
		t.Fatal(err)
	}
	kept, _ := os.ReadFile(filepath.Join(dir, identityDir, pendingFile))
	if id := c.enrolled(t, dir); len(kept) == 0 || string(id.Key) != string(kept) {
		t.Fatal("the second try made another key")
	}
}

func TestANameTheCertificateDoesNotCarryIsExplained(t *testing.T) {
	c := newConsole(t)
	_, err := Enroll(t.Context(), EnrollOptions{URL: strings.Replace(c.url(), "localhost", "127.0.0.1", 1), Token: "once", Fingerprint: c.pin(), Dir: t.TempDir(), Log: zerolog.Nop()})
	if err == nil || !strings.Contains(err.Error(), "does not carry this name") {
		t.Fatal(err)
	}
}

func TestAWrongClockIsExplained(t *testing.T) {
	c := newConsole(t)
	_, err := Enroll(t.Context(), EnrollOptions{URL: c.url(), Token: "once", Fingerprint: c.pin(), Dir: t.TempDir(), Log: zerolog.Nop(),
		Now: func() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }})
	if err == nil || !strings.Contains(err.Error(), "clock") {
		t.Fatal(err)
	}
}

func TestADamagedIdentityIsSaidToBeDamaged(t *testing.T) {
	c, dir := newConsole(t), t.TempDir()
	c.enrolled(t, dir)
	path := filepath.Join(dir, identityDir, identityFile)
	raw, _ := os.ReadFile(path)
	for _, bad := range [][]byte{nil, raw[:len(raw)/2], []byte("{}"), []byte(strings.Replace(string(raw), `"T1"`, `"T2"`, 1))} {
		os.WriteFile(path, bad, 0o600)
		if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
}

func TestRecordsArriveOnceAlthoughTheConsoleCrashedBetweenStoringAndAnswering(t *testing.T) {
	c, q, dir := newConsole(t), newQueue(), t.TempDir()
	c.forget = true
	q.add(1, 700)
	var times sync.Map
	run(t, Options{URL: c.url(), Dir: dir, Identity: c.enrolled(t, dir), Queue: q, Log: zerolog.Nop(), OnTime: func(at time.Time) { times.Store("at", at) }})
	eventually(t, "all dropped", func() bool { return q.left() == 0 })
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.records) != 700 || c.records[699] != `{"note":"700"}` {
		t.Fatalf("%d records arrived", len(c.records))
	}
	if _, ok := times.Load("at"); !ok {
		t.Fatal("the console's clock was not handed on")
	}
}

func TestRecordsWaitWhileOfflineAndNewsShortensTheWait(t *testing.T) {
	c, q, dir := newConsole(t), newQueue(), t.TempDir()
	id := c.enrolled(t, dir)
	c.set(func() { c.down = true })
	q.add(1, 100)
	l := run(t, Options{URL: c.url(), Dir: dir, Identity: id, Queue: q, Log: zerolog.Nop()})
	eventually(t, "the fault is known", func() bool { return l.State().Err != "" })
	c.set(func() { c.down = false })
	eventually(t, "all dropped", func() bool { return q.left() == 0 && l.State().Err == "" })
	if len(c.records) != 100 {
		t.Fatalf("%d records arrived", len(c.records))
	}
	if way := l.State().Way; !way.Local.IsLoopback() || !way.Remote.IsLoopback() {
		t.Errorf("the console answered by %+v", way)
	}
}

func TestARefusedBatchStaysInTheQueueAndIsSaid(t *testing.T) {
	c, q, dir := newConsole(t), newQueue(), t.TempDir()
	c.refuse = http.StatusBadRequest
	q.add(1, 3)
	l := run(t, Options{URL: c.url(), Dir: dir, Identity: c.enrolled(t, dir), Queue: q, Log: zerolog.Nop()})
	eventually(t, "the refusal is known", func() bool { return strings.Contains(l.State().Err, "nothing of it was stored") })
	if q.left() != 3 {
		t.Fatal("refused records were dropped")
	}
	c.set(func() { c.refuse = 0 })
	eventually(t, "sent in the end", func() bool { return q.left() == 0 })
}

func TestTheStatusIsSentAloneWhenItChanged(t *testing.T) {
	c, dir, changed := newConsole(t), t.TempDir(), make(chan struct{}, 1)
	run(t, Options{URL: c.url(), Dir: dir, Identity: c.enrolled(t, dir), Queue: newQueue(), Log: zerolog.Nop(),
		Status: func() wire.Status { return wire.Status{Agent: "1"} }, StatusChanged: changed})
	count := func(n int) func() bool {
		return func() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.status) == n }
	}
	eventually(t, "first status", count(1))
	changed <- struct{}{}
	eventually(t, "second status", count(2))
}

func good(revision int64) policy.Policy {
	p := policy.Policy{Schema: policy.Schema, Terminal: "T1", Group: "g", GroupName: "g", Revision: revision, IssuedAt: time.Unix(1, 0).UTC()}
	p.RemovableMedia = policy.Control{Mode: policy.ModeAudit, Rules: []policy.Rule{{ID: "default", Name: policy.Text{JA: "既定", EN: "default"}, Action: policy.ActionBlock}}}
	return p
}

func TestAPolicyIsSavedAndHandedOnAndARefusedOneNeverIs(t *testing.T) {
	c, dir := newConsole(t), t.TempDir()
	id := c.enrolled(t, dir)
	applied, refused := make(chan int64, 10), make(chan error, 10)
	run(t, Options{URL: c.url(), Dir: dir, Identity: id, Queue: newQueue(), Log: zerolog.Nop(),
		OnPolicy: func(p *policy.Policy) { applied <- p.Revision }, OnRefused: func(err error) { refused <- err }})
	c.publish(c.sealed(good(41)), 41)
	if got := <-applied; got != 41 {
		t.Fatalf("revision %d", got)
	}
	p, err := SavedPolicy(dir, id)
	if err != nil || p.Revision != 41 {
		t.Fatalf("saved: %v %v", p, err)
	}
	_, stranger, _ := ed25519.GenerateKey(rand.Reader)
	c.publish((&console{signer: stranger}).sealed(good(42)), 42)
	if err := <-refused; !errors.Is(err, seal.ErrUnknownKey) {
		t.Fatal(err)
	}
	c.set(func() { c.doc, c.etag = c.sealed(good(43)), 43 }) // asked again after a pause, not in a hot loop
	if got := <-applied; got != 43 {
		t.Fatalf("revision %d", got)
	}
	if len(refused) != 0 {
		t.Fatalf("told twice: %v", <-refused)
	}
}

func TestATerminalNamesThePolicyItHasByItsContentToo(t *testing.T) {
	c, dir := newConsole(t), t.TempDir()
	id := c.enrolled(t, dir)
	c.doc, c.etag = c.sealed(good(41)), 41
	asks := func(tag string) func() bool {
		return func() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.tags) > 0 && c.tags[len(c.tags)-1] == tag }
	}
	inForce := new(atomic.Int64)
	o := Options{URL: c.url(), Dir: dir, Identity: id, Queue: newQueue(), Log: zerolog.Nop(), Revision: func() int64 { return inForce.Load() }}
	run(t, o)
	want := wire.TagOf(41, must(json.Marshal(good(41)))).String()
	eventually(t, "it asks with what it has", asks(want))
	c.set(func() { c.tags = nil })
	inForce.Store(41) // after a start the saved policy is in force
	run(t, o)
	eventually(t, "it asks with what it saved", asks(want))
	if l := must(New(Options{URL: c.url(), Dir: dir, Identity: id, Log: zerolog.Nop(), Revision: func() int64 { return 40 }})); l.tag().String() != `"40"` {
		t.Errorf("with another in force than the saved one it asks with %s", l.tag())
	}
}

func TestWhatAPolicyMustNotBe(t *testing.T) {
	c, dir := newConsole(t), t.TempDir()
	l, err := New(Options{URL: c.url(), Dir: dir, Identity: c.enrolled(t, dir), Queue: newQueue(), Log: zerolog.Nop(), Revision: func() int64 { return 10 }})
	if err != nil {
		t.Fatal(err)
	}
	other := good(11)
	other.Terminal = "T2"
	unknown := []byte(strings.Replace(string(must(json.Marshal(good(11)))), `"terminal"`, `"surprise":1,"terminal"`, 1))
	norules := good(11)
	norules.RemovableMedia.Rules = nil
	var e seal.Envelope
	json.Unmarshal(c.sealed(good(11)), &e)
	e.Payload = append([]byte(" "), e.Payload...)
	for name, raw := range map[string][]byte{
		"older": c.sealed(good(9)), "other terminal": c.sealed(other), "unknown field": must(json.Marshal(seal.Sign(c.signer, unknown))),
		"no rules": c.sealed(norules), "changed": must(json.Marshal(e)), "empty": {}, "no JSON": []byte("<html>"),
	} {
		if p, _, err := l.check(raw); err == nil {
			t.Errorf("%s: accepted %v", name, p)
		}
	}
	if _, _, err := l.check(c.sealed(good(10))); err != nil {
		t.Errorf("the one in force is refused: %v", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestAnEndlessOrPackedAnswerIsBounded(t *testing.T) {
	c, dir := newConsole(t), t.TempDir()
	l, err := New(Options{URL: c.url(), Dir: dir, Identity: c.enrolled(t, dir), Queue: newQueue(), Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	c.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == wire.PathEvents { // many zeros in a few bytes
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			io.CopyN(z, zeros{}, 2*maxAnswer)
			z.Close()
			return
		}
		io.CopyN(w, zeros{}, 2*maxPolicy)
	})
	if _, err := l.fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a huge policy: %v", err)
	}
	var a wire.EventsAnswer
	if err := l.caller.Load().post(t.Context(), wire.PathEvents, wire.EventsRequest{}, &a); err == nil {
		t.Error("a packed answer was read")
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestASavedPolicyIsCheckedAgainWhenRead(t *testing.T) {
	c, dir := newConsole(t), t.TempDir()
	id := c.enrolled(t, dir)
	if _, err := SavedPolicy(dir, id); !errors.Is(err, ErrNoPolicy) {
		t.Fatal(err)
	}
	raw := c.sealed(good(1))
	for _, bad := range [][]byte{nil, raw[:100], []byte(strings.Replace(string(raw), `"payload":"`, `"payload":"A`, 1))} {
		os.WriteFile(filepath.Join(dir, policyFile), bad, 0o600)
		if _, err := SavedPolicy(dir, id); !errors.Is(err, ErrPolicyDamaged) {
			t.Errorf("%v", err)
		}
	}
}

func TestTheCertificateIsRenewedAndUsed(t *testing.T) {
	c, dir := newConsole(t), t.TempDir()
	id := c.enrolled(t, dir)
	first := must(x509.ParseCertificate(id.Certificate)).SerialNumber.String()
	q := newQueue()
	late := func() time.Time { return time.Now().Add(50 * time.Minute) } // past two thirds of the hour
	c.life = 5 * time.Hour
	run(t, Options{URL: c.url(), Dir: dir, Identity: id, Queue: q, Log: zerolog.Nop(), Now: late})
	eventually(t, "a new pair on disk", func() bool {
		now, err := Load(dir)
		return err == nil && string(now.Certificate) != string(id.Certificate) && string(now.Key) != string(id.Key)
	})
	now := must(Load(dir))
	serial := must(x509.ParseCertificate(now.Certificate)).SerialNumber.String()
	next := 0
	eventually(t, "the new certificate is shown", func() bool { next++; q.add(next, next); c.mu.Lock(); defer c.mu.Unlock(); return c.serials[serial] })
	if serial == first {
		t.Fatal("the same certificate")
	}
}

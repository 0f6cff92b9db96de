package agentapi

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sekisho/console/store"
	"sekisho/console/store/blank"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// plain composes a policy without signing it; how it is signed is tested where it is done.
type plain struct{ db *store.DB }

func (p plain) Document(ctx context.Context, terminal string, _ int) ([]byte, int64, error) {
	t, err := p.db.TerminalPolicy(ctx, terminal)
	if err != nil {
		return nil, 0, err
	}
	body, err := json.Marshal(map[string]any{"revision": t.Terminal.Revision, "at": t.RevisedAt, "mode": t.Policy.Control.Mode, "grants": t.Grants})
	return body, t.Terminal.Revision, err
}

func (plain) Seal(payload []byte) ([]byte, error) { return payload, nil }

// clock can be moved.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// console is a real one: real TLS, real store, without pages.
type console struct {
	db    *store.DB
	path  string
	ca    *CA
	api   *API
	http  *http.Server
	url   string
	clock *clock
}

// newFile is an empty database.
var newFile = blank.Of(func(path string) (io.Closer, error) { return store.Open(context.Background(), path, time.UTC) })

func start(t testing.TB, change ...func(*Options)) *console {
	t.Helper()
	return startIn(t, filepath.Dir(newFile(t)), change...)
}

func startIn(t testing.TB, dir string, change ...func(*Options)) *console {
	t.Helper()
	c := &console{path: filepath.Join(dir, "console.db"), clock: &clock{}}
	var err error
	c.db, err = store.Open(t.Context(), c.path, time.UTC)
	must(t, err)
	if groups, err := c.db.Groups(t.Context()); err != nil || len(groups) == 0 {
		must(t, err)
		must(t, c.db.PutGroup(t.Context(), "default", "既定", "test", c.clock.now()))
		_, err = c.db.PutGroupPolicy(t.Context(), store.GroupPolicy{Group: "default", Control: policy.DefaultControl(policy.ModeAudit)}, 0, c.clock.now())
		must(t, err)
	}
	c.ca, err = OpenCA(dir, c.clock.now())
	must(t, err)
	cert, err := c.ca.Server(dir, []string{"127.0.0.1"}, c.clock.now)
	must(t, err)
	pub, _, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	o := Options{DB: c.db, CA: c.ca, Documents: plain{c.db}, PolicyKeys: map[string][]byte{"k": pub}, Log: zerolog.Nop(), Now: c.clock.now, Hold: time.Hour}
	for _, f := range change {
		f(&o)
	}
	c.api = New(o)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	c.url = "https://" + listener.Addr().String()
	c.http = &http.Server{Handler: c.api, TLSConfig: c.ca.TerminalTLS(cert), ErrorLog: log.New(io.Discard, "", 0)}
	go c.http.ServeTLS(listener, "", "")
	t.Cleanup(c.stop)
	return c
}

// stop may be called more than once.
func (c *console) stop() {
	c.api.Release()
	c.http.Close()
	c.db.Close()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// terminal is a real client with a real certificate.
type terminal struct {
	*http.Client
	id  string
	url string
}

func (c *console) client(certs ...tls.Certificate) *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(c.ca.cert)
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: certs, MinVersion: tls.VersionTLS13}, ForceAttemptHTTP2: true,
	}}
}

// code makes an enrolment code.
func (c *console) code(t testing.TB, valid time.Duration) string {
	t.Helper()
	text := rand.Text()
	must(t, c.db.PutToken(t.Context(), store.Token{Hash: sha256.Sum256([]byte(text)), Group: "default", ExpiresAt: c.clock.now().Add(valid)}, c.clock.now()))
	return text
}

func request(t testing.TB) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	must(t, err)
	return key, csr
}

func (c *console) enrol(t testing.TB) *terminal {
	t.Helper()
	key, csr := request(t)
	var a wire.EnrollAnswer
	status := post(t, c.client(), c.url+wire.PathEnroll, wire.EnrollRequest{Version: 1, Token: c.code(t, time.Hour), CSR: csr, Name: "soumu-pc-03", OS: "linux"}, &a)
	if status != http.StatusOK {
		t.Fatalf("enrolment answered %d", status)
	}
	return &terminal{Client: c.client(tls.Certificate{Certificate: [][]byte{a.Certificate}, PrivateKey: key}), id: a.Terminal, url: c.url}
}

// post sends JSON and reads the answer into a value.
func post(t testing.TB, client *http.Client, url string, body, into any) int {
	t.Helper()
	raw, err := json.Marshal(body)
	must(t, err)
	return send(t, client, url, bytes.NewReader(raw), nil, into)
}

func send(t testing.TB, client *http.Client, url string, body io.Reader, header http.Header, into any) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
	must(t, err)
	for k, v := range header {
		req.Header[k] = v
	}
	res, err := client.Do(req)
	must(t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	must(t, err)
	must(t, json.Unmarshal(raw, into))
	return res.StatusCode
}

// journal writes records as an outbox does.
type journal struct {
	outbox string
	seq    uint64
	prev   wire.Hash
}

func (j *journal) batch(t testing.TB, n int) wire.EventsRequest {
	t.Helper()
	req := wire.EventsRequest{Version: wire.Version, Outbox: j.outbox, First: j.seq + 1, Prev: j.prev}
	for range n {
		j.seq++
		body, err := json.Marshal(stick(j.seq))
		must(t, err)
		j.prev = wire.Chain(j.prev, j.seq, body)
		req.Entries = append(req.Entries, wire.Entry{Hash: j.prev, Body: body})
	}
	return req
}

// stick is a record of usual size: a stick that was blocked, with what the hand did.
func stick(n uint64) wire.Record {
	at := time.Now().UTC()
	return wire.Record{
		Kind: wire.RecordDevice, At: at, Outcome: policy.OutcomeBlocked, Revision: 3, Request: "4821-7730", Told: 1,
		Event: &policy.Event{What: policy.EventAttach, SeenAt: at, User: "suzuki", Device: policy.Device{
			ID: "1-2", Bus: policy.BusUSB, Kinds: []policy.Kind{policy.KindStorage}, Vendor: "0781", Product: "5583",
			Serial: fmt.Sprintf("4C5300012208%08d", n), Manufacturer: "SanDisk", Name: "Ultra Fit", Port: "1-2", Class: "00/00/00",
			Interfaces: []policy.Interface{{Class: 8, Subclass: 6, Protocol: 80}},
		}},
		Decision: &policy.Decision{Action: policy.ActionBlock, Mode: policy.ModeEnforce, Rule: "default-block-storage",
			RuleName: policy.Text{JA: "既定: 記憶する装置は禁止", EN: "Default: deny every device that stores"}, Clause: "P2-4a", Revision: 3},
		Steps: []wire.Step{{At: at, Code: "seen", OK: true}, {At: at, Code: "deauthorized", Detail: "1-2:1.0", OK: true}, {At: at, Code: "verified", OK: true}},
	}
}

package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sekisho/agent/link"
	"sekisho/agent/outbox"
	"sekisho/agent/update"
	"sekisho/console/agentapi"
	"sekisho/console/carryout"
	"sekisho/console/depot"
	"sekisho/console/store"
	"sekisho/internal/bundle"
	"sekisho/internal/policy"
	"sekisho/internal/seal"
	"sekisho/internal/wire"
)

// headOffice is a real console without pages, and who builds its releases.
type headOffice struct {
	t      *testing.T
	db     *store.DB
	depot  *depot.Depot
	url    string
	pin    string
	signer ed25519.PrivateKey
	keys   map[string][]byte
}

func newHeadOffice(t *testing.T) *headOffice {
	t.Helper()
	dir := t.TempDir()
	h := &headOffice{t: t}
	public, signer, err := ed25519.GenerateKey(nil)
	must(t, err)
	h.signer, h.keys = signer, map[string][]byte{seal.KeyID(public): public}
	h.db, err = store.Open(t.Context(), filepath.Join(dir, "console.db"), time.UTC)
	must(t, err)
	must(t, h.db.PutGroup(t.Context(), "default", "既定", "test", time.Now()))
	_, err = h.db.PutGroupPolicy(t.Context(), store.GroupPolicy{Group: "default", Control: policy.DefaultControl(policy.ModeAudit)}, 0, time.Now())
	must(t, err)
	h.depot, err = depot.Open(filepath.Join(dir, "updates"), h.keys, time.Now())
	must(t, err)
	h.listen(dir)
	return h
}

func (h *headOffice) listen(dir string) {
	t := h.t
	ca, err := agentapi.OpenCA(dir, time.Now())
	must(t, err)
	cert, err := ca.Server(dir, []string{"localhost"}, time.Now)
	must(t, err)
	public, key, err := ed25519.GenerateKey(nil)
	must(t, err)
	api := agentapi.New(agentapi.Options{
		DB: h.db, CA: ca, Documents: carryout.New(carryout.Options{DB: h.db, Key: key, Zone: time.UTC}), Blobs: h.depot,
		PolicyKeys: map[string][]byte{seal.KeyID(public): public}, Log: zerolog.Nop(), Now: time.Now,
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	server := &http.Server{Handler: api, TLSConfig: ca.TerminalTLS(cert), ErrorLog: log.New(io.Discard, "", 0)}
	go server.ServeTLS(l, "", "")
	t.Cleanup(func() { api.Release(); server.Close(); h.db.Close() })
	_, port, err := net.SplitHostPort(l.Addr().String())
	must(t, err)
	h.url, h.pin = "https://localhost:"+port, ca.Fingerprint()
}

// ships packs a release, carries it in and offers it to all.
func (h *headOffice) ships(version, program string) {
	h.t.Helper()
	sum := sha256.Sum256([]byte(program))
	m := bundle.Manifest{Format: bundle.Format, Version: version,
		Programs: []bundle.Program{{OS: "linux", Arch: "amd64", SHA256: hex.EncodeToString(sum[:]), Size: int64(len(program))}}}
	var file bytes.Buffer
	must(h.t, bundle.Write(&file, h.signer, m, func(int) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(program)), nil }))
	took, envelope, err := h.depot.Take(&file)
	must(h.t, err)
	must(h.t, h.db.PutUpdate(h.t.Context(), store.Update{Version: version, Manifest: took, Envelope: envelope, By: "1007"}, time.Now()))
	_, err = h.db.PutOffer(h.t.Context(), store.RingAll, version, "1007", time.Now())
	must(h.t, err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// post is a terminal of that office: a program file that says how it behaves, and a service manager that runs it.
type post struct {
	*headOffice
	state, program string
	identity       link.Identity

	mu   sync.Mutex
	stop func()
}

func newPost(h *headOffice) *post {
	h.t.Helper()
	p := &post{headOffice: h, state: h.t.TempDir(), stop: func() {}}
	p.program = filepath.Join(h.t.TempDir(), "sekisho-agent")
	must(h.t, os.WriteFile(p.program, []byte("1.0 good"), 0o755))
	code := sha256.Sum256([]byte("code"))
	must(h.t, h.db.PutToken(h.t.Context(), store.Token{Hash: code, Group: "default", ExpiresAt: time.Now().Add(time.Hour)}, time.Now()))
	var err error
	p.identity, err = link.Enroll(h.t.Context(), link.EnrollOptions{URL: h.url, Token: "code", Fingerprint: h.pin, Name: "pc", Agent: "1.0", Dir: p.state, Log: zerolog.Nop()})
	must(h.t, err)
	p.start()
	h.t.Cleanup(p.halt)
	return p
}

func (p *post) halt() {
	p.mu.Lock()
	stop := p.stop
	p.stop = func() {}
	p.mu.Unlock()
	stop()
}

// start runs what lies in the program's place: journal, updater and link, as the agent wires them.
func (p *post) start() {
	text, err := os.ReadFile(p.program)
	must(p.t, err)
	version, behaves, _ := strings.Cut(string(text), " ")
	box, err := outbox.Open(filepath.Join(p.state, "outbox"), outbox.Options{Gap: func(uint64) []byte { return []byte(`{}`) }, Log: zerolog.Nop()})
	must(p.t, err)
	changed := make(chan struct{}, 1)
	pulse := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	var l *link.Link
	var u *update.Updater
	u = update.New(update.Options{
		Dir: filepath.Join(p.state, updateDir), Program: p.program, Version: version, OS: "linux", Arch: "amd64", Keys: p.keys,
		Fetch: func(ctx context.Context, hash string, from int64) (io.ReadCloser, error) {
			return l.Blob(ctx, hash, from)
		}, Busy: link.Busy,
		Free: freeSpace, HandOver: p.watch, Changed: pulse, Log: zerolog.Nop(), Now: time.Now, Again: 10 * time.Millisecond, Look: 10 * time.Millisecond,
		Journal: func(r wire.Record) {
			body, err := json.Marshal(r)
			if err == nil {
				_, err = box.Append(body)
			}
			if err != nil {
				p.t.Error(err)
			}
		},
	})
	l, err = link.New(link.Options{
		URL: p.url, Dir: p.state, Identity: p.identity, Queue: box, StatusChanged: changed, Log: zerolog.Nop(),
		Status: func() wire.Status {
			return wire.Status{At: time.Now(), Agent: version, Updates: true, Update: u.State()}
		},
		OnPolicy:   func(d *policy.Policy) { u.Offer(d.Update) },
		OnReported: u.Reported,
	})
	must(p.t, err)
	p.run(box, u, l, behaves)
}

func (p *post) run(box *outbox.Outbox, u *update.Updater, l *link.Link, behaves string) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { u.Run(ctx) })
	if behaves == "good" {
		all.Go(func() { l.Run(ctx) })
	}
	p.mu.Lock()
	p.stop = func() { cancel(); all.Wait(); box.Close() }
	p.mu.Unlock()
}

func (p *post) watch(context.Context) error {
	must(p.t, os.Link(p.program, p.program+".before"))
	w := update.Watcher{Dir: filepath.Join(p.state, updateDir), Program: p.program, Before: p.program + ".before", Service: p,
		Log: zerolog.Nop(), Now: time.Now, Within: 3 * time.Second, Every: 10 * time.Millisecond}
	go func() {
		if err := w.Run(context.Background()); err != nil {
			p.t.Error(err)
		}
	}()
	return nil
}

func (p *post) Replace(_ context.Context, swap func() error) error {
	err := swap()
	p.halt()
	p.start()
	return err
}

func (p *post) Deaths(context.Context) int { return 0 }

// becomes waits until the console knows this of the terminal.
func (p *post) becomes(agent, state string) {
	p.t.Helper()
	var last wire.Status
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		t, err := p.db.Terminal(p.t.Context(), p.identity.Terminal)
		must(p.t, err)
		if last = t.Status; last.Agent == agent && last.Update != nil && last.Update.State == state {
			return
		}
	}
	p.t.Fatalf("the console is told %+v %+v, not %s %s", last.Agent, last.Update, agent, state)
}

func TestAnUpdateGoesFromTheConsoleToATerminalAndBackWhenItIsBad(t *testing.T) {
	h := newHeadOffice(t)
	p := newPost(h)
	h.ships("1.1", "1.1 good")
	p.becomes("1.1", wire.UpdateInstalled)
	h.ships("1.2", "1.2 silent")
	p.becomes("1.1", wire.UpdateRolledBack)
	h.ships("1.3", "1.3 good")
	p.becomes("1.3", wire.UpdateInstalled)

	var codes []string
	for deadline := time.Now().Add(10 * time.Second); len(codes) < 6 && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		rows, err := h.db.Events(t.Context(), store.EventFilter{Limit: 50})
		must(t, err)
		codes = nil
		for _, r := range slices.Backward(rows) {
			codes = append(codes, r.Record.Code)
			if !r.ChainOK || r.Record.Code == wire.CodeUpdateRolledBack != r.Violation {
				t.Errorf("%+v", r)
			}
		}
	}
	want := []string{wire.CodeUpdateStarted, wire.CodeUpdateInstalled, wire.CodeUpdateStarted, wire.CodeUpdateRolledBack, wire.CodeUpdateStarted, wire.CodeUpdateInstalled}
	if !slices.Equal(codes, want) {
		t.Errorf("the console has %v", codes)
	}
}

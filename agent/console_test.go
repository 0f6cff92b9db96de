package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sekisho/console/agentapi"
	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/seal"
)

// office is a real console without pages: real TLS, real store. It listens once open is called.
type office struct {
	t    *testing.T
	db   *store.DB
	ca   *agentapi.CA
	addr string
	key  ed25519.PrivateKey
	dir  string

	health *policy.Health // what terminals are checked for; nil is nothing
}

func newOffice(t *testing.T) *office {
	o := &office{t: t, dir: t.TempDir(), addr: unusedAddress(t)}
	var err error
	o.db, err = store.Open(t.Context(), filepath.Join(o.dir, "console.db"), time.UTC)
	mustDo(t, err)
	t.Cleanup(func() { o.db.Close() })
	mustDo(t, o.db.PutGroup(t.Context(), "default", "既定", "test", time.Now()))
	_, err = o.db.PutGroupPolicy(t.Context(), store.GroupPolicy{Group: "default", Control: policy.DefaultControl(policy.ModeAudit)}, 0, time.Now())
	mustDo(t, err)
	o.ca, err = agentapi.OpenCA(o.dir, time.Now())
	mustDo(t, err)
	_, o.key, err = ed25519.GenerateKey(rand.Reader)
	mustDo(t, err)
	return o
}

func unusedAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	mustDo(t, err)
	defer l.Close()
	return l.Addr().String()
}

// open lets terminals in.
func (o *office) open() {
	cert, err := o.ca.Server(o.dir, []string{"127.0.0.1"}, time.Now)
	mustDo(o.t, err)
	pub := o.key.Public().(ed25519.PublicKey)
	api := agentapi.New(agentapi.Options{DB: o.db, CA: o.ca, Documents: o, PolicyKeys: map[string][]byte{seal.KeyID(pub): pub}, Log: zerolog.Nop(), Now: time.Now, Hold: time.Hour})
	l, err := net.Listen("tcp", o.addr)
	mustDo(o.t, err)
	server := &http.Server{Handler: api, TLSConfig: o.ca.TerminalTLS(cert), ErrorLog: log.New(io.Discard, "", 0)}
	go server.ServeTLS(l, "", "")
	o.t.Cleanup(func() { api.Release(); server.Close() })
}

// Document is the policy of a new terminal (agentapi.Documents).
func (o *office) Document(_ context.Context, terminal string, _ int) ([]byte, int64, error) {
	p := policy.Builtin(policy.ModeAudit)
	p.Terminal, p.Revision = terminal, 1
	if o.health != nil {
		p.Health = o.health
		maps.Copy(p.Clauses, policy.HealthClauses())
	}
	body, err := json.Marshal(p)
	return body, 1, err
}

// Seal signs as the console does (agentapi.Documents).
func (o *office) Seal(payload []byte) ([]byte, error) { return json.Marshal(seal.Sign(o.key, payload)) }

// invite gives what install would write for a new terminal.
func (o *office) invite(state string) config {
	code := rand.Text()
	mustDo(o.t, o.db.PutToken(o.t.Context(), store.Token{Hash: sha256.Sum256([]byte(code)), Group: "default", By: "test", ExpiresAt: time.Now().Add(time.Hour)}, time.Now()))
	return config{Server: "https://" + o.addr, Token: code, Fingerprint: o.ca.Fingerprint(), State: state}
}

// heard lists the codes of the records about agents, oldest first, with their notes.
func (o *office) heard() (codes, notes []string) {
	rows, err := o.db.Events(o.t.Context(), store.EventFilter{Limit: 100})
	mustDo(o.t, err)
	for i := range rows {
		r := rows[len(rows)-1-i].Record
		codes, notes = append(codes, r.Code), append(notes, r.Note)
	}
	return codes, notes
}

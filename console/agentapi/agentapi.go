// Package agentapi is the terminals' side of the console: enrolment, events up, policy down, renewal.
// It never shows anything to people, and never believes what a terminal says about who it is.
package agentapi

import (
	"context"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"sekisho/console/store"
	"sekisho/internal/wire"
)

// Documents composes and signs a terminal's policy. As long as the database says the same, so does Document to who speaks
// the same version of the protocol.
type Documents interface {
	Document(ctx context.Context, terminal string, version int) (payload []byte, revision int64, err error)
	Seal(payload []byte) (body []byte, err error)
}

// Blobs are the programs of releases, by hash.
type Blobs interface {
	Open(hash string) (*os.File, error)
}

// Options is everything an API needs.
type Options struct {
	DB         *store.DB
	CA         *CA
	Documents  Documents
	Blobs      Blobs
	PolicyKeys map[string][]byte // key id -> Ed25519 public key, pinned by terminals at enrolment
	Log        zerolog.Logger
	Now        func() time.Time
	Hold       time.Duration // how long a policy request hangs at most; 0 is five minutes
	Look       time.Duration // how often a hanging request looks for itself; 0 is half a minute
}

// API answers terminals. It keeps no truth in memory: any replica can answer any terminal.
type API struct {
	Options
	mux     http.Handler
	guesses limiter       // wrong enrolment codes
	renews  limiter       // certificates asked for
	outruns limiter       // revisions raised because a terminal had a higher one
	refused limiter       // batches that broke the bounds
	flow    flow          // what each terminal stores
	decode  chan struct{} // batches that are in memory at the same time
	turns   turns         // of each terminal among them
	hangs   turns         // policy requests that hang
	blobs   chan struct{} // programs that are being sent
	fetches turns         // of each terminal among them
	release chan struct{} // closed when the console stops
	once    sync.Once
}

// maxDecoding bounds memory: so many batches of wire.MaxBody at most are read at the same time.
const maxDecoding = 16

// maxBlobs bounds what updates take of the line: so many terminals at most download at the same time.
const maxBlobs = 8

// New builds the handler of the terminals' listener; serve it with CA.TerminalTLS.
func New(o Options) *API {
	if o.Hold == 0 {
		o.Hold = 5 * time.Minute
	}
	if o.Look == 0 {
		o.Look = 30 * time.Second
	}
	a := &API{Options: o, decode: make(chan struct{}, maxDecoding), release: make(chan struct{})}
	a.guesses = limiter{each: 10, all: 200, within: 10 * time.Minute}
	a.renews = limiter{each: 5, all: 100_000, within: time.Hour}
	a.outruns = limiter{each: 5, all: 100_000, within: time.Hour} // once, after a restored backup; more is a fault of ours or theirs
	a.turns.most, a.hangs.most, a.flow.burst = perTerminal, hanging, flowBurst
	a.blobs, a.fetches.most = make(chan struct{}, maxBlobs), 1
	a.refused = limiter{each: 60, all: 100_000, within: 10 * time.Minute} // an honest terminal tries again ever more rarely
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+wire.PathEnroll, a.enroll)
	mux.HandleFunc("POST "+wire.PathEvents, a.known(a.events))
	mux.HandleFunc("GET "+wire.PathPolicy, a.known(a.policy))
	mux.HandleFunc("GET "+wire.PathBlob+"{hash}", a.known(a.blob))
	mux.HandleFunc("POST "+wire.PathRenew, a.known(a.renew))
	mux.HandleFunc("/", a.nothing)
	a.mux = mux
	return a
}

// ServeHTTP answers one request; every answer carries the console's clock.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w = stamped{w, a.Now}
	w.Header().Set(wire.HeaderVersion, strconv.Itoa(wire.Version))
	if r.ContentLength != 0 { // also a body that nobody reads is waited for before the connection is used again
		http.NewResponseController(w).SetReadDeadline(time.Now().Add(eventReads))
	}
	a.mux.ServeHTTP(w, r)
}

// stamped writes the console's clock when the answer begins, which for a hanging request is minutes after it came:
// a terminal must not be told a time that has passed.
type stamped struct {
	http.ResponseWriter
	now func() time.Time
}

// WriteHeader begins the answer. Every answer of this package calls it.
func (s stamped) WriteHeader(status int) {
	s.Header().Set(wire.HeaderTime, strconv.FormatInt(s.now().UnixMilli(), 10))
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap gives http.ResponseController its deadlines.
func (s stamped) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// Release lets every hanging request answer, so that the console can stop.
func (a *API) Release() { a.once.Do(func() { close(a.release) }) }

func (a *API) nothing(w http.ResponseWriter, _ *http.Request) {
	refuse(w, http.StatusNotFound, "cannot answer: there is no such call", "is the agent newer than this console?")
}

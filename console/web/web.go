// Package web is the console for people: pages, the JSON face of the same pages, sign-in and sessions.
// It never speaks to a terminal, never judges a device and never writes SQL.
package web

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"sekisho/console/store"
	"sekisho/internal/bundle"
	"sekisho/internal/policy"
)

// Giver makes media use permissions: it checks what was asked and publishes the grant to its terminal.
// The second answer is what is wrong with the fields (device, terminal, from, until, reason); with it nothing was done.
type Giver interface {
	Give(ctx context.Context, g store.Grant, now time.Time) (store.Grant, []policy.Problem, error)
}

// Options is everything the pages need.
type Options struct {
	DB          *store.DB
	Carryout    Giver
	Bundles     Bundles
	References  References
	Log         zerolog.Logger
	Now         func() time.Time
	Zone        *time.Location // the office's; days and hours on every page
	Version     string
	AgentURL    string        // where terminals find their listener
	Fingerprint string        // of the console's CA, for the enrolment command
	SilentAfter time.Duration // a terminal without contact for so long is 未稼働; 0 is seven days
	Assets      fs.FS         // bundled scripts and styles; nil takes the embedded ones
}

// ErrNoAssets says that the program was built before its scripts and styles were bundled.
var ErrNoAssets = errors.New("cannot serve pages: this console was built without its assets; run scripts/assets, then build again")

const (
	week = 7 * 24 * time.Hour
	day  = 24 * time.Hour
)

// Server holds what every handler shares. It keeps no state between requests but the password hasher's queue, who knocked
// too often and judgements that it would come to again: any replica can answer any request.
type server struct {
	Options
	pages  map[string]*pages // by language
	assets *assets
	hash   *hasher
	knocks knocks
	judges judges

	judging sync.Mutex // held from a name's failures being counted until this try counts too
}

// New builds the handler of the people's listener. It must be served over TLS: the session cookie is refused otherwise.
func New(o Options) (http.Handler, error) {
	s, err := newServer(o, newHasher(hashMemory, hashTime))
	if err != nil {
		return nil, err
	}
	return s.handler(), nil
}

func newServer(o Options, hash *hasher) (*server, error) {
	if o.SilentAfter == 0 {
		o.SilentAfter = week
	}
	files, err := loadAssets(o.Assets)
	if err != nil {
		return nil, err
	}
	all, err := parsePages(o.Zone)
	if err != nil {
		return nil, fmt.Errorf("cannot read the page templates: %w", err)
	}
	return &server{Options: o, pages: all, assets: files, hash: hash}, nil
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range routes() {
		mux.Handle(r.Method+" "+r.Pattern, s.guard(r))
	}
	mux.Handle("GET /assets/{name}", s.assets)
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.Handle("/", s.guard(route{Method: "GET", Pattern: "/", Public: true, do: (*server).notFound}))
	var h http.Handler = http.NewCrossOriginProtection().Handler(mux)
	h = limitBody(h)
	return secure(h)
}

// maxBody is enough for the largest policy form.
const maxBody = 4 << 20

// uploads and imports are the addresses that take more, after they have looked who sends it.
const uploads = "/updates"

func limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		most := int64(maxBody)
		switch {
		case r.Method == http.MethodPost && r.URL.Path == uploads:
			most = bundle.MaxSize + maxBody
		case r.Method == http.MethodPost && r.URL.Path == imports:
			most = maxReference * 2 // an envelope writes it in base64; what is too large shall be answered, not cut off
		}
		r.Body = http.MaxBytesReader(w, r.Body, most)
		next.ServeHTTP(w, r)
	})
}

// policyHeader lets a page use what this console serves and nothing else; Tabler's select arrow is a data: image.
const policyHeader = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policyHeader)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), usb=()")
		h.Set("Strict-Transport-Security", "max-age=31536000")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

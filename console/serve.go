package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"sekisho/console/agentapi"
	"sekisho/console/carryout"
	"sekisho/internal/seal"
)

// stopWithin is how long answers under way may take when the console stops.
const stopWithin = 10 * time.Second

// Nothing that people ask for hangs: what comes or is taken more slowly holds a connection on purpose.
const (
	peopleRead  = 30 * time.Second
	peopleWrite = 5 * time.Minute // the longest file over the slowest line
)

// serveManaged runs the console under the system's service manager, or in the foreground.
func serveManaged(ctx context.Context, c call) error { return managed(ctx, c, serve) }

// serve: folder → database → office → two handlers → two listeners.
func serve(ctx context.Context, c call) error {
	log := zerolog.New(c.err).Level(zerolog.InfoLevel).With().Timestamp().Logger()
	h, err := openAll(ctx, c)
	if err != nil {
		return err
	}
	defer h.Close()
	cert, err := h.ca.Server(h.state, h.config.Names, time.Now)
	if err != nil {
		return err
	}
	office := carryout.New(carryout.Options{DB: h.db, Key: h.key, Zone: h.zone})
	terminals := agentapi.New(agentapi.Options{
		DB: h.db, CA: h.ca, Documents: office, Blobs: blobs{h.depot, h.references}, PolicyKeys: publicKeys(h.key), Log: log, Now: time.Now,
	})
	people, err := pages(h, office, log)
	if err != nil {
		return err
	}
	servers := []*server{
		listening(h.config.Terminals, terminals, h.ca.TerminalTLS(cert), log),
		listening(h.config.People, people, h.ca.PeopleTLS(cert), log),
	}
	servers[0].http.RegisterOnShutdown(terminals.Release)
	servers[1].http.ReadTimeout, servers[1].http.WriteTimeout = peopleRead, peopleWrite
	if err := bind(servers); err != nil {
		return err
	}
	if err := greet(ctx, c, h); err != nil {
		return err
	}
	counting := make(chan struct{})
	verifying := make(chan struct{})
	ctx, stop := context.WithCancel(ctx)
	go func() {
		defer close(verifying)
		verifier{db: h.db, log: log, now: time.Now, first: verifyFirst, every: verifyEvery, rest: verifyRest}.run(ctx)
	}()
	go func() {
		defer close(counting)
		counter{db: h.db, log: log, now: time.Now, silent: h.config.SilentAfter}.run(ctx)
	}()
	defer func() { stop(); <-verifying; <-counting }() // before the database is closed
	log.Info().Str("people", h.config.People).Str("terminals", h.config.Terminals).Str("version", version).Msg("console is running")
	return runAll(ctx, servers, log)
}

func publicKeys(key ed25519.PrivateKey) map[string][]byte {
	pub := key.Public().(ed25519.PublicKey)
	return map[string][]byte{seal.KeyID(pub): pub}
}

// server is one listener and what answers on it.
type server struct {
	http     *http.Server
	tls      *tls.Config
	listener net.Listener
}

// listening has no limit for a whole request, because a terminal's policy request hangs; each call that reads
// a body has its own.
func listening(address string, h http.Handler, t *tls.Config, log zerolog.Logger) *server {
	return &server{tls: t, http: &http.Server{
		Addr: address, Handler: h, TLSConfig: t, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 32 << 10, ErrorLog: stdlog.New(quiet{log}, "", 0),
	}}
}

// quiet takes what the HTTP server says about broken connections, and loudly what it says about our own faults.
type quiet struct{ log zerolog.Logger }

func (q quiet) Write(b []byte) (int, error) {
	level := zerolog.DebugLevel
	if bytes.Contains(b, []byte("panic serving")) {
		level = zerolog.ErrorLevel
	}
	q.log.WithLevel(level).Bytes("detail", b).Msg("connection")
	return len(b), nil
}

// bind opens every port before anything is answered on one.
func bind(servers []*server) error {
	for _, s := range servers {
		l, err := net.Listen("tcp", s.http.Addr)
		if err != nil {
			closeAll(servers)
			return hint(fmt.Errorf("cannot listen on %s: %w", s.http.Addr, err), bindHint(err))
		}
		s.listener = l
	}
	return nil
}

func bindHint(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "is the console running already? else choose another port in console.yaml"
	case errors.Is(err, syscall.EACCES):
		return "ports below 1024 need rights; choose a higher one in console.yaml"
	}
	return "check the address in console.yaml"
}

func closeAll(servers []*server) {
	for _, s := range servers {
		if s.listener != nil {
			s.listener.Close()
		}
	}
}

// runAll serves until ctx ends or one server fails; then all of them finish what is under way.
func runAll(ctx context.Context, servers []*server, log zerolog.Logger) error {
	ended := make(chan error, len(servers))
	for _, s := range servers {
		go func() { ended <- s.http.ServeTLS(s.listener, "", "") }()
	}
	var failed error
	select {
	case <-ctx.Done():
		log.Info().Msg("console is stopping")
	case failed = <-ended:
	}
	over, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	for _, s := range servers {
		if err := s.http.Shutdown(over); err != nil {
			s.http.Close()
		}
	}
	return failed
}

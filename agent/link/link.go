package link

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// Queue is what records are taken from; they stay in it until the console has stored them.
type Queue interface {
	Next(max int) (wire.EventsRequest, error)
	Drop(acked uint64) error
	Wake() <-chan struct{}
}

// Sheets are lists of which the console keeps copies.
type Sheets interface {
	Next() []wire.Sheet                             // at most one step of each
	Answered(tags map[string]wire.Hash) (more bool) // where the console stands now; more: there is another step
	Refused()                                       // the console took nothing of a request with these steps
	Wake() <-chan struct{}
	Rest() time.Duration // after which there may be something without a wake; 0 is never
}

// Options of a link. The callbacks are called from its goroutines and must not block for long.
type Options struct {
	URL           string
	Dir           string
	Identity      Identity
	Queue         Queue
	Sheets        Sheets // may be nil
	Status        func() wire.Status
	StatusChanged <-chan struct{}
	Revision      func() int64              // of the policy in force; 0 is none
	OnPolicy      func(*policy.Policy)      // a policy that passed every check and is saved
	OnRefused     func(error)               // a policy that did not, once for each
	OnReported    func(wire.Status)         // a status that the console has acknowledged
	OnTime        func(time.Time)           // the console's clock, with every answer
	OnWant        func(want []string) error // the console asks for more; on wire.WantJournal the queue begins a new journal
	Log           zerolog.Logger
	Now           func() time.Time // nil is time.Now
}

// State is what `status` shows of the link.
type State struct {
	Since   time.Time // connected since; zero when not
	Contact time.Time // last answer
	Way     Way       // of the last answer
	Err     string    // why not, with what to do about it
}

// Link is the terminal's side of the connection to the console.
type Link struct {
	o      Options
	base   string
	caller atomic.Pointer[caller]         // replaced when the certificate is
	held   atomic.Pointer[wire.PolicyTag] // newest policy accepted
	speaks atomic.Int64                   // protocol version of the console; 0 is not heard yet
	back   chan struct{}                  // the console was reached: no need to wait longer

	mu       sync.Mutex // guards what follows
	identity Identity
	state    State            // Err is put together from faults when asked
	faults   map[string]error // what each loop last failed at
}

// New checks the identity and makes a link; Run connects it.
func New(o Options) (*Link, error) {
	base, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	if err := o.Identity.check(); err != nil {
		return nil, err
	}
	setDefaults(&o)
	l := &Link{o: o, base: base, identity: o.Identity, back: make(chan struct{}, 1), faults: map[string]error{}}
	l.held.Store(l.recall())
	return l, l.connect(o.Identity)
}

func setDefaults(o *Options) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Revision == nil {
		o.Revision = func() int64 { return 0 }
	}
	if o.OnPolicy == nil {
		o.OnPolicy = func(*policy.Policy) {}
	}
	if o.OnRefused == nil {
		o.OnRefused = func(error) {}
	}
	if o.OnWant == nil {
		o.OnWant = func([]string) error { return nil }
	}
	if o.OnReported == nil {
		o.OnReported = func(wire.Status) {}
	}
	if o.OnTime == nil {
		o.OnTime = func(time.Time) {}
	}
}

// connect makes a caller for an identity. A new certificate needs a new connection: the old one keeps the old certificate.
func (l *Link) connect(id Identity) error {
	pair, err := id.certificate()
	if err != nil {
		return err
	}
	ca, err := x509.ParseCertificate(id.CA)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	c := newCaller(l.base, &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: roots, Certificates: []tls.Certificate{pair}, Time: l.o.Now,
	})
	c.onTime, c.onVersion, c.onWay = l.o.OnTime, func(v int) { l.speaks.Store(int64(v)) }, l.came
	if old := l.caller.Swap(c); old != nil {
		old.close()
	}
	return nil
}

// Run uploads, follows and renews until ctx ends.
func (l *Link) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { l.upload(ctx) })
	wg.Go(func() { l.follow(ctx) })
	wg.Go(func() { l.renew(ctx) })
	wg.Wait()
	l.caller.Load().close()
	return ctx.Err()
}

// State says how the link is.
func (l *Link) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.state
	var words []string
	for _, err := range l.faults {
		words = append(words, err.Error())
	}
	slices.Sort(words)
	s.Err = strings.Join(slices.Compact(words), "; ")
	return s
}

// came notes by which way the console answered.
func (l *Link) came(w Way) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.Way = w
}

// reached notes that a loop had its answer, and calls the one that may be waiting for the network to come back.
func (l *Link) reached(loop string) {
	now := l.o.Now()
	l.mu.Lock()
	if l.state.Since.IsZero() {
		l.state.Since = now
	}
	l.state.Contact = now
	before := len(l.faults)
	maps.DeleteFunc(l.faults, func(which string, err error) bool {
		var net *unreached // the network is back for all loops; what the console said no to is each loop's own
		return which == loop || errors.As(err, &net)
	})
	mended := len(l.faults) < before
	l.mu.Unlock()
	if !mended {
		return
	}
	l.o.Log.Info().Str("action", loop).Msg("console reached")
	select {
	case l.back <- struct{}{}:
	default:
	}
}

// failed notes a loop's fault and logs it once, not at every try.
func (l *Link) failed(ctx context.Context, loop string, err error) {
	if ctx.Err() != nil {
		return
	}
	l.mu.Lock()
	had := l.faults[loop]
	same := had != nil && had.Error() == err.Error()
	l.faults[loop] = err
	var net *unreached
	if errors.As(err, &net) {
		l.state.Since = time.Time{}
	}
	l.mu.Unlock()
	if !same {
		l.o.Log.Warn().Str("action", loop).Err(err).Msg("cannot speak to console")
	}
}

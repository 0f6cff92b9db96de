package local

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// Bounds of one conversation, so that no user of the terminal can hold the agent up.
const (
	maxRequest = 64 << 10
	maxAnswer  = 4 << 20
	maxTalks   = 16
	talkLimit  = 5 * time.Second
)

// The questions that there are.
const (
	AskStatus = "status"
	AskCases  = "cases" // what a person at the terminal reads out on the telephone
	// AskPackages asks whether package files may be installed, AskInstalled tells that some were. Only root may.
	AskPackages  = "packages"
	AskInstalled = "installed"
)

// workLimit is how long the questions of a package manager may take: its files are read whole.
const workLimit = 90 * time.Second

func (r Request) limit() time.Duration {
	if r.Ask == AskPackages || r.Ask == AskInstalled {
		return workLimit
	}
	return talkLimit
}

// Request is one line of JSON.
type Request struct {
	Ask     string   `json:"ask"`
	Files   []string `json:"files,omitempty"`   // of AskPackages: at most MaxFiles
	Manager int      `json:"manager,omitempty"` // process id of the package manager

	peer Peer
}

// MaxFiles bounds the files of one question.
const MaxFiles = 200

// Peer is who asks, as the system says; -1 is unknown.
type Peer struct{ PID, UID int }

// Peer says who asks.
func (r Request) Peer() Peer { return r.peer }

// Answer is one line of JSON.
type Answer struct {
	Error  string       `json:"error,omitempty"`
	Status *wire.Status `json:"status,omitempty"`
	Cases  []Case       `json:"cases,omitempty"`
	Link   Link         `json:"link"`

	Software *Software            `json:"software,omitempty"`
	Checks   []policy.CheckResult `json:"checks,omitempty"`
	// Refused are the packages that may not be installed.
	Refused []Refusal `json:"refused,omitempty"`
}

// Software is how the control of programs stands; nil: nobody has looked yet.
type Software struct {
	Mode       string    `json:"mode,omitempty"` // "" is not controlled here
	Programs   int       `json:"programs"`
	Violations int       `json:"violations"` // of them that no rule permits
	Looked     time.Time `json:"looked"`
}

// Case is a forbidden device or program of which the user was told.
type Case struct {
	Notice
	Since time.Time `json:"since"`
	Gone  bool      `json:"gone"` // it was unplugged, or removed, meanwhile
}

// Link is how the agent stands with the console.
type Link struct {
	Server   string    `json:"server,omitempty"`
	Enrolled bool      `json:"enrolled"`
	Terminal string    `json:"terminal,omitempty"` // id from enrolment
	Since    time.Time `json:"since,omitzero"`     // connected since; zero when not
	Contact  time.Time `json:"contact,omitzero"`   // last answer
	Error    string    `json:"error,omitempty"`    // why not
}

// parseRequest reads the foreign bytes of one question.
func parseRequest(line []byte) (Request, error) {
	var r Request
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return Request{}, fmt.Errorf("cannot read request: %w", err)
	}
	if dec.More() {
		return Request{}, errors.New("cannot read request: something follows it")
	}
	switch r.Ask {
	case AskStatus, AskCases, AskInstalled:
	case AskPackages:
		if len(r.Files) > MaxFiles {
			return Request{}, fmt.Errorf("cannot answer: %d files are too many for one question, %d is the most", len(r.Files), MaxFiles)
		}
	default:
		return Request{}, fmt.Errorf("cannot answer %.32q: not a question this agent knows", r.Ask)
	}
	return r, nil
}

// Serve answers questions until ctx ends. Too many at once are turned away, not queued.
func Serve(ctx context.Context, l net.Listener, answer func(Request) Answer, log zerolog.Logger) {
	defer context.AfterFunc(ctx, func() { l.Close() })()
	seats := make(chan struct{}, maxTalks)
	refused := &calm{}
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			log.Warn().Err(err).Msg("cannot accept a local question")
			time.Sleep(100 * time.Millisecond) // out of files: others need them more
			continue
		}
		select {
		case seats <- struct{}{}:
			go func() {
				defer func() { <-seats }()
				talk(conn, answer, refused, log)
			}()
		default:
			conn.Close()
		}
	}
}

func talk(conn net.Conn, answer func(Request) Answer, refused *calm, log zerolog.Logger) {
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(talkLimit)); err != nil {
		return
	}
	line, err := bufio.NewReader(io.LimitReader(conn, maxRequest)).ReadBytes('\n')
	if err != nil {
		return // went away, or said too much
	}
	req, err := parseRequest(line)
	req.peer = peer(conn)
	if err == nil && req.limit() != talkLimit {
		if req.peer.UID != 0 {
			err = errors.New("cannot answer: only root installs packages")
		}
		_ = conn.SetDeadline(time.Now().Add(req.limit())) // one that fails has the shorter limit
	}
	var a Answer
	if err != nil {
		a.Error = err.Error()
		refused.once(time.Now(), func() { log.Info().Err(err).Int("uid", req.peer.UID).Msg("local question refused") })
	} else {
		a = answer(req)
	}
	if err := json.NewEncoder(conn).Encode(a); err != nil {
		log.Debug().Err(err).Msg("local answer was not taken")
	}
}

// calm lets something be said once a minute: any user of the terminal could otherwise flood the log, and the system's
// journal would then drop the agent's other lines (journald.conf(5), RateLimitBurst).
type calm struct {
	mu   sync.Mutex
	last time.Time
}

func (c *calm) once(now time.Time, say func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last.IsZero() || now.Sub(c.last) >= time.Minute {
		c.last = now
		say()
	}
}

// Ask asks the running agent.
func Ask(ctx context.Context, path string, r Request) (Answer, error) {
	var a Answer
	ctx, cancel := context.WithTimeout(ctx, r.limit())
	defer cancel()
	conn, err := dial(ctx, path)
	if err != nil {
		return a, fmt.Errorf("cannot reach the agent: %w", err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return a, fmt.Errorf("cannot reach the agent: %w", err)
	}
	if err := json.NewEncoder(conn).Encode(r); err != nil {
		return a, fmt.Errorf("cannot ask the agent: %w", err)
	}
	if err := json.NewDecoder(io.LimitReader(conn, maxAnswer)).Decode(&a); err != nil {
		return a, fmt.Errorf("cannot read the agent's answer: %w", err)
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	return a, nil
}

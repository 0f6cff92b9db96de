package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"sekisho/agent/link"
	"sekisho/agent/local"
	"sekisho/internal/wire"
)

// How long to wait between two tries to enrol; a console that is being set up is not there yet.
const (
	enrolFirst = 5 * time.Second
	enrolLast  = 15 * time.Minute
)

// voice connects the agent to the console, and enrols it first where that has not happened.
type voice struct {
	a     *agent
	first int64 // revision of the policy the guard began with

	mu       sync.Mutex
	link     *link.Link
	terminal string // its id
	err      string
}

func (v *voice) run(ctx context.Context) {
	a := v.a
	if a.config.Server == "" {
		v.say(cmp.Or(a.config.complaint, "cannot reach a console: none is configured"))
		return
	}
	id, ok := v.identity(ctx)
	if !ok {
		return
	}
	v.own(id.Terminal)
	l, err := link.New(link.Options{
		URL: a.config.Server, Dir: a.config.State, Identity: id, Queue: a.memory, Sheets: a.sheets,
		Status: a.guard.status, StatusChanged: a.guard.changed,
		Revision: func() int64 { return v.first },
		OnPolicy: a.guard.onPolicy, OnRefused: a.guard.onRefused, OnTime: a.guard.onTime,
		OnWant: v.wanted, OnReported: a.updater.Reported,
		Log: a.log, Now: a.clock.now,
	})
	if err != nil {
		a.log.Error().Err(err).Msg("cannot speak to console")
		v.say(err.Error())
		return
	}
	v.say(a.config.complaint) // what kept it from being enrolled is over
	v.mu.Lock()
	v.link, v.err, v.terminal = l, "", id.Terminal
	v.mu.Unlock()
	_ = l.Run(ctx) // ends only with ctx
}

// wanted does what the console asks for beside the acknowledgement; words that we do not know are a newer console's.
func (v *voice) wanted(want []string) error {
	if slices.Contains(want, wire.WantJournal) {
		return v.a.memory.Renew()
	}
	return nil
}

// fetch asks the console for a program that the policy names.
func (v *voice) fetch(ctx context.Context, hash string, from int64) (io.ReadCloser, error) {
	v.mu.Lock()
	l := v.link
	v.mu.Unlock()
	if l == nil {
		return nil, errors.New("there is no connection to a console yet")
	}
	return l.Blob(ctx, hash, from)
}

// identity gives the saved one, or enrols, again and again while there is a code.
func (v *voice) identity(ctx context.Context) (link.Identity, bool) {
	for wait := enrolFirst; ; wait = min(2*wait, enrolLast) {
		id, err := link.Load(v.a.config.State)
		if notEnrolled(err) {
			id, err = v.enrol(ctx)
		}
		if err == nil {
			return id, true
		}
		v.a.log.Warn().Err(err).Msg("not enrolled yet")
		v.say(err.Error())
		if !pause(ctx, wait) {
			return id, false
		}
	}
}

func (v *voice) enrol(ctx context.Context) (link.Identity, error) {
	token, err := v.a.config.token()
	if err != nil || token == "" {
		return link.Identity{}, firstError(err, link.ErrNotEnrolled)
	}
	return enrol(ctx, v.a.config, token, false, v.a.clock.now, v.a.log)
}

func (v *voice) say(problem string) {
	v.mu.Lock()
	v.err = problem
	v.mu.Unlock()
	v.a.guard.post(func() { v.a.guard.setFault(wire.FaultEnrolment, problem) })
}

// report is what `status` and `doctor` show of the link.
func (v *voice) report() local.Link {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := local.Link{Server: v.a.config.Server, Error: v.err}
	if v.link == nil {
		return r
	}
	s := v.link.State()
	r.Terminal = v.terminal
	r.Enrolled, r.Since, r.Contact, r.Error = true, s.Since, s.Contact, s.Err
	return r
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}

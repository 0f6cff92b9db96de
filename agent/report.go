package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"sekisho/agent/local"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// maxShown bounds the devices of a status; a terminal with more says so in its faults.
const maxShown = 256

// status asks the guard for the terminal's state now; once the guard has ended there is none. What has to be read
// from disk is read by who asks: the guard waits for nobody.
func (g *guard) status() wire.Status {
	answer := make(chan wire.Status, 1)
	if !g.post(func() { answer <- g.report() }) {
		return wire.Status{At: g.Clock.now(), Gate: "none"}
	}
	select {
	case s := <-answer:
		s.User, s.Unsent = g.User(), g.Unsent()
		if g.Update != nil {
			s.Update = g.Update()
		}
		return s
	case <-g.done:
		return wire.Status{At: g.Clock.now(), Gate: "none"}
	}
}

func (g *guard) report() wire.Status {
	s := g.Facts
	s.At, s.Boot = g.Clock.now(), g.Boot
	s.Revision, s.Mode = g.Policy.Revision, string(g.Policy.RemovableMedia.Mode)
	s.Gate = g.keeper.word()
	s.Unsaid = shownUnsaid(g.unsaid)
	for _, at := range sortedPlaces(g.here) {
		a := g.here[at]
		s.Devices = append(s.Devices, wire.Attached{Device: a.event.Device, Decision: a.decision, Outcome: a.shown(), Since: a.since})
	}
	for _, code := range slices.Sorted(maps.Keys(g.faults)) {
		s.Faults, s.Codes = append(s.Faults, g.faults[code]), append(s.Codes, code)
	}
	if n := len(s.Devices); n > maxShown {
		s.Devices = s.Devices[:maxShown]
		s.Faults = append(s.Faults, fmt.Sprintf("cannot show all devices: %d are attached", n))
		s.Codes = append(s.Codes, wire.FaultCrowd)
	}
	return s
}

// shown is the outcome as people see it: a hand that has not reported yet is at it.
func (a *attached) shown() policy.Outcome { return cmp.Or(a.outcome, policy.OutcomePending) }

// breath is how long the user's desktop waits for the verdict to reach the disk: starting a program for it takes more of
// the processor than the whole verdict.
const breath = 100 * time.Millisecond

// tell tells the user what happened to a device, beside the guard. How many sessions it reached becomes a record
// of its own, because the verdict does not wait for a desktop.
func (g *guard) tell(a *attached) {
	if !a.decision.Tell() {
		return
	}
	if a.request == "" {
		a.request = requestNumber()
	}
	g.newest = newest{a, local.Case{Notice: g.notice(a), Since: a.since}}
	g.show(g.notice(a))
}

// show shows a notice, beside the guard.
func (g *guard) show(n local.Notice) {
	if !g.told.take(time.Now()) {
		return // a storm: the user has been told of it, each record carries its number
	}
	ctx, cancel := context.WithTimeout(g.ctx, 10*time.Second)
	go func() {
		defer cancel()
		if !pause(ctx, breath) {
			return
		}
		if reached := g.Tell(ctx, n); reached > 0 {
			g.Journal(wire.Record{Kind: wire.RecordAgent, Code: "told", Request: n.Request, Told: reached})
		}
	}()
}

func (g *guard) notice(a *attached) local.Notice {
	return local.Notice{
		Kinds: a.event.Device.Kinds, Outcome: a.outcome, Clause: g.Policy.Clauses[a.decision.Clause],
		Contact: g.Policy.Contact, Request: a.request, Language: g.Policy.Language,
	}
}

// newest is what the user was told last. People unplug the device, as they are asked to, and call then.
type newest struct {
	of *attached
	local.Case
}

// cases asks the guard for what a person at the terminal reads out on the telephone.
func (g *guard) cases() []local.Case {
	answer := make(chan []local.Case, 1)
	if !g.post(func() { answer <- g.open() }) {
		return nil
	}
	select {
	case c := <-answer:
		return c
	case <-g.done:
		return nil
	}
}

// open are the forbidden devices that the user was told of and that are plugged in, and the forbidden programs, the newest
// first; when there is none, the newest device that was.
func (g *guard) open() []local.Case {
	out := g.programs.cases()
	for _, at := range sortedPlaces(g.here) {
		if a := g.here[at]; a.request != "" && a.decision.Tell() {
			out = append(out, local.Case{Notice: g.notice(a), Since: a.since})
		}
	}
	slices.SortStableFunc(out, func(a, b local.Case) int { return b.Since.Compare(a.Since) })
	if len(out) == 0 && g.newest.of != nil && !g.is(g.newest.of) {
		c := g.newest.Case
		c.Gone = true
		return []local.Case{c}
	}
	return out[:min(len(out), maxShown)]
}

// budget allows most acts in a span of time, so that a storm fills neither a screen nor five years of records.
type budget struct {
	most  int
	per   time.Duration
	since time.Time
	used  int
}

func (b *budget) take(now time.Time) bool {
	if now.Sub(b.since) >= b.per {
		b.since, b.used = now, 0
	}
	b.used++
	return b.used <= b.most
}

package main

import (
	"context"
	"path/filepath"
	"time"

	"sekisho/agent/local"
	"sekisho/agent/sensor/health"
	"sekisho/agent/sheet"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// lookSpread is within what time after the start the first looks come: a whole office switches on at half past eight.
const lookSpread = 20 * time.Second

// newCheckup gives every area eyes of its own, so that one that hangs keeps no other from being looked at.
func (a *agent) newCheckup() *checkup {
	notes, err := openCheckNotes(a.config.State, a.clock.now, func(err error) {
		text := ""
		if err != nil {
			text = "cannot note what checks came to: " + err.Error()
		}
		go a.guard.post(func() { a.guard.setFault(wire.FaultChecks, text) })
	})
	if err != nil {
		a.log.Warn().Err(err).Msg("checks begin anew")
	}
	refs := &references{dir: a.config.State, fetch: a.voice.fetch, log: a.log}
	view := a.guard.view.Load
	options := health.Options{
		Root: a.root, Now: a.clock.now, Offset: a.clock.offset, Seen: notes.seen, Before: notes.before, Scratch: filepath.Join(a.config.State, "checks"),
		Support:  func() []byte { return refs.text(view(), policy.ReferenceSupport) },
		Cab:      filepath.Join(a.config.State, "wsusscn2.cab"), // too large for a reference: an administrator lays it down
		Baseline: func() []byte { return refs.text(view(), policy.ReferenceBaseline) },
	}
	looks := map[string]func(context.Context, []policy.Probe) []policy.Reading{}
	var network *health.Eyes
	for _, area := range health.Areas() {
		eyes := health.New(options)
		if area == policy.AreaNetwork {
			network = eyes
		}
		looks[area] = func(ctx context.Context, probes []policy.Probe) []policy.Reading {
			if area == policy.AreaPatch {
				refs.renew(ctx, view())
			}
			return eyes.Look(ctx, area, probes)
		}
	}
	return newCheckup(checkupOptions{
		Look: looks, Changes: network.Changes, Policy: view, Now: a.clock.now, Doubted: a.clock.doubted, Up: sinceBoot,
		Notes: notes, Changed: func(r policy.CheckResult, tell bool) { a.guard.onCheck(r, tell, notes.missed) },
		People: a.teller.Sessions, Remind: func(r policy.CheckResult) { a.guard.post(func() { a.guard.tellCheck(r, notes.missed) }) }, Put: a.putChecks, Spread: lookSpread, Log: a.log,
	})
}

// putChecks gives the console what the checks came to.
func (a *agent) putChecks(items []wire.Item) {
	if err := a.sheets.Put(wire.SheetHealth, sheet.Items(items)); err != nil {
		a.log.Error().Err(err).Msg("cannot show the checks to the console")
	}
}

// onCheck takes what a check came to, records it, and tells the user where that is wanted.
func (g *guard) onCheck(r policy.CheckResult, tell bool, missed func(policy.CheckResult)) {
	g.post(func() {
		g.Journal(wire.Record{Kind: wire.RecordCheck, Check: &r, Revision: g.Policy.Revision})
		if tell {
			g.tellCheck(r, missed)
		}
	})
}

// tellCheck tells the user beside the guard, within what a user can take. A failure lasts: where nobody was reached, it is
// missed, and said again when somebody is there.
func (g *guard) tellCheck(r policy.CheckResult, missed func(policy.CheckResult)) {
	if !g.told.take(time.Now()) {
		return // a storm: status lists them all
	}
	info, _ := policy.CheckOf(r.Check)
	n := local.Notice{
		Check:   &local.Failing{Name: info.Name, Todo: info.Todo, Stage: r.Stage},
		Contact: g.Policy.Contact, Language: g.Policy.Language,
	}
	if h := g.Policy.Health; h != nil {
		for _, c := range h.Checks {
			if c.ID == r.Check {
				n.Clause = g.Policy.Clauses[c.Clause]
			}
		}
	}
	ctx, cancel := context.WithTimeout(g.ctx, 10*time.Second)
	go func() {
		defer cancel()
		reached := g.Tell(ctx, n)
		if reached == 0 {
			missed(r)
			return
		}
		g.Journal(wire.Record{Kind: wire.RecordAgent, Code: "told", Note: r.Check, Told: reached})
	}()
}

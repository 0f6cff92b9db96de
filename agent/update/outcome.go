package update

import (
	"context"
	"time"

	"sekisho/internal/wire"
)

// await looks for the watcher's result. A watcher that never took the plan was none.
func (u *Updater) await(ctx context.Context, p plan) {
	u.say(p.Offer, p.Version, wire.UpdateInstalling, "", "")
	begun := time.Now()
	for pause(ctx, u.Look) {
		now, err := u.dir.plan()
		r, known := u.known(p.Offer, p.Version)
		switch {
		case known && (gone(err) || err == nil && now.Phase == phaseDone):
			u.end(r)
			return
		case gone(err), (err != nil || now.Phase == phaseStaged) && time.Since(begun) > takeWithin:
			u.end(result{Offer: p.Offer, Version: p.Version, State: wire.UpdateFailed, Code: wire.ReasonHandOver, Tries: p.Tries,
				Reason: "cannot install: the watcher did not take the plan; see the log of the service sekisho-update"})
			return
		}
	}
}

// end takes a result over. What failed for now is tried again by Run, but not for ever.
func (u *Updater) end(r result) {
	var err error
	switch {
	case r.State == wire.UpdateFailed && r.Tries < mostTries:
		err = u.dir.remove(PlanFile)
	case r.State == wire.UpdateFailed:
		r.State = wire.UpdateRefused
		err = u.dir.clean()
	}
	if err != nil {
		u.Log.Error().Err(err).Msg("cannot clear the update's folder")
	}
	u.settle(r)
	u.mu.Lock()
	u.plan = nil
	u.mu.Unlock()
}

// settle writes a result down, for the journal once.
func (u *Updater) settle(r result) {
	if r.At.IsZero() {
		r.At = u.Now()
	}
	if !r.Told {
		if code, ok := codes[r.State]; ok {
			u.Journal(record(code, note(r)))
		}
		r.Told = true
		err := u.dir.make()
		if err == nil {
			err = u.dir.write(resultFile, r)
		}
		if err != nil {
			u.Log.Error().Err(err).Msg("cannot note what became of the update")
		}
	}
	u.tell(r)
}

var codes = map[string]string{
	wire.UpdateInstalled: wire.CodeUpdateInstalled, wire.UpdateRolledBack: wire.CodeUpdateRolledBack, wire.UpdateRefused: wire.CodeUpdateRefused,
}

func note(r result) string {
	if r.Reason == "" {
		return r.Version
	}
	return r.Version + ": " + r.Reason
}

func record(code, note string) wire.Record {
	return wire.Record{Kind: wire.RecordAgent, Code: code, Note: note}
}

func (u *Updater) tell(r result) {
	if !r.Told {
		u.settle(r)
		return
	}
	u.set(r.status())
}

func (u *Updater) say(offer int64, version, state, code, reason string) {
	u.set(&wire.Update{Offer: offer, Version: version, State: state, Code: code, Reason: reason, At: u.Now()})
}

// set replaces the state, unless only the time is another.
func (u *Updater) set(s *wire.Update) {
	u.mu.Lock()
	same := u.state != nil
	if same {
		was := *u.state
		was.At = s.At
		same = was == *s
	}
	if !same {
		u.state = s
	}
	u.mu.Unlock()
	if !same {
		u.Log.Info().Str("action", s.State).Str("version", s.Version).Str("code", s.Code).Msg("update")
		u.Changed()
	}
}

// pause waits; no when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

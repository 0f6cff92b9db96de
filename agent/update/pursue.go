package update

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"sekisho/internal/bundle"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// pursue waits for this terminal's turn, fetches and hands over; it goes on until that works or the offer changes.
func (u *Updater) pursue(ctx context.Context, o policy.Update, m bundle.Manifest, p bundle.Program) bool {
	offer := o.Offer
	u.say(offer, m.Version, wire.UpdateWaiting, "", "")
	if !pause(ctx, rand.N(time.Duration(o.Spread)*time.Second+1)) {
		return false
	}
	for wait := u.Again; ctx.Err() == nil; wait = min(2*wait, lastAgain) {
		if done, known := u.known(offer, m.Version); known && done.State != wire.UpdateFailed {
			u.tell(done)
			return false
		}
		u.say(offer, m.Version, wire.UpdateDownloading, "", "")
		err := u.dir.make()
		if err == nil {
			err = u.stage(ctx, p)
		}
		if err == nil {
			err = u.handOver(ctx, offer, m, p)
		}
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		u.explain(offer, m.Version, err)
		pause(ctx, max(wait-rand.N(wait/2+1), u.Busy(err)))
	}
	return false
}

// explain says why it did not work this time. A console that serves others first is no fault.
func (u *Updater) explain(offer int64, version string, err error) {
	if u.Busy(err) > 0 {
		u.say(offer, version, wire.UpdateWaiting, "", "")
		return
	}
	code := wire.ReasonDisk
	var f *fault
	if errors.As(err, &f) {
		code = f.code
	}
	u.Log.Warn().Err(err).Msg("update failed for now")
	u.say(offer, version, wire.UpdateFailed, code, err.Error())
}

// handOver writes the plan, and then calls the watcher; from here on the plan is the watcher's.
func (u *Updater) handOver(ctx context.Context, offer int64, m bundle.Manifest, p bundle.Program) error {
	before, err := hashOf(u.Program)
	if err != nil {
		return &fault{wire.ReasonHandOver, fmt.Errorf("cannot read the program that is installed: %w", err)}
	}
	done, known := u.known(offer, m.Version)
	if !known {
		done = result{}
	}
	next := plan{Offer: offer, Version: m.Version, SHA256: p.SHA256, Size: p.Size, Before: u.Version, BeforeSHA256: before, Phase: phaseStaged, Tries: done.Tries + 1}
	if err := errors.Join(u.dir.remove(healthyFile), u.dir.write(PlanFile, next)); err != nil {
		return diskFault(err)
	}
	u.Journal(record(wire.CodeUpdateStarted, u.Version+" → "+m.Version))
	u.say(offer, m.Version, wire.UpdateInstalling, "", "")
	u.mu.Lock()
	u.plan = &next
	u.mu.Unlock()
	if err := u.HandOver(ctx); err != nil {
		u.end(result{Offer: offer, Version: m.Version, State: wire.UpdateFailed, Code: wire.ReasonHandOver, Tries: next.Tries,
			Reason: "cannot start the watcher: " + err.Error()})
		return &fault{wire.ReasonHandOver, fmt.Errorf("cannot start the watcher: %w", err)}
	}
	return nil
}

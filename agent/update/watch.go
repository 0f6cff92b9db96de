package update

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/wire"
)

// Bounds of the watcher.
const (
	ReportWithin = 10 * time.Minute // in which the new version has to report to the console
	mostDeaths   = 5                // of the new version, after which there is nothing to wait for
	mostStarts   = 3                // of the watcher since the swap: who takes the machine down with it goes too
	watchEvery   = time.Second
)

// Service is the agent's service, as the watcher handles it.
type Service interface {
	// Replace calls swap when the program may be replaced, and has the service run anew. When it fails before swap was
	// called the service runs as it did.
	Replace(ctx context.Context, swap func() error) error
	// Deaths says how often the service died by itself since Replace; 0 where the system does not count.
	Deaths(ctx context.Context) int
}

// Watcher brings a plan to its end. It is the program before, and it runs outside of the agent's service.
type Watcher struct {
	Dir     string
	Program string // the agent's program, in its place
	Before  string // a second name or a copy of the program before, from which the watcher itself runs
	Service Service
	Log     zerolog.Logger
	Now     func() time.Time
	Within  time.Duration // in which the new version has to report; 0 is ReportWithin
	Every   time.Duration // how often the watcher looks; 0 is a second
}

// Run goes on where an earlier watcher was interrupted. An error means that it should be called again.
func (w *Watcher) Run(ctx context.Context) error {
	if w.Within == 0 {
		w.Within = ReportWithin
	}
	if w.Every == 0 {
		w.Every = watchEvery
	}
	dir := folder(w.Dir)
	p, err := dir.plan()
	if gone(err) {
		return w.clear(dir)
	}
	if err != nil { // nothing can be done by it, nor will it get better
		w.Log.Error().Err(err).Msg("cannot read the plan")
		return w.clear(dir)
	}
	switch p.Phase {
	case phaseStaged:
		return w.begin(ctx, dir, p)
	case phaseSwapped:
		return w.resume(ctx, dir, p)
	case phaseBack:
		return w.back(ctx, dir, p, p.Code, p.Reason)
	}
	return w.clear(dir)
}

// begin swaps the new program in.
func (w *Watcher) begin(ctx context.Context, dir folder, p plan) error {
	if code, err := w.same(p); err != nil {
		return w.finish(dir, p, wire.UpdateFailed, code, err.Error())
	}
	next, hash, err := copyFile(dir.path(stagedFile), w.Program)
	if err == nil && hash != p.SHA256 {
		next.Discard()
		return w.finish(dir, p, wire.UpdateFailed, wire.ReasonAltered, "cannot install: what was staged is not what was signed")
	}
	if err != nil {
		return w.finish(dir, p, wire.UpdateFailed, wire.ReasonDisk, "cannot install: "+err.Error())
	}
	defer next.Discard()
	p.Phase = phaseSwapped
	if err := errors.Join(dir.remove(healthyFile), dir.write(PlanFile, p)); err != nil {
		return err
	}
	w.Log.Info().Str("before", p.Before).Str("version", p.Version).Msg("installing update")
	err = w.Service.Replace(ctx, func() error { return next.Keep(0o755) })
	switch {
	case ctx.Err() != nil: // the machine goes down; the next start looks how far it came
		return ctx.Err()
	case err != nil:
		return w.back(ctx, dir, p, wire.ReasonCrashed, "cannot start the new version: "+err.Error())
	}
	return w.wait(ctx, dir, p)
}

// same says whether the program in its place, and the one to go back to, are still what the plan was made for.
func (w *Watcher) same(p plan) (string, error) {
	for _, path := range []string{w.Program, w.Before} {
		hash, err := hashOf(path)
		if err != nil {
			return wire.ReasonDisk, fmt.Errorf("cannot install: %w", err)
		}
		if hash != p.BeforeSHA256 {
			return wire.ReasonReplaced, fmt.Errorf("cannot install: %s was replaced meanwhile", path)
		}
	}
	return "", nil
}

// resume goes on after the watcher was killed, or the machine was.
func (w *Watcher) resume(ctx context.Context, dir folder, p plan) error {
	hash, err := hashOf(w.Program)
	switch {
	case err == nil && hash == p.BeforeSHA256:
		return w.finish(dir, p, wire.UpdateFailed, wire.ReasonHandOver, "cannot install: interrupted before the new program was in its place")
	case err == nil && hash != p.SHA256:
		return w.finish(dir, p, wire.UpdateFailed, wire.ReasonReplaced, "somebody else put another program into its place")
	}
	if p.Starts++; err != nil || p.Starts >= mostStarts {
		return w.back(ctx, dir, p, wire.ReasonCrashed, "the watcher was interrupted again and again while the new version ran")
	}
	if err := dir.write(PlanFile, p); err != nil {
		return w.back(ctx, dir, p, wire.ReasonDisk, err.Error())
	}
	return w.wait(ctx, dir, p)
}

// wait gives the new version its time.
func (w *Watcher) wait(ctx context.Context, dir folder, p plan) error {
	mine, err := os.Stat(w.Program)
	if err != nil {
		return w.back(ctx, dir, p, wire.ReasonDisk, err.Error())
	}
	for deadline := time.Now().Add(w.Within); time.Now().Before(deadline); {
		var h healthy
		if err := dir.read(healthyFile, &h); err == nil && h.SHA256 == p.SHA256 {
			return w.finish(dir, p, wire.UpdateInstalled, "", "")
		}
		if now, err := os.Stat(w.Program); err == nil && !os.SameFile(mine, now) {
			return w.finish(dir, p, wire.UpdateFailed, wire.ReasonReplaced, "somebody else put another program into its place")
		}
		if n := w.Service.Deaths(ctx); n >= mostDeaths {
			return w.back(ctx, dir, p, wire.ReasonCrashed, fmt.Sprintf("the new version died %d times", n))
		}
		if !pause(ctx, w.Every) {
			return ctx.Err()
		}
	}
	return w.back(ctx, dir, p, wire.ReasonSilent, fmt.Sprintf("the new version did not report to the console within %v", w.Within))
}

// back puts the program before into its place again. It does so also when nothing can be written down any more.
func (w *Watcher) back(ctx context.Context, dir folder, p plan, code, reason string) error {
	w.Log.Warn().Str("version", p.Version).Str("before", p.Before).Str("code", code).Str("reason", reason).Msg("rolling back")
	p.Phase, p.Code, p.Reason = phaseBack, code, reason
	if err := dir.write(PlanFile, p); err != nil {
		w.Log.Error().Err(err).Msg("cannot note that this is a way back")
	}
	swap, err := w.restore(p)
	if err != nil {
		return err
	}
	defer swap.discard()
	if err := w.Service.Replace(ctx, swap.keep); err != nil {
		return fmt.Errorf("cannot bring the version before back to work: %w", err)
	}
	return w.finish(dir, p, wire.UpdateRolledBack, code, reason)
}

// restore prepares the program before; when it is in its place already there is nothing to swap.
func (w *Watcher) restore(p plan) (swap, error) {
	if hash, err := hashOf(w.Program); err == nil && hash == p.BeforeSHA256 {
		return swap{func() error { return nil }, func() {}}, nil
	}
	hash, err := hashOf(w.Before)
	if err != nil {
		return swap{}, fmt.Errorf("cannot roll back: %w", err)
	}
	if hash != p.BeforeSHA256 {
		return swap{}, fmt.Errorf("cannot roll back: %s is not the program before any more", w.Before)
	}
	return again(w.Before, w.Program)
}

// swap is a program on its way into its place.
type swap struct {
	keep    func() error
	discard func()
}

// copied is a swap by a copy.
func copied(from, to string) (swap, error) {
	f, _, err := copyFile(from, to)
	if err != nil {
		return swap{}, fmt.Errorf("cannot roll back: %w", err)
	}
	return swap{func() error { return f.Keep(0o755) }, f.Discard}, nil
}

// finish writes the result; only then does it forget the plan.
func (w *Watcher) finish(dir folder, p plan, state, code, reason string) error {
	w.Log.Info().Str("version", p.Version).Str("action", state).Str("code", code).Str("reason", reason).Msg("update ended")
	err := dir.write(resultFile, result{Offer: p.Offer, Version: p.Version, State: state, Code: code, Reason: reason, Tries: p.Tries, At: w.Now()})
	if err != nil {
		return err
	}
	p.Phase = phaseDone
	if err := dir.write(PlanFile, p); err != nil {
		return err
	}
	return w.clear(dir)
}

// clear removes the second program where its name can be taken away while it runs, then the plan.
func (w *Watcher) clear(dir folder) error {
	if err := os.Remove(w.Before); err != nil && !gone(err) {
		w.Log.Debug().Err(err).Msg("the program before is left to the agent's next start")
	}
	return dir.clean()
}

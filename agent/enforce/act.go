package enforce

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"

	"sekisho/internal/wire"
)

// Codes of steps, as wire.Step lists them.
const (
	stepDeauthorized = "deauthorized"
	stepAuthorized   = "authorized"
	stepProbed       = "probed"
	stepSynced       = "synced"
	stepUnmounted    = "unmounted"
	stepUnbound      = "unbound"
	stepVerified     = "verified"
	stepFailed       = "failed"
)

// Bounds of a record: a device with hundreds of interfaces must not fill the journal.
const (
	maxSteps  = 64
	maxDetail = 256
)

// act is one Apply under way: its time limit and what was done and seen so far.
type act struct {
	ctx   context.Context
	now   func() time.Time
	steps []wire.Step
}

func (a *act) add(ok bool, code, format string, args ...any) {
	detail := fmt.Sprintf(format, args...)
	if len(detail) > maxDetail {
		detail = detail[:maxDetail]
	}
	if len(a.steps) >= maxSteps || a.said(code, detail) {
		return
	}
	a.steps = append(a.steps, wire.Step{At: a.now(), Code: code, Detail: detail, OK: ok})
}

// said keeps what is tried again and again from being told again and again.
func (a *act) said(code, detail string) bool {
	for _, s := range a.steps {
		if s.Code == code && s.Detail == detail {
			return true
		}
	}
	return false
}

func (a *act) did(code, format string, args ...any) { a.add(true, code, format, args...) }

func (a *act) failed(format string, args ...any) { a.add(false, stepFailed, format, args...) }

// within runs f, which may hang in the kernel, and leaves it behind when the time is over: a goroutine
// stuck on a dead stick is cheaper than a guard stuck on it.
func within(ctx context.Context, limit time.Duration, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pause waits a little or until the act's time is over, and says whether it may go on.
func (a *act) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-a.ctx.Done():
		return false
	}
}

// gone says that an error means the thing was unplugged: ENODEV is what a sysfs file answers
// when its device goes while the file is open.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV)
}

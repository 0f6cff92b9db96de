package link

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	firstWait = time.Second
	longest   = 5 * time.Minute
	kickAfter = 10 * time.Second // news may cut a wait short, but not to less than this since the last try
	least     = 10 * time.Second // between two questions of a loop whose answers come suspiciously fast
)

// backoff is how long a loop waits after faults. Jitter keeps an office from calling all at once when the console is back.
type backoff struct{ wait time.Duration }

func (b *backoff) reset() { b.wait = 0 }

// grow gives the next wait: doubled each time, up to longest, a random half of it taken off;
// longer when the console asked for it.
func (b *backoff) grow(err error) time.Duration {
	b.wait = min(max(firstWait, 2*b.wait), longest)
	d := b.wait - rand.N(b.wait/2)
	var r *refusal
	if errors.As(err, &r) {
		d = max(d, r.after)
	}
	return d
}

// pause waits d; a kick cuts it short to kickAfter from its start. False when ctx ended.
func pause(ctx context.Context, d time.Duration, kicks ...<-chan struct{}) bool {
	var first, second <-chan struct{}
	switch len(kicks) {
	case 2:
		first, second = kicks[0], kicks[1]
	case 1:
		first = kicks[0]
	}
	begun := time.Now()
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-t.C:
			return true
		case <-first:
		case <-second:
		}
		first, second = nil, nil // one is enough
		if left := kickAfter - time.Since(begun); d > kickAfter {
			t.Reset(max(0, left))
		}
	}
}

package link

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestWaitsGrowFromASecondToFiveMinutesAndAreSpread(t *testing.T) {
	var b backoff
	fault, longestSeen, spread := errors.New("x"), time.Duration(0), map[time.Duration]bool{}
	for n := range 200 {
		d := b.grow(fault)
		if n == 0 && (d > time.Second || d < time.Second/2) {
			t.Fatalf("first wait %v", d)
		}
		if d > longest || d < firstWait/2 {
			t.Fatalf("wait %v", d)
		}
		longestSeen, spread[d] = max(longestSeen, d), true
	}
	if longestSeen < 3*time.Minute || len(spread) < 100 {
		t.Fatalf("longest %v, %d different", longestSeen, len(spread))
	}
	b.reset()
	if d := b.grow(fault); d > time.Second {
		t.Fatalf("%v after a success", d)
	}
	if d := b.grow(&refusal{after: time.Hour}); d != time.Hour {
		t.Fatalf("the console asked for an hour, %v is waited", d)
	}
}

func TestNewsShortenAWaitButNotToANewQuestionForEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kick, begun := make(chan struct{}), time.Now()
		go func() {
			for n := 0; n < 50; n++ {
				select {
				case kick <- struct{}{}:
				case <-time.After(100 * time.Millisecond):
				}
			}
		}()
		pause(t.Context(), 5*time.Minute, kick)
		if d := time.Since(begun); d != kickAfter {
			t.Fatalf("waited %v", d)
		}
		begun = time.Now()
		pause(t.Context(), 3*time.Second)
		if d := time.Since(begun); d != 3*time.Second {
			t.Fatalf("waited %v", d)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if pause(ctx, time.Hour) {
			t.Fatal("waited although it ended")
		}
	})
}

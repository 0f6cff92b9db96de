package main

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestOnlyTheEndOfASleepWakes(t *testing.T) {
	for event, want := range map[uint32]bool{0x04: false /* going to sleep */, 0x07: true, 0x0a: false /* mains and battery */, 0x12: true, 0x8013: false} {
		if wakes(event) != want {
			t.Errorf("%#x: %v", event, !want)
		}
	}
	bell := make(chan struct{}, 1)
	for range 100 {
		ring(bell) // nobody waits
	}
}

// TestAfterASleepEverythingIsJudgedAgain: a hand that holds the stick already says so again.
func TestAfterASleepEverythingIsJudgedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.on()
		defer s.off()
		for _, words := range [][]string{{"policy", "enforce"}, {"plug", "A", "stick", "4C53"}, {"expect", "A", "blocked"}} {
			s.must(s.do(words))
			synctest.Wait()
		}
		before := s.hand.touched()
		s.guard.onWoken()
		time.Sleep(time.Second)
		synctest.Wait()
		if after := s.hand.touched(); after != before+1 {
			t.Errorf("the hand was asked %d times, then %d", before, after)
		}
		s.must(s.expect([]string{"records", "A", "blocked"}))
	})
}

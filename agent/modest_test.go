package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatWorkTookIsGivenBackOnceItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, given := time.Now(), []time.Duration{}
		s := &shedding{worked: make(chan struct{}, 1), give: func() { given = append(given, time.Since(begun)) }}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); s.run(ctx) }()
		for range 4 { // a package manager at work
			time.Sleep(4 * time.Second)
			ring(s.worked)
		}
		time.Sleep(24 * time.Hour) // and then nothing
		ring(s.worked)
		time.Sleep(time.Hour)
		cancel()
		<-ended
		want := []time.Duration{26 * time.Second, startOver, 24*time.Hour + 26*time.Second}
		if len(given) != len(want) || given[0] != want[0] || given[1] != want[1] || given[2] != want[2] {
			t.Errorf("given back at %v, not at %v", given, want)
		}
	})
}

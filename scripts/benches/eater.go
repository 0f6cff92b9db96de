//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sekisho/internal/osexec"
)

// eaterWord makes this program a child that takes memory; it is no word for people.
const eaterWord = "eat-memory"

const (
	childCap    = 128 // MiB: what the child may hold that asks WMI; the search for updates has eight times as much
	biteMiB     = 4
	eaterRounds = 5
)

// eat takes ten times what it may, and says before each bite how much it holds.
func eat() {
	var all [][]byte
	for n := 0; n < 10*childCap; n += biteMiB {
		fmt.Println(n)
		all = append(all, bytes.Repeat([]byte{1}, biteMiB<<20))
		time.Sleep(2 * time.Millisecond)
	}
	fmt.Println(len(all) * biteMiB)
}

// childFigures says how much a child held that takes 2 GiB a second when the agent's watch ended it. On Windows a job object with the same limit
// stands before the watch.
func childFigures(ctx context.Context, b bench) error {
	most := 0
	for range eaterRounds {
		out, err := osexec.Self(ctx, osexec.Options{Timeout: time.Minute, Memory: childCap << 20}, eaterWord)
		if !errors.Is(err, osexec.ErrMemory) {
			return fmt.Errorf("a child that eats memory was not ended for it: %w", errors.Join(err, errors.New("it came to its own end")))
		}
		lines := strings.Fields(string(out))
		held := 0
		if len(lines) > 0 {
			_, _ = fmt.Sscan(lines[len(lines)-1], &held)
		}
		most = max(most, held+biteMiB)
	}
	b.figure("child_cap", childCap, "MiB")
	b.figure("child_ended_at", float64(most), "MiB")
	return nil
}

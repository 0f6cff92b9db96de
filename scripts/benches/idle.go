//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"sekisho/internal/wire"
	"sekisho/scripts/load"
)

// settleFor is how long a process is left alone before its memory counts as that "at start".
const settleFor = 3 * time.Second

// idleFigures connects terminals that have nothing to say, and looks at what that costs the console.
func idleFigures(ctx context.Context, b bench) error {
	c, err := newConsole(b, "127.0.0.1", "127.0.0.1")
	if err != nil {
		return err
	}
	defer c.close()
	b.say("%d terminals enrol", b.terminals)
	terminals, err := c.enrol(ctx, b.terminals)
	if err != nil {
		return err
	}
	if err := errors.Join(c.stop(), c.start(ctx)); err != nil { // enrolling is not idling
		return err
	}
	if err := pause(ctx, settleFor); err != nil {
		return err
	}
	before, err := readMemory(c.pid())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended, err := connectAll(ctx, b, terminals)
	if err != nil {
		return err
	}
	return watchIdle(ctx, b, c, before, ended)
}

// connectAll lets every terminal report its status, fetch its policy and hang on the next one.
func connectAll(ctx context.Context, b bench, terminals []*load.Terminal) (ended chan error, err error) {
	b.say("%d terminals connect: status, policy, then a hanging request each", len(terminals))
	ended = make(chan error, len(terminals))
	hanging := make(chan struct{}, len(terminals))
	err = each(len(terminals), 16, func(i int) error {
		if err := terminals[i].Report(ctx, status()); err != nil {
			return err
		}
		var first atomic.Bool
		go func() {
			ended <- terminals[i].Follow(ctx, func() {
				if first.CompareAndSwap(false, true) {
					hanging <- struct{}{}
				}
			})
		}()
		return nil
	})
	for range terminals {
		select {
		case <-hanging:
		case err := <-ended:
			return nil, errors.Join(err, errors.New("a terminal could not stay connected"))
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return ended, err
}

func watchIdle(ctx context.Context, b bench, c *console, before memory, ended chan error) error {
	if err := pause(ctx, settleFor); err != nil {
		return err
	}
	b.say("watching the console for %v", b.watch)
	from, err := cpuTime(c.pid())
	if err != nil {
		return err
	}
	begun := time.Now()
	most := memory{}
	for time.Since(begun) < b.watch {
		now, err := readMemory(c.pid())
		if err != nil {
			return err
		}
		most = memory{rss: max(most.rss, now.rss), pss: max(most.pss, now.pss)}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
	took := time.Since(begun)
	to, err := cpuTime(c.pid())
	if err != nil {
		return err
	}
	select {
	case err := <-ended:
		return fmt.Errorf("a terminal lost its connection: %w", err)
	default:
	}
	b.say("resident %.1f MB at start, at most %.1f MB with terminals", before.rss, most.rss)
	b.figure("console_idle_memory", most.rss-before.rss, "MB")
	b.figure("console_idle_cpu", 100*(to-from).Seconds()/took.Seconds(), "%")
	return nil
}

// status is what a terminal with nothing plugged in reports.
func status() wire.Status {
	return wire.Status{At: time.Now(), Agent: "load", OS: "Debian GNU/Linux 12 (bookworm)", Kernel: "6.1.0", Revision: 1, Mode: "audit", Gate: "open", User: "taro",
		Boot: "3c2f1f4e-8f6a-4f43-9f0c-2a5d0f6f7f10"}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

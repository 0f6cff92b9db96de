//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// used is what a process has cost up to now.
type used struct {
	memory
	cpu     time.Duration
	wakeups int64
}

// footprintFigures watches both daemons side by side in a machine where nothing happens.
func footprintFigures(ctx context.Context, b bench) (err error) {
	l, err := openLab(ctx, b)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	if err := l.openConsole(ctx); err != nil {
		return err
	}
	if err := l.install(ctx); err != nil {
		return err
	}
	if err := l.usbguardOnly(ctx); err != nil {
		return err
	}
	if _, err := l.m.Run(ctx, "systemctl start sekisho-agent"); err != nil { // one shuts interfaces, the other devices: they do not meet
		return err
	}
	b.say("letting both come to rest")
	if err := pause(ctx, 15*time.Second); err != nil {
		return err
	}
	return l.footprint(ctx)
}

func (l *lab) footprint(ctx context.Context) error {
	units := []string{"sekisho-agent", "usbguard"}
	var pids []string
	for _, unit := range units {
		pid, err := l.pid(ctx, unit)
		if err != nil {
			return err
		}
		pids = append(pids, pid)
	}
	l.say("watching both for %v", l.watch)
	begun := time.Now()
	before, err := l.used(ctx, pids)
	if err != nil {
		return err
	}
	if err := pause(ctx, l.watch); err != nil {
		return err
	}
	after, err := l.used(ctx, pids)
	if err != nil {
		return err
	}
	minutes := time.Since(begun).Minutes()
	own, peer := after[0], after[1]
	l.against("agent_rss", own.rss, "MB", "usbguard", peer.rss)
	l.against("agent_pss", own.pss, "MB", "usbguard", peer.pss)
	l.against("agent_idle_cpu", (own.cpu-before[0].cpu).Seconds()/minutes, "s/min", "usbguard", (peer.cpu-before[1].cpu).Seconds()/minutes)
	l.against("agent_wakeups", float64(own.wakeups-before[0].wakeups)/minutes, "/min", "usbguard", float64(peer.wakeups-before[1].wakeups)/minutes)
	size, err := os.Stat(filepath.Join(l.bin, "sekisho-agent"))
	if err != nil {
		return err
	}
	l.figure("agent_binary", float64(size.Size())/1e6, "MB")
	return nil
}

// used asks the guest's kernel: memory from smaps_rollup, processor time in nanoseconds from each thread's schedstat (stat's
// hundredths of a second are too coarse for an idle minute), wake-ups as the voluntary context switches of all threads.
func (l *lab) used(ctx context.Context, pids []string) ([]used, error) {
	var all []used
	for _, pid := range pids {
		out, err := l.m.Run(ctx, fmt.Sprintf("cat /proc/%s/task/*/schedstat; echo ---; cat /proc/%[1]s/task/*/status; echo ---; cat /proc/%[1]s/smaps_rollup", pid))
		if err != nil {
			return nil, err
		}
		u, err := parseUsed(out)
		if err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	return all, nil
}

func parseUsed(text string) (u used, err error) {
	parts := strings.Split(text, "---\n")
	if len(parts) != 3 {
		return u, fmt.Errorf("cannot read what a process used: %.200q", text)
	}
	for line := range strings.Lines(parts[0]) {
		ran, _, _ := strings.Cut(line, " ")
		ns, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			return u, fmt.Errorf("cannot read processor time: %w", err)
		}
		u.cpu += time.Duration(ns)
	}
	for line := range strings.Lines(parts[1]) {
		if n, ok := strings.CutPrefix(line, "voluntary_ctxt_switches:"); ok {
			times, err := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
			if err != nil {
				return u, fmt.Errorf("cannot read wake-ups: %w", err)
			}
			u.wakeups += times
		}
	}
	u.memory, err = parseMemory(parts[2])
	return u, err
}

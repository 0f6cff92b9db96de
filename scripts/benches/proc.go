//go:build linux

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// memory of a process in MB (10^6 bytes).
type memory struct{ rss, pss float64 }

// readMemory reads the kernel's own sums: smaps_rollup counts pages one by one, where status is only nearly right.
// https://docs.kernel.org/filesystems/proc.html
func readMemory(pid int) (memory, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return memory{}, err
	}
	return parseMemory(string(text))
}

func parseMemory(rollup string) (m memory, err error) {
	for line := range strings.Lines(rollup) {
		field := strings.Fields(line)
		if len(field) < 2 {
			continue
		}
		switch field[0] {
		case "Rss:":
			m.rss, err = kilobytes(field[1])
		case "Pss:":
			m.pss, err = kilobytes(field[1])
		}
		if err != nil {
			return m, err
		}
	}
	if m.rss == 0 {
		return m, fmt.Errorf("cannot read memory of %q", rollup)
	}
	return m, nil
}

func kilobytes(s string) (float64, error) {
	n, err := strconv.ParseFloat(s, 64)
	return n * 1024 / 1e6, err
}

// tick is the kernel's unit of processor time in /proc (USER_HZ, 100 on every Linux of today).
const tick = 10 * time.Millisecond

// cpuTime is the time a process and its threads have run.
func cpuTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseCPU(string(text))
}

func parseCPU(stat string) (time.Duration, error) {
	field := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:]) // the name may hold anything
	if len(field) < 13 {
		return 0, fmt.Errorf("cannot read processor time of %q", stat)
	}
	user, err1 := strconv.ParseInt(field[11], 10, 64)
	system, err2 := strconv.ParseInt(field[12], 10, 64)
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("cannot read processor time of %q", stat)
	}
	return time.Duration(user+system) * tick, nil
}

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// A machine is at rest when its processors had nothing to do for most of a second, twice in a row.
const (
	restShare = 0.95
	restLimit = time.Minute
)

// rest waits until the machine is at rest, so that what was just started is not measured with what comes next.
func rest(ctx context.Context) (any, error) {
	calm := 0
	before, err := processors()
	for over := time.Now().Add(restLimit); err == nil && time.Now().Before(over) && ctx.Err() == nil; {
		time.Sleep(time.Second)
		var now ticks
		if now, err = processors(); err != nil {
			break
		}
		if calm++; now.idle-before.idle < restShare*(now.all-before.all) {
			calm = 0
		}
		if before = now; calm == 2 {
			return map[string]bool{"Rests": true}, nil
		}
	}
	return nil, errors.Join(err, fmt.Errorf("the machine did not come to rest within %v", restLimit))
}

// ticks is what all processors have spent, and what of it doing nothing.
type ticks struct{ all, idle float64 }

// processors reads the first line of /proc/stat: user, nice, system, idle, iowait … (proc_stat(5)).
func processors() (t ticks, err error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return t, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	for i, field := range strings.Fields(line)[1:] {
		var n float64
		if _, err := fmt.Sscan(field, &n); err != nil {
			return t, fmt.Errorf("cannot read /proc/stat: %w", err)
		}
		if t.all += n; i == 3 || i == 4 {
			t.idle += n
		}
	}
	return t, nil
}

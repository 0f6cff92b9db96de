package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// sinceBoot counts while the machine sleeps too (clock_gettime(2), CLOCK_BOOTTIME); Go's own clock does not.
func sinceBoot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0 // cannot happen on a kernel since 2.6.39
	}
	return time.Duration(ts.Nano())
}

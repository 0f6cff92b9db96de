package main

import (
	"time"

	"golang.org/x/sys/windows"
)

// sinceBoot counts while the machine sleeps too
// (https://learn.microsoft.com/windows/win32/api/sysinfoapi/nf-sysinfoapi-gettickcount64).
func sinceBoot() time.Duration { return windows.DurationSinceBoot() }

package main

import (
	"net"
	"os"
	"strconv"
	"time"
)

// supervisor is the service manager that started the agent, spoken to as systemd defines it
// (https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html). Without one it says nothing.
type supervisor struct{ getenv func(string) string }

// say sends a state such as READY=1. A failure harms nobody but the manager, which then restarts us.
func (s supervisor) say(state string) {
	path := s.getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	conn, err := net.Dial("unixgram", path) // a leading @ is an abstract name, to Go as to systemd
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write([]byte(state))
}

// watchdog says how often the manager wants to hear that we are alive; 0 never.
func (s supervisor) watchdog() time.Duration {
	usec, err := strconv.ParseInt(s.getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || usec <= 0 {
		return 0
	}
	if pid := s.getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	return time.Duration(usec) * time.Microsecond / 2
}

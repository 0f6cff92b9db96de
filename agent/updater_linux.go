package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"sekisho/agent/update"
	"sekisho/installer/linux"
	"sekisho/internal/osexec"
)

// beforePath is the other name that the watcher's unit gives the program of before, and runs it by.
const beforePath = programPath + ".before"

func ownProgram() string { return programPath }

// handOver starts the watcher's unit, which is outside of the agent's sandbox and goes on when the agent ends.
func handOver(ctx context.Context) error {
	if !runsFrom(programPath) {
		return fmt.Errorf("this agent does not run from %s", programPath)
	}
	return systemctl(ctx, "start", "--no-block", linux.UpdateUnit)
}

func watchUpdate(ctx context.Context, dir string, log zerolog.Logger) error {
	w := update.Watcher{Dir: dir, Program: programPath, Before: beforePath, Service: agentUnitService{}, Log: log, Now: time.Now}
	return w.Run(ctx)
}

// agentUnitService is the agent's unit. A running program can be replaced under Linux, so that the agent is away no
// longer than a restart takes.
type agentUnitService struct{}

func (agentUnitService) Replace(ctx context.Context, swap func() error) error {
	if err := swap(); err != nil {
		return err
	}
	return systemctl(ctx, "restart", linux.AgentUnit)
}

// Deaths reads how often systemd restarted the unit by itself; a restart by hand sets it to 0
// (https://www.freedesktop.org/software/systemd/man/latest/org.freedesktop.systemd1.html, NRestarts).
func (agentUnitService) Deaths(ctx context.Context) int {
	out, err := osexec.Run(ctx, osexec.Systemctl, osexec.Options{}, "show", "--property=NRestarts", "--value", linux.AgentUnit)
	if err != nil {
		return 0 // time will tell
	}
	n, err := strconv.Atoi(string(bytes.TrimSpace(out)))
	if err != nil {
		return 0
	}
	return n
}

// tidyUpdate has nothing to do: the watcher takes its own name away.
func tidyUpdate(string) {}

// endUpdates stops the watcher and removes its program's second name.
func endUpdates(ctx context.Context) error {
	if missing(unitOf(linux.UpdateUnit)) {
		return nil
	}
	err := systemctl(ctx, "stop", linux.UpdateUnit)
	if e := os.Remove(beforePath); e != nil && !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
}

// unitOf is where a unit is, a package's or that of an install by hand.
func unitOf(name string) string {
	if packaged() {
		return "/usr/lib/systemd/system/" + name
	}
	return "/etc/systemd/system/" + name
}

package main

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"

	"sekisho/agent/link"
	"sekisho/agent/update"
	"sekisho/internal/seal"
	"sekisho/internal/wire"
)

// updateDir is the updater's part of the state folder; the watcher's unit looks there for a plan.
const updateDir = "update"

// keysBuiltIn are the release keys; an agent with unreadable ones has none.
func keysBuiltIn() (map[string][]byte, error) { return seal.ReadKeys(releaseKeys) }

func (a *agent) newUpdater() *update.Updater {
	keys, err := keysBuiltIn()
	if err != nil {
		a.log.Error().Err(err).Msg("this agent takes no updates")
	}
	return update.New(update.Options{
		Dir: filepath.Join(a.config.State, updateDir), Program: ownProgram(), Version: version,
		OS: runtime.GOOS, Arch: runtime.GOARCH, Keys: keys,
		Fetch: a.voice.fetch, Busy: link.Busy, Free: freeSpace, HandOver: handOver,
		Journal: a.put, Changed: func() { a.guard.post(a.guard.pulse) },
		Log: a.log, Now: a.clock.now,
	})
}

// facts is what does not change while the agent runs.
func (a *agent) facts() wire.Status {
	s := hostFacts(a.root)
	keys, err := keysBuiltIn()
	s.Updates = err == nil && len(keys) > 0
	return s
}

// watchCommand is the watcher: the program of before, in a service of its own.
func watchCommand(ctx context.Context, s streams, args []string) error {
	f := flags("watch-update")
	path := f.String("config", defaultConfig, "configuration `file`")
	if err := parse(s, f, args, "Brings an update that lies ready to its end; without one it does nothing."); err != nil {
		return err
	}
	if !privileged() {
		return errors.New("cannot install an update: only root can")
	}
	log := newLogger(s.err, false)
	c, err := readConfig(*path)
	if err != nil { // else a broken configuration would keep a bad version in its place
		log.Error().Err(err).Msg("going on with the usual state folder")
		c.State = defaultState
	}
	return watchUpdate(ctx, filepath.Join(c.State, updateDir), log)
}

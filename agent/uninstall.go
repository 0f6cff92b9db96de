package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sekisho/agent/enforce"
)

// uninstallCommand undoes install: the gate is opened, everything held is let go, units and hooks are removed.
// Records that the console has not seen stay, unless --purge.
func uninstallCommand(ctx context.Context, s streams, args []string) error {
	f := flags("uninstall")
	path := f.String("config", defaultConfig, "configuration `file`")
	purge := f.Bool("purge", false, "remove configuration, identity and records too")
	byPackage := f.Bool("package", false, "leave whether the service is enabled to a package's scripts, which use this")
	by := f.String("by", "", "`who` removes it, for the record")
	if err := parse(s, f, args, "Opens the gate, lets everything go that was held, and removes the service."); err != nil {
		return err
	}
	if !privileged() {
		return errors.New("cannot uninstall: only " + superuser + " can")
	}
	if err := mayRemove(*byPackage); err != nil {
		return err
	}
	c, err := readConfig(*path)
	if err != nil && *purge { // else a broken configuration must not keep the gate shut
		return err
	}
	s, end := noted(s, "uninstall", *byPackage)
	err = end(undo(ctx, s, managedConfig(c), *byPackage, *by))
	if *purge && (err == nil || !*byPackage) { // a package that cannot be removed starts the agent again
		err = errors.Join(err, removeState(c.State, *path))
		if *path == defaultConfig && ownFolder != "" {
			err = errors.Join(err, os.RemoveAll(ownFolder))
		}
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(s.out, purged)
	return nil
}

// undo goes on after a failure: half a removal is worse than a complaint.
func undo(ctx context.Context, s streams, c config, byPackage bool, by string) error {
	updates := endUpdates(ctx) // first: a watcher would start the agent again
	stopped := removeService(ctx, byPackage)
	gate := enforce.NewGate(enforceOptions(s))
	err := errors.Join(updates, gate.Open(ctx), gate.Settle(ctx), letPrograms(), letAdapters(ctx, c), removeFiles(ctx))
	if stopped == nil { // else the agent may have its journal open
		farewell{config: c, root: "/", limit: farewellLimit, log: newLogger(s.err, false), out: s.out}.say(ctx, err, by)
	}
	return errors.Join(stopped, err)
}

func enforceOptions(s streams) enforce.Options {
	return enforce.Options{Root: "/", Log: newLogger(s.err, false), Now: time.Now}
}

// removeState removes only a folder that is recognisably ours, and the configuration's when nothing else is in it.
func removeState(dir, configPath string) error {
	if !ours(filepath.Base(dir)) && !strings.Contains(dir, "Sekisho") {
		return fmt.Errorf("cannot remove state folder %s: it is not named after the agent; remove it by hand", dir)
	}
	err := os.RemoveAll(dir)
	if e := os.Remove(configPath); e != nil && !errors.Is(e, os.ErrNotExist) {
		err = errors.Join(err, e)
	}
	if folder := filepath.Dir(configPath); ours(filepath.Base(folder)) {
		_ = os.Remove(folder) // it stays when something is in it
	}
	return err
}

func ours(name string) bool { return strings.Contains(strings.ToLower(name), "sekisho") }

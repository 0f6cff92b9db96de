package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"sekisho/installer/linux"
	"sekisho/internal/durable"
	"sekisho/internal/osexec"
)

// programPath is where the unit starts the agent from.
const programPath = "/usr/bin/sekisho-agent"

const unitPath = "/etc/systemd/system/" + linux.AgentUnit

// installFiles puts program, helper units and hooks in their places; the unit itself is the service library's.
func installFiles() error {
	if err := installProgram(); err != nil {
		return err
	}
	return writeFiles("/", append(linux.Files(), linux.Hooks()...))
}

// writeFiles writes those that have a reader below root.
func writeFiles(root string, files []linux.File) error {
	for _, f := range files {
		if f.Path == unitPath || f.Needs != "" && missing(filepath.Join(root, f.Needs)) {
			continue
		}
		f.Path = filepath.Join(root, f.Path)
		if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
			return fmt.Errorf("cannot install: %w", err)
		}
		if err := durable.WriteFile(f.Path, f.Data, os.FileMode(f.Mode)); err != nil {
			return err
		}
	}
	return nil
}

func missing(needs string) bool {
	if needs == "" {
		return false
	}
	_, err := os.Stat(needs)
	return err != nil
}

// installProgram copies this program to where the unit looks for it, unless it runs from there.
func installProgram() error {
	if runsFrom(programPath) {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot install: %w", err)
	}
	in, err := os.Open(self)
	if err != nil {
		return fmt.Errorf("cannot install: %w", err)
	}
	defer in.Close()
	raw, err := io.ReadAll(in)
	if err != nil {
		return fmt.Errorf("cannot install: %w", err)
	}
	return durable.WriteFile(programPath, raw, 0o755)
}

func agentUnit() ([]byte, error) {
	for _, f := range linux.Files() {
		if f.Path == unitPath {
			return f.Data, nil
		}
	}
	return nil, errors.New("cannot install: this program carries no unit")
}

// startService installs the unit anew and starts it.
func startService(ctx context.Context) error {
	unit, err := agentUnit()
	if err != nil {
		return err
	}
	s, err := systemService(string(unit))
	if err != nil {
		return fmt.Errorf("cannot install: %w", err)
	}
	if err := os.Remove(unitPath); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot renew the unit: %w", err)
	}
	if err := s.Install(); err != nil {
		return fmt.Errorf("cannot install the unit: %w", err)
	}
	// Not the library's start: one that runs already has to begin with the new program.
	if err := systemctl(ctx, "restart", linux.AgentUnit); err != nil {
		return hint(err, "`journalctl -u sekisho-agent` tells why")
	}
	return nil
}

// restartRunning lets an agent that runs begin anew; one that does not run stays so.
func restartRunning(ctx context.Context) error {
	return hint(systemctl(ctx, "try-restart", linux.AgentUnit), "`systemctl restart sekisho-agent`")
}

func systemctl(ctx context.Context, args ...string) error {
	_, err := osexec.Run(ctx, osexec.Systemctl, osexec.Options{Timeout: stopLimit * 6}, args...)
	return err
}

// removeService stops the service. Whether it would start again is a package's business when that asks.
func removeService(ctx context.Context, byPackage bool) error {
	if missing(unitPath) && !packaged() {
		return nil
	}
	if byPackage {
		return systemctl(ctx, "stop", linux.AgentUnit)
	}
	return systemctl(ctx, "disable", "--now", linux.AgentUnit)
}

func removeFiles(ctx context.Context) error {
	var all error
	for _, f := range append(linux.Files(), linux.Hooks()...) {
		if err := os.Remove(f.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			all = errors.Join(all, fmt.Errorf("cannot remove: %w", err))
		}
	}
	return errors.Join(all, systemctl(ctx, "daemon-reload"))
}

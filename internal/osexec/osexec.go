// Package osexec is the only way to run a program: a fixed list of absolute paths per system,
// a clean environment, a time limit and bounded output. It never uses a shell and never searches PATH.
package osexec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"time"
)

// Limits of every run.
const (
	DefaultTimeout = 10 * time.Second
	maxOutput      = 1 << 20 // bytes kept of stdout
	maxComplaint   = 2 << 10 // bytes kept of stderr, which becomes part of an error
)

// ErrMissing says that the program is not installed on this system.
var ErrMissing = errors.New("program is not installed")

// Program is a name on the list of this system; see programs.
type Program string

// Options of one run; the zero value runs as the caller with an empty environment.
type Options struct {
	Env     []string      // whole environment; PATH is never inherited
	Timeout time.Duration // 0 is DefaultTimeout
	UID     uint32        // run as this user when not 0 (not on Windows)
	GID     uint32
	Memory  uint64    // bytes that it may hold for itself, 0 is no limit; it is ended when it holds more
	Stdout  io.Writer // takes what the program writes as it comes, however much; Run then gives nothing back. May be nil
}

// Run runs a listed program and gives what it wrote to stdout, at most 1 MiB. An error of o.Stdout ends the program.
func Run(ctx context.Context, p Program, o Options, args ...string) ([]byte, error) {
	path, err := find(p)
	if err != nil {
		return nil, err
	}
	return run(ctx, p, path, o, args)
}

// childMark keeps a child from having children: a program that takes its words for others would never end.
const childMark = "SEKISHO_CHILD"

// Self runs this very program again with other words: for work that must be ended when it hangs, and that may not take more
// memory than it is given.
func Self(ctx context.Context, o Options, args ...string) ([]byte, error) {
	if os.Getenv(childMark) != "" {
		return nil, errors.New("cannot run this program again: it is a child already")
	}
	o.Env = append(slices.Clone(o.Env), childMark+"=1")
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("cannot find this program: %w", err)
	}
	return run(ctx, "this program", path, o, args)
}

func run(ctx context.Context, p Program, path string, o Options, args []string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, orDefault(o.Timeout))
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append([]string{"LC_ALL=C.UTF-8"}, o.Env...)
	cmd.WaitDelay = time.Second // a grandchild that holds stdout open must not hold us
	setUser(cmd, o)
	out, complaint := &bounded{limit: maxOutput}, &bounded{limit: maxComplaint}
	cmd.Stdout, cmd.Stderr = out, complaint
	if o.Stdout != nil {
		cmd.Stdout = o.Stdout
	}
	started, err := detour(cmd)
	if err != nil {
		return nil, err
	}
	defer started()
	if err := confined(cmd, o); err != nil {
		return out.Bytes(), explain(ctx, p, err, complaint)
	}
	return out.Bytes(), nil
}

// confined runs it to its end, within its memory where it has a limit.
func confined(cmd *exec.Cmd, o Options) error {
	if o.Memory == 0 {
		return cmd.Run()
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	stop, err := bound(cmd.Process, o.Memory)
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return fmt.Errorf("cannot limit its memory: %w", err)
	}
	err = cmd.Wait()
	switch over := stop(); {
	case over:
		return ErrMemory
	case errors.Is(err, exec.ErrWaitDelay):
		return nil // it ended well; what it started holds its output open, and ends with the job
	}
	return err
}

// bound limits a process by what the system has for that, and by a watch of our own.
func bound(p *os.Process, memory uint64) (stop func() (over bool), err error) {
	release, err := confine(p.Pid, memory)
	if err != nil {
		return nil, err
	}
	held, done, err := meter(p.Pid)
	if err != nil {
		release()
		return nil, err
	}
	watched := watch(p, held, memory)
	return func() bool {
		defer release()
		defer done()
		return watched()
	}, nil
}

// explain says that time was up where exec only says "signal: killed", and adds what the program complained of.
func explain(ctx context.Context, p Program, err error, complaint *bounded) error {
	if ctx.Err() != nil && !errors.Is(err, ErrMemory) {
		err = ctx.Err()
	}
	if text := bytes.TrimSpace(complaint.Bytes()); len(text) > 0 {
		return fmt.Errorf("cannot run %s: %w: %s", p, err, text)
	}
	return fmt.Errorf("cannot run %s: %w", p, err)
}

// Has says whether a listed program is installed.
func Has(p Program) bool {
	_, err := find(p)
	return err == nil
}

func find(p Program) (string, error) {
	for _, path := range programs[p] {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", fmt.Errorf("cannot run %s: %w", p, ErrMissing)
}

func orDefault(d time.Duration) time.Duration {
	if d <= 0 {
		return DefaultTimeout
	}
	return d
}

// bounded keeps the first bytes and swallows the rest, so that a chatty program neither blocks nor fills memory.
// The buffer is not embedded: its ReadFrom would take everything.
type bounded struct {
	kept  bytes.Buffer
	limit int
}

func (b *bounded) Write(p []byte) (int, error) {
	if room := b.limit - b.kept.Len(); room > 0 {
		b.kept.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (b *bounded) Bytes() []byte { return b.kept.Bytes() }

// Package osexec is the only way to run a program: a fixed list of absolute paths per system,
// a clean environment, a time limit and bounded output. It never uses a shell and never searches PATH.
package osexec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// Limits of every run.
const (
	DefaultTimeout = 10 * time.Second
	maxOutput      = 1 << 20 // bytes kept of stdout and of stderr each
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
}

// Run runs a listed program and gives what it wrote to stdout, at most 1 MiB.
func Run(ctx context.Context, p Program, o Options, args ...string) ([]byte, error) {
	path, err := find(p)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, orDefault(o.Timeout))
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append([]string{"LC_ALL=C.UTF-8"}, o.Env...)
	cmd.WaitDelay = time.Second // a grandchild that holds stdout open must not hold us
	setUser(cmd, o)
	out, errOut := &bounded{}, &bounded{}
	cmd.Stdout, cmd.Stderr = out, errOut
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("cannot run %s: %w: %s", p, err, bytes.TrimSpace(errOut.Bytes()))
	}
	return out.Bytes(), nil
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

// bounded keeps the first maxOutput bytes and swallows the rest, so that a chatty program neither blocks nor fills memory.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if room := maxOutput - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sekisho/scripts/vm"
)

var goodName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,30}$`)

// folder of a named machine; short, since it holds a socket.
func folder(name string) (string, error) {
	if !goodName.MatchString(name) {
		return "", fmt.Errorf("cannot call a machine %q: use a-z, 0-9 and -", name)
	}
	cache, err := vm.CacheDir()
	return filepath.Join(cache, "run", name), err
}

func open(args []string, words string) (*vm.Machine, []string, error) {
	if len(args) == 0 {
		return nil, nil, errWords(words)
	}
	dir, err := folder(args[0])
	if err != nil {
		return nil, nil, err
	}
	m, err := vm.Attach(dir, logLine)
	if err != nil {
		return nil, nil, fmt.Errorf("no machine is called %s (lab up %s): %w", args[0], args[0], err)
	}
	return m, args[1:], nil
}

func build(ctx context.Context, _ []string) error {
	start := time.Now()
	if _, err := vm.Build(ctx, logLine); err != nil {
		return err
	}
	logLine("image ready after %.1f s", time.Since(start).Seconds())
	return nil
}

func boot(ctx context.Context, _ []string) error {
	if err := up(ctx, []string{"lab"}); err != nil {
		return err
	}
	fmt.Print("Try:\n  scripts/lab ssh lab\n  scripts/lab plug lab uas --id stick --serial 4C53\n  scripts/lab ssh lab lsblk\n  scripts/lab unplug lab stick\n  scripts/lab down lab\n")
	return nil
}

func up(ctx context.Context, args []string) error {
	set := flag.NewFlagSet("up", flag.ContinueOnError)
	cold := set.Bool("cold", false, "boot instead of restoring")
	sd := set.Bool("sd", false, "build in an SD card reader (boots)")
	memory := set.Int("memory", 0, "MiB (boots)")
	rest, err := parse(set, args)
	if err != nil || len(rest) != 1 {
		return firstOf(err, errWords("up NAME [--cold] [--sd] [--memory MIB]"))
	}
	dir, err := folder(rest[0])
	if err != nil {
		return err
	}
	if m, err := vm.Attach(dir, logLine); err == nil {
		if m.Alive() {
			return fmt.Errorf("%s runs already (lab down %s)", rest[0], rest[0])
		}
		os.RemoveAll(dir)
	}
	image, err := vm.Build(ctx, logLine)
	if err != nil {
		return err
	}
	start := time.Now()
	_, err = image.Start(ctx, vm.Options{Cold: *cold || *sd || *memory != 0, SDSlot: *sd, Memory: *memory, Dir: dir, Hostname: rest[0], Detached: true})
	if err == nil {
		logLine("%s answers after %.1f s", rest[0], time.Since(start).Seconds())
	}
	return err
}

func down(_ context.Context, args []string) error {
	m, _, err := open(args, "down NAME")
	if err != nil {
		return err
	}
	return m.Close()
}

func list(context.Context, []string) error {
	cache, err := vm.CacheDir()
	if err != nil {
		return err
	}
	found, _ := filepath.Glob(filepath.Join(cache, "run", "*", "machine.json"))
	for _, path := range found {
		m, err := vm.Attach(filepath.Dir(path), logLine)
		if err == nil {
			fmt.Printf("%s\talive=%v\tssh=127.0.0.1:%d\n", filepath.Base(filepath.Dir(path)), m.Alive(), m.Port)
		}
	}
	return nil
}

// remote becomes ssh, so that a terminal, signals and exit codes are as usual.
func remote(_ context.Context, args []string) error {
	m, rest, err := open(args, "ssh NAME [COMMAND...]")
	if err != nil {
		return err
	}
	line := []string{"ssh", "-q", "-i", m.Image.Key, "-p", strconv.Itoa(m.Port), "-o", "StrictHostKeyChecking=no",
		"-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3", "root@127.0.0.1"}
	path := "/usr/bin/ssh"
	if err := syscall.Exec(path, append(line, rest...), os.Environ()); err != nil {
		return fmt.Errorf("cannot run %s: %w", path, err)
	}
	return nil
}

func put(ctx context.Context, args []string) error {
	m, rest, err := open(args, "put NAME FROM TO")
	if err != nil || len(rest) != 2 {
		return firstOf(err, errWords("put NAME FROM TO"))
	}
	return m.Put(ctx, rest[0], rest[1])
}

func get(ctx context.Context, args []string) error {
	m, rest, err := open(args, "get NAME FROM TO")
	if err != nil || len(rest) != 2 {
		return firstOf(err, errWords("get NAME FROM TO"))
	}
	return m.Get(ctx, rest[0], rest[1])
}

func console(_ context.Context, args []string) error {
	m, _, err := open(args, "console NAME")
	if err != nil {
		return err
	}
	content, err := os.ReadFile(filepath.Join(m.Dir, "console.log"))
	os.Stdout.Write(content)
	return err
}

// parse lets flags stand after words, as people write them.
func parse(set *flag.FlagSet, args []string) (words []string, err error) {
	for len(args) > 0 {
		if !strings.HasPrefix(args[0], "-") {
			words, args = append(words, args[0]), args[1:]
			continue
		}
		if err := set.Parse(args); err != nil {
			return nil, err
		}
		args = set.Args()
	}
	return words, nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

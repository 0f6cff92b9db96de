package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rs/zerolog"
)

// runCommand is what the service does.
func runCommand(ctx context.Context, s streams, args []string) error {
	var o agentOptions
	f := flags("run")
	path := f.String("config", defaultConfig, "configuration `file`")
	f.BoolVar(&o.observe, "observe", false, "look and record only: touch no device and no gate, whatever the policy says")
	f.StringVar(&o.root, "root", "/", "`folder` above sys, proc and run")
	f.StringVar(&o.socket, "socket", "", "`path` of the local socket (default "+defaultSocket+"; with --observe in the state folder)")
	debug := f.Bool("debug", false, "log every step")
	if err := parse(s, f, args, "Guards this terminal until it is told to stop."); err != nil {
		return err
	}
	if !o.observe && !privileged() {
		return errors.New("cannot guard this terminal: only " + superuser + " can; use --observe to look without touching anything")
	}
	c, err := readConfig(*path)
	if err != nil {
		return err
	}
	beModest()
	woken := make(chan struct{}, 1)
	o.config, o.log, o.getenv, o.woken = managedConfig(c), newLogger(s.err, *debug), s.getenv, woken
	return serve(ctx, func(ctx context.Context) error { return guardTerminal(ctx, o) }, woken, o.log)
}

// newLogger writes JSON for the journal, and words where a person looks.
func newLogger(w io.Writer, debug bool) zerolog.Logger {
	level := zerolog.InfoLevel
	if debug {
		level = zerolog.DebugLevel
	}
	if f, ok := w.(*os.File); ok && isTerminal(f) {
		w = zerolog.ConsoleWriter{Out: f, TimeFormat: "15:04:05"}
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// hint adds what to do to an error.
func hint(err error, what string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w\n  hint: %s", err, what)
}

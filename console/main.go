// Command sekisho-console is the central server: it keeps what terminals report and publishes what they shall do.
// This package wires the parts together; it never does their work.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // the office's time zone, also where the system has no zones
)

// version is set by the linker.
var version = "development"

// releaseKeys are set by the linker: the public halves of the keys that sign updates (seal.ReadKeys). They only let this
// console refuse a bad bundle early; terminals check with their own.
var releaseKeys = ""

// Exit codes.
const (
	exitOK    = 0
	exitFault = 1
	exitUsage = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// command is one word of the command line.
type command struct {
	name, args, about string
	run               func(ctx context.Context, c call) error
}

func commands() []command {
	return []command{
		{"serve", "", "run the console until it is told to stop", serveManaged},
		{"setup", "", "ask what a new console has to know, and print the one-time link for the first administrator", setup},
		{"token", "", "print a code that enrols one terminal, or as many as --uses says", token},
		{"backup", "FILE", "write a whole copy of the database, also while the console runs", backup},
		{"verify", "", "compute the hash of every record and audit row again, also while the console runs", verify},
		{"install", "", "make the console a service of Windows, or renew it; a Linux package does that itself", install},
		{"uninstall", "", "remove the service of Windows; records and keys stay", uninstall},
		{"update", "FILE", "check a signed update bundle and keep it, so that it can be offered on the page", addUpdate},
		{"version", "", "print the version", printVersion},
	}
}

// call is what a command is given.
type call struct {
	state    string
	args     []string
	flags    *flag.FlagSet
	in       io.Reader
	out, err io.Writer
	person   bool   // somebody sits at a terminal and can be asked
	etc      string // the one file outside of the folder that setup may write as root
}

// newKeys says that the command was told to accept other keys than the database knows.
func (c call) newKeys() bool {
	if c.flags == nil {
		return false
	}
	f := c.flags.Lookup("new-keys")
	return f != nil && f.Value.String() == "true"
}

// errUsage says that the command line was wrong and has been explained.
var errUsage = errors.New("usage")

// hinted is an error with what to do about it.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

func hint(err error, text string) error { return hinted{err, text} }

func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	err := dispatch(ctx, args, in, out, errs)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.Is(err, errUsage):
		return exitUsage
	}
	complain(errs, err)
	return exitFault
}

// complain writes what is wrong and what to do about it.
func complain(w io.Writer, err error) {
	fmt.Fprintln(w, "sekisho-console:", err)
	if h := (hinted{}); errors.As(err, &h) {
		fmt.Fprintln(w, "  →", h.hint)
	}
}

func dispatch(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) error {
	if len(args) == 0 {
		usage(errs)
		return errUsage
	}
	if a := args[0]; a == "--help" || a == "-h" || a == "-help" || a == "help" {
		usage(out)
		return nil
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.parse(ctx, args[1:], in, out, errs)
		}
	}
	fmt.Fprintf(errs, "sekisho-console: there is no command %q\n\n", args[0])
	usage(errs)
	return errUsage
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: sekisho-console COMMAND [flags]")
	fmt.Fprintln(w)
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-9s %s\n", c.name, c.about)
	}
	fmt.Fprintln(w, "\nsekisho-console COMMAND --help tells the flags.")
}

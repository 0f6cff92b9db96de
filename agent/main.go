// Package main is the terminal's service: it wires eyes, head, hands, memory and voice together and owns
// what they share. It never judges a device itself: that is internal/policy.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"sekisho/agent/sensor/hivefile"
	"sekisho/agent/sensor/winstate"
)

// version is set when a release is built.
var version = "dev"

// releaseKeys are set when a release is built: the public halves of the keys that sign updates (seal.ReadKeys).
// Without any this agent takes no update.
var releaseKeys = ""

// Exit codes of every command.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitNoCase = 3 // `request`: there is nothing to tell

	exitRefused = 10 // `package-gate`: nothing may be installed; the hooks know it by this number
)

// errUsage says that the command line was wrong; what is wrong was printed already.
var errUsage = errors.New("wrong usage")

// console is what a command reads from and writes to.
type streams struct {
	out, err io.Writer
	getenv   func(string) string
}

// command is one word of the command line.
type command struct {
	name string
	what string
	run  func(context.Context, streams, []string) error
}

func commands() []command {
	return []command{
		{"run", "guard this terminal (what the service does)", runCommand},
		{"install", "install and start the service", installCommand},
		{"uninstall", "open the gate and remove the service", uninstallCommand},
		{"enroll", "make this terminal known to the console", enrollCommand},
		{"status", "show what is attached and what was judged", statusCommand},
		{"request", "show what to tell the helpdesk about a device that was stopped", requestCommand},
		{"doctor", "check what could keep the agent from its work", doctorCommand},
		{"applocker", "show what AppLocker on Windows is told by a policy", applockerCommand},
		{"quarantine", "show what was put into quarantine, or bring it back", quarantineCommand},
		{"package-gate", "ask whether packages may be installed (what the hooks of apt and dpkg do)", packageGateCommand},
		{"watch-update", "swap in the version that lies ready, and out again unless it reports (what sekisho-update does)", watchCommand},
		{"version", "print the version", versionCommand},
	}
}

func main() {
	os.Exit(dispatch(context.Background(), streams{os.Stdout, os.Stderr, os.Getenv}, os.Args[1:]))
}

func dispatch(ctx context.Context, s streams, args []string) int {
	if len(args) == 0 {
		usage(s.err)
		return exitUsage
	}
	if args[0] == "--help" || args[0] == "-h" || args[0] == "help" {
		usage(s.out)
		return exitOK
	}
	if args[0] == winstate.ChildWord {
		return exitCode(s, askCommand(ctx, s, args[1:]))
	}
	if args[0] == hivefile.ChildWord {
		return exitCode(s, hivefile.Reply(s.out, args[1:]))
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return exitCode(s, c.run(ctx, s, args[1:]))
		}
	}
	fmt.Fprintf(s.err, "sekisho-agent: unknown command %q\n", args[0])
	usage(s.err)
	return exitUsage
}

func exitCode(s streams, err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, errNoCase):
		return exitNoCase
	case errors.Is(err, errRefused):
		return exitRefused
	}
	fmt.Fprintf(s.err, "sekisho-agent: %v\n", err)
	return exitFailed
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: sekisho-agent <command> [flags]; every command has --help")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-12s %s\n", c.name, c.what)
	}
}

// parse reads a command's flags; it takes no other arguments.
func parse(s streams, f *flag.FlagSet, args []string, what string) error {
	f.Usage = func() {
		fmt.Fprintf(f.Output(), "usage: sekisho-agent %s [flags]\n%s\n", f.Name(), what)
		f.PrintDefaults()
	}
	f.SetOutput(s.err)
	for _, a := range args {
		if a == "--help" || a == "-h" || a == "-help" {
			f.SetOutput(s.out)
		}
	}
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	if f.NArg() > 0 {
		fmt.Fprintf(s.err, "sekisho-agent %s: unexpected argument %q\n", f.Name(), f.Arg(0))
		return errUsage
	}
	return nil
}

func flags(name string) *flag.FlagSet { return flag.NewFlagSet(name, flag.ContinueOnError) }

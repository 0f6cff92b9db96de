//go:build linux

// Command lab builds and drives the virtual machines of the lab from a shell. It never touches devices of this machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

const usage = `lab: a Debian terminal with a stock kernel, into which devices are plugged while it runs

  lab build                          build the image and its booted state (cached; three minutes the first time)
  lab boot                           start a machine called "lab" and say what can be done with it
  lab up NAME [--cold] [--sd] [--memory MIB]
                                     start a machine; without --cold it continues from the saved state (2 s)
  lab down NAME                      end it and throw its disk away
  lab list                           machines that run
  lab ssh NAME [COMMAND...]          run a command as root, or open a shell
  lab put NAME FROM TO               copy a file in
  lab get NAME FROM TO               copy a file out
  lab plug NAME KIND [--id ID] [--serial S] [--port P] [--file MEDIUM]
  lab unplug NAME ID
  lab gadget NAME FUNCTIONS [--id ID] [--vid V] [--pid P] [--serial S] [--product S]
                                     any identity by the guest's own gadget driver;
                                     FUNCTIONS such as mass_storage,hid or ecm; --remove --id ID takes it away
  lab cable NAME in|out              the network cable
  lab clock NAME TIME                set the time of day (RFC 3339)
  lab cut NAME                       cut the power; lab on NAME boots again from its disk
  lab on NAME [KIND...]              boot again, with these devices plugged in before the kernel starts
  lab reboot NAME                    shut down and boot again
  lab console NAME                   what the guest wrote on its serial line

KIND is one of: uas bot hub kbd mouse ccid mtp net serial optical nvme scsi sd.
Every stick holds 16 MiB of vfat with /SECRET.TXT. The host is 10.0.2.2 for the guest. A machine ends by itself after four hours.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := dispatch(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		stop()
		os.Exit(1)
	}
}

func dispatch(ctx context.Context, args []string) error {
	if len(args) == 0 || asksHelp(args) {
		fmt.Print(usage)
		return nil
	}
	command, known := commands()[args[0]]
	if !known {
		return fmt.Errorf("there is no command %q; lab --help lists them", args[0])
	}
	return command(ctx, args[1:])
}

// asksHelp looks at the lab's own words only: what comes after "ssh NAME" belongs to the guest.
func asksHelp(args []string) bool {
	if args[0] == "ssh" {
		args = args[:min(2, len(args))]
	}
	return args[0] == "help" || slices.Contains(args, "--help") || slices.Contains(args, "-h")
}

type command func(context.Context, []string) error

func commands() map[string]command {
	return map[string]command{
		"build": build, "boot": boot, "up": up, "down": down, "list": list,
		"ssh": remote, "put": put, "get": get, "console": console,
		"plug": plug, "unplug": unplug, "gadget": gadget,
		"cable": cable, "clock": clock, "cut": cut, "on": on, "reboot": reboot,
	}
}

// errWords says which words were expected.
func errWords(words string) error {
	return errors.New("expected: lab " + words + " (lab --help)")
}

func logLine(format string, args ...any) {
	fmt.Fprintln(os.Stderr, "lab: "+strings.TrimSpace(fmt.Sprintf(format, args...)))
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"sekisho/agent/enforce/quarantine"
)

// quarantineCommand shows what was put away, and brings it back.
func quarantineCommand(_ context.Context, s streams, args []string) error {
	f := flags("quarantine")
	path := f.String("config", defaultConfig, "configuration `file`")
	f.Usage = func() {
		fmt.Fprintln(f.Output(), "usage: sekisho-agent quarantine [flags] list | restore NUMBER\nShows the programs that were put into quarantine, or brings one back to where it was.")
		f.PrintDefaults()
	}
	f.SetOutput(s.err)
	if asksHelp(args) {
		f.SetOutput(s.out)
	}
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	restore := f.NArg() == 2 && f.Arg(0) == "restore"
	if !restore && (f.NArg() != 1 || f.Arg(0) != "list") {
		fmt.Fprintf(s.err, "sekisho-agent quarantine: cannot do %q: say list, or restore and a number of the list\n", f.Args())
		return errUsage
	}
	if !privileged() {
		return errors.New("cannot look into quarantine: only " + superuser + " can")
	}
	c, err := readConfig(*path)
	if err != nil {
		return err
	}
	room := quarantine.Open(quarantineOf(c.State), privateRoom, time.Now)
	if restore {
		return restoreOne(s, room, f.Arg(1))
	}
	return listRoom(s, room)
}

func asksHelp(args []string) bool {
	for _, a := range args {
		if a == "--help" || a == "-h" || a == "-help" {
			return true
		}
	}
	return false
}

func listRoom(s streams, room quarantine.Room) error {
	list, err := room.List()
	rows := [][]string{{"NUMBER", "SINCE", "RULE", "SHA-256", "FILE"}}
	for _, e := range list {
		rows = append(rows, []string{e.ID, e.At.Local().Format("2006-01-02 15:04:05"), e.Rule, e.Hash[:16], oneLine(e.Path)})
	}
	if len(list) == 0 {
		fmt.Fprintln(s.out, "No file is in quarantine.")
	} else {
		table(s.out, rows)
	}
	return err
}

func restoreOne(s streams, room quarantine.Room, id string) error {
	e, err := room.Restore(id)
	switch {
	case errors.Is(err, quarantine.ErrNone):
		return err
	case err != nil:
		return hint(err, "a file stands there already, or its folder is gone: make room and try again")
	}
	fmt.Fprintf(s.out, "%s is back. As long as rule %s forbids it, it is ended again when somebody runs it.\n", e.Path, e.Rule)
	return nil
}

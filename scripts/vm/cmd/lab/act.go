//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"time"

	"sekisho/scripts/vm"
)

func plug(ctx context.Context, args []string) error {
	set := flag.NewFlagSet("plug", flag.ContinueOnError)
	d := vm.Device{}
	set.StringVar(&d.ID, "id", "", "name for unplug; KIND when empty")
	set.StringVar(&d.Serial, "serial", "", "serial number")
	set.StringVar(&d.Port, "port", "", "USB port 1-8, or N.1 behind a hub on port N; PCI slot 1 or 2 for nvme")
	set.StringVar(&d.File, "file", "", "medium (raw image); a fresh one when empty")
	words, err := parse(set, args)
	if err != nil {
		return err
	}
	m, rest, err := open(words, "plug NAME KIND")
	if err != nil || len(rest) != 1 {
		return firstOf(err, errWords("plug NAME KIND [--id ID] [--serial S] [--port P] [--file MEDIUM]"))
	}
	if d.Kind = vm.Kind(rest[0]); d.ID == "" {
		d.ID = rest[0]
	}
	return m.Plug(ctx, d)
}

func unplug(ctx context.Context, args []string) error {
	m, rest, err := open(args, "unplug NAME ID")
	if err != nil || len(rest) != 1 {
		return firstOf(err, errWords("unplug NAME ID"))
	}
	if rest[0] == string(vm.SDCard) {
		return m.EjectSD(ctx)
	}
	return m.Unplug(ctx, rest[0])
}

func gadget(ctx context.Context, args []string) error {
	set := flag.NewFlagSet("gadget", flag.ContinueOnError)
	g := vm.Gadget{}
	set.StringVar(&g.ID, "id", "gadget", "name")
	set.StringVar(&g.VID, "vid", "0781", "vendor id, hexadecimal")
	set.StringVar(&g.PID, "pid", "5583", "product id, hexadecimal")
	set.StringVar(&g.Serial, "serial", "", "serial number, any bytes")
	set.StringVar(&g.Product, "product", "Ultra Fit", "product name")
	set.StringVar(&g.Vendor, "vendor", "SanDisk", "vendor name")
	remove := set.Bool("remove", false, "take it away")
	words, err := parse(set, args)
	if err != nil {
		return err
	}
	m, rest, err := open(words, "gadget NAME FUNCTIONS")
	switch {
	case err != nil:
		return err
	case *remove:
		return m.RemoveGadget(ctx, g.ID)
	case len(rest) != 1:
		return errWords("gadget NAME FUNCTIONS [--vid V] [--pid P] [--serial S]")
	}
	g.Functions = strings.Split(rest[0], ",")
	return m.AddGadget(ctx, g)
}

func cable(ctx context.Context, args []string) error {
	m, rest, err := open(args, "cable NAME in|out")
	if err != nil || len(rest) != 1 || (rest[0] != "in" && rest[0] != "out") {
		return firstOf(err, errWords("cable NAME in|out"))
	}
	return m.Cable(ctx, rest[0] == "in")
}

func clock(ctx context.Context, args []string) error {
	m, rest, err := open(args, "clock NAME TIME")
	if err != nil || len(rest) != 1 {
		return firstOf(err, errWords("clock NAME 2026-01-31T09:00:00+09:00"))
	}
	at, err := time.Parse(time.RFC3339, rest[0])
	if err != nil {
		return fmt.Errorf("cannot read the time: %w", err)
	}
	return m.SetClock(ctx, at)
}

func cut(ctx context.Context, args []string) error {
	m, _, err := open(args, "cut NAME")
	if err != nil {
		return err
	}
	return m.PowerCut(ctx)
}

func on(ctx context.Context, args []string) error {
	m, kinds, err := open(args, "on NAME [KIND...]")
	if err != nil {
		return err
	}
	var present []vm.Device
	for _, kind := range kinds {
		present = append(present, vm.Device{ID: kind, Kind: vm.Kind(kind)})
	}
	return m.PowerOn(ctx, present...)
}

func reboot(ctx context.Context, args []string) error {
	m, _, err := open(args, "reboot NAME")
	if err != nil {
		return err
	}
	return m.Reboot(ctx)
}

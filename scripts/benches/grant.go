//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"sekisho/scripts/vm"
)

// clicked is the guest's answer, in nanoseconds.
type clicked struct{ Usable, Acted int64 }

// grantFigures: from the click on the console to the first byte of a stick that is plugged in already, without the time that
// the kernel takes to find the disk of a stick that is let in by hand.
func grantFigures(ctx context.Context, b bench) (err error) {
	l, err := openLab(ctx, b)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	if err := l.openConsole(ctx); err != nil {
		return err
	}
	if err := l.install(ctx); err != nil {
		return err
	}
	rounds := or(b.rounds, 12)
	var granted, scanned []time.Duration
	for i := range rounds {
		g, err := l.granted(ctx)
		if err != nil {
			return fmt.Errorf("permission: %w", err)
		}
		k, err := l.scanned(ctx)
		if err != nil {
			return fmt.Errorf("by hand: %w", err)
		}
		l.say("stick %d of %d: usable %.0f ms after the click, %.0f ms after letting it in by hand", i+1, rounds, ms(g), ms(k))
		granted, scanned = append(granted, g), append(scanned, k)
	}
	scan := quantile(scanned, 0.5)
	l.against("grant_to_usable", ms(quantile(granted, 0.5)-scan), "ms", "kernel-scan", ms(scan))
	return nil
}

// granted plugs a stick, waits until it is blocked and shown, gives it a permission and waits for its first byte.
func (l *lab) granted(ctx context.Context) (time.Duration, error) {
	if _, err := l.m.Run(ctx, "systemctl start sekisho-agent"); err != nil {
		return 0, err
	}
	id, serial, err := l.plug(ctx, vm.UAS, "")
	if err != nil {
		return 0, err
	}
	event, err := l.blockedEvent(ctx, serial)
	if err != nil {
		return 0, err
	}
	if err := pause(ctx, time.Second); err != nil { // the policy request hangs again, the machine is at rest
		return 0, err
	}
	now := time.Now().UTC().Add(9 * time.Hour) // the console's zone is Asia/Tokyo
	form := url.Values{"event": {fmt.Sprint(event)}, "reason": {"bench"}, "from": {now.Format("2006-01-02 15:04")}, "until": {now.Add(time.Hour).Format("2006-01-02 15:04")}}
	_, port, _ := cutURL(l.c.people)
	out, err := l.m.Run(ctx, fmt.Sprintf("/root/guest click https://%s:%s/carryout/new %s %s", hostAddress, port, l.token, vm.Quote(form.Encode())))
	if err != nil {
		return 0, err
	}
	var c clicked
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		return 0, err
	}
	return time.Duration(c.Usable), l.m.Unplug(ctx, id)
}

// scanned lets a stick in by hand, with the agent stopped and the gate still shut.
func (l *lab) scanned(ctx context.Context) (time.Duration, error) {
	if _, err := l.m.Run(ctx, "systemctl stop sekisho-agent"); err != nil {
		return 0, err
	}
	id, serial, err := l.plug(ctx, vm.UAS, "")
	if err != nil {
		return 0, err
	}
	if err := l.await(ctx, "the stick", 10*time.Second, "grep -qsx "+serial+" /sys/bus/usb/devices/*/serial"); err != nil {
		return 0, err
	}
	if err := pause(ctx, time.Second); err != nil {
		return 0, err
	}
	out, err := l.m.Run(ctx, `/root/guest authorise $(basename $(dirname $(grep -lsx `+serial+` /sys/bus/usb/devices/*/serial))):1.0`)
	if err != nil {
		return 0, err
	}
	var c clicked
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		return 0, err
	}
	return time.Duration(c.Usable), l.m.Unplug(ctx, id)
}

func cutURL(address string) (host, port string, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", "", err
	}
	return u.Hostname(), u.Port(), nil
}

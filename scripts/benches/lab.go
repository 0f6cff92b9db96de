//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/scripts/vm"
)

// lab is one terminal in the virtual machine, with a console of its own on this machine.
type lab struct {
	bench
	m       *vm.Machine
	c       *console
	token   string // for the console's pages
	plugged int
	stay    time.Duration // how long a stick stays in the race
}

// hostAddress is this machine as the guest sees it.
const hostAddress = "10.0.2.2"

// What times are taken by: the clock of the emulated machine, or the number of instructions that it has executed.
const (
	clockWall         = "wall"
	clockInstructions = "instructions"
)

// openLab starts the machine; the agent is not installed yet.
func openLab(ctx context.Context, b bench) (*lab, error) {
	return openLabWith(ctx, b, vm.Options{Hostname: "bench"})
}

// openClocked starts one whose clock is as b says.
func openClocked(ctx context.Context, b bench) (*lab, error) {
	counted := b.clock == clockInstructions
	return openLabWith(ctx, b, vm.Options{Hostname: "bench", Cold: counted, Counted: counted})
}

func openLabWith(ctx context.Context, b bench, o vm.Options) (*lab, error) {
	image, err := vm.Build(ctx, b.say)
	if err != nil {
		return nil, err
	}
	l := &lab{bench: b}
	b.say("starting the lab's machine")
	if l.m, err = image.Start(ctx, o); err != nil {
		return nil, err
	}
	if precede(l.m.PID) != nil {
		b.say("cannot give the machine precedence over its neighbours: figures are those of a shared machine")
	}
	for _, name := range []string{"sekisho-agent", "guest"} {
		if err := l.m.Put(ctx, filepath.Join(b.bin, name), "/root/"+name); err != nil {
			return nil, errors.Join(err, l.close())
		}
	}
	return l, nil
}

// precede gives a process precedence: where many work on one machine, waiting for a processor would be all that is measured.
// Only root may. Where the kernel groups processes by session a process precedes only within its own, and the session is what
// precedes others (sched(7), "The autogroup feature").
func precede(pid int) error {
	const nice = -10
	err := os.WriteFile(fmt.Sprintf("/proc/%d/autogroup", pid), []byte(strconv.Itoa(nice)), 0)
	if errors.Is(err, os.ErrNotExist) {
		err = nil // a kernel without it
	}
	return errors.Join(err, syscall.Setpriority(syscall.PRIO_PGRP, pid, nice))
}

func (l *lab) close() error {
	if l.c != nil {
		l.c.close()
	}
	return l.m.Close()
}

// openConsole makes a console that enforces, with somebody who may click.
func (l *lab) openConsole(ctx context.Context) (err error) {
	if l.c, err = newConsole(l.bench, "127.0.0.1", hostAddress); err != nil {
		return err
	}
	if err := errors.Join(l.c.start(ctx), l.c.stop()); err != nil { // makes keys, schema and the first group
		return err
	}
	l.token = rand.Text()
	if err := l.c.furnish(ctx, l.token); err != nil {
		return err
	}
	return nil
}

// furnish puts the group in enforce mode and an account with an API token into the database.
func (c *console) furnish(ctx context.Context, token string) error {
	db, err := store.Open(ctx, c.database(), time.UTC)
	if err != nil {
		return err
	}
	defer db.Close()
	now := time.Now()
	_, err = db.PutGroupPolicy(ctx, store.GroupPolicy{Group: "default", Control: policy.DefaultControl(policy.ModeEnforce), Reason: "bench", By: "bench"}, 1, now)
	if err != nil {
		return err
	}
	if err := db.PutAccount(ctx, store.Account{Name: "bench", Role: store.RoleAdmin, Language: "en", Theme: "auto", Hash: "none", CreatedAt: now}, "bench", now); err != nil {
		return err
	}
	account, err := db.Account(ctx, "bench")
	if err != nil {
		return err
	}
	return db.PutSession(ctx, store.Session{Hash: sha256.Sum256([]byte(token)), Account: account, API: true, Note: "bench",
		CreatedAt: now, LastSeen: now, ExpiresAt: now.Add(24 * time.Hour)}, now)
}

// install makes the agent a service as a person does, and waits until the gate is shut.
func (l *lab) install(ctx context.Context) error {
	codes, err := l.c.codes(ctx, 1)
	if err != nil {
		return err
	}
	fingerprint, err := l.c.fingerprint()
	if err == nil {
		err = l.c.start(ctx)
	}
	if err != nil {
		return err
	}
	l.say("installing the agent in the machine")
	if err := l.m.SetClock(ctx, time.Now()); err != nil { // one that counts instructions is late, and certificates are new
		return err
	}
	if _, err := l.m.Run(ctx, quiet); err != nil {
		return err
	}
	command := "/root/sekisho-agent install --server " + l.c.terminals + " --token " + codes[0] + " --fingerprint " + fingerprint
	if _, err := l.m.Run(ctx, command); err != nil {
		return err
	}
	return l.await(ctx, "the gate to be shut", 3*time.Minute, shut)
}

// quiet keeps the early gate's work from being measured instead of the gate: building an initial RAM disk anew takes this
// machine minutes of processor time, once after the gate was shut for the first time.
const quiet = `d=/run/systemd/system/sekisho-initramfs.service.d; mkdir -p $d
printf '[Unit]\nConditionPathExists=/nonexistent\n' >$d/bench.conf; systemctl daemon-reload`

// shut succeeds when every root hub keeps new interfaces out and the static rule is there.
const shut = `! grep -qv 0 /sys/bus/usb/devices/usb*/interface_authorized_default`

// await runs a command until it succeeds.
func (l *lab) await(ctx context.Context, what string, limit time.Duration, command string) error {
	over := time.Now().Add(limit)
	for {
		_, err := l.m.Run(ctx, command)
		if err == nil {
			return nil
		}
		if time.Now().After(over) || ctx.Err() != nil {
			said, _ := l.m.Run(ctx, "journalctl -u sekisho-agent -u usbguard -n 20 --no-pager -o cat")
			return fmt.Errorf("waited in vain for %s: %w\n%s", what, err, said)
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// stick plugs a new stick, looks for a while, and pulls it out again.
func (l *lab) stick(ctx context.Context, kind vm.Kind, port string, dwell time.Duration) (serial string, err error) {
	id, serial, err := l.plug(ctx, kind, port)
	if err != nil {
		return "", err
	}
	if err := pause(ctx, dwell); err != nil {
		return "", err
	}
	return serial, l.m.Unplug(ctx, id)
}

func (l *lab) plug(ctx context.Context, kind vm.Kind, port string) (id, serial string, err error) {
	l.plugged++
	id, serial = fmt.Sprintf("s%d", l.plugged), fmt.Sprintf("BENCH%06dX%d", l.plugged, time.Now().UnixNano()%1e6)
	return id, serial, l.m.Plug(ctx, vm.Device{ID: id, Kind: kind, Serial: serial, Port: port})
}

// agentOnly lets exactly one of the two guard the machine, everything else as a fresh Debian has it.
func (l *lab) agentOnly(ctx context.Context) error {
	_, err := l.m.Run(ctx, `systemctl stop usbguard 2>/dev/null
for f in /sys/bus/usb/devices/usb*/authorized_default; do echo 1 >$f; done
systemctl start sekisho-agent`)
	if err != nil {
		return err
	}
	if err := l.await(ctx, "the gate to be shut", 3*time.Minute, shut); err != nil {
		return err
	}
	return pause(ctx, 2*time.Second)
}

func (l *lab) usbguardOnly(ctx context.Context) error {
	_, err := l.m.Run(ctx, `systemctl stop sekisho-agent 2>/dev/null
for f in /sys/bus/usb/devices/usb*/interface_authorized_default; do echo 1 >$f; done
systemctl unmask -q usbguard; mkdir -p /var/log/usbguard /etc/usbguard/rules.d
: >/etc/usbguard/rules.conf; chmod 600 /etc/usbguard/rules.conf
systemctl start usbguard`)
	if err != nil {
		return err
	}
	err = l.await(ctx, "USBGuard to keep devices out", time.Minute, `! grep -qv 0 /sys/bus/usb/devices/usb*/authorized_default && systemctl is-active -q usbguard`)
	if err != nil {
		return err
	}
	return pause(ctx, 2*time.Second)
}

// pid of a service's main process.
func (l *lab) pid(ctx context.Context, unit string) (string, error) {
	out, err := l.m.Run(ctx, "systemctl show -p MainPID --value "+unit)
	out = strings.TrimSpace(out)
	if err == nil && (out == "" || out == "0") {
		err = fmt.Errorf("%s does not run", unit)
	}
	return out, err
}

// blockedEvent waits until the console has the record of a stick that was blocked, and gives its number.
func (l *lab) blockedEvent(ctx context.Context, serial string) (id int64, err error) {
	db, err := sql.Open("sqlite", "file:"+l.c.database()+"?_pragma=busy_timeout(5000)&_pragma=query_only(1)")
	if err != nil {
		return 0, err
	}
	defer db.Close()
	for over := time.Now().Add(20 * time.Second); ; {
		err = db.QueryRowContext(ctx, `SELECT id FROM events WHERE serial = $1 AND outcome = 'blocked' ORDER BY id DESC LIMIT 1`, serial).Scan(&id)
		if err == nil || time.Now().After(over) || ctx.Err() != nil {
			break
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return 0, err
		}
	}
	if err != nil {
		err = fmt.Errorf("the console has no record of stick %s being blocked: %w", serial, err)
	}
	return id, err
}

//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sekisho/scripts/vm"
)

// turn is how many sticks are plugged before the other guard takes over.
const turn = 10

// dwell is how long a stick stays: many times longer than either guard needs, and than UAS needs to show a disk.
const dwell = 1200 * time.Millisecond

// gateFigures are the race and the verdicts, in one machine.
func gateFigures(ctx context.Context, b bench) error {
	return guarded(ctx, b, (*lab).control, (*lab).raceFigures, (*lab).decisionFigures)
}

// decisionFigures are the verdicts alone.
func decisionFigures(ctx context.Context, b bench) error {
	return guarded(ctx, b, nil, (*lab).decisionFigures)
}

// guarded measures in a machine with the agent installed and the gate shut; before happens without the agent.
func guarded(ctx context.Context, b bench, before func(*lab, context.Context) error, figures ...func(*lab, context.Context) error) (err error) {
	l, err := openLab(ctx, b)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	if before != nil {
		if err := before(l, ctx); err != nil {
			return err
		}
	}
	if err := l.openConsole(ctx); err != nil {
		return err
	}
	if err := l.install(ctx); err != nil {
		return err
	}
	for _, f := range figures {
		if err := f(l, ctx); err != nil {
			return err
		}
	}
	return nil
}

// decisionFigures lets both guards judge sticks in turns.
func (l *lab) decisionFigures(ctx context.Context) error {
	rounds := or(l.rounds, 30)
	var own, durable, peer []time.Duration
	for done := 0; done < rounds; done += turn {
		n := min(turn, rounds-done)
		l.say("verdicts %d to %d of %d, by the agent and then by USBGuard", done+1, done+n, rounds)
		if err := l.agentOnly(ctx); err != nil {
			return err
		}
		some, kept, err := l.judgedByAgent(ctx, n)
		if err != nil {
			return fmt.Errorf("agent: %w", err)
		}
		own, durable = append(own, some...), append(durable, kept...)
		if err := l.usbguardOnly(ctx); err != nil {
			return err
		}
		if some, err = l.judgedByUSBGuard(ctx, n); err != nil {
			return fmt.Errorf("USBGuard: %w", err)
		}
		peer = append(peer, some...)
	}
	l.say("agent    %s", list(own))
	l.say("on disk  %s", list(durable))
	l.say("USBGuard %s", list(peer))
	l.against("decision_median", ms(quantile(own, 0.5)), "ms", "usbguard", ms(quantile(peer, 0.5)))
	l.against("decision_p95", ms(quantile(own, 0.95)), "ms", "usbguard", ms(quantile(peer, 0.95)))
	l.figure("decision_durable_median", ms(quantile(durable, 0.5)), "ms")
	l.figure("decision_durable_p95", ms(quantile(durable, 0.95)), "ms")
	return nil
}

// judgedByAgent gives the time to the record's write, and to its being on disk.
func (l *lab) judgedByAgent(ctx context.Context, n int) (written, durable []time.Duration, err error) {
	notes, err := l.notedSticks(ctx, n)
	if err != nil {
		return nil, nil, err
	}
	inode, err := l.journal(ctx)
	if err != nil {
		return nil, nil, err
	}
	records, err := l.blockedRecords(ctx)
	if err != nil {
		return nil, nil, err
	}
	written, err = delays(notes, n, agentVerdict(records))
	if err != nil {
		return nil, nil, err
	}
	durable, err = delays(notes, n, durableVerdict(inode, records))
	return written, durable, err
}

func (l *lab) judgedByUSBGuard(ctx context.Context, n int) ([]time.Duration, error) {
	notes, err := l.notedSticks(ctx, n)
	if err != nil {
		return nil, err
	}
	return delays(notes, n, usbguardVerdict)
}

// notedSticks plugs n sticks, UAS and BOT by turns, while the kernel takes notes.
func (l *lab) notedSticks(ctx context.Context, n int) ([]noted, error) {
	return l.traced(ctx, func() error {
		for i := range n {
			if _, err := l.stick(ctx, []vm.Kind{vm.UAS, vm.BOT}[i%2], "", dwell); err != nil {
				return err
			}
		}
		return nil
	})
}

func quantile(all []time.Duration, q float64) time.Duration {
	s := slices.Sorted(slices.Values(all))
	if len(s) == 0 {
		return 0
	}
	return s[min(len(s)-1, int(q*float64(len(s))))]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func list(all []time.Duration) string {
	var s strings.Builder
	for _, d := range all {
		fmt.Fprintf(&s, "%.1f ", ms(d))
	}
	return s.String() + "ms"
}

// raced is what the reader in the machine came to.
type raced struct {
	Tries   int64
	Bytes   int64
	Devices int
	Names   []string
}

// raceDuring runs do while the reader in the machine races for disks.
func (l *lab) raceDuring(ctx context.Context, do func() error) (r raced, err error) {
	_, err = l.m.Run(ctx, "rm -f /run/race.*")
	if err != nil {
		return r, err
	}
	pid, err := l.m.Background(ctx, "exec /root/guest race /run/race.ready 2>/run/race.err", "/run/race.json")
	if err != nil {
		return r, err
	}
	if err := l.await(ctx, "the racing reader", 10*time.Second, "test -s /run/race.ready"); err != nil {
		return r, err
	}
	failed := do()
	out, err := l.m.Run(ctx, "kill -TERM "+pid+"; for i in $(seq 100); do [ -s /run/race.json ] && break; sleep 0.1; done; cat /run/race.err >&2; cat /run/race.json")
	if err := errors.Join(failed, err); err != nil {
		return r, err
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		return r, fmt.Errorf("cannot read the reader's answer %q: %w", out, err)
	}
	if r.Tries == 0 {
		err = errors.New("the reader never ran")
	}
	return r, err
}

// hostile takes away the second that the kernel gives USB sticks before it looks at their disks: that would only hide a race.
const hostile = "modprobe usb-storage; modprobe uas; echo 0 >/sys/module/usb_storage/parameters/delay_use"

// control shows that the reader would find something: without the agent it must read both kinds of sticks. How long a disk
// takes to appear then says how long a stick has to stay in the race.
func (l *lab) control(ctx context.Context) error {
	l.say("control: without the agent the reader must get at both kinds of sticks")
	if _, err := l.m.Run(ctx, hostile); err != nil {
		return err
	}
	for _, kind := range []vm.Kind{vm.UAS, vm.UAS, vm.BOT} { // the first one also loads what a disk needs
		var appeared time.Duration
		var id string
		r, err := l.raceDuring(ctx, func() (err error) {
			id, appeared, err = l.uncontrolled(ctx, kind)
			return err
		})
		if err := errors.Join(err, l.m.Unplug(ctx, id)); err != nil { // not during the race: QEMU dies of pulling a UAS stick that is read
			return err
		}
		if r.Bytes == 0 || r.Devices == 0 {
			return fmt.Errorf("the reader got nothing of an %s stick although nothing stood in its way: the figure would prove nothing", kind)
		}
		l.say("control: %s: %d block device after %v, %d bytes read in %d tries", kind, r.Devices, appeared.Round(time.Millisecond), r.Bytes, r.Tries)
		l.stay = max(leastStay, 2*appeared)
	}
	l.say("every stick will stay for %v", l.stay.Round(time.Millisecond))
	return nil
}

// leastStay is far longer than the 85 ms in which an undisturbed UAS stick shows its disk in this machine.
const leastStay = 600 * time.Millisecond

func (l *lab) uncontrolled(ctx context.Context, kind vm.Kind) (id string, appeared time.Duration, err error) {
	begun := time.Now()
	if id, _, err = l.plug(ctx, kind, ""); err != nil {
		return id, 0, err
	}
	if err := l.await(ctx, "a disk", 30*time.Second, "for i in $(seq 500); do ls -d /sys/block/sd* 2>/dev/null && exit; sleep 0.01; done; exit 1"); err != nil {
		return id, 0, err
	}
	return id, time.Since(begun), pause(ctx, time.Second)
}

// situation is one way in which sticks are plugged while the reader races.
type situation struct {
	name  string
	share int // sticks for each round
	run   func(ctx context.Context, n int) error
}

func (l *lab) situations() []situation {
	return []situation{
		{"UAS", 2, func(ctx context.Context, n int) error { return l.sticks(ctx, n, vm.UAS, "") }},
		{"BOT", 1, func(ctx context.Context, n int) error { return l.sticks(ctx, n, vm.BOT, "") }},
		{"behind a hub", 1, l.behindHub},
		{"while the agent starts", 1, l.whileStarting},
		{"right after kill -9 of the agent", 1, l.whileKilled},
		{"agent stopped", 1, l.whileStopped},
	}
}

// raceFigures: whatever happens to the agent, no disk appears and nothing can be read.
func (l *lab) raceFigures(ctx context.Context) error {
	rounds := or(l.rounds, 30)
	if err := l.agentOnly(ctx); err != nil {
		return err
	}
	if _, err := l.m.Run(ctx, hostile); err != nil {
		return err
	}
	total, plugged := raced{}, l.plugged
	for _, s := range l.situations() {
		n := s.share * rounds
		r, err := l.raceDuring(ctx, func() error { return s.run(ctx, n) })
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		l.say("%d insertions, %s: %d block devices, %d bytes, %d tries to read %v", n, s.name, r.Devices, r.Bytes, r.Tries, r.Names)
		total.Bytes += r.Bytes
		total.Devices += r.Devices
	}
	l.say("%d insertions in all", l.plugged-plugged)
	l.figure("readable_bytes", float64(total.Bytes), "bytes")
	l.figure("block_devices", float64(total.Devices), "devices")
	return nil
}

func (l *lab) sticks(ctx context.Context, n int, kind vm.Kind, port string) error {
	for range n {
		if _, err := l.stick(ctx, kind, port, l.stay); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) behindHub(ctx context.Context, n int) error {
	if err := l.m.Plug(ctx, vm.Device{ID: "hub", Kind: vm.Hub, Port: "2"}); err != nil {
		return err
	}
	if err := l.await(ctx, "the hub", 10*time.Second, "ls -d /sys/bus/usb/devices/*-2/*-2:1.0/driver"); err != nil {
		return err
	}
	if err := l.sticks(ctx, n, vm.BOT, "2.1"); err != nil { // QEMU's hub is too slow a bus for UAS
		return err
	}
	return l.m.Unplug(ctx, "hub")
}

func (l *lab) whileStarting(ctx context.Context, n int) error {
	return l.each(ctx, n, "systemctl stop sekisho-agent", "systemctl start --no-block sekisho-agent")
}

func (l *lab) whileKilled(ctx context.Context, n int) error {
	return l.each(ctx, n, "systemctl reset-failed sekisho-agent; systemctl start sekisho-agent", "kill -9 $(systemctl show -p MainPID --value sekisho-agent)")
}

func (l *lab) whileStopped(ctx context.Context, n int) error {
	if err := l.each(ctx, n, "systemctl stop sekisho-agent", "true"); err != nil {
		return err
	}
	_, err := l.m.Run(ctx, "systemctl start sekisho-agent")
	return err
}

// each brings the agent into a state and, right after a last act, plugs a stick.
func (l *lab) each(ctx context.Context, n int, before, last string) error {
	for range n {
		if _, err := l.m.Run(ctx, before); err != nil {
			return err
		}
		if _, err := l.m.Run(ctx, last); err != nil {
			return err
		}
		if _, err := l.stick(ctx, vm.UAS, "", l.stay); err != nil {
			return err
		}
	}
	return nil
}

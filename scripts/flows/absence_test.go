//go:build lab && linux

package flows

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/scripts/vm"
)

func TestStorageStaysBlockedAndTheKeyboardAliveWithoutTheAgent(t *testing.T) {
	s := enforced(t)
	s.run("mkdir -p /run/systemd/system/sekisho-agent.service.d && printf '[Service]\\nRestart=no\\n' >/run/systemd/system/sekisho-agent.service.d/lab.conf && systemctl daemon-reload")
	for _, end := range []struct{ name, command string }{
		{"killed", "systemctl kill -s KILL sekisho-agent"},
		{"stopped", "systemctl start sekisho-agent && systemctl stop sekisho-agent"},
		{"deleted", "rm /usr/bin/sekisho-agent"},
	} {
		t.Run(end.name, func(t *testing.T) {
			s := s.in(t)
			s.run(end.command)
			s.unreadable("without the agent", func() {
				s.plug(vm.Device{ID: "stick", Kind: vm.UAS, Serial: "ALONE-1"})
				s.plug(vm.Device{ID: "slow", Kind: vm.BOT, Serial: "ALONE-2"})
				s.withInput()
				s.settle()
			})
			for _, id := range []string{"stick", "slow", "kbd", "mouse", "ccid"} {
				s.unplug(id)
			}
		})
	}
}

func TestWhatWasPluggedInBeforeTheAgentStartedIsJudgedToo(t *testing.T) {
	s := enforced(t)
	s.run("systemctl stop sekisho-agent")
	s.plug(vm.Device{ID: "stick", Kind: vm.UAS, Serial: "BEFORE-1"})
	s.settle()
	s.run("systemctl start sekisho-agent")
	row := s.blocked("BEFORE-1")
	if !row.Record.Event.Present {
		t.Error("the row does not say that the stick was there before")
	}
}

// renewed waits until the gate is in the initial RAM disk. It looks seldom: making one keeps an emulated processor busy.
func (s *scene) renewed() {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.T.Context(), 15*time.Minute)
	defer cancel()
	_, err := s.machine.Run(ctx, "until journalctl -b -u sekisho-initramfs -o cat | grep -q ^Finished; do sleep 2; done; lsinitramfs /boot/initrd.img-$(uname -r) | grep -q 51-sekisho-gate.rules")
	must(s.T, err)
}

func TestAPermissionLivesThroughARebootAndWaitsForTheConsoleWhenTheClockWasSetBack(t *testing.T) {
	s := enforced(t)
	s.plug(vm.Device{ID: "stick", Kind: vm.UAS, Serial: "CLOCK-1"})
	row := s.blocked("CLOCK-1")
	s.grant(row.ID, time.Now().Add(30*time.Minute))
	s.readable("the stick works")
	must(t, s.machine.Reboot(t.Context(), vm.Device{ID: "stick2", Kind: vm.UAS, Serial: "CLOCK-1"}))
	s.readable("the stick works after a reboot")

	s.console.stop(syscall.SIGKILL)
	// The console would tell the right time at once; without it the terminal must not believe its own clock.
	s.console.stop(syscall.SIGTERM)
	must(t, s.machine.PowerCut(t.Context()))
	must(t, s.machine.SetHardwareClock(time.Now().Add(-6*time.Hour)))
	must(t, s.machine.PowerOn(t.Context(), vm.Device{ID: "stick3", Kind: vm.UAS, Serial: "CLOCK-1"}))
	s.run("while [ $(systemctl show -P ActiveState sekisho-agent) = activating ]; do sleep 0.5; done; systemctl is-active sekisho-agent")
	s.settle()
	if disks := s.disks(); disks != "" {
		t.Errorf("the clock was set back, and %s is there", disks)
	}
	s.console.start()
	s.row("the clock was found moved", func(e store.Event) bool { return e.Record.Kind == "clock" && e.ID > row.ID })
	s.readable("the console told the time, the permission still runs")
}

// A week is faked by the clock; restarts, cables and power cuts are real. The console is away all the week:
// while the cable itself is out, nobody could tell the machine what to do.
func TestAWeekWithoutTheConsoleLosesNothingAndRepeatsNothing(t *testing.T) {
	s := enforced(t)
	s.console.stop(syscall.SIGKILL)
	begin := time.Now()
	for day := range 7 {
		must(t, s.machine.SetClock(t.Context(), begin.AddDate(0, 0, day)))
		must(t, s.machine.Cable(t.Context(), false))
		serial := fmt.Sprintf("WEEK-%d", day)
		s.plug(vm.Device{ID: serial, Kind: vm.UAS, Serial: serial})
		wait(t, 4*time.Second)
		must(t, s.machine.Cable(t.Context(), true))
		switch day {
		case 2, 5:
			must(t, s.machine.Restart(t.Context()))
		case 1, 4:
			s.unplug(serial)
			s.run("systemctl restart sekisho-agent")
		default:
			s.unplug(serial)
		}
	}
	must(t, s.machine.SetClock(t.Context(), time.Now()))
	s.console.start()
	s.row("the last day's stick", func(e store.Event) bool { return e.Record.Event != nil && e.Record.Event.Device.Serial == "WEEK-6" })
	s.inOrder()
}

// inOrder holds when every record is there once, without a hole, with a chain that follows.
func (s *scene) inOrder() {
	s.Helper()
	rows, err := s.db.Events(s.Context(), store.EventFilter{Limit: 500})
	must(s.T, err)
	next := map[string]uint64{}
	seen := map[string]int{}
	for i := len(rows) - 1; i >= 0; i-- {
		row := rows[i]
		next[row.Outbox]++
		if row.Seq != next[row.Outbox] || !row.ChainOK {
			s.Errorf("outbox %s: record %d comes where %d is due, chain %v", row.Outbox, row.Seq, next[row.Outbox], row.ChainOK)
		}
		if e := row.Record.Event; e != nil && e.What == policy.EventAttach && row.Record.Outcome == policy.OutcomeBlocked {
			seen[e.Device.Serial]++
		}
	}
	for day := range 7 {
		if serial := fmt.Sprintf("WEEK-%d", day); seen[serial] != 1 {
			s.Errorf("%s is told of %d times", serial, seen[serial])
		}
	}
}

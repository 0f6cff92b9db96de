//go:build lab && linux

package flows

import (
	"testing"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/scripts/vm"
)

func TestEveryWayInIsBlockedWhileKeyboardMouseAndCardReaderWork(t *testing.T) {
	s := enforced(t)
	s.withInput()
	s.plug(vm.Device{ID: "hub", Kind: vm.Hub, Port: "8"})
	for _, way := range []struct {
		name   string
		device vm.Device
		kind   policy.Kind
	}{
		{"a stick over bulk-only transport", vm.Device{Kind: vm.BOT, Serial: "WAY-BOT"}, policy.KindStorage},
		{"a stick over UAS", vm.Device{Kind: vm.UAS, Serial: "WAY-UAS"}, policy.KindStorage},
		{"a stick behind a hub", vm.Device{Kind: vm.BOT, Serial: "WAY-HUB", Port: "8.1"}, policy.KindStorage},
		{"a telephone", vm.Device{Kind: vm.MTP, Serial: "WAY-MTP"}, policy.KindPortable},
		{"an optical drive", vm.Device{Kind: vm.Optical, Serial: "WAY-CD"}, policy.KindStorage},
		{"a hot-plugged SCSI disk", vm.Device{Kind: vm.SCSI, Serial: "WAY-SCSI"}, policy.KindDisk},
		{"a hot-plugged NVMe disk", vm.Device{Kind: vm.NVMe, Serial: "WAY-NVME"}, policy.KindDisk},
	} {
		t.Run(way.name, func(t *testing.T) {
			s := s.in(t)
			d := way.device
			d.ID = "way-" + string(d.Kind)
			got := s.race(func() {
				s.plug(d)
				row := s.blockedKind(d, way.kind)
				t.Logf("row: %s, steps %d", brief(row), len(row.Record.Steps))
				s.settle()
			})
			t.Logf("racing reader: %d bytes, nodes %v", got.Bytes, got.Nodes)
			if internal := d.Kind == vm.SCSI || d.Kind == vm.NVMe; internal {
				// The kernel binds these before anybody is asked (docs/limits.md), and a dead node may remain.
				s.dead()
			} else if got.Bytes != 0 || len(got.Nodes) > 0 {
				t.Errorf("a racing reader got %d bytes from %v", got.Bytes, got.Nodes)
			}
			s.aliveInput()
			if d.Kind != vm.NVMe { // it is gone from its bus already
				s.unplug(d.ID)
			}
		})
	}
}

var buses = map[vm.Kind]string{vm.SCSI: policy.BusSCSI, vm.NVMe: policy.BusNVMe}

// blockedKind waits for the blocked row of this device. An NVMe disk may be stopped before it told its serial.
func (s *scene) blockedKind(d vm.Device, kind policy.Kind) store.Event {
	s.Helper()
	bus := buses[d.Kind]
	if bus == "" {
		bus = policy.BusUSB
	}
	return s.row(string(kind)+" "+d.Serial+" is blocked", func(e store.Event) bool {
		if e.Record.Event == nil || e.Record.Outcome != policy.OutcomeBlocked {
			return false
		}
		is := e.Record.Event.Device
		return is.Bus == bus && is.Has(kind) && (is.Serial == d.Serial || bus == policy.BusNVMe && is.Serial == "")
	})
}

// dead holds when no disk that is still there gives a byte.
func (s *scene) dead() {
	s.Helper()
	if out := s.run("for d in $(lsblk -dno NAME | grep -v ^vda); do dd if=/dev/$d of=/dev/null bs=4096 count=1 iflag=direct 2>/dev/null && echo $d; done; true"); out != "" {
		s.Errorf("these can be read: %s", out)
	}
}

// in gives the same scene to a subtest.
func (s *scene) in(t *testing.T) *scene {
	console := *s.console
	console.t = t
	return &scene{T: t, console: &console, machine: s.machine}
}

func TestAnSDCardInTheBuiltInReaderIsBlocked(t *testing.T) {
	s := office(t, vm.Options{Cold: true, SDSlot: true})
	s.undisturbed()
	s.arrive()
	s.enforce()
	s.unreadable("an SD card", func() {
		s.plug(vm.Device{ID: "card", Kind: vm.SDCard})
		s.row("a card is blocked", func(e store.Event) bool {
			return e.Record.Event != nil && e.Record.Event.Device.Has(policy.KindCard) && e.Record.Outcome == policy.OutcomeBlocked
		})
		s.settle()
	})
}

func TestAStickThatIsAlsoAKeyboardIsStoppedWholeWithAnAlarm(t *testing.T) {
	s := enforced(t)
	s.unreadable("a composite device", func() {
		must(t, s.machine.AddGadget(t.Context(), vm.Gadget{ID: "evil", VID: "0781", PID: "5583", Serial: "EVIL-1", Product: "Ultra Fit", Functions: []string{"mass_storage", "hid"}}))
		row := s.blocked("EVIL-1")
		if row.Record.Decision == nil || !row.Record.Decision.Alarm {
			t.Errorf("no alarm: %+v", row.Record.Decision)
		}
		s.settle()
	})
	if out := s.run("for i in /sys/bus/usb/devices/*:*; do grep -qs 0781 ${i%:*}/idVendor && cat $i/authorized; done | sort | uniq -c"); out == "" || containsOne(out) {
		t.Errorf("some part of the device is let in: %q", out)
	}
}

func containsOne(counts string) bool {
	for i := 0; i+1 < len(counts); i++ {
		if counts[i] == ' ' && counts[i+1] == '1' && i+2 == len(counts) {
			return true
		}
	}
	return false
}

func TestAuditModeBlocksNothingAndRecordsWhatWouldHaveBeen(t *testing.T) {
	s := newScene(t)
	s.plug(vm.Device{ID: "stick", Kind: vm.UAS, Serial: "AUDIT-1"})
	s.readable("the stick works in audit mode")
	s.outcome("AUDIT-1", policy.OutcomeAudit)
}

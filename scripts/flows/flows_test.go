//go:build lab && linux

package flows

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/scripts/vm"
)

// design.md, section 3.
func TestOneUSBInsertionFromTheKernelToTheAdministratorsPage(t *testing.T) {
	s := enforced(t)
	s.withInput()
	var row store.Event
	s.unreadable("a UAS stick", func() {
		s.plug(vm.Device{ID: "stick", Kind: vm.UAS, Serial: "UAS-4C53"})
		row = s.blocked("UAS-4C53")
	})
	d := row.Record.Decision
	if d == nil || d.Rule == "" || d.Clause == "" || d.Revision == 0 {
		t.Errorf("the decision does not explain itself: %+v", d)
	}
	if !row.ChainOK {
		t.Error("the record's chain does not follow")
	}
	s.aliveInput()
	eventually(t, 10*time.Second, "taro is told", func() error {
		told := s.run("cat /home/taro/notifications.log")
		for _, want := range []string{"情報係", "内線 1234", row.Record.Request} {
			if want == "" || !strings.Contains(told, want) {
				return fmt.Errorf("%q is not in %q", want, told)
			}
		}
		return nil
	})
}

// design.md, section 4.
func TestACarryOutPermissionFromTheClickToAWorkingStick(t *testing.T) {
	s := enforced(t)
	s.plug(vm.Device{ID: "stick", Kind: vm.UAS, Serial: "UAS-4C53"})
	row := s.blocked("UAS-4C53")

	helpdesk := s.signIn("1012", store.RoleHelpdesk)
	grant := helpdesk.permit(row.ID)
	s.readable("the stick that is already plugged in works without being plugged again")
	helpdesk.reads("使える状態です")
	s.outcome("UAS-4C53", policy.OutcomeAllowed)

	s.revoke(grant)
	eventually(t, 20*time.Second, "the stick is taken away after revoking", func() error { return empty(s.disks()) })
	s.unreadable("plugged again after revoking", func() {
		s.unplug("stick")
		s.plug(vm.Device{ID: "stick2", Kind: vm.UAS, Serial: "UAS-4C53"})
		s.settle()
	})
}

func TestAPermissionEndsOnTimeWithTheCablePulled(t *testing.T) {
	s := enforced(t)
	s.plug(vm.Device{ID: "stick", Kind: vm.BOT, Serial: "BOT-0815"})
	row := s.blocked("BOT-0815")
	until := time.Now().Truncate(time.Second).Add(25 * time.Second)
	s.grant(row.ID, until)
	s.readable("the stick works")
	// What the terminal sees while nobody reaches it, written down by itself.
	_, err := s.machine.Background(t.Context(), "while sleep 0.2; do [ -b /dev/sda ] && date +%s; done", "/var/tmp/seen")
	must(t, err)
	must(t, s.machine.Cable(t.Context(), false))
	wait(t, time.Until(until.Add(8*time.Second)))
	must(t, s.machine.Cable(t.Context(), true))
	var last int64
	fmt.Sscan(s.run("tail -n 1 /var/tmp/seen"), &last)
	if over := time.Unix(last, 0).Sub(until); over > 3*time.Second || over < -20*time.Second {
		t.Errorf("the disk was last seen %v after the permission's end", over)
	}
	if disks := s.disks(); disks != "" {
		t.Errorf("disks are there after the end: %s", disks)
	}
	s.row("the end of the permission", func(e store.Event) bool {
		return e.Record.Event != nil && e.Record.Event.Device.Serial == "BOT-0815" && e.Record.Outcome == policy.OutcomeBlocked && e.ID > row.ID
	})
}

func empty(s string) error {
	if s != "" {
		return fmt.Errorf("there are: %s", s)
	}
	return nil
}

// wait lets real time pass: the kernel in the machine knows no other.
func wait(t *testing.T, d time.Duration) {
	select {
	case <-t.Context().Done():
		t.Fatal("cut short")
	case <-time.After(d):
	}
}

// settle waits until the machine's kernel and udev have done what they do with a new device.
func (s *scene) settle() {
	s.Helper()
	s.run("sleep 2; udevadm settle --timeout=20")
}

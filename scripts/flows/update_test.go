//go:build lab && linux

package flows

import (
	"strings"
	"testing"
	"time"

	"sekisho/console/store"
	"sekisho/internal/wire"
	"sekisho/scripts/vm"
)

func TestAnUpdateIsInstalledAndABadOneIsRolledBack(t *testing.T) {
	f := newForge(t, "linux", "")
	image, err := vm.Build(t.Context(), t.Logf)
	must(t, err)
	s := &scene{T: t, console: newConsole(t, f.console)}
	s.on(image, vm.Options{})
	s.undisturbed()
	must(t, s.machine.Put(t.Context(), program("racer"), "/usr/local/bin/racer"))
	must(t, s.machine.Put(t.Context(), f.agent("1.0"), "/usr/bin/sekisho-agent"))
	s.run("sekisho-agent install " + s.invite())
	s.enforce()
	s.plug(vm.Device{ID: "stick", Kind: vm.UAS, Serial: "UPDATE-1"})
	s.blocked("UPDATE-1")
	identity := s.run("cd /var/lib/sekisho/identity && sha256sum *")

	s.carryIn(f.bundle("1.1", f.agent("1.1")))
	s.offer("1.1")
	s.unreadable("while the agent is replaced", func() {
		s.updated(7*time.Minute, "1.1", func(u wire.Update) bool { return u.State == wire.UpdateInstalled })
	})
	s.row("it was installed", func(e store.Event) bool { return e.Record.Code == wire.CodeUpdateInstalled })
	if got := s.run("sekisho-agent version; cd /var/lib/sekisho/identity && sha256sum *"); !strings.Contains(got, "sekisho-agent 1.1 ") || !strings.Contains(got, identity) {
		t.Errorf("after the update: %s", got)
	}

	s.carryIn(f.bundle("1.2", f.dying()))
	s.offer("1.2")
	u := s.updated(7*time.Minute, "1.1", func(u wire.Update) bool { return u.State == wire.UpdateRolledBack })
	if u.Version != "1.2" || u.Code != wire.ReasonCrashed {
		t.Errorf("it was rolled back like this: %+v", u)
	}
	s.row("it was rolled back", func(e store.Event) bool { return e.Record.Code == wire.CodeUpdateRolledBack && e.Violation })
	if disks := s.disks(); disks != "" {
		t.Errorf("after the way back disks are there: %s", disks)
	}

	s.carryIn(f.bundle("1.3", f.agent("1.3")))
	s.offer("1.3")
	s.updated(7*time.Minute, "1.1", func(u wire.Update) bool { return u.State == wire.UpdateInstalling })
	must(t, s.machine.PowerCut(t.Context()))
	must(t, s.machine.PowerOn(t.Context()))
	s.updated(12*time.Minute, "1.3", func(u wire.Update) bool { return u.State == wire.UpdateInstalled })

	s.noGap()
	left := s.run("ls -A /usr/bin | grep '^.*sekisho-agent' ; ls -A /var/lib/sekisho/update; systemctl is-active sekisho-agent; systemctl is-active sekisho-update || true")
	if left != "sekisho-agent\nresult.json\nactive\ninactive" {
		t.Errorf("left is %q", left)
	}
}

//go:build lab && linux

package flows

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sekisho/console/store"
	"sekisho/scripts/vm"
)

// tree lists what packages may change. Left out is what any package leaves (dpkg's own books, logs, caches, the initial
// RAM disks that it renews) and what a running machine writes by itself.
const tree = `find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/tmp -o -path /boot -o -path /root ` +
	`-o -path /home -o -path /var/lib/dpkg -o -path /var/log -o -path /var/cache -o -path /var/lib/systemd/random-seed -o -path /var/lib/systemd/timers ` +
	`-o -path /var/lib/initramfs-tools -o -path '/etc/*-' -o -path /etc/.pwd.lock -o -path /var/lib/systemd/timesync \) -prune -o -type f -printf '%p %M %u %g %s\n' -o -printf '%p %M %u %g %l\n' | LC_ALL=C sort`

// The boot is part of it because both wait for the initial RAM disk, which takes an emulated processor minutes.
func TestAPackageComesIsUpgradedAndGoesWithoutATrace(t *testing.T) {
	older, newer := packaged(t, "sekisho-agent", "1.0"), packaged(t, "sekisho-agent", "1.1")
	s := bare(t)
	s.console = newConsole(t, program("sekisho-console"))
	must(t, s.machine.Put(t.Context(), program("racer"), "/usr/local/bin/racer"))
	must(t, s.machine.Put(t.Context(), older, "/var/tmp/older.deb"))
	must(t, s.machine.Put(t.Context(), newer, "/var/tmp/newer.deb"))
	s.run(tree + " >/var/tmp/before")

	s.install("/var/tmp/older.deb")
	s.run("sekisho-agent install " + s.invite())
	s.run("test ! -e /etc/systemd/system/sekisho-agent.service && systemctl is-enabled sekisho-agent")
	s.enforce()
	t.Run("a stick that is in during the boot is blocked", func(t *testing.T) { s.in(t).bootsWithAStick() })
	s.plug(vm.Device{ID: "stick", Kind: vm.UAS, Serial: "PACKED-1"})
	s.blocked("PACKED-1")

	identity := s.run("cd /var/lib/sekisho/identity && sha256sum *")
	pid := s.run("systemctl show -P MainPID sekisho-agent")
	s.unreadable("while the package is upgraded with the stick in", func() { s.install("/var/tmp/newer.deb") })
	if now := s.run("systemctl show -P MainPID sekisho-agent"); now == pid || now == "0" {
		t.Errorf("the agent was process %s and is %s after the upgrade", pid, now)
	}
	if now := s.run("cd /var/lib/sekisho/identity && sha256sum *"); now != identity {
		t.Errorf("the identity changed:\n%s\n%s", identity, now)
	}
	s.terminal("the new version, gate shut", func(t store.Terminal) bool { return t.Status.Agent == "1.1" && t.Status.Gate == "shut" })
	s.unreadable("plugged again after the upgrade", func() {
		s.unplug("stick")
		s.plug(vm.Device{ID: "second", Kind: vm.UAS, Serial: "PACKED-2"})
		s.blocked("PACKED-2")
	})
	s.noGap()

	s.patiently("dpkg -r sekisho-agent 2>&1") // it waits for the initial RAM disk
	s.readable("the stick works after the removal, without being plugged again")
	s.run("test -e /var/lib/sekisho/identity && test -e /etc/sekisho/agent.yaml && test ! -e /etc/udev/rules.d/51-sekisho-gate.rules")
	s.unplug("second")
	s.plug(vm.Device{ID: "third", Kind: vm.BOT, Serial: "PACKED-3"})
	s.readable("another stick works after the removal")
	s.unplug("third")

	s.run("dpkg -P sekisho-agent")
	if left := s.run(tree + " >/var/tmp/after; diff /var/tmp/before /var/tmp/after || true"); left != "" {
		t.Errorf("purging leaves a trace:\n%s", left)
	}
}

// bootsWithAStick: nothing is attached even before the system disk is mounted. What lies in /tmp does not live through it.
func (s *scene) bootsWithAStick() {
	s.Helper()
	s.renewed()
	must(s.T, s.machine.Reboot(s.T.Context(), vm.Device{ID: "boot", Kind: vm.UAS, Serial: "BOOT-1"}))
	s.blocked("BOOT-1")
	if disks := s.disks(); disks != "" {
		s.Errorf("disks are there: %s", disks)
	}
	if out := s.run("journalctl -b -k -o cat | grep -c 'Attached SCSI disk' || true"); out != "0" {
		s.Errorf("the kernel attached %s disks while it booted", out)
	}
	s.unplug("boot")
}

func TestTheConsolesPackageRunsInItsSandboxAndGoesWithoutATrace(t *testing.T) {
	deb := packaged(t, "sekisho-console", "1.0")
	s := bare(t)
	must(t, s.machine.Put(t.Context(), deb, "/tmp/console.deb"))
	s.run(tree + " >/tmp/before")
	for range 2 { // the second is an upgrade
		s.install("/tmp/console.deb")
		eventually(t, time.Minute, "the console listens", func() error {
			_, err := s.machine.Run(t.Context(), "systemctl is-active -q sekisho-console && bash -c 'exec 3<>/dev/tcp/127.0.0.1/8443 4<>/dev/tcp/127.0.0.1/8444'")
			return err
		})
	}
	got := s.run(`cd /var/lib/sekisho-console; ps -o user= -C sekisho-console; stat -c '%a %U %n' . ca.key; readlink console.yaml
runuser -u sekisho-console -- sekisho-console token; openssl x509 -in server.crt -noout -ext subjectAltName; journalctl -u sekisho-console -o cat --no-pager`)
	for _, want := range []string{"700 sekisho-console .", "600 sekisho-console ca.key", "/etc/sekisho/console.yaml", "--fingerprint", "IP Address:10.0.2.15", "console is running"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in:\n%s", want, got)
		}
	}
	s.run("dpkg -r sekisho-console && test -e /var/lib/sekisho-console/console.db && dpkg -P sekisho-console")
	if left := s.run(tree + " >/tmp/after; diff /tmp/before /tmp/after || true"); left != "" {
		t.Errorf("purging leaves a trace:\n%s", left)
	}
}

// bare is a terminal without anything of ours.
func bare(t *testing.T) *scene {
	image, err := vm.Build(t.Context(), t.Logf)
	must(t, err)
	s := &scene{T: t}
	s.on(image, vm.Options{})
	return s
}

// install takes what dpkg says into the log when it fails.
func (s *scene) install(deb string) {
	s.Helper()
	s.run("DEBIAN_FRONTEND=noninteractive dpkg -i " + deb + " </dev/null 2>&1")
}

// patiently runs what takes minutes where the processor is emulated.
func (s *scene) patiently(command string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.T.Context(), 12*time.Minute)
	defer cancel()
	out, err := s.machine.Run(ctx, command)
	if err != nil {
		s.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// packaged gives a program's deb in this version. One call of scripts/package makes those of both programs.
func packaged(t *testing.T, name, version string) string {
	dir := filepath.Join(os.Getenv("SEKISHO_LAB_BIN"), "packages-"+version)
	if _, err := os.Stat(filepath.Join(dir, "SHA256SUMS")); err != nil { // written last
		build := exec.Command("../package", "--only", "deb", version)
		build.Env = append(os.Environ(), "SEKISHO_DIST="+dir)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("cannot package: %v\n%s", err, out)
		}
	}
	found, err := filepath.Glob(filepath.Join(dir, name+"_*.deb"))
	must(t, err)
	if len(found) != 1 {
		t.Fatalf("the packages of %s are %q", name, found)
	}
	return found[0]
}

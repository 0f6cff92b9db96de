//go:build lab && linux

package flows

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/scripts/vm"
)

// TestMain builds the programs once; the tests find them by SEKISHO_LAB_BIN.
func TestMain(m *testing.M) {
	os.Exit(withPrograms(m))
}

func withPrograms(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sekisho-flows-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	for name, source := range map[string]string{"sekisho-agent": "sekisho/agent", "sekisho-console": "sekisho/console", "racer": "sekisho/scripts/flows/racer"} {
		build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, name), source)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "cannot build %s: %v\n%s", name, err, out)
			return 1
		}
	}
	os.Setenv("SEKISHO_LAB_BIN", dir)
	return m.Run()
}

func program(name string) string { return filepath.Join(os.Getenv("SEKISHO_LAB_BIN"), name) }

// scene is one office: a console and one terminal that reports to it.
type scene struct {
	*testing.T
	*console
	machine *vm.Machine
}

// office starts both; the agent is not installed yet.
func office(t *testing.T, o vm.Options) *scene {
	image, err := vm.Build(t.Context(), t.Logf)
	must(t, err)
	s := &scene{T: t, console: newConsole(t, program("sekisho-console"))}
	s.on(image, o)
	return s
}

// on starts the terminal.
func (s *scene) on(image *vm.Image, o vm.Options) {
	s.Helper()
	var err error
	s.machine, err = image.Start(s.T.Context(), o)
	must(s.T, err)
	s.Cleanup(func() {
		s.lastWords()
		s.machine.Close()
	})
}

// arrive installs the agent as a person would.
func (s *scene) arrive() {
	s.Helper()
	must(s.T, s.machine.Put(s.T.Context(), program("racer"), "/usr/local/bin/racer"))
	must(s.T, s.machine.Put(s.T.Context(), program("sekisho-agent"), "/usr/bin/sekisho-agent"))
	s.run("sekisho-agent install " + s.invite())
	s.terminal("first contact", func(store.Terminal) bool { return true })
}

// newScene is an office with the agent installed.
func newScene(t *testing.T) *scene { return standing(t, policy.ModeAudit) }

// enforced is a scene with the gate shut.
func enforced(t *testing.T) *scene { return standing(t, policy.ModeEnforce) }

// undisturbed keeps the initial RAM disk from being renewed: that takes an emulated processor minutes in which it does
// nothing else, and only a test of the boot itself needs it.
func (s *scene) undisturbed() {
	s.Helper()
	s.run(`d=/etc/systemd/system/sekisho-initramfs.service.d; mkdir -p $d; printf '[Unit]\nConditionPathExists=/nonexistent\n' >$d/lab.conf`)
}

func (s *scene) enforce() {
	s.Helper()
	s.publish(policy.ModeEnforce)
	s.terminal("gate shut", func(t store.Terminal) bool {
		return t.Applied == t.Revision && t.Status.Mode == string(policy.ModeEnforce) && t.Status.Gate == "shut"
	})
}

// run runs a command in the terminal; it must succeed.
func (s *scene) run(command string) string {
	s.Helper()
	out, err := s.machine.Run(s.T.Context(), command)
	must(s.T, err)
	return strings.TrimSpace(out)
}

func (s *scene) plug(d vm.Device) {
	s.Helper()
	must(s.T, s.machine.Plug(s.T.Context(), d))
}

func (s *scene) unplug(id string) {
	s.Helper()
	must(s.T, s.machine.Unplug(s.T.Context(), id))
}

// lastWords shows what the agent said when a test failed.
func (s *scene) lastWords() {
	if !s.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) // the test's own is over
	defer cancel()
	out, err := s.machine.Run(ctx, "journalctl -u sekisho-agent -u sekisho-initramfs -n 60 --no-pager -o short-monotonic; lsblk; lsusb -t")
	s.Logf("the terminal says (%v):\n%s", err, out)
}

// race reads from every disk that appears while act goes on, and tells what it got.
func (s *scene) race(act func()) (got struct {
	Nodes []string
	Opens int
	Bytes int64
	Loops int
}) {
	s.Helper()
	pid, err := s.machine.Background(s.T.Context(), "exec racer", "/tmp/race.json")
	must(s.T, err)
	act()
	out := s.run("kill -TERM " + pid + "; while kill -0 " + pid + " 2>/dev/null; do sleep 0.05; done; cat /tmp/race.json")
	must(s.T, json.Unmarshal([]byte(out), &got))
	if got.Loops == 0 {
		s.Fatal("the racer did not run")
	}
	return got
}

// unreadable holds when nothing could be read while act went on and no disk is left.
func (s *scene) unreadable(about string, act func()) {
	s.Helper()
	got := s.race(act)
	if got.Bytes != 0 {
		s.Errorf("%s: a racing reader got %d bytes from %v", about, got.Bytes, got.Nodes)
	}
	if disks := s.disks(); disks != "" {
		s.Errorf("%s: disks are there: %s", about, disks)
	}
}

// disks are the block devices besides the system's own.
func (s *scene) disks() string {
	return s.run("lsblk -dno NAME | grep -v -e '^vda' -e '^loop' || true")
}

// readable holds when the secret can be read from the medium of the node that appears.
func (s *scene) readable(about string) {
	s.Helper()
	eventually(s.T, 20*time.Second, about, func() error {
		out, err := s.machine.Run(s.T.Context(), "for d in /dev/sd[a-h] /dev/sr0 /dev/mmcblk0; do [ -b $d ] && mount -o ro $d /mnt && head -c 4096 /mnt/SECRET.TXT && umount /mnt && exit 0; done; exit 1")
		if err == nil && !strings.Contains(out, vm.Secret) {
			return fmt.Errorf("the medium holds %q", out)
		}
		return err
	})
}

// blocked waits for the console's row about the device with this serial, blocked and verified.
func (s *scene) blocked(serial string) store.Event {
	s.Helper()
	return s.outcome(serial, policy.OutcomeBlocked)
}

func (s *scene) outcome(serial string, want policy.Outcome) store.Event {
	s.Helper()
	return s.row(serial+" is "+string(want), func(e store.Event) bool {
		return e.Record.Event != nil && e.Record.Event.Device.Serial == serial && e.Record.Outcome == want
	})
}

// aliveInput holds when keyboard, mouse and card reader that were plugged by withInput work. The time counts from when udev in
// the machine is through with them. The quick question comes last: on a busy machine pcscd alone takes longer to start than
// that time, and the keyboards would be judged by what was there before the kernel had seen them.
func (s *scene) aliveInput() {
	s.Helper()
	s.run("udevadm settle --timeout=90")
	eventually(s.T, 15*time.Second, "keyboard, mouse and card reader work", func() error {
		out, err := s.machine.Run(s.T.Context(), "lab-readers; grep -c 'QEMU USB \\(Keyboard\\|Mouse\\)' /proc/bus/input/devices")
		if err != nil {
			return err
		}
		if !strings.HasSuffix(out, "\n2\n") || !strings.Contains(out, "Gemalto") {
			return fmt.Errorf("there are: %q", out)
		}
		return nil
	})
}

func (s *scene) withInput() {
	s.Helper()
	s.plug(vm.Device{ID: "kbd", Kind: vm.Keyboard})
	s.plug(vm.Device{ID: "mouse", Kind: vm.Mouse})
	s.plug(vm.Device{ID: "ccid", Kind: vm.Reader})
	s.aliveInput()
}

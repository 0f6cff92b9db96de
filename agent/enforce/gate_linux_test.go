package enforce

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sekisho/internal/osexec"
)

const rulesOnDisk = rulesDir + "/" + rulesFile

func shut(t *testing.T, g *Gate) {
	t.Helper()
	if err := g.Shut(context.Background()); err != nil || g.State() != "shut" {
		t.Fatalf("shut: %v, state %q", err, g.State())
	}
}

func open(t *testing.T, g *Gate) {
	t.Helper()
	if err := g.Open(context.Background()); err != nil || g.State() != "open" {
		t.Fatalf("open: %v, state %q", err, g.State())
	}
}

func TestShutHoldsEveryRootHubAndCardsAndOpenPutsBackWhatWas(t *testing.T) {
	k := newKernel(t)
	k.hub("usb2")
	g := k.gate()
	if s := g.State(); s != "open" {
		t.Fatalf("a new machine is %q", s)
	}
	shut(t, g)
	for _, hub := range []string{"usb1", "usb2"} {
		if v := k.read("sys/bus/usb/devices/" + hub + "/interface_authorized_default"); v != "0" {
			t.Errorf("%s starts interfaces with %s", hub, v)
		}
	}
	if k.read("sys/bus/mmc/drivers_autoprobe") != "0" || !k.has(rulesOnDisk) {
		t.Error("cards or rules are open")
	}
	k.wrote, k.ran = nil, nil
	shut(t, g)
	if len(k.wrote)+len(k.ran) != 0 {
		t.Errorf("shutting again did %q %q", k.wrote, k.ran)
	}
	open(t, g)
	if k.read("sys/bus/usb/devices/usb2/interface_authorized_default") != "1" || k.read("sys/bus/mmc/drivers_autoprobe") != "1" || k.has(rulesOnDisk) {
		t.Error("something is left shut")
	}
	k.wrote, k.ran = nil, nil
	open(t, g)
	if len(k.wrote)+len(k.ran) != 0 {
		t.Errorf("opening again did %q %q", k.wrote, k.ran)
	}
}

func TestOpenLetsGoWhatTheGateAndTheHandHeld(t *testing.T) {
	k := newKernel(t)
	k.usb("1-1", "0", "08", "03")
	k.device("mmc", "mmc0:0001", "sys/devices/mmc0/mmc0:0001", map[string]string{"type": "SD"})
	k.device("scsi", "2:0:0:0", "sys/devices/ata2/target2:0:0/2:0:0:0", map[string]string{"state": "offline"})
	k.device("scsi", "3:0:0:0", "sys/devices/ata3/target3:0:0/3:0:0:0", map[string]string{"state": "offline"})
	k.bind("scsi", "3:0:0:0") // the kernel's own fault handling, not ours
	k.device("pci", "0000:01:00.0", "sys/devices/pci0/0000:01:00.0", map[string]string{"class": "0x010802", "driver_override": "(null)"})
	k.device("pci", "0000:03:00.0", "sys/devices/pci0/0000:03:00.0", map[string]string{"class": "0x010802", "driver_override": "vfio-pci"})
	g := k.gate()
	shut(t, g)
	open(t, g)
	for bus, names := range map[string][]string{"usb": {"1-1:1.0", "1-1:1.1"}, "mmc": {"mmc0:0001"}, "scsi": {"2:0:0:0"}, "pci": {"0000:01:00.0"}} {
		for _, name := range names {
			if !k.has(k.where(bus, name) + "/driver") {
				t.Errorf("%s is still held", name)
			}
		}
	}
	if k.has(k.where("pci", "0000:03:00.0")+"/driver") || k.did("running > 3:0:0:0/state") {
		t.Error("touched what others hold")
	}
}

func TestARootHubThatComesLaterAndWasMissedShowsAndHeals(t *testing.T) {
	k := newKernel(t)
	g := k.gate()
	shut(t, g)
	k.hub("usb7")
	if s := g.State(); !strings.HasPrefix(s, "failed: usb7/interface_authorized_default") {
		t.Errorf("state %q", s)
	}
	shut(t, g)
}

func TestARootHubThatGoesMidwayIsNoError(t *testing.T) {
	k := newKernel(t)
	k.hub("usb2")
	k.before = func(short string) {
		if short == "usb2/interface_authorized_default" {
			k.unplug("usb", "usb2")
		}
	}
	shut(t, k.gate())
}

func TestRulesThatSomebodyChangedShowAndHeal(t *testing.T) {
	k := newKernel(t)
	g := k.gate()
	shut(t, g)
	k.file(rulesOnDisk, "# nothing\n")
	if s := g.State(); s != "failed: udev rules were changed" {
		t.Errorf("state %q", s)
	}
	shut(t, g)
}

func TestAKernelThatRefusesIsSaidAndEverythingElseIsStillDone(t *testing.T) {
	k := newKernel(t)
	k.hub("usb2")
	k.fails["usb1/interface_authorized_default"] = syscall.EIO
	g := k.gate()
	if err := g.Shut(context.Background()); !errors.Is(err, syscall.EIO) {
		t.Errorf("said %v", err)
	}
	if k.read("sys/bus/usb/devices/usb2/interface_authorized_default") != "0" || !k.has(rulesOnDisk) {
		t.Error("gave up half-way")
	}
	if s := g.State(); !strings.HasPrefix(s, "failed: usb1/") {
		t.Errorf("state %q", s)
	}
}

func TestAMachineIsNeverLockedOutOfItsOwnDisk(t *testing.T) {
	k := newKernel(t)
	if r := k.gate().rules(); !strings.Contains(r, cardRules) || !strings.HasPrefix(r, earlyLine) {
		t.Error("an ordinary machine lacks part of the gate")
	}
	k.device("mmc", "mmc0:0001", "sys/devices/mmc0/mmc0:0001", map[string]string{"type": "MMC"})
	if r := k.gate().rules(); strings.Contains(r, cardRules) {
		t.Error("soldered-in memory would not start")
	}
	k.blocks["1-1:1.0"] = []string{"sdb"}
	k.usb("1-1", "1", "08")
	k.file("proc/1/mountinfo", "24 1 8:0 / / rw - ext4 /dev/sdb rw\n")
	if r := k.gate().rules(); strings.Contains(r, earlyLine) || !strings.HasPrefix(r, lateLines) {
		t.Error("a machine that boots from USB would not start")
	}
}

func TestACrashBetweenStepsHealsOnTheNextCall(t *testing.T) {
	k := newKernel(t)
	g := k.gate()
	works := g.run
	g.run = func(context.Context, osexec.Program, time.Duration, ...string) error { return errors.New("no udev") }
	if g.Shut(context.Background()) == nil {
		t.Error("a udev that does not answer was not told")
	}
	g.run = works
	shut(t, g)
	if err := g.Open(context.Background()); err != nil {
		t.Fatal(err)
	}
	k.file("sys/devices/pci0/usb1/interface_authorized_default", "0\n") // killed half-way
	open(t, k.gate())
}

func TestTheInitramfsIsRenewedOnceForEveryChange(t *testing.T) {
	k := newKernel(t)
	g := k.gate()
	settle := func(want int) {
		t.Helper()
		k.ran = nil
		if err := g.Settle(context.Background()); err != nil {
			t.Fatal(err)
		}
		started := slices.DeleteFunc(k.ran, func(s string) bool { return s != "systemctl start "+unitInitramfs })
		if len(started) != want {
			t.Errorf("renewed %d times, want %d", len(started), want)
		}
	}
	early := func(want string) {
		t.Helper()
		if have := g.Early(); have != want {
			t.Errorf("before the system disk is mounted the gate is %q, want %q", have, want)
		}
	}
	settle(0)
	early(EarlyNone)
	shut(t, g)
	early(EarlyStale)
	settle(1)
	early(EarlyHeld)
	settle(0)
	shut(t, g)
	settle(0)
	open(t, g)
	settle(1)
	early(EarlyNone)
}

func TestARenewalThatIsUnderWayIsFollowedByOneOfTheNewRules(t *testing.T) {
	k := newKernel(t)
	g := k.gate()
	shut(t, g)
	g.busy, k.ran = func(context.Context, string) bool { return true }, nil
	if err := g.Settle(context.Background()); err != nil || len(k.ran) != 2 {
		t.Errorf("%v, ran %q; want the old run waited for and a new one", err, k.ran)
	}
}

func TestAnInitramfsThatCannotBeRenewedStaysDue(t *testing.T) {
	k := newKernel(t)
	g := k.gate()
	shut(t, g)
	works := g.run
	g.run = func(context.Context, osexec.Program, time.Duration, ...string) error { return errors.New("disk full") }
	if g.Settle(context.Background()) == nil {
		t.Error("a failure was not told")
	}
	g.run, k.ran = works, nil
	if err := g.Settle(context.Background()); err != nil || len(k.ran) != 1 {
		t.Errorf("%v, ran %q", err, k.ran)
	}
	shut(t, g)
	g.hasIt = func(osexec.Program) bool { return false }
	open(t, g)
	if g.Settle(context.Background()) == nil {
		t.Error("a system without initramfs tool was not told")
	}
}

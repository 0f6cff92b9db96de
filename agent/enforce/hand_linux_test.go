package enforce

import (
	"context"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sekisho/internal/policy"
)

func TestABlockedStickLosesItsDriverAndItsDiskAndAGrantGivesThemBack(t *testing.T) {
	k := newKernel(t)
	k.blocks["1-1:1.0"] = []string{"sdb", "sdb1"}
	k.usb("1-1", "1", "08")
	h, _ := k.hand()
	steps := want(t, h, dev("usb", "1-1"), block, policy.OutcomeBlocked)
	if k.has("dev/sdb") || !strings.Contains(steps, "verified 1 interfaces unauthorised without driver, no block device") {
		t.Errorf("not verified:\n%s", steps)
	}
	k.wrote = nil
	want(t, h, dev("usb", "1-1"), block, policy.OutcomeBlocked)
	if len(k.wrote) != 0 {
		t.Errorf("blocking again wrote %q", k.wrote)
	}
	want(t, h, dev("usb", "1-1"), allow, policy.OutcomeAllowed)
	if !k.has("dev/sdb") {
		t.Error("no disk after the grant")
	}
	k.wrote = nil
	want(t, h, dev("usb", "1-1"), allow, policy.OutcomeAllowed)
	if len(k.wrote) != 0 {
		t.Errorf("allowing again wrote %q", k.wrote)
	}
}

func TestAllInterfacesAreAuthorisedBeforeAnyIsProbed(t *testing.T) {
	k := newKernel(t)
	k.usb("1-1", "0", "02", "0a")
	h, _ := k.hand()
	want(t, h, dev("usb", "1-1"), allow, policy.OutcomeAllowed)
	order := []string{"1 > 1-1:1.0/authorized", "1 > 1-1:1.1/authorized", "1-1:1.0 > usb/drivers_probe", "1-1:1.1 > usb/drivers_probe"}
	if !slices.Equal(k.wrote, order) {
		t.Errorf("wrote %q", k.wrote)
	}
}

func TestAStickThatIsAlsoAKeyboardIsStoppedInAllItsParts(t *testing.T) {
	k := newKernel(t)
	k.usb("1-1", "1", "08", "03")
	h, _ := k.hand()
	want(t, h, dev("usb", "1-1"), block, policy.OutcomeBlocked)
	if k.read(k.where("usb", "1-1:1.1")+"/authorized") != "0" {
		t.Error("its keyboard still types")
	}
}

func TestNoDecisionTakesAwayAKeyboardAHubOrACardReader(t *testing.T) {
	for _, class := range []string{"03", "09", "0b"} {
		k := newKernel(t)
		k.usb("1-1", "1", class)
		h, _ := k.hand()
		want(t, h, dev("usb", "1-1"), block, policy.OutcomeBlockFailed)
		if len(k.wrote) != 0 {
			t.Errorf("class %s: wrote %q", class, k.wrote)
		}
	}
}

func TestAKeyboardThatTellsOfStorageInAnotherSettingIsNotSpared(t *testing.T) {
	k := newKernel(t)
	k.usb("1-1", "1", "03")
	h, _ := k.hand()
	d := dev("usb", "1-1")
	d.Interfaces = []policy.Interface{{Class: 3}, {Class: 8, Subclass: 6, Protocol: 0x50}}
	want(t, h, d, block, policy.OutcomeBlocked)
}

func TestTheDiskTheMachineLivesOnIsNeverTaken(t *testing.T) {
	for _, line := range []string{
		"24 1 8:0 / / rw - ext4 /dev/sdb rw\n",
		"24 1 0:31 /@ / rw - btrfs /dev/sdb rw\n",
		"24 1 8:0 / /boot/efi rw - vfat /dev/sdb rw\n",
	} {
		k := newKernel(t)
		k.blocks["1-1:1.0"] = []string{"sdb"}
		k.usb("1-1", "1", "08")
		k.file("proc/1/mountinfo", line)
		h, m := k.hand()
		want(t, h, dev("usb", "1-1"), block, policy.OutcomeBlockFailed)
		if len(k.wrote)+len(m.log) != 0 {
			t.Errorf("%q: did %q %q", line, k.wrote, m.log)
		}
	}
}

func TestSwapAndSystemDisksAreNeverTaken(t *testing.T) {
	k := newKernel(t)
	k.blocks["1-1:1.0"] = []string{"sdb"}
	k.usb("1-1", "1", "08")
	k.file("proc/swaps", "Filename Type Size Used Priority\n/dev/sdb partition 1 0 -2\n")
	h, _ := k.hand()
	want(t, h, dev("usb", "1-1"), block, policy.OutcomeBlockFailed)
	d := dev("usb", "1-1")
	d.Kinds = []policy.Kind{policy.KindSystem}
	k.file("proc/swaps", "")
	want(t, h, d, block, policy.OutcomeBlockFailed)
	if len(k.wrote) != 0 {
		t.Errorf("wrote %q", k.wrote)
	}
}

func TestAMountedStickIsSyncedAndUnmountedBeforeItGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKernel(t)
		k.blocks["1-1:1.0"] = []string{"sdb"}
		k.usb("1-1", "1", "08")
		k.file("sys/devices/virtual/block/dm-0/dm/name", "luks-usb\n")
		k.link("sys/class/block/dm-0", "sys/devices/virtual/block/dm-0")
		k.dir(k.where("usb", "1-1:1.0") + "/block/sdb/holders/dm-0")
		k.file("proc/1/mountinfo", "24 1 259:2 / / rw - ext4 /dev/nvme9n1p2 rw\n"+
			`30 24 8:0 / /media/a\040b rw shared:1 - vfat /dev/sdb rw`+"\n"+
			"31 24 254:0 / /media/upper rw - ext4 /dev/mapper/luks-usb rw\n")
		h, m := k.hand()
		m.busy["/media/upper"] = true
		k.before = func(string) { m.log = append(m.log, "write") }
		steps := want(t, h, dev("usb", "1-1"), block, policy.OutcomeBlocked)
		order := []string{"sync /media/upper", "detach /media/upper", "sync /media/a b", "unmount /media/a b", "write"}
		if !slices.Equal(m.log, order) {
			t.Errorf("did %q", m.log)
		}
		if !strings.Contains(steps, "upper device remains without its disk: dm-0") {
			t.Errorf("does not tell what remains:\n%s", steps)
		}
	})
}

func TestAnythingLeftOpenIsABlockThatFailed(t *testing.T) {
	cases := map[string]func(k *kernel){
		"1-1:1.0 is still authorised": func(k *kernel) { k.fails["1-1:1.0/authorized"] = syscall.EIO },
		"input/output error":          func(k *kernel) { k.fails["1-1:1.0/authorized"] = syscall.EIO },
		"device or resource busy":     func(k *kernel) { k.fails["1-1:1.0/authorized"] = syscall.EBUSY },
		"is still":                    func(k *kernel) { k.deaf["1-1:1.0/authorized"] = true },
		"still has driver": func(k *kernel) {
			k.file(k.where("usb", "1-1:1.0")+"/authorized", "0\n")
			k.deaf["1-1:1.0/authorized"] = true
		},
		"/dev/sdb is still there": func(k *kernel) { k.before = func(string) { delete(k.blocks, "1-1:1.0"); k.unlist("sdb") } },
	}
	for reason, breakIt := range cases {
		t.Run(reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKernel(t)
				k.blocks["1-1:1.0"] = []string{"sdb"}
				k.usb("1-1", "1", "08")
				k.deaf["1-1/authorized"] = true
				breakIt(k)
				h, _ := k.hand()
				steps := want(t, h, dev("usb", "1-1"), block, policy.OutcomeBlockFailed)
				if !strings.Contains(steps, reason) || !strings.Contains(steps, "failed cannot block") {
					t.Errorf("does not say %q:\n%s", reason, steps)
				}
			})
		})
	}
}

func TestAnInterfaceThatWillNotGoTakesTheWholeDeviceWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKernel(t)
		k.usb("1-1", "1", "08")
		k.fails["1-1:1.0/authorized"] = syscall.EIO
		k.before = func(short string) {
			if short == "1-1/authorized" { // the kernel then drops the configuration
				k.dropInterface("1-1:1.0")
			}
		}
		h, _ := k.hand()
		want(t, h, dev("usb", "1-1"), block, policy.OutcomeBlocked)
	})
}

func TestADevicePulledInTheMiddleIsGoneAndNoAlarm(t *testing.T) {
	for _, what := range []policy.Decision{block, allow} {
		k := newKernel(t)
		k.blocks["1-1:1.0"] = []string{"sdb"}
		k.usb("1-1", map[policy.Action]string{policy.ActionBlock: "1", policy.ActionAllow: "0"}[what.Action], "08", "03")
		k.before = func(string) { k.unplug("usb", "1-1"); k.before = nil }
		h, _ := k.hand()
		steps := want(t, h, dev("usb", "1-1"), what, policy.OutcomeRemoved)
		if strings.Contains(steps, "failed") {
			t.Errorf("alarmed:\n%s", steps)
		}
		want(t, h, dev("usb", "1-1"), what, policy.OutcomeRemoved)
	}
}

func TestStorageWithoutADriverIsAnAllowThatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKernel(t)
		k.usb("1-1", "0", "08")
		k.fails["usb/drivers_probe"] = syscall.EINVAL
		h, _ := k.hand()
		steps := want(t, h, dev("usb", "1-1"), allow, policy.OutcomeAllowFailed)
		if !strings.Contains(steps, "1-1:1.0 found no driver") {
			t.Errorf("does not say why:\n%s", steps)
		}
	})
}

func TestAKernelThatDoesNotAnswerHoldsNobodyLongerThanAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKernel(t)
		k.usb("1-1", "1", "08")
		stuck := make(chan struct{})
		k.before = func(string) { <-stuck }
		h, _ := k.hand()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		begin := time.Now()
		r := h.Apply(ctx, dev("usb", "1-1"), block)
		if r.Outcome != policy.OutcomeBlockFailed || time.Since(begin) > 3*time.Second {
			t.Errorf("%s after %s", r.Outcome, time.Since(begin))
		}
		close(stuck)
	})
}

func TestOtherBusesAreHeldAndLetGoByTheirOwnSwitch(t *testing.T) {
	k := newKernel(t)
	k.blocks["mmc0:0001"] = []string{"mmcblk0"}
	k.device("mmc", "mmc0:0001", "sys/devices/mmc0/mmc0:0001", map[string]string{"type": "SD"})
	k.bind("mmc", "mmc0:0001")
	k.blocks["2:0:0:0"] = []string{"sdc"}
	k.device("scsi", "2:0:0:0", "sys/devices/ata2/target2:0:0/2:0:0:0", map[string]string{"state": "running"})
	k.bind("scsi", "2:0:0:0")
	k.blocks["0000:01:00.0"] = []string{"nvme0n1"}
	k.device("pci", "0000:01:00.0", "sys/devices/pci0/0000:01:00.0", map[string]string{"class": "0x010802"})
	k.bind("pci", "0000:01:00.0")
	k.link("sys/class/nvme/nvme0/device", "sys/devices/pci0/0000:01:00.0")
	k.device("thunderbolt", "0-1", "sys/devices/domain0/0-1", map[string]string{"authorized": "2"})
	h, _ := k.hand()
	for _, d := range []policy.Device{dev("mmc", "mmc0:0001"), dev("scsi", "2:0:0:0"), dev("nvme", "nvme0"), dev("thunderbolt", "0-1")} {
		want(t, h, d, block, policy.OutcomeBlocked)
		want(t, h, d, block, policy.OutcomeBlocked)
	}
	for _, node := range []string{"mmcblk0", "sdc", "nvme0n1"} {
		if k.has("dev/" + node) {
			t.Errorf("%s is still there", node)
		}
	}
	for _, d := range []policy.Device{dev("mmc", "mmc0:0001"), dev("scsi", "2:0:0:0"), dev("nvme", "0000:01:00.0"), dev("thunderbolt", "0-1")} {
		want(t, h, d, allow, policy.OutcomeAllowed)
	}
	if !k.did("offline > 2:0:0:0/state") || !k.did("running > 2:0:0:0/state") || k.read("sys/devices/domain0/0-1/authorized") != "1" {
		t.Errorf("wrote %q", k.wrote)
	}
}

func TestOnlyDisksAreUnboundFromPCI(t *testing.T) {
	k := newKernel(t)
	k.device("pci", "0000:02:00.0", "sys/devices/pci0/0000:02:00.0", map[string]string{"class": "0x030000"})
	h, _ := k.hand()
	want(t, h, dev("nvme", "0000:02:00.0"), block, policy.OutcomeBlockFailed)
}

func TestNamesThatAreNoNamesReachNoFile(t *testing.T) {
	k := newKernel(t)
	h, _ := k.hand()
	for _, id := range []string{"", ".", "..", "../../etc", "a/b", "1-1\n", strings.Repeat("9", 200)} {
		for _, bus := range []string{"usb", "mmc", "scsi", "nvme", "thunderbolt", "isa"} {
			want(t, h, dev(bus, id), block, policy.OutcomeBlockFailed)
		}
	}
	if len(k.wrote) != 0 {
		t.Errorf("wrote %q", k.wrote)
	}
}

func TestInAuditAndWarnNothingIsTouched(t *testing.T) {
	k := newKernel(t)
	k.usb("1-1", "1", "08")
	h, _ := k.hand()
	for _, c := range []struct {
		mode   policy.Mode
		action policy.Action
		out    policy.Outcome
	}{
		{policy.ModeAudit, policy.ActionBlock, policy.OutcomeAudit},
		{policy.ModeWarn, policy.ActionBlock, policy.OutcomeDetected},
		{policy.ModeAudit, policy.ActionReport, policy.OutcomeDetected},
		{policy.ModeAudit, policy.ActionAllow, policy.OutcomeAllowed},
	} {
		want(t, h, dev("usb", "1-1"), policy.Decision{Mode: c.mode, Action: c.action}, c.out)
	}
	if len(k.wrote) != 0 {
		t.Errorf("wrote %q", k.wrote)
	}
	want(t, h, dev("usb", "1-1"), policy.Decision{Mode: policy.ModeEnforce, Action: policy.ActionReport}, policy.OutcomeDetected)
}

package vm

import (
	"fmt"
	"slices"
	"strconv"
)

// files of one machine.
type files struct{ qmp, serial, overlay, kernel, initrd, clock string }

// The guest's kernel line: on the serial line only what is wrong or slow, no file system check (the journal suffices), the old interface name. Its clock is the processor's
// counter, as on every real terminal: the kernel distrusts an emulated one and would take the HPET, of which each reading
// leaves the machine under a lock and costs more than what is timed
// (https://docs.kernel.org/admin-guide/kernel-parameters.html, tsc, clocksource).
const kernelLine = "root=/dev/vda rw console=ttyS0 loglevel=4 fsck.mode=skip net.ifnames=0 mitigations=off systemd.show_status=auto tsc=reliable clocksource=tsc"

// flags of QEMU. A saved state fits only the very same ones, so everything that varies comes from o, paths and port.
func (image *Image) flags(o Options, paths files, port int) []string {
	flags := append(accelerator(o.Counted),
		"-M", "q35,vmport=off,smbus=off,hpet=off", "-smp", processors(o.Counted), "-m", strconv.Itoa(o.Memory),
		"-nodefaults", "-display", "none", "-no-reboot", "-no-user-config",
		"-rtc", "base="+or(paths.clock, "utc")+",clock=host",
		"-kernel", paths.kernel, "-initrd", paths.initrd, "-append", kernelLine,
		"-serial", "file:"+paths.serial,
		"-qmp", "unix:"+paths.qmp+",server=on,wait=off",
		"-drive", "file="+paths.overlay+",if=none,id=root,format=qcow2",
		"-device", "virtio-blk-pci,drive=root",
		"-netdev", fmt.Sprintf("user,id=net0,hostfwd=tcp:127.0.0.1:%d-:22", port),
		"-device", "virtio-net-pci,netdev=net0,id=nic0,romfile=",
		// A new identity at every restore makes the guest's kernel throw away the random numbers it had saved.
		"-device", "vmgenid,guid=auto",
		"-device", "virtio-rng-pci",
		"-device", "qemu-xhci,id=xhci,p2=8,p3=8",
		"-device", "pvscsi,id=hba")
	for slot := 1; slot <= 2; slot++ { // for disks that come and go on the PCI bus
		flags = append(flags, "-device", fmt.Sprintf("pcie-root-port,id=pci%d,chassis=%d,slot=%d", slot, slot, slot))
	}
	if o.SDSlot {
		flags = append(flags, "-drive", "if=none,id=sd", "-device", "sdhci-pci", "-device", "sd-card,drive=sd")
	}
	return append(flags, o.Extra...)
}

// Counted is a machine whose clock is the number of instructions that it has executed, one a nanosecond; while it has nothing
// to do the clock goes as everybody's does. So what its neighbours do changes no figure. QEMU counts on one thread, which
// would run several processors by turns: it has one (https://www.qemu.org/docs/master/devel/tcg-icount.html).
var counted = []string{"-accel", "tcg,thread=single,tb-size=256", "-cpu", "max,-svm", "-icount", "shift=0,sleep=on"}

func accelerator(count bool) []string {
	switch {
	case count:
		return slices.Clone(counted)
	case kvmUsable():
		return []string{"-accel", "kvm", "-cpu", "host"}
	}
	return []string{"-accel", "tcg,thread=multi,tb-size=256", "-cpu", "max,-svm"}
}

func processors(count bool) string {
	if count {
		return "1"
	}
	return "2"
}

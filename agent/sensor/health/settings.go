package health

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"

	"sekisho/agent/sensor/smbios"
	"sekisho/internal/policy"
)

func (e *Eyes) linuxSettings(ctx context.Context) []policy.Reading {
	out := e.firewall(ctx)
	out = append(out, e.encryption()...)
	out = append(out, e.bootPassword(), e.secureBoot(), e.screenLock(), e.autorun(), e.autologin(), e.remote(), e.clockOffset(), e.hardware())
	return append(out, e.accounts()...)
}

// clockOffset is how far the system's clock stands from the console's.
func (e *Eyes) clockOffset() policy.Reading {
	o := e.of(policy.FactOffset, "console")
	if e.Offset == nil {
		return o.Unread(policy.CodeNoSource, "cannot compare clocks: no console is known")
	}
	offset, known := e.Offset()
	if !known {
		return o.Unread(policy.CodeNoReference, "cannot compare clocks: the console was not heard yet")
	}
	return o.Number(int64(offset.Seconds()))
}

// efiSecureBoot is the variable that says so (UEFI specification, 3.3 Globally Defined Variables): four bytes of attributes, then
// the value (https://docs.kernel.org/filesystems/efivarfs.html).
const efiSecureBoot = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

func (e *Eyes) secureBoot() policy.Reading {
	o := e.of(policy.FactSecureBoot, "efivars SecureBoot")
	if !e.tree.exists("/sys/firmware") {
		return o.Unread(policy.CodeNoSource, "cannot see the firmware: /sys/firmware is missing")
	}
	if !e.tree.exists("/sys/firmware/efi") {
		o.Raw = "started without UEFI"
		return o.Bool(false)
	}
	b, err := e.tree.read(efiSecureBoot, 16)
	switch {
	case err != nil:
		return unread(o, err)
	case len(b) != 5 || b[4] > 1:
		return o.Unread(policy.CodeWrongType, "cannot use the variable: it is no switch")
	}
	return o.Bool(b[4] == 1)
}

// bootPassword reads the power-on password's state out of the firmware's table.
func (e *Eyes) bootPassword() policy.Reading {
	o := e.of(policy.FactBootPassword, "SMBIOS type 24")
	b, err := e.tree.read("/sys/firmware/dmi/tables/DMI", 1<<20)
	if err != nil {
		return unread(o, err)
	}
	set, known := smbios.PowerOnPassword(b)
	if !known {
		return o.Unread(policy.CodeNoSource, "cannot tell: the firmware does not say whether a boot password is set")
	}
	return o.Bool(set)
}

// encryption follows the root file system's device down to the disks: it is encrypted when every path passes LUKS.
func (e *Eyes) encryption() []policy.Reading {
	o := e.of(policy.FactEncrypted, "/sys/dev/block")
	o.Product = "/"
	text, err := e.tree.text("/proc/self/mountinfo")
	if err != nil {
		return []policy.Reading{unread(o, err)}
	}
	number, source := rootDevice(text)
	o.Raw = source
	if strings.HasPrefix(number, "0:") { // btrfs and others have a number of their own
		number = e.numberOf(source)
	}
	if number == "" {
		return []policy.Reading{o.Unread(policy.CodeNoSource, "cannot tell on which disk / lies: "+source)}
	}
	encrypted, err := e.encrypted("/sys/dev/block/"+number, 0)
	if err != nil {
		return []policy.Reading{unread(o, err)}
	}
	return []policy.Reading{o.Bool(encrypted)}
}

// rootDevice reads /proc/self/mountinfo (proc_pid_mountinfo(5)): of several mounts on / the last one is seen.
func rootDevice(text string) (number, source string) {
	for line := range strings.Lines(text) {
		head, tail, ok := strings.Cut(line, " - ")
		f, g := strings.Fields(head), strings.Fields(tail)
		if ok && len(f) >= 5 && len(g) >= 2 && f[4] == "/" {
			number, source = f[2], g[1]
		}
	}
	return number, source
}

// numberOf finds the number of a device file by its name in sysfs; a mapped device is known by a name of its own.
func (e *Eyes) numberOf(source string) string {
	find := finder{tree: e.tree}
	for _, dev := range find.glob("/sys/block/*") {
		nodes := append([]string{dev}, find.glob(dev+"/"+path.Base(dev)+"*")...)
		for _, n := range nodes {
			name, _ := e.tree.text(n + "/dm/name")
			if path.Base(n) == path.Base(source) || name != "" && strings.TrimSpace(name) == path.Base(source) {
				number, _ := e.tree.text(n + "/dev")
				return strings.TrimSpace(number)
			}
		}
	}
	return ""
}

const maxDepth = 16

func (e *Eyes) encrypted(dev string, depth int) (bool, error) {
	if depth > maxDepth {
		return false, errors.New("cannot follow the disk's layers: there are too many")
	}
	if !e.tree.exists(dev) {
		return false, fs.ErrNotExist
	}
	uuid, err := e.tree.text(dev + "/dm/uuid")
	if err != nil {
		return false, err
	}
	if strings.HasPrefix(uuid, "CRYPT-LUKS") { // cryptsetup lib/libdevmapper.c, dm_prepare_uuid
		return true, nil
	}
	find := finder{tree: e.tree}
	below := find.glob(dev + "/slaves/*")
	if find.err != nil {
		return false, find.err
	}
	if len(below) == 0 {
		return false, nil
	}
	for _, b := range below {
		number, err := e.tree.text(b + "/dev")
		if err != nil || number == "" {
			return false, errors.New("cannot follow the disk's layers")
		}
		if ok, err := e.encrypted("/sys/dev/block/"+strings.TrimSpace(number), depth+1); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

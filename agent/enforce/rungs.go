package enforce

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Registry types (https://learn.microsoft.com/windows/win32/sysinfo/registry-value-types).
const (
	regString = 1
	regDWord  = 4
)

// The policies of the ladder, below HKLM.
const (
	restrictionsKey = `SOFTWARE\Policies\Microsoft\Windows\DeviceInstall\Restrictions`
	allowedKey      = restrictionsKey + `\AllowInstanceIDs`
	removableKey    = `SOFTWARE\Policies\Microsoft\Windows\RemovableStorageDevices`
	explorerKey     = `SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\Explorer`
)

// deniedIDs are what new devices may not be installed as
// (https://learn.microsoft.com/windows/client-management/client-tools/manage-device-installation-with-group-policy).
// They name functions that carry files, each at the lowest node of its chain, so that a permission needs one exception only.
// No keyboard, card reader, hub or built-in disk has one of them; that is why no setup class is denied, and
// not "removable devices" either, which every USB keyboard is to Windows.
func deniedIDs() []string {
	return []string{`USB\Class_08`, `USB\Class_06`, `USB\MS_COMP_MTP`, `USB\MS_COMP_PTP`, `SD\CLASS_STORAGE`}
}

func dword(n uint32) regValue {
	return regValue{Type: regDWord, Data: binary.LittleEndian.AppendUint32(nil, n)}
}

func text(s string) regValue {
	v := regValue{Type: regString}
	for _, u := range append(utf16.Encode([]rune(s)), 0) {
		v.Data = binary.LittleEndian.AppendUint16(v.Data, u)
	}
	return v
}

// installWishes refuses new media: layered evaluation, then the list of ids. Devices that are installed
// already are not touched by it.
func installWishes(reg keys) ([]wish, error) {
	w := []wish{
		{key: restrictionsKey, name: "AllowDenyLayered", value: dword(1)},
		{key: restrictionsKey, name: "DenyDeviceIDs", value: dword(1)},
		{key: restrictionsKey, name: "AllowInstanceIDs", value: dword(1)},
		{key: allowedKey, keyOnly: true}, // exceptions come and go in it
	}
	list, err := listWishes(reg, restrictionsKey+`\DenyDeviceIDs`, deniedIDs())
	return append(w, list...), err
}

// exceptionWishes let one device be installed: an exact instance wins over ids when the evaluation is layered.
func exceptionWishes(reg keys, instances []string) ([]wish, error) {
	return listWishes(reg, allowedKey, instances)
}

// listWishes puts texts into a policy's list, whose values are named 1, 2, 3 …; numbers that somebody uses stay theirs.
func listWishes(reg keys, key string, texts []string) ([]wish, error) {
	names, err := reg.Names(key)
	if err != nil {
		return nil, fmt.Errorf("cannot read HKLM\\%s: %w", key, err)
	}
	taken, at := map[string]bool{}, map[string]string{}
	for _, name := range names {
		taken[name] = true
		if v, ok, err := reg.Value(key, name); err == nil && ok {
			at[strings.ToUpper(string(v.Data))] = name
		}
	}
	var out []wish
	next := 1
	for _, s := range texts {
		v := text(s)
		name, there := at[strings.ToUpper(string(v.Data))]
		if there {
			have, _, _ := reg.Value(key, name)
			v = have // the same but for case
		}
		for ; !there && (name == "" || taken[name]); next++ {
			name = strconv.Itoa(next)
		}
		taken[name] = true
		out = append(out, wish{key: key, name: name, value: v})
	}
	return out, nil
}

// accessWishes close what is installed already: volumes on removable disks, optical media, floppies, tapes and telephones
// (https://learn.microsoft.com/windows/client-management/mdm/policy-csp-admx-removablestorage). Removable disks are named
// by the GUID of the volume interface, 53f5630d; the often copied 53f56307 does nothing.
func accessWishes() []wish {
	var out []wish
	add := func(guid string, rights ...string) {
		for _, r := range rights {
			out = append(out, wish{key: removableKey + `\` + guid, name: r, value: dword(1)})
		}
	}
	for _, guid := range []string{"{53f5630d-b6bf-11d0-94f2-00a0c91efb8b}", "{53f56308-b6bf-11d0-94f2-00a0c91efb8b}",
		"{53f5630b-b6bf-11d0-94f2-00a0c91efb8b}", "{53f56311-b6bf-11d0-94f2-00a0c91efb8b}"} {
		add(guid, "Deny_Read", "Deny_Write", "Deny_Execute")
	}
	for _, guid := range []string{"{6AC27878-A6FA-4155-BA85-F98F491D4F33}", "{F33FDC04-D1AC-4E8E-9A30-19BBD4B108AE}"} {
		add(guid, "Deny_Read", "Deny_Write")
	}
	return out
}

// autorunWishes keep Windows from starting anything off a medium by itself
// (https://learn.microsoft.com/windows/win32/shell/autoplay-reg).
func autorunWishes() []wish {
	return []wish{
		{key: explorerKey, name: "NoDriveTypeAutoRun", value: dword(0xff), replace: true},
		{key: explorerKey, name: "NoAutorun", value: dword(1), replace: true},
	}
}

// build is a Windows version as far as it matters here: 19045, and the update behind the dot.
type build struct{ number, update uint32 }

// layered says whether this Windows evaluates device-installation policies in layers: Windows 11, Server 2022, and
// Windows 10 with the updates KB5005102 and KB5004296 (https://learn.microsoft.com/windows/client-management/client-tools/manage-device-installation-with-group-policy).
// Without it any denial beats every permission, and no medium could be permitted any more.
func (b build) layered() bool {
	old := []build{{17763, 2145}, {19041, 1151}, {19042, 1151}, {19043, 1151}, {20348, 256}}
	if i := slices.IndexFunc(old, func(o build) bool { return o.number == b.number }); i >= 0 {
		return b.update >= old[i].update
	}
	return b.number >= 19044
}

// extents reads VOLUME_DISK_EXTENTS: a count, then 24 bytes each that begin with the disk's number
// (https://learn.microsoft.com/windows/win32/api/winioctl/ns-winioctl-volume_disk_extents).
func extents(b []byte) []uint32 {
	if len(b) < 8 {
		return nil
	}
	var out []uint32
	for n := binary.LittleEndian.Uint32(b); n > 0 && len(b) >= 8+24*(len(out)+1); n-- {
		out = append(out, binary.LittleEndian.Uint32(b[8+24*len(out):]))
	}
	return out
}

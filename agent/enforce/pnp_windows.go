package enforce

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// Of the configuration manager (cfgmgr32.h, cfg.h, regstr.h).
const (
	crInvalidNode = 0x05
	crNoSuchNode  = 0x0d
	crVetoed      = 0x17
	crNeedRestart = 0x22

	disableAbsolute = 0x1
	disableQuietly  = 0x4 // CM_DISABLE_UI_NOT_OK
	disablePersist  = 0x8 // Windows 10 and later

	problemDisabled    = 22  // CM_PROB_DISABLED
	configFlagDisabled = 0x1 // CONFIGFLAG_DISABLED

	maxNodes    = 1024
	maxInstance = 201
)

// configManager is the real plug and play. It never opens a device for writing.
type configManager struct{}

// call runs one function of the configuration manager, which every Windows has, but not every imitation.
func (configManager) call(name string, args ...uintptr) error {
	p := windows.NewLazySystemDLL("cfgmgr32.dll").NewProc(name)
	if err := p.Find(); err != nil {
		return fmt.Errorf("cannot call %s: %w", name, err)
	}
	r, _, _ := p.Call(args...)
	switch r {
	case 0:
		return nil
	case crInvalidNode, crNoSuchNode:
		return errNoNode
	case crVetoed:
		return fmt.Errorf("cannot call %s: a program or driver refused", name)
	case crNeedRestart:
		return fmt.Errorf("cannot call %s: Windows must be restarted first", name)
	}
	return fmt.Errorf("cannot call %s: configuration manager error %#x", name, r)
}

func (c configManager) locate(id string) (windows.DEVINST, error) {
	p, err := windows.UTF16PtrFromString(id)
	if err != nil {
		return 0, err
	}
	var inst windows.DEVINST
	err = c.call("CM_Locate_DevNodeW", uintptr(unsafe.Pointer(&inst)), uintptr(unsafe.Pointer(p)), 0)
	return inst, err
}

func (c configManager) Node(id string) (devnode, error) {
	inst, err := c.locate(id)
	if err != nil {
		return devnode{}, err
	}
	return c.read(id, inst)
}

func (c configManager) read(id string, inst windows.DEVINST) (devnode, error) {
	var status, problem uint32
	err := c.call("CM_Get_DevNode_Status", uintptr(unsafe.Pointer(&status)), uintptr(unsafe.Pointer(&problem)), uintptr(inst), 0)
	if err != nil {
		return devnode{}, err
	}
	n := devnode{id: id, started: status&windows.DN_STARTED != 0}
	n.disabled = status&windows.DN_HAS_PROBLEM != 0 && problem == problemDisabled
	n.system = whoRunsFrom(c.Media([]devnode{n}))
	return n, nil
}

func (c configManager) Below(id string) ([]devnode, error) {
	top, err := c.locate(id)
	if err != nil {
		return nil, err
	}
	var out []devnode
	for queue := []windows.DEVINST{top}; len(queue) > 0 && len(out) < maxNodes; queue = queue[1:] {
		for _, inst := range c.children(queue[0]) {
			if n, err := c.named(inst); err == nil { // one that goes meanwhile is gone
				out, queue = append(out, n), append(queue, inst)
			}
		}
	}
	return out, nil
}

func (c configManager) children(of windows.DEVINST) []windows.DEVINST {
	var out []windows.DEVINST
	var inst windows.DEVINST
	err := c.call("CM_Get_Child", uintptr(unsafe.Pointer(&inst)), uintptr(of), 0)
	for err == nil && len(out) < maxNodes {
		out = append(out, inst)
		var next windows.DEVINST
		err = c.call("CM_Get_Sibling", uintptr(unsafe.Pointer(&next)), uintptr(inst), 0)
		inst = next
	}
	return out
}

func (c configManager) named(inst windows.DEVINST) (devnode, error) {
	buf := make([]uint16, maxInstance)
	if err := c.call("CM_Get_Device_IDW", uintptr(inst), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0); err != nil {
		return devnode{}, err
	}
	return c.read(windows.UTF16ToString(buf), inst)
}

func (c configManager) Disable(id string, force bool) error {
	inst, err := c.locate(id)
	if err != nil {
		return err
	}
	flags := uintptr(disableQuietly | disablePersist)
	if force {
		flags |= disableAbsolute
	}
	return c.call("CM_Disable_DevNode", uintptr(inst), flags)
}

// Enable also gives back what is not plugged in, so that it works when it comes.
func (c configManager) Enable(id string) error {
	inst, err := c.locate(id)
	if errors.Is(err, errNoNode) {
		return enableAbsent(id)
	}
	if err != nil {
		return err
	}
	return c.call("CM_Enable_DevNode", uintptr(inst), 0)
}

// enableAbsent clears the flag that Windows keeps of a device it knows. One that it forgot needs nothing.
func enableAbsent(id string) error {
	key := `SYSTEM\CurrentControlSet\Enum\` + id
	v, ok, err := localMachine{}.Value(key, "ConfigFlags")
	if err != nil || !ok || v.Type != registry.DWORD || len(v.Data) != 4 {
		return err
	}
	flags := binary.LittleEndian.Uint32(v.Data)
	if flags&configFlagDisabled == 0 {
		return nil
	}
	return localMachine{}.Set(key, "ConfigFlags", dword(flags&^configFlagDisabled))
}

// Media lists the paths under which disks, drives and volumes of the nodes can be opened.
func (configManager) Media(nodes []devnode) []string {
	var out []string
	for _, n := range nodes {
		// GUID_DEVINTERFACE_DISK, _CDROM, _VOLUME (ntddstor.h) and of portable devices, which are no disk.
		for _, first := range []uint32{0x53f56307, 0x53f56308, 0x53f5630d} {
			guid := windows.GUID{Data1: first, Data2: 0xb6bf, Data3: 0x11d0, Data4: [8]byte{0x94, 0xf2, 0x00, 0xa0, 0xc9, 0x1e, 0xfb, 0x8b}}
			paths, err := windows.CM_Get_Device_Interface_List(n.id, &guid, windows.CM_GET_DEVICE_INTERFACE_LIST_PRESENT)
			if err != nil {
				continue
			}
			for _, p := range paths {
				if p != "" && len(out) < maxNodes {
					out = append(out, p)
				}
			}
		}
	}
	return out
}

// Opens tries to open for reading, as a program would.
func (configManager) Opens(path string) (bool, error) {
	h, err := open(path, windows.GENERIC_READ)
	switch {
	case err == nil:
		return true, windows.CloseHandle(h)
	case errors.Is(err, windows.ERROR_FILE_NOT_FOUND), errors.Is(err, windows.ERROR_PATH_NOT_FOUND), errors.Is(err, windows.ERROR_ACCESS_DENIED),
		errors.Is(err, windows.ERROR_NO_SUCH_DEVICE), errors.Is(err, windows.ERROR_DEVICE_NOT_CONNECTED), errors.Is(err, windows.ERROR_DEV_NOT_EXIST):
		return false, nil
	}
	return false, err
}

func open(path string, access uint32) (windows.Handle, error) {
	p, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	share := uint32(windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE)
	return windows.CreateFile(p, access, share, nil, windows.OPEN_EXISTING, 0, 0)
}

func ask(path string, code uint32, size int) []byte {
	h, err := open(path, 0) // no access right is needed for a question
	if err != nil {
		return nil
	}
	defer windows.CloseHandle(h)
	out := make([]byte, size)
	var n uint32
	if windows.DeviceIoControl(h, code, nil, 0, &out[0], uint32(len(out)), &n, nil) != nil || int(n) > len(out) {
		return nil
	}
	return out[:n]
}

// systemDisks are the numbers of the disks that Windows' own volume lies on.
func systemDisks() []uint32 {
	dir, err := windows.GetSystemWindowsDirectory()
	if err != nil || len(dir) < 2 {
		return nil
	}
	return extents(ask(`\\.\`+dir[:2], 0x00560000, 4096)) // IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS
}

// whoRunsFrom says why a node's disks are spared. What cannot be found out is not risked.
func whoRunsFrom(media []string) string {
	const isDisk = 7 // FILE_DEVICE_DISK; optical drives are numbered by themselves
	for _, path := range media {
		b := ask(path, 0x002d1080, 12) // IOCTL_STORAGE_GET_DEVICE_NUMBER: type, number, partition
		if len(b) < 8 || binary.LittleEndian.Uint32(b) != isDisk {
			continue
		}
		switch own := systemDisks(); {
		case len(own) == 0:
			return "it cannot be told which disk Windows runs from"
		case slices.Contains(own, binary.LittleEndian.Uint32(b[4:])):
			return "Windows runs from it"
		}
	}
	return ""
}

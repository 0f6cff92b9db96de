package sensor

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// cfgmgr32 and setupapi functions that golang.org/x/sys does not have
// (https://learn.microsoft.com/windows/win32/api/cfgmgr32/).
type library struct {
	parent   *windows.LazyProc
	id       *windows.LazyProc
	property *windows.LazyProc
}

func loadLibrary() library {
	cfg := windows.NewLazySystemDLL("cfgmgr32.dll")
	return library{
		parent:   cfg.NewProc("CM_Get_Parent"),
		id:       cfg.NewProc("CM_Get_Device_IDW"),
		property: windows.NewLazySystemDLL("setupapi.dll").NewProc("SetupDiGetDeviceRegistryPropertyW"),
	}
}

// readNodes lists every device node that is present now.
func readNodes() ([]node, error) {
	set, err := windows.SetupDiGetClassDevsEx(nil, "", 0, windows.DIGCF_ALLCLASSES|windows.DIGCF_PRESENT, 0, "")
	if err != nil {
		return nil, fmt.Errorf("cannot list device nodes: %w", err)
	}
	defer set.Close()
	lib, own := loadLibrary(), systemDrive()
	var nodes []node
	for i := 0; len(nodes) < maxDevices; i++ {
		data, err := set.EnumDeviceInfo(i)
		if errors.Is(err, windows.ERROR_NO_MORE_ITEMS) {
			return nodes, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot list device nodes: %w", err)
		}
		if n, ok := lib.read(set, data); ok {
			measure(&n, own)
			nodes = append(nodes, n)
		}
	}
	return nodes, nil
}

// read takes one node. One that goes meanwhile is left out: the next look will not see it.
func (l library) read(set windows.DevInfo, data *windows.DevInfoData) (node, bool) {
	id, err := set.DeviceInstanceID(data)
	if err != nil {
		return node{}, false
	}
	n := node{id: id, parent: l.parentOf(data.DevInst)}
	n.class = strings.ToLower(decodeString(l.raw(set, data, windows.SPDRP_CLASSGUID)))
	n.hardware = decodeStrings(l.raw(set, data, windows.SPDRP_HARDWAREID))
	n.compatible = decodeStrings(l.raw(set, data, windows.SPDRP_COMPATIBLEIDS))
	n.maker = decodeString(l.raw(set, data, windows.SPDRP_MFG))
	n.name = busName(set, data)
	n.location = decodeString(l.raw(set, data, windows.SPDRP_LOCATION_PATHS))
	if n.location == "" {
		n.location = decodeString(l.raw(set, data, windows.SPDRP_LOCATION_INFORMATION))
	}
	// CM_REMOVAL_POLICY: 1 none, 2 orderly, 3 surprise (cfgmgr32.h).
	policy, ok := decodeNumber(l.raw(set, data, windows.SPDRP_REMOVAL_POLICY))
	n.removable = ok && policy > 1
	var status uint32
	if windows.CM_Get_DevNode_Status(&status, &n.problem, data.DevInst, 0) == nil {
		n.started = status&windows.DN_STARTED != 0
		if status&windows.DN_HAS_PROBLEM == 0 {
			n.problem = 0
		}
	}
	return n, true
}

// maxProperty bounds one property; lists of ids are a few hundred bytes.
const maxProperty = 16 << 10

// raw reads a property's bytes; nil when there is none.
func (l library) raw(set windows.DevInfo, data *windows.DevInfoData, property windows.SPDRP) []byte {
	buf := make([]byte, maxProperty)
	var kind, size uint32
	r, _, _ := l.property.Call(uintptr(set), uintptr(unsafe.Pointer(data)), uintptr(property), uintptr(unsafe.Pointer(&kind)),
		uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), uintptr(unsafe.Pointer(&size)))
	if r == 0 || uint64(size) > uint64(len(buf)) {
		return nil
	}
	return buf[:size]
}

// parentOf gives the parent's instance id; "" at the root, or where the library cannot say.
func (l library) parentOf(inst windows.DEVINST) string {
	if l.parent.Find() != nil || l.id.Find() != nil {
		return ""
	}
	var up windows.DEVINST
	if r, _, _ := l.parent.Call(uintptr(unsafe.Pointer(&up)), uintptr(inst), 0); r != 0 {
		return ""
	}
	buf := make([]uint16, maxInstance+1)
	if r, _, _ := l.id.Call(uintptr(up), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0); r != 0 {
		return ""
	}
	return windows.UTF16ToString(buf)
}

// busName is the product string of a USB device (DEVPKEY_Device_BusReportedDeviceDesc, devpkey.h).
func busName(set windows.DevInfo, data *windows.DevInfoData) string {
	key := windows.DEVPROPKEY{
		FmtID: windows.DEVPROPGUID{Data1: 0x540b947e, Data2: 0x8b40, Data3: 0x45bc, Data4: [8]byte{0xa8, 0xa2, 0x6a, 0x0b, 0x89, 0x4c, 0xbd, 0xa2}},
		PID:   4,
	}
	v, err := windows.SetupDiGetDeviceProperty(set, data, &key)
	if err != nil {
		return ""
	}
	s, _ := v.(string)
	return s
}

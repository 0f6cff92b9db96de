package enforce

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/windows"
)

// nodeSwitch turns adapters by their device node. Without CM_DISABLE_PERSIST Windows enables it again when it starts
// (https://learn.microsoft.com/windows/win32/api/cfgmgr32/nf-cfgmgr32-cm_disable_devnode).
type nodeSwitch struct{ nodes configManager }

func systemAdapters() adapterSystem { return nodeSwitch{} }

func (s nodeSwitch) state(id string) (AdapterState, error) {
	inst, err := s.nodes.locate(id)
	if err == nil {
		var status, problem uint32
		err = s.nodes.call("CM_Get_DevNode_Status", uintptr(unsafe.Pointer(&status)), uintptr(unsafe.Pointer(&problem)), uintptr(inst), 0)
		if err == nil {
			return stateOfNode(status&windows.DN_STARTED != 0, status&windows.DN_HAS_PROBLEM != 0, problem), nil
		}
	}
	if errors.Is(err, errNoNode) {
		return AdapterGone, nil
	}
	return AdapterUnknown, err
}

func (s nodeSwitch) down(id string) error {
	inst, err := s.nodes.locate(id)
	if err != nil {
		return err
	}
	return s.nodes.call("CM_Disable_DevNode", uintptr(inst), disableQuietly|disableAbsolute)
}

func (s nodeSwitch) up(id string) error {
	inst, err := s.nodes.locate(id)
	if err != nil {
		return err
	}
	return s.nodes.call("CM_Enable_DevNode", uintptr(inst), 0)
}

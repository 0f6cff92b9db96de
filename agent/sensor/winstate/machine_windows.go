package winstate

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"sekisho/internal/policy"
)

// local is this Windows.
type local struct {
	kernel, net, ip, wlan *windows.LazyDLL
}

func thisMachine() Machine {
	return &local{windows.NewLazySystemDLL("kernel32.dll"), windows.NewLazySystemDLL("netapi32.dll"), windows.NewLazySystemDLL("iphlpapi.dll"), windows.NewLazySystemDLL("wlanapi.dll")}
}

// call finds a procedure before it calls it: one that is not exported would end the process.
func call(dll *windows.LazyDLL, name string, args ...uintptr) (uintptr, error) {
	proc := dll.NewProc(name)
	if err := proc.Find(); err != nil {
		return 0, fmt.Errorf("cannot call %s: %w", name, errNoSource)
	}
	r, _, err := proc.Call(args...)
	if err == windows.ERROR_SUCCESS {
		err = nil
	}
	return r, err
}

func splitKey(key string) (registry.Key, string) {
	head, rest, _ := strings.Cut(key, `\`)
	if strings.EqualFold(head, "HKU") {
		return registry.USERS, rest
	}
	return registry.LOCAL_MACHINE, rest
}

func views(view string) []uint32 {
	switch view {
	case "32":
		return []uint32{registry.WOW64_32KEY}
	case "64":
		return []uint32{registry.WOW64_64KEY}
	}
	return []uint32{registry.WOW64_64KEY, registry.WOW64_32KEY}
}

// Value looks into both views unless one is named; what is denied in one is not hidden by what is missing in the other.
func (*local) Value(key, name, view string) policy.Raw {
	root, sub := splitKey(key)
	out := policy.Raw{Code: policy.CodeMissing, Fault: "cannot find " + key + `\` + name}
	for _, access := range views(view) {
		raw := valueIn(root, sub, name, access)
		if raw.Code == "" {
			return raw
		}
		if raw.Code != policy.CodeMissing && out.Code == policy.CodeMissing {
			out = raw
		}
	}
	return out
}

func valueIn(root registry.Key, sub, name string, access uint32) policy.Raw {
	k, err := registry.OpenKey(root, sub, registry.QUERY_VALUE|access)
	if err != nil {
		return failed(err)
	}
	defer k.Close()
	buf := make([]byte, policy.MaxValue+1)
	n, kind, err := k.GetValue(name, buf)
	if errors.Is(err, registry.ErrShortBuffer) {
		return policy.Raw{Code: policy.CodeTooLong, Fault: "cannot use the value: it is too long"}
	}
	if err != nil {
		return failed(err)
	}
	return value(kind, buf[:n])
}

func (*local) Keys(key, view string) ([]string, error) {
	root, sub := splitKey(key)
	k, err := registry.OpenKey(root, sub, registry.ENUMERATE_SUB_KEYS|views(view)[0])
	if err != nil {
		return nil, err
	}
	defer k.Close()
	names, err := k.ReadSubKeyNames(maxKeys)
	if len(names) > 0 || err == nil {
		return names, nil
	}
	if err.Error() == "EOF" {
		return nil, nil
	}
	return nil, err
}

func (*local) Exists(path string) bool {
	full, err := registry.ExpandString(strings.Trim(path, `"`))
	if err != nil {
		return true // nobody knows
	}
	_, err = os.Stat(full)
	return err == nil || !errors.Is(err, os.ErrNotExist)
}

// Service asks the control manager for nothing but the state.
func (*local) Service(name string) policy.Raw {
	manager, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT)
	if err != nil {
		return failed(err)
	}
	defer func() { _ = windows.CloseServiceHandle(manager) }()
	wide, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return failed(err)
	}
	svc, err := windows.OpenService(manager, wide, windows.SERVICE_QUERY_STATUS)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return policy.Raw{Text: "absent"}
	}
	if err != nil {
		return failed(err)
	}
	defer func() { _ = windows.CloseServiceHandle(svc) }()
	var status windows.SERVICE_STATUS
	if err := windows.QueryServiceStatus(svc, &status); err != nil {
		return failed(err)
	}
	if status.CurrentState == windows.SERVICE_RUNNING {
		return policy.Raw{Text: "running"}
	}
	return policy.Raw{Text: "stopped"}
}

const maxProcesses = 100000

// Programs gives the names of what runs, in small letters: Windows does not tell A from a.
func (*local) Programs() (map[string]bool, error) {
	all, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot list processes: %w", err)
	}
	defer func() { _ = windows.CloseHandle(all) }()
	out := map[string]bool{}
	entry := windows.ProcessEntry32{}
	entry.Size = uint32(unsafe.Sizeof(entry))
	for err = windows.Process32First(all, &entry); err == nil && len(out) < maxProcesses; err = windows.Process32Next(all, &entry) {
		out[strings.ToLower(windows.UTF16ToString(entry.ExeFile[:]))] = true
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("cannot list processes: %w", err)
	}
	return out, nil
}

// Kinds of firmware (https://learn.microsoft.com/windows/win32/api/winnt/ne-winnt-firmware_type).
const (
	firmwareBIOS = 1
	firmwareUEFI = 2
)

func (l *local) Firmware() (uefi bool, err error) {
	var kind uint32
	if ok, err := call(l.kernel, "GetFirmwareType", uintptr(unsafe.Pointer(&kind))); ok == 0 {
		return false, errors.Join(errors.New("cannot tell the kind of firmware"), err)
	}
	if kind != firmwareBIOS && kind != firmwareUEFI {
		return false, fmt.Errorf("cannot tell the kind of firmware: %d", kind)
	}
	return kind == firmwareUEFI, nil
}

const (
	providerSMBIOS = 0x52534D42 // "RSMB" (https://learn.microsoft.com/windows/win32/api/sysinfoapi/nf-sysinfoapi-getsystemfirmwaretable)
	maxSMBIOS      = 1 << 20
)

func (l *local) SMBIOS() ([]byte, error) {
	size, err := call(l.kernel, "GetSystemFirmwareTable", providerSMBIOS, 0, 0, 0)
	if size == 0 || size > maxSMBIOS {
		return nil, fmt.Errorf("cannot read the firmware's table: %w", errors.Join(err, errNoSource))
	}
	buf := make([]byte, size)
	n, err := call(l.kernel, "GetSystemFirmwareTable", providerSMBIOS, 0, uintptr(unsafe.Pointer(&buf[0])), size)
	if n == 0 || n > size {
		return nil, fmt.Errorf("cannot read the firmware's table: %w", errors.Join(err, errNoSource))
	}
	return firmwareTable(slices.Clone(buf[:n])), nil
}

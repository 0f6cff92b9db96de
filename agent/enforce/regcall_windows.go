package enforce

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// setRaw is RegSetValueExW (https://learn.microsoft.com/windows/win32/api/winreg/nf-winreg-regsetvalueexw).
func setRaw(key windows.Handle, name string, v regValue) error {
	p, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return err
	}
	call := windows.NewLazySystemDLL("advapi32.dll").NewProc("RegSetValueExW")
	r, _, _ := call.Call(uintptr(key), uintptr(unsafe.Pointer(p)), 0, uintptr(v.Type),
		uintptr(unsafe.Pointer(unsafe.SliceData(v.Data))), uintptr(len(v.Data)))
	return code(r)
}

// deleteKey is RegDeleteKeyExW in the 64-bit view (https://learn.microsoft.com/windows/win32/api/winreg/nf-winreg-regdeletekeyexw).
func deleteKey(key string) error {
	p, err := windows.UTF16PtrFromString(key)
	if err != nil {
		return err
	}
	call := windows.NewLazySystemDLL("advapi32.dll").NewProc("RegDeleteKeyExW")
	r, _, _ := call.Call(uintptr(windows.HKEY_LOCAL_MACHINE), uintptr(unsafe.Pointer(p)), view, 0)
	return code(r)
}

func code(r uintptr) error {
	if r == 0 {
		return nil
	}
	return syscall.Errno(r)
}

package osexec

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// memoryCounters is PROCESS_MEMORY_COUNTERS_EX
// (https://learn.microsoft.com/windows/win32/api/psapi/ns-psapi-process_memory_counters_ex).
type memoryCounters struct {
	size, faults                                   uint32
	peakWorkingSet, workingSet                     uintptr
	peakPagedPool, pagedPool                       uintptr
	peakNonPagedPool, nonPagedPool                 uintptr
	pagefileUsage, peakPagefileUsage, privateUsage uintptr
}

// meter reads what a process holds for itself alone (PrivateUsage). The handle keeps the number from meaning another process.
func meter(pid int) (held func() (uint64, error), done func(), err error) {
	read := windows.NewLazySystemDLL("kernel32.dll").NewProc("K32GetProcessMemoryInfo")
	if err := read.Find(); err != nil {
		return nil, nil, err
	}
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_INFORMATION|windows.PROCESS_VM_READ, false, uint32(pid))
	if err != nil {
		return nil, nil, err
	}
	held = func() (uint64, error) {
		c := memoryCounters{size: uint32(unsafe.Sizeof(memoryCounters{}))}
		if ok, _, err := read.Call(uintptr(process), uintptr(unsafe.Pointer(&c)), uintptr(c.size)); ok == 0 {
			return 0, fmt.Errorf("cannot read what a program holds: %w", err)
		}
		return uint64(max(c.privateUsage, c.pagefileUsage)), nil
	}
	return held, func() { _ = windows.CloseHandle(process) }, nil
}

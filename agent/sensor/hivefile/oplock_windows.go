package hivefile

import (
	"errors"
	"runtime"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Of FSCTL_REQUEST_OPLOCK (https://learn.microsoft.com/windows/win32/api/winioctl/ni-winioctl-fsctl_request_oplock).
const (
	requestOplock = 0x00090240
	cacheRead     = 1
	cacheHandle   = 2
	oplockVersion = 1
	oplockRequest = 1
	longestEnd    = 1000 // milliseconds
)

type oplockInput struct {
	version, length uint16
	level, flags    uint32
}

type oplockOutput struct {
	version, length        uint16
	original, level, flags uint32
	access                 uint32
	share                  uint16
	_                      uint16
}

// oplock is a promise to get out of the way: whoever opens the file in a way that its being open here forbids is not refused,
// but waits until it is closed here (https://learn.microsoft.com/windows-hardware/drivers/ifs/irp-mj-create2, "Read-Handle").
type oplock struct {
	told windows.Handle // set when somebody waits
	ask  oplockInput
	got  oplockOutput
	o    windows.Overlapped
}

// giveWay asks for one; nil where the file system has none: then the file is only read quickly.
func giveWay(file windows.Handle) *oplock {
	told, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		return nil
	}
	l := &oplock{told: told, o: windows.Overlapped{HEvent: told}}
	l.ask = oplockInput{version: oplockVersion, length: uint16(unsafe.Sizeof(l.ask)), level: cacheRead | cacheHandle, flags: oplockRequest}
	var n uint32
	err = windows.DeviceIoControl(file, requestOplock, (*byte)(unsafe.Pointer(&l.ask)), uint32(unsafe.Sizeof(l.ask)),
		(*byte)(unsafe.Pointer(&l.got)), uint32(unsafe.Sizeof(l.got)), &n, &l.o)
	if !errors.Is(err, windows.ERROR_IO_PENDING) { // that is how it is granted
		_ = windows.CloseHandle(told)
		return nil
	}
	return l
}

// broken says that somebody waits.
func (l *oplock) broken() bool {
	if l == nil {
		return false
	}
	n, err := windows.WaitForSingleObject(l.told, 0)
	return err == nil && n == windows.WAIT_OBJECT_0
}

// end is for after the file is closed, which ends the promise: until then the kernel may write into it.
func (l *oplock) end() {
	if l == nil {
		return
	}
	_, _ = windows.WaitForSingleObject(l.told, longestEnd)
	_ = windows.CloseHandle(l.told)
	runtime.KeepAlive(l)
}

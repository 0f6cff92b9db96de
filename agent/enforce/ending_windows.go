package enforce

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// endedByUs is the exit code that a program is ended with; who looks for it in a log finds nothing else that uses it.
const endedByUs = 0x5e415

// EndProgram ends the program that has this number and began then, and waits until it is gone. It gives the moment. A program that
// Windows cannot be without is not touched.
func EndProgram(pid uint32, began time.Time) (time.Time, error) {
	const rights = windows.PROCESS_TERMINATE | windows.PROCESS_QUERY_LIMITED_INFORMATION | windows.SYNCHRONIZE
	h, err := windows.OpenProcess(rights, false, pid)
	switch {
	case errors.Is(err, windows.ERROR_INVALID_PARAMETER):
		return time.Time{}, ErrGone
	case err != nil:
		return time.Time{}, fmt.Errorf("cannot end program %d, which may be protected: %w", pid, err)
	}
	defer windows.CloseHandle(h)
	if ended(h) || !beganThen(h, began) {
		return time.Time{}, ErrGone // another one has its number by now
	}
	if critical(h) {
		return time.Time{}, fmt.Errorf("cannot end program %d: Windows stops when it ends", pid)
	}
	if err := windows.TerminateProcess(h, endedByUs); err != nil {
		return time.Time{}, fmt.Errorf("cannot end program %d: %w", pid, err)
	}
	return waitGone(h, pid)
}

func waitGone(h windows.Handle, pid uint32) (time.Time, error) {
	const limit = 5000 // milliseconds
	if got, err := windows.WaitForSingleObject(h, limit); err != nil || got != windows.WAIT_OBJECT_0 {
		return time.Time{}, fmt.Errorf("cannot end program %d: it was told to and still runs after %d ms (%v)", pid, limit, err)
	}
	return time.Now(), nil
}

func ended(h windows.Handle) bool {
	got, err := windows.WaitForSingleObject(h, 0)
	return err == nil && got == windows.WAIT_OBJECT_0
}

func beganThen(h windows.Handle, began time.Time) bool {
	var made, ended, kernel, own windows.Filetime
	return windows.GetProcessTimes(h, &made, &ended, &kernel, &own) == nil && time.Unix(0, made.Nanoseconds()).Equal(began)
}

// critical is about programs whose end stops the machine
// (https://learn.microsoft.com/windows/win32/api/processthreadsapi/nf-processthreadsapi-isprocesscritical).
func critical(h windows.Handle) bool {
	p := windows.NewLazySystemDLL("kernel32.dll").NewProc("IsProcessCritical")
	if p.Find() != nil {
		return false
	}
	var is int32
	r, _, _ := p.Call(uintptr(h), uintptr(unsafe.Pointer(&is)))
	return r != 0 && is != 0
}

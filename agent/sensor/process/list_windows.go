package process

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// processes is one look at all of them (https://learn.microsoft.com/windows/win32/toolhelp/taking-a-snapshot-and-viewing-processes).
func processes() ([]entry, error) {
	h, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot list programs: %w", err)
	}
	defer windows.CloseHandle(h)
	one := windows.ProcessEntry32{Size: uint32(unsafe.Sizeof(windows.ProcessEntry32{}))}
	var out []entry
	for err = windows.Process32First(h, &one); err == nil; err = windows.Process32Next(h, &one) {
		out = append(out, entry{one.ProcessID, one.ParentProcessID, windows.UTF16ToString(one.ExeFile[:])})
	}
	if !errors.Is(err, windows.ERROR_NO_MORE_FILES) {
		return out, fmt.Errorf("cannot list programs: %w", err)
	}
	return out, nil
}

func describe(e entry) (Started, bool) {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, e.pid)
	if err != nil {
		return Started{}, false
	}
	defer windows.CloseHandle(h)
	s := Started{PID: e.pid, Path: Image(h), Began: Began(h)}
	s.User, s.System = user(h)
	if s.Path == "" || s.Began.IsZero() {
		return s, false
	}
	s.Parent = parent(e.parent, s.Began)
	return s, true
}

// Image is the path of the file that a process was made from; "" when it cannot be told.
func Image(h windows.Handle) string {
	buf := make([]uint16, windows.MAX_LONG_PATH)
	n := uint32(len(buf))
	if windows.QueryFullProcessImageName(h, 0, &buf[0], &n) != nil {
		return ""
	}
	return windows.UTF16ToString(buf[:n])
}

// Began is when a process was made. With its number it names it for all times.
func Began(h windows.Handle) time.Time {
	var made, ended, kernel, own windows.Filetime
	if windows.GetProcessTimes(h, &made, &ended, &kernel, &own) != nil {
		return time.Time{}
	}
	return time.Unix(0, made.Nanoseconds())
}

// parent names the program that started one; a younger one only has its number.
func parent(pid uint32, before time.Time) string {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return ""
	}
	defer windows.CloseHandle(h)
	if Began(h).After(before) {
		return ""
	}
	return Image(h)
}

func user(h windows.Handle) (name string, system bool) {
	var t windows.Token
	if windows.OpenProcessToken(h, windows.TOKEN_QUERY, &t) != nil {
		return "", true
	}
	defer t.Close()
	u, err := t.GetTokenUser()
	if err != nil {
		return "", true
	}
	sid := u.User.Sid.String()
	name, domain, _, err := u.User.Sid.LookupAccount("")
	if err != nil {
		return sid, ofSystem(sid)
	}
	return domain + `\` + name, ofSystem(sid)
}

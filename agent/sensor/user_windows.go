package sensor

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// Questions to WTSQuerySessionInformation (wtsapi32.h, WTS_INFO_CLASS).
const (
	wtsUserName   = 5
	wtsDomainName = 7
)

// noSession is what WTSGetActiveConsoleSessionId says while nobody is attached to the console.
const noSession = 0xffffffff

// whoSits names who is at the console, else the first who is active in a remote session.
func whoSits(Options) string {
	if id := windows.WTSGetActiveConsoleSessionId(); id != noSession {
		if name := sessionUser(id); name != "" {
			return name
		}
	}
	var first *windows.WTS_SESSION_INFO
	var n uint32
	if windows.WTSEnumerateSessions(0, 0, 1, &first, &n) != nil {
		return ""
	}
	defer windows.WTSFreeMemory(uintptr(unsafe.Pointer(first)))
	for _, s := range unsafe.Slice(first, n) {
		if s.State != windows.WTSActive {
			continue
		}
		if name := sessionUser(s.SessionID); name != "" {
			return name
		}
	}
	return ""
}

func sessionUser(id uint32) string {
	name := sessionText(id, wtsUserName)
	if domain := sessionText(id, wtsDomainName); name != "" && domain != "" {
		return word(domain + `\` + name)
	}
	return word(name)
}

// sessionText asks about a session; "" when nobody is signed in there, or this Windows cannot say.
func sessionText(id uint32, what uintptr) string {
	query := windows.NewLazySystemDLL("wtsapi32.dll").NewProc("WTSQuerySessionInformationW")
	if query.Find() != nil {
		return ""
	}
	var text *uint16
	var size uint32
	r, _, _ := query.Call(0, uintptr(id), what, uintptr(unsafe.Pointer(&text)), uintptr(unsafe.Pointer(&size)))
	if r == 0 || text == nil {
		return ""
	}
	defer windows.WTSFreeMemory(uintptr(unsafe.Pointer(text)))
	return windows.UTF16PtrToString(text)
}

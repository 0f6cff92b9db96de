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

// whoSits names who is at the console, else the first who is active in a remote session.
func whoSits(Options) string {
	return atTerminal(windows.WTSGetActiveConsoleSessionId(), activeSessions(), sessionUser)
}

func activeSessions() (active []uint32) {
	var first *windows.WTS_SESSION_INFO
	var n uint32
	if windows.WTSEnumerateSessions(0, 0, 1, &first, &n) != nil {
		return nil
	}
	defer windows.WTSFreeMemory(uintptr(unsafe.Pointer(first)))
	for _, s := range unsafe.Slice(first, n) {
		if s.State == windows.WTSActive {
			active = append(active, s.SessionID)
		}
	}
	return active
}

func sessionUser(id uint32) string {
	return signedIn(sessionText(id, wtsDomainName), sessionText(id, wtsUserName))
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

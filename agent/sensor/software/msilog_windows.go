package software

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// Of winevt.h (https://learn.microsoft.com/windows/win32/api/winevt/).
const (
	ofChannel   = 0x1   // EvtQueryChannelPath
	newestFirst = 0x200 // EvtQueryReverseDirection
	asXML       = 1     // EvtRenderEventXml
	eventBatch  = 16
	eventWait   = 2000 // milliseconds
)

// installations reads what Windows Installer wrote into the Application log. An imitation of Windows has no such log: then nobody knows.
func installations() (out []installation) {
	dll := windows.NewLazySystemDLL("wevtapi.dll")
	query, next, render, done := dll.NewProc("EvtQuery"), dll.NewProc("EvtNext"), dll.NewProc("EvtRender"), dll.NewProc("EvtClose")
	for _, p := range []*windows.LazyProc{query, next, render, done} {
		if p.Find() != nil {
			return nil
		}
	}
	channel, err := windows.UTF16PtrFromString("Application")
	if err != nil {
		return nil
	}
	wanted, err := windows.UTF16PtrFromString(msiInstalled)
	if err != nil {
		return nil
	}
	results, _, _ := query.Call(0, uintptr(unsafe.Pointer(channel)), uintptr(unsafe.Pointer(wanted)), ofChannel|newestFirst)
	if results == 0 {
		return nil
	}
	defer done.Call(results)
	buf := make([]uint16, maxMSIEvent/2)
	for seen := 0; seen < maxMSIEvents; {
		var events [eventBatch]uintptr
		var n uint32
		ok, _, _ := next.Call(results, eventBatch, uintptr(unsafe.Pointer(&events[0])), eventWait, 0, uintptr(unsafe.Pointer(&n)))
		if ok == 0 || n == 0 || n > eventBatch {
			return out
		}
		for _, e := range events[:n] {
			var used, properties uint32
			ok, _, _ := render.Call(0, e, asXML, uintptr(len(buf)*2), uintptr(unsafe.Pointer(&buf[0])), uintptr(unsafe.Pointer(&used)), uintptr(unsafe.Pointer(&properties)))
			if ok != 0 {
				if i, err := parseInstallation(windows.UTF16ToString(buf)); err == nil {
					out = append(out, i)
				}
			}
			_, _, _ = done.Call(e)
			seen++
		}
	}
	return out
}

package software

import (
	"context"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// listen rings whenever what is installed changes, for the machine or for somebody who is signed in, and when somebody signs
// in. It is told of everything from its return on.
func (e *Eyes) listen(ctx context.Context, stirred chan<- struct{}) {
	end, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		e.o.Log.Error().Err(err).Msg("cannot watch for programs, looking every quarter of an hour only")
		return
	}
	context.AfterFunc(ctx, func() { _ = windows.SetEvent(end) })
	ready := make(chan struct{})
	go func() {
		// Windows takes a request back when the thread that made it ends, but for those that say THREAD_AGNOSTIC.
		runtime.LockOSThread()
		defer windows.CloseHandle(end)
		told := e.arm()
		close(ready)
		for told.wait(end, e.o.Often) {
			told.close()
			time.Sleep(settle)
			told = e.arm()
			ring(stirred)
		}
		told.close()
	}()
	<-ready
}

// settle keeps a key that changes all the time from keeping a processor busy.
const settle = 100 * time.Millisecond

// bells are the keys that are watched; each request is for one change, so all are made anew after one.
type bells struct {
	keys   []registry.Key
	events []windows.Handle
}

// maxBells leaves one place for the end: Windows waits for 64 at most
// (https://learn.microsoft.com/windows/win32/api/synchapi/nf-synchapi-waitformultipleobjects).
const maxBells = 63

// arm asks to be told of every place.
func (e *Eyes) arm() *bells {
	var b bells
	for _, p := range machinePlaces() {
		b.near(p.root, p.path, p.view)
	}
	b.add(registry.USERS, "", 0, false)
	who, _ := signedIn() // who cannot be listed is looked for every quarter of an hour
	for _, sid := range who {
		b.near(registry.USERS, sid+`\`+uninstallPath, 0)
		b.near(registry.USERS, sid+`_Classes\`+packagesPath, 0)
	}
	return &b
}

// near watches a key and what is below it; where it is not there yet, the nearest above it, for it to come.
func (b *bells) near(root registry.Key, path string, view uint32) {
	deep := true
	for !b.add(root, path, view, deep) {
		up := strings.LastIndexByte(path, '\\')
		if up < 0 {
			return
		}
		path, deep = path[:up], false
	}
}

// add asks Windows to set an event at the next change
// (https://learn.microsoft.com/windows/win32/api/winreg/nf-winreg-regnotifychangekeyvalue).
func (b *bells) add(root registry.Key, path string, view uint32, deep bool) bool {
	if len(b.events) == maxBells {
		return true // as if: the look every quarter of an hour has to do
	}
	k, err := registry.OpenKey(root, path, registry.NOTIFY|view)
	if err != nil {
		return false
	}
	event, err := windows.CreateEvent(nil, 0, 0, nil)
	if err != nil {
		k.Close()
		return false
	}
	filter := uint32(windows.REG_NOTIFY_CHANGE_NAME)
	if deep {
		filter |= windows.REG_NOTIFY_CHANGE_LAST_SET
	}
	err = windows.RegNotifyChangeKeyValue(windows.Handle(k), deep, filter|windows.REG_NOTIFY_THREAD_AGNOSTIC, event, true)
	if err != nil { // before Windows 8
		err = windows.RegNotifyChangeKeyValue(windows.Handle(k), deep, filter, event, true)
	}
	if err != nil {
		windows.CloseHandle(event)
		k.Close()
		return false
	}
	b.keys, b.events = append(b.keys, k), append(b.events, event)
	return true
}

// wait waits for a change, or for so long that one may have been missed; it says no at the end.
func (b *bells) wait(end windows.Handle, most time.Duration) bool {
	n, err := windows.WaitForMultipleObjects(append([]windows.Handle{end}, b.events...), false, uint32(most.Milliseconds()))
	return n != windows.WAIT_OBJECT_0 && err == nil
}

func (b *bells) close() {
	for i, k := range b.keys {
		k.Close()
		windows.CloseHandle(b.events[i])
	}
}

package sensor

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// notifyFilter is CM_NOTIFY_FILTER: a union of 400 bytes, which is not used when all instances are asked for
// (https://learn.microsoft.com/windows/win32/api/cfgmgr32/ns-cfgmgr32-cm_notify_filter).
type notifyFilter struct {
	size     uint32
	flags    uint32
	kind     uint32
	reserved uint32
	union    [400]byte
}

const (
	allInstances   = 2 // CM_NOTIFY_FILTER_FLAG_ALL_DEVICE_INSTANCES
	kindOfInstance = 2 // CM_NOTIFY_FILTER_TYPE_DEVICEINSTANCE
)

// notify puts a word on the channel whenever a device node comes, starts or goes. end must be called outside of the
// callback. Where this Windows has no such call, the error says so and end does nothing.
func notify(words chan<- struct{}) (end func(), err error) {
	cfg := windows.NewLazySystemDLL("cfgmgr32.dll")
	register, unregister := cfg.NewProc("CM_Register_Notification"), cfg.NewProc("CM_Unregister_Notification")
	for _, p := range []*windows.LazyProc{register, unregister} {
		if err := p.Find(); err != nil {
			return func() {}, fmt.Errorf("cannot ask for notifications: %w", err)
		}
	}
	// Windows' own thread calls this and must not wait; 0 is ERROR_SUCCESS.
	callback := windows.NewCallback(func(_, _, _, _, _ uintptr) uintptr {
		select {
		case words <- struct{}{}:
		default: // one is waiting already
		}
		return 0
	})
	filter := notifyFilter{flags: allInstances, kind: kindOfInstance}
	filter.size = uint32(unsafe.Sizeof(filter))
	var handle uintptr
	if r, _, _ := register.Call(uintptr(unsafe.Pointer(&filter)), 0, callback, uintptr(unsafe.Pointer(&handle))); r != 0 {
		return func() {}, fmt.Errorf("cannot ask for notifications: configuration manager error %d", r)
	}
	return func() { _, _, _ = unregister.Call(handle) }, nil
}

package execgate

import (
	"context"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// While it stands at the gate the agent says every beat that it lives. When it has not for a grace, the kernel itself ends
// it: with its last descriptor every question is answered yes, and the service manager starts it again. Nothing inside the
// process could do that if the process itself hung.
const (
	beat  = 20 * time.Second
	grace = 60 * time.Second
)

// startDeadman arms the kernel's timer (timer_create(2)); end disarms it. A kernel that gives none leaves the service
// manager's watchdog.
func startDeadman(ctx context.Context) (end func()) {
	// struct sigevent: a value of eight bytes, the signal, SIGEV_SIGNAL (sigevent(3type)).
	event := struct {
		value          uint64
		signal, notify int32
		_              [48]byte
	}{signal: int32(unix.SIGKILL)}
	var id int32
	if _, _, errno := unix.Syscall(unix.SYS_TIMER_CREATE, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&event)), uintptr(unsafe.Pointer(&id))); errno != 0 {
		return func() {}
	}
	arm := func(d time.Duration) {
		spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
		_, _, _ = unix.Syscall6(unix.SYS_TIMER_SETTIME, uintptr(id), 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(beat)
		defer tick.Stop()
		for arm(grace); ; arm(grace) {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
		_, _, _ = unix.Syscall(unix.SYS_TIMER_DELETE, uintptr(id), 0, 0)
	}
}

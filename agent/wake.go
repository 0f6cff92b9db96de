package main

// What Windows tells a service of the machine's sleep and of people who sign in and out
// (https://learn.microsoft.com/windows/win32/power/wm-powerbroadcast, …/termserv/wm-wtssession-change).
const (
	resumedByUser = 0x07 // PBT_APMRESUMESUSPEND
	resumed       = 0x12 // PBT_APMRESUMEAUTOMATIC: always comes first
)

// wakes says whether a power event means that the machine slept: devices may have been exchanged meanwhile, and timers
// stood still while permissions ended.
func wakes(event uint32) bool { return event == resumed || event == resumedByUser }

// ring lets something be heard once, however often it is said.
func ring(bell chan<- struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

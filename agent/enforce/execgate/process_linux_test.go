package execgate

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestAThreadThatIsNotYetAsleepIsWaitedFor: the kernel asks before it lies down. Judged by what can be seen then, a shell
// that writes a file would be one that reads it as its script.
func TestAThreadThatIsNotYetAsleepIsWaitedFor(t *testing.T) {
	writes := call{number: unix.SYS_OPENAT, args: [6]uint64{2: unix.O_WRONLY}}
	sleeps := call{number: unix.SYS_FUTEX}
	for _, c := range []struct {
		name          string
		looks         []call // of the one thread that waits; the zero number is running
		idle, busy    bool   // others sleep, run
		paused, found int
	}{
		{name: "asleep at once", looks: []call{writes}, found: 1},
		{name: "asleep later", looks: []call{{}, {}, writes}, paused: 2, found: 1},
		{name: "others sleep", looks: []call{{}, writes}, idle: true, paused: 1, found: 2},
		{name: "others run", looks: []call{{}, writes}, busy: true, paused: 1, found: 1},
		{name: "by another kind of call", looks: []call{sleeps}, found: 1},
		{name: "never asleep", looks: []call{{}}, paused: mostLyings},
	} {
		paused := 0
		got := await(func() (all []call, running bool) {
			one := c.looks[min(paused, len(c.looks)-1)]
			if one != (call{}) {
				all = append(all, one)
			}
			if c.idle {
				all = append(all, sleeps)
			}
			return all, c.busy || one == call{}
		}, func() { paused++ })
		if paused != c.paused || len(got) != c.found {
			t.Errorf("%s: %d calls after %d pauses, not %d after %d", c.name, len(got), paused, c.found, c.paused)
		}
	}
}

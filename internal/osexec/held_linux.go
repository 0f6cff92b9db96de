package osexec

import (
	"fmt"
	"os"
)

// meter reads what a process holds for itself alone: what is resident less what it shares (proc_pid_statm(5), in pages).
func meter(pid int) (held func() (uint64, error), done func(), err error) {
	name, page := fmt.Sprintf("/proc/%d/statm", pid), uint64(os.Getpagesize())
	held = func() (uint64, error) {
		text, err := os.ReadFile(name)
		if err != nil {
			return 0, err
		}
		var size, resident, shared uint64
		if _, err := fmt.Sscan(string(text), &size, &resident, &shared); err != nil || shared > resident {
			return 0, fmt.Errorf("cannot read %s: %q", name, text)
		}
		return (resident - shared) * page, nil
	}
	_, err = held()
	return held, func() {}, err
}

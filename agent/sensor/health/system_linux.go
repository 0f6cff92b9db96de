package health

import (
	"context"
	"strings"

	"golang.org/x/sys/unix"

	"sekisho/agent/sensor/winstate"
	"sekisho/internal/policy"
)

func (e *Eyes) patches(ctx context.Context) []policy.Reading  { return e.linuxPatches(ctx) }
func (e *Eyes) settings(ctx context.Context) []policy.Reading { return e.linuxSettings(ctx) }
func (e *Eyes) network(context.Context) []policy.Reading {
	return e.linuxNetwork(readNet())
}

// Adapters gives the terminal's adapters, and which of them the console is reached by. It only asks the kernel.
func (e *Eyes) Adapters(way Way) ([]policy.Adapter, error) {
	n, err := readNet()
	if err != nil {
		return nil, err
	}
	out := 0
	if way.Remote.IsValid() {
		if out, err = readWay(way.Remote); err != nil {
			return nil, err
		}
	}
	return e.linuxAdapters(n, way.Local, out)
}

func windowsEyes(Options) *winstate.Eyes { return nil }

// release is the running kernel's, as uname(2) says it.
func release() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return strings.TrimRight(string(u.Release[:]), "\x00")
}

// deviceOf gives the number of the device that a file system node stands for, and that the path lies on.
func deviceOf(path string) (node, on uint64, err error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, 0, err
	}
	return st.Rdev, st.Dev, nil
}

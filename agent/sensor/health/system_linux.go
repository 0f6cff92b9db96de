package health

import (
	"context"
	"strings"

	"golang.org/x/sys/unix"

	"sekisho/internal/policy"
)

func (e *Eyes) patches(ctx context.Context) []policy.Reading  { return e.linuxPatches(ctx) }
func (e *Eyes) settings(ctx context.Context) []policy.Reading { return e.linuxSettings(ctx) }
func (e *Eyes) network(context.Context) []policy.Reading {
	return e.linuxNetwork(readNet())
}

func (e *Eyes) service(name string) policy.Raw      { return e.unit(name) }
func (e *Eyes) processes() (map[string]bool, error) { return e.tree.programs() }

func (e *Eyes) wmi(context.Context, policy.Place) policy.Raw {
	return policy.Raw{Code: policy.CodeNoSource, Fault: "cannot ask WMI: this is not Windows"}
}

type noRegistry struct{}

func systemRegistry() Registry { return noRegistry{} }

func (noRegistry) Value(string, string, string) policy.Raw {
	return policy.Raw{Code: policy.CodeNoSource, Fault: "cannot read the registry: this is not Windows"}
}

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

package health

import (
	"context"
	"errors"

	"golang.org/x/sys/windows/registry"

	"sekisho/internal/osexec"
	"sekisho/internal/policy"
)

// The areas that are not read on Windows yet: without a reading a check says so.
func (e *Eyes) patches(context.Context) []policy.Reading  { return nil }
func (e *Eyes) settings(context.Context) []policy.Reading { return nil }
func (e *Eyes) network(context.Context) []policy.Reading  { return nil }

// Changes pulses when the network may have changed.
func (e *Eyes) Changes(context.Context) (<-chan struct{}, error) { return nil, nil }

func (e *Eyes) service(string) policy.Raw {
	return policy.Raw{Code: policy.CodeNoSource, Fault: "cannot ask for services on Windows yet"}
}

func (e *Eyes) processes() (map[string]bool, error) {
	return nil, errors.New("cannot list processes on Windows yet")
}

func (e *Eyes) wmi(context.Context, policy.Place) policy.Raw {
	return policy.Raw{Code: policy.CodeNoSource, Fault: "cannot ask WMI yet"}
}

type windowsRegistry struct{}

func systemRegistry() Registry { return windowsRegistry{} }

func (windowsRegistry) Value(key, name, view string) policy.Raw {
	for _, access := range registryViews(view) {
		if raw := registryValue(key, name, access); raw.Code != policy.CodeMissing {
			return raw
		}
	}
	return policy.Raw{Code: policy.CodeMissing, Fault: "cannot find " + key + `\` + name}
}

func registryViews(view string) []uint32 {
	switch view {
	case "32":
		return []uint32{registry.WOW64_32KEY}
	case "64":
		return []uint32{registry.WOW64_64KEY}
	}
	return []uint32{registry.WOW64_64KEY, registry.WOW64_32KEY}
}

func registryValue(key, name string, access uint32) policy.Raw {
	root, sub := splitKey(key)
	k, err := registry.OpenKey(registry.Key(root), sub, registry.QUERY_VALUE|access)
	if err != nil {
		return registryFailure(err)
	}
	defer k.Close()
	buf := make([]byte, policy.MaxValue+1)
	n, kind, err := k.GetValue(name, buf)
	if err != nil {
		return registryFailure(err)
	}
	return registryRaw(kind, buf[:n])
}

func registryFailure(err error) policy.Raw {
	if errors.Is(err, registry.ErrShortBuffer) {
		return policy.Raw{Code: policy.CodeTooLong, Fault: err.Error()}
	}
	return failure(err)
}

func (e *Eyes) filters(context.Context) (four, six bool, source string, err error) {
	return false, false, "", osexec.ErrMissing
}

func (e *Eyes) askDnf(context.Context) ([]string, error) { return nil, osexec.ErrMissing }

package software

import (
	"context"

	"sekisho/internal/policy"
)

// sources of Windows. A change below a key does not show in the key, so they are read at every look.
func sources(Options) []source {
	always := func() string { return "" }
	e := &registryEyes{accounts: map[string]string{}, tried: map[string]int{}}
	return []source{
		{name: "uninstall", mark: always, read: atOnce(e.uninstall)},
		{name: "msix", mark: always, read: atOnce(e.packages)},
	}
}

// atOnce is for what the registry tells: nothing of it takes so long that it would have to be stopped.
func atOnce(read func(map[string]policy.Program, bool) reading) func(context.Context, map[string]policy.Program, bool) reading {
	return func(_ context.Context, before map[string]policy.Program, first bool) reading {
		return read(before, first)
	}
}

const noWait = 0 // only people on Linux put pipes where files were

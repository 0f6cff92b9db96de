package sensor

import (
	"cmp"
	"slices"

	"sekisho/internal/policy"
)

// enumerate reads what is attached now, once, by the same reading as the watcher's.
func enumerate(o Options, t tree) []policy.Device {
	w := &watcher{options: o, tree: t, here: map[string]*entry{}}
	w.start()
	devices := make([]policy.Device, 0, len(w.here))
	for _, e := range w.here {
		devices = append(devices, e.device)
	}
	slices.SortFunc(devices, func(a, b policy.Device) int {
		return cmp.Or(cmp.Compare(a.Bus, b.Bus), cmp.Compare(a.ID, b.ID))
	})
	return devices
}

package sensor

import (
	"context"
	"fmt"

	"sekisho/internal/policy"
)

// Watch subscribes to the kernel's events, reports what is there (Present), and then what comes and goes.
// The channel is closed when ctx ends.
func Watch(ctx context.Context, o Options) (<-chan policy.Event, error) {
	src, err := listen(o.Now)
	if err != nil {
		return nil, fmt.Errorf("cannot watch devices: %w", err)
	}
	return watch(ctx, o, o.tree(), src), nil
}

// Enumerate reads what is attached now, once.
func Enumerate(o Options) ([]policy.Device, error) {
	t := o.tree()
	if !t.exists("sys/bus") {
		return nil, fmt.Errorf("cannot read devices: no sysfs below %s", o.Root)
	}
	return enumerate(o, t), nil
}

func whoSits(o Options) string { return o.tree().user() }

// Silent has nothing to say: where the kernel does not tell of devices, Watch fails.
func Silent() error { return nil }

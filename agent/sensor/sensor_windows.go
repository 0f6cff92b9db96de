package sensor

import (
	"context"
	"fmt"

	"sekisho/internal/policy"
)

// Watch reports what is there (Present), and then what comes and goes. Windows' notifications only say that it is time
// to look; what is there is what an enumeration finds. The channel is closed when ctx ends.
func Watch(ctx context.Context, o Options) (<-chan policy.Event, error) {
	if _, err := survey(); err != nil {
		return nil, fmt.Errorf("cannot watch devices: %w", err)
	}
	words, every := make(chan struct{}, 1), heedful
	end, err := notify(words)
	if err != nil {
		o.Log.Warn().Err(err).Msg("Windows does not tell of devices here, looking every few seconds")
		every = unspoken
	}
	out := make(chan policy.Event, 64)
	s := newSurveyor(o, survey, func() string { return whoSits(o) }, every)
	go func() {
		defer end()
		s.run(ctx, words, out)
	}()
	return out, nil
}

// Silent says why this Windows does not tell of devices, nil when it does. The agent then looks every few seconds.
func Silent() error {
	end, err := notify(make(chan struct{}, 1))
	end()
	return err
}

// Enumerate reads what is attached now, once.
func Enumerate(o Options) ([]policy.Device, error) {
	devices, err := newSurveyor(o, survey, nil, 0).devices()
	if err != nil {
		return nil, fmt.Errorf("cannot read devices: %w", err)
	}
	return devices, nil
}

func survey() ([]sighting, error) {
	nodes, err := readNodes()
	if err != nil {
		return nil, err
	}
	return newForest(nodes).sightings(), nil
}

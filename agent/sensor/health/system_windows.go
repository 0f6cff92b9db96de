package health

import (
	"context"

	"sekisho/agent/sensor/winstate"
	"sekisho/internal/osexec"
	"sekisho/internal/policy"
)

func windowsEyes(o Options) *winstate.Eyes {
	return winstate.New(winstate.Options{Now: o.Now, Baseline: o.Baseline, Support: o.Support, Before: o.Before, Cab: o.Cab})
}

func (e *Eyes) patches(ctx context.Context) []policy.Reading {
	e.Windows.SearchWhenDue(ctx)
	return e.Windows.Patches(ctx)
}

func (e *Eyes) settings(ctx context.Context) []policy.Reading {
	return append(e.Windows.Settings(ctx), e.clockOffset())
}

func (e *Eyes) network(context.Context) []policy.Reading { return e.Windows.Adapters() }

// Adapters gives the terminal's adapters, and which of them the console is reached by. It only asks Windows.
func (e *Eyes) Adapters(way Way) ([]policy.Adapter, error) {
	return e.Windows.Ways(way.Local, way.Remote)
}

// Changes pulses when the network may have changed.
func (e *Eyes) Changes(ctx context.Context) (<-chan struct{}, error) { return e.Windows.Changes(ctx) }

func (e *Eyes) filters(context.Context) (four, six bool, source string, err error) {
	return false, false, "", osexec.ErrMissing
}

func (e *Eyes) askDnf(context.Context) ([]string, error) { return nil, osexec.ErrMissing }

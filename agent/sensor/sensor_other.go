//go:build !linux && !windows

package sensor

import (
	"context"
	"fmt"
	"runtime"

	"sekisho/internal/policy"
)

// Watch says that this system has no eyes yet.
func Watch(context.Context, Options) (<-chan policy.Event, error) {
	return nil, fmt.Errorf("cannot watch devices on %s yet", runtime.GOOS)
}

// Enumerate says that this system has no eyes yet.
func Enumerate(Options) ([]policy.Device, error) {
	return nil, fmt.Errorf("cannot read devices on %s yet", runtime.GOOS)
}

func whoSits(Options) string { return "" }

// Silent says the same.
func Silent() error { return fmt.Errorf("cannot watch devices on %s yet", runtime.GOOS) }

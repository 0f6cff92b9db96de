package main

import (
	"context"
	"fmt"
)

func installFiles() error { return nil } // an MSI will

func startService(context.Context) error {
	s, err := systemService("")
	if err != nil {
		return fmt.Errorf("cannot install: %w", err)
	}
	if err := s.Install(); err != nil {
		return fmt.Errorf("cannot install the service: %w", err)
	}
	return s.Start()
}

// restartRunning lets an agent that runs begin anew; one that does not run stays so.
func restartRunning(context.Context) error {
	s, err := systemService("")
	if err != nil {
		return fmt.Errorf("cannot restart the service: %w", err)
	}
	if err := s.Stop(); err != nil {
		return nil // it does not run
	}
	return s.Start()
}

func removeService(context.Context, bool) error {
	s, err := systemService("")
	if err != nil {
		return fmt.Errorf("cannot uninstall: %w", err)
	}
	_ = s.Stop() // it may not be running
	return s.Uninstall()
}

func removeFiles(context.Context) error { return nil }

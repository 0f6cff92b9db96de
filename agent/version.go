package main

import (
	"context"
	"fmt"
	"runtime"

	"sekisho/internal/wire"
)

func versionCommand(_ context.Context, s streams, args []string) error {
	if err := parse(s, flags("version"), args, "Prints the version of this program and of the protocol it speaks."); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.out, "sekisho-agent %s (protocol %d, %s, %s/%s)\n", version, wire.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

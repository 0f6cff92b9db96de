package main

import (
	"context"
	"os"
	"testing"

	"sekisho/agent/sensor/hivefile"
	"sekisho/agent/sensor/winstate"
)

// TestMain is also the child that the eyes ask: the test runs itself again.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == winstate.ChildWord || os.Args[1] == hivefile.ChildWord) {
		os.Exit(dispatch(context.Background(), streams{os.Stdout, os.Stderr, os.Getenv}, os.Args[1:]))
	}
	os.Exit(m.Run())
}

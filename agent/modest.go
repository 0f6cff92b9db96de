package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"
)

// A terminal belongs to its user: the agent takes one processor at a time and little memory. One processor is also the
// quicker way from a plug to its verdict, which passes through half a dozen goroutines: none of them has to wake another
// thread.
const (
	processors = 1
	gcPercent  = 50
	startOver  = 10 * time.Second // what only the start needed is not needed any more
)

// beModest must come first: what was taken is not given back by it.
func beModest() {
	runtime.GOMAXPROCS(processors)
	debug.SetGCPercent(gcPercent)
}

// shed gives back, once, what only the start needed.
func shed(ctx context.Context, log zerolog.Logger) {
	if !pause(ctx, startOver) {
		return
	}
	debug.FreeOSMemory()
	if err := shedProgram(); err != nil {
		log.Debug().Err(err).Msg("cannot give the program's pages back")
	}
}

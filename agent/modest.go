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
	// soft is where the collector begins to work harder and gives back what is free: the lists of thousands of packages are
	// read and sent in much larger pieces than what is kept of them. What has to be kept may be more than this.
	soft      = 20 << 20
	startOver = 10 * time.Second // what only the start needed is not needed any more
)

// beModest must come first: what was taken is not given back by it.
func beModest() {
	runtime.GOMAXPROCS(processors)
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(soft)
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

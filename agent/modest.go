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
)

// What work took is given back once nothing was done for so long; and once more when the first looks of everybody are over.
const (
	workOver  = 10 * time.Second
	startOver = time.Minute
)

// beModest must come first: what was taken is not given back by it.
func beModest() {
	runtime.GOMAXPROCS(processors)
	debug.SetGCPercent(gcPercent)
}

// shedding gives back what only the start, or a look at thousands of programs, needed.
type shedding struct {
	worked chan struct{} // rings at the end of such a look
	give   func()
}

func newShedding(log zerolog.Logger) *shedding {
	return &shedding{worked: make(chan struct{}, 1), give: func() {
		debug.FreeOSMemory()
		if err := shedProgram(); err != nil {
			log.Debug().Err(err).Msg("cannot give the program's pages back")
		}
	}}
}

func (s *shedding) run(ctx context.Context) {
	over, started := time.NewTimer(workOver), time.NewTimer(startOver)
	defer over.Stop()
	defer started.Stop()
	for {
		select {
		case <-s.worked:
			over.Reset(workOver)
		case <-over.C:
			s.give()
		case <-started.C:
			s.give()
		case <-ctx.Done():
			return
		}
	}
}

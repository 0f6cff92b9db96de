package osexec

import (
	"errors"
	"os"
	"time"
)

// ErrMemory says that a program was ended because it held more than it may.
var ErrMemory = errors.New("it held more memory than it may, and was ended")

// watchEvery is how often a program's memory is looked at. One that is quick takes more meanwhile: on Windows the job object is
// there for that.
const watchEvery = 100 * time.Millisecond

// watch ends a process when it holds more than limit, until stop is called; stop says whether it did. A process whose memory cannot
// be read any more has ended.
func watch(p *os.Process, held func() (uint64, error), limit uint64) (stop func() (over bool)) {
	end, over := make(chan struct{}), make(chan bool, 1)
	go func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-end:
				over <- false
				return
			case <-tick.C:
			}
			if n, err := held(); err == nil && n > limit {
				over <- p.Kill() == nil
				return
			}
		}
	}()
	return func() bool {
		close(end)
		return <-over
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
)

// logName is the service's log, in the state folder.
const logName = "console.log"

// managed runs body as the service manager wants it, or in the foreground where no manager started this process.
// Only the manager's refusal says reliably that this is no service.
func managed(ctx context.Context, c call, body func(context.Context, call) error) error {
	err := svc.Run(serviceName, handler{ctx, c, body})
	if errors.Is(err, windows.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) || errors.Is(err, windows.ERROR_SERVICE_ALREADY_RUNNING) { // the second one: asked before
		return body(ctx, c)
	}
	return err
}

// handler is the console as the service control manager speaks to it.
type handler struct {
	ctx  context.Context
	call call
	body func(context.Context, call) error
}

// exitFailedService is reported when the console ended by itself: with 0 the manager would not start it again.
const exitFailedService = 1

// Execute answers the manager until the console has ended; it must answer within 30 seconds
// (https://learn.microsoft.com/windows/win32/services/service-control-handler-function).
func (h handler) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (bool, uint32) {
	status <- svc.Status{State: svc.StartPending, WaitHint: 30_000}
	ctx, stop := context.WithCancel(h.ctx)
	defer stop()
	ended := make(chan bool, 1)
	go func() { ended <- h.run(ctx) }()
	status <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown}
	for {
		select {
		case <-ended:
			return true, exitFailedService
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				status <- r.CurrentStatus
			case svc.Stop, svc.Shutdown:
				stop()
				await(ended, status)
				return false, 0
			}
		}
	}
}

// run is the console with its words in a file; a service has nobody to speak to.
func (h handler) run(ctx context.Context) (ok bool) {
	c := h.call
	log, err := openLog(filepath.Join(c.state, logName), maxLog)
	if err != nil {
		return false
	}
	defer log.Close()
	c.out, c.err, c.person = log, log, false
	if err := h.body(ctx, c); err != nil {
		complain(log, fmt.Errorf("%s %w", time.Now().UTC().Format(time.RFC3339), err))
		return false
	}
	return true
}

// await tells the manager that answers under way are being finished.
func await(ended <-chan bool, status chan<- svc.Status) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	deadline := time.After(stopWithin + 5*time.Second)
	for n := uint32(1); ; n++ {
		status <- svc.Status{State: svc.StopPending, CheckPoint: n, WaitHint: 3_000}
		select {
		case <-ended:
			return
		case <-deadline:
			return // what is under way ends with the process
		case <-tick.C:
		}
	}
}

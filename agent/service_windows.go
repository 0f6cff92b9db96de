package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kardianos/service"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
)

// accepts are the controls we want to hear of.
const accepts = svc.AcceptStop | svc.AcceptShutdown | svc.AcceptPreShutdown | svc.AcceptSessionChange | svc.AcceptPowerEvent

// managed connects to the service control manager at once. Only its refusal says reliably that this is no service.
func (p *program) managed() error {
	err := svc.Run(serviceName, handler{p})
	if errors.Is(err, windows.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) {
		return errForeground
	}
	return err
}

// handler is the program as the service control manager speaks to it.
type handler struct{ p *program }

// exitFailedService is reported when the body ended by itself: with 0 the manager would not start it again.
const exitFailedService = 1

// Execute answers the manager until the program has ended; it must answer within 30 seconds
// (https://learn.microsoft.com/windows/win32/services/service-control-handler-function).
func (h handler) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (bool, uint32) {
	status <- svc.Status{State: svc.StartPending, WaitHint: 10_000}
	if err := protectFolders(); err != nil {
		h.p.log.Error().Err(err).Msg("folders can be written by others")
	}
	_ = h.p.Start(nil) // never fails
	status <- svc.Status{State: svc.Running, Accepts: accepts}
	for {
		select {
		case <-h.p.done:
			status <- svc.Status{State: svc.StopPending}
			return true, exitFailedService
		case r := <-requests:
			if h.control(r, status) {
				return h.end(status)
			}
		}
	}
}

// control says whether to stop.
func (h handler) control(r svc.ChangeRequest, status chan<- svc.Status) bool {
	switch r.Cmd {
	case svc.Interrogate:
		status <- r.CurrentStatus
	case svc.Stop, svc.Shutdown, svc.PreShutdown:
		return true
	case svc.SessionChange:
		ring(h.p.woken)
	case svc.PowerEvent:
		if wakes(r.EventType) {
			ring(h.p.woken)
		}
	}
	return false
}

// end waits for the last words, and tells the manager meanwhile that they are being said.
func (h handler) end(status chan<- svc.Status) (bool, uint32) {
	h.p.cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	deadline := time.After(stopLimit)
	for n := uint32(1); ; n++ {
		status <- svc.Status{State: svc.StopPending, CheckPoint: n, WaitHint: 3_000}
		select {
		case <-h.p.done:
			return false, 0
		case <-deadline:
			return false, 0 // what is under way ends with the process
		case <-tick.C:
		}
	}
}

func isRunning(s service.Service) bool {
	status, err := s.Status()
	return err == nil && status == service.StatusRunning
}

// startAgain: the service manager says "stopped" a moment before the old process is gone, and refuses a start until then.
func startAgain(ctx context.Context, s service.Service) error {
	ctx, cancel := context.WithTimeout(ctx, 2*stopLimit)
	defer cancel()
	for {
		err := s.Start()
		if err == nil || isRunning(s) {
			return nil
		}
		if !pause(ctx, 250*time.Millisecond) {
			return fmt.Errorf("cannot start the service: %w", err)
		}
	}
}

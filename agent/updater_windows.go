package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"

	"sekisho/agent/update"
	"sekisho/internal/durable"
)

// updateService is the watcher's service. It is there only while an update is under way, and starts with the machine,
// so that a restart in the middle does not leave a bad version alone.
const updateService = "sekisho-update"

// ownProgram is the file that the service control manager starts.
func ownProgram() string {
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	if before, ok := strings.CutSuffix(self, beforeSuffix); ok {
		return before + ".exe" // asked by the watcher
	}
	return self
}

const beforeSuffix = ".before.exe"

func beforeProgram() string { return strings.TrimSuffix(ownProgram(), ".exe") + beforeSuffix }

// handOver copies this program and starts the copy as a service of its own: a program that runs cannot be written over.
func handOver(context.Context) error {
	if err := copyProgram(ownProgram(), beforeProgram()); err != nil {
		return err
	}
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("cannot reach the service manager: %w", err)
	}
	defer m.Disconnect()
	s, err := m.OpenService(updateService)
	if err != nil {
		s, err = m.CreateService(updateService, beforeProgram(), mgr.Config{
			DisplayName: "Sekisho update", Description: "Installs a Sekisho agent update, and takes it back unless it reports",
			StartType: mgr.StartAutomatic,
		}, "watch-update")
	}
	if err != nil {
		return fmt.Errorf("cannot make the watcher's service: %w", err)
	}
	defer s.Close()
	if err := s.Start(); err != nil && !errors.Is(err, windows.ERROR_SERVICE_ALREADY_RUNNING) {
		return fmt.Errorf("cannot start the watcher's service: %w", err)
	}
	return nil
}

func copyProgram(from, to string) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("cannot copy the program: %w", err)
	}
	return durable.WriteFile(to, raw, 0o755)
}

// watchUpdate runs as a service, or in the foreground where nobody started it as one.
func watchUpdate(ctx context.Context, dir string, log zerolog.Logger) error {
	w := update.Watcher{Dir: dir, Program: ownProgram(), Before: beforeProgram(), Service: &agentService{}, Log: log, Now: time.Now}
	body := func(ctx context.Context) error {
		err := untilDone(ctx, w, log)
		if err == nil {
			err = removeUpdateService()
		}
		return err
	}
	p := &program{body: body, done: make(chan struct{}), log: log}
	p.ctx, p.cancel = context.WithCancel(ctx)
	defer p.cancel()
	err := svc.Run(updateService, handler{p})
	if errors.Is(err, windows.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) {
		return body(ctx)
	}
	return err
}

// untilDone calls a watcher that failed again; nobody else would.
func untilDone(ctx context.Context, w update.Watcher, log zerolog.Logger) error {
	for {
		err := w.Run(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		log.Error().Err(err).Msg("cannot bring the update to its end, trying again")
		if !pause(ctx, 10*time.Second) {
			return ctx.Err()
		}
	}
}

// removeUpdateService marks the watcher's own service; it is gone when its process has ended
// (https://learn.microsoft.com/windows/win32/api/winsvc/nf-winsvc-deleteservice).
func removeUpdateService() error {
	err := withService(updateService, (*mgr.Service).Delete)
	if errors.Is(err, errNoService) {
		return nil
	}
	return err
}

// tidyUpdate removes the watcher's program, which could not remove itself, and what had to be moved aside.
func tidyUpdate(state string) {
	if _, err := os.Stat(filepath.Join(state, updateDir, update.PlanFile)); err == nil {
		return
	}
	removeLeftovers()
}

// removeLeftovers takes what it can; what still runs or is held is looked at again at the next start.
func removeLeftovers() {
	_ = os.Remove(beforeProgram())
	dir, name := filepath.Split(awayPrefix())
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if err == nil && strings.HasPrefix(e.Name(), name) {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

// agentService is the agent under the service control manager.
type agentService struct{ stopped int }

// Replace stops the service first: only then can its program's name be given to another file.
func (a *agentService) Replace(ctx context.Context, swap func() error) error {
	a.stopped = 0
	return withService(serviceName, func(s *mgr.Service) error {
		if err := stopAndWait(ctx, s); err != nil {
			return err
		}
		swapped := swapPatiently(ctx, swap)
		if err := s.Start(); err != nil && !errors.Is(err, windows.ERROR_SERVICE_ALREADY_RUNNING) {
			return errors.Join(swapped, fmt.Errorf("cannot start the agent: %w", err))
		}
		return swapped
	})
}

// stopAndWait asks a service to stop, and ends its process when it does not: one that hangs while it starts takes no
// controls (https://learn.microsoft.com/windows/win32/services/service-control-requests).
func stopAndWait(ctx context.Context, s *mgr.Service) error {
	_, _ = s.Control(svc.Stop) // it may not be running
	for deadline := time.Now().Add(stopLimit + 5*time.Second); ; {
		status, err := s.Query()
		switch {
		case err == nil && (status.State == svc.Stopped || status.State == svc.StartPending && !alive(status.ProcessId)):
			return nil
		case time.Now().After(deadline):
			return errors.Join(endProcess(status.ProcessId), err)
		}
		if !pause(ctx, 200*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// alive says whether a process runs.
func alive(pid uint32) bool {
	h, err := windows.OpenProcess(windows.SYNCHRONIZE, false, pid)
	if err != nil {
		return false
	}
	defer windows.CloseHandle(h)
	event, err := windows.WaitForSingleObject(h, 0)
	return err == nil && event == uint32(windows.WAIT_TIMEOUT)
}

// endProcess ends one and waits until it has ended.
func endProcess(pid uint32) error {
	h, err := windows.OpenProcess(windows.PROCESS_TERMINATE|windows.SYNCHRONIZE, false, pid)
	if err != nil {
		return fmt.Errorf("cannot stop the agent: %w", err)
	}
	defer windows.CloseHandle(h)
	if err := windows.TerminateProcess(h, 1); err != nil {
		return fmt.Errorf("cannot stop the agent: %w", err)
	}
	_, err = windows.WaitForSingleObject(h, 10_000)
	return err
}

// swapPatiently tries again for a while: a program that has just ended may still be open to a virus scanner. One that
// cannot be replaced can mostly be given another name.
func swapPatiently(ctx context.Context, swap func() error) (err error) {
	for deadline := time.Now().Add(stopLimit / 3); ; {
		if err = swap(); err == nil || !pause(ctx, 500*time.Millisecond) {
			return err
		}
		if time.Now().After(deadline) {
			break
		}
	}
	if e := os.Rename(ownProgram(), fmt.Sprintf("%s%d.exe", awayPrefix(), time.Now().UnixNano())); e != nil {
		return errors.Join(err, e)
	}
	return swap()
}

// awayPrefix begins the names of programs that had to be moved aside.
func awayPrefix() string { return strings.TrimSuffix(ownProgram(), ".exe") + ".away-" }

// Deaths counts the looks at which the service was found stopped: between a death and its restart pass seconds.
func (a *agentService) Deaths(context.Context) int {
	_ = withService(serviceName, func(s *mgr.Service) error { // who cannot look counts nothing
		status, err := s.Query()
		if err == nil && status.State == svc.Stopped {
			a.stopped++
		}
		return err
	})
	return a.stopped
}

// endUpdates stops the watcher and removes its service and its program.
func endUpdates(ctx context.Context) error {
	defer removeLeftovers()
	err := withService(updateService, func(s *mgr.Service) error { return errors.Join(stopAndWait(ctx, s), s.Delete()) })
	if errors.Is(err, errNoService) {
		return nil
	}
	return err
}

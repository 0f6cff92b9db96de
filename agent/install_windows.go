package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
	"unsafe"

	"github.com/rs/zerolog"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc/mgr"

	"sekisho/agent/enforce"
)

// installFiles protects the folders and names us to the event log; the files themselves come with the package.
func installFiles() error {
	if err := registerLog(); err != nil {
		fmt.Fprintln(os.Stderr, "sekisho-agent: "+err.Error()) // a terminal without it is guarded all the same
	}
	return protectFolders()
}

// startService makes the service and starts it, or starts the one that is there anew.
func startService(ctx context.Context) error {
	s, err := systemService("")
	if err != nil {
		return fmt.Errorf("cannot install: %w", err)
	}
	if _, err := s.Status(); err != nil {
		if err := s.Install(); err != nil {
			return fmt.Errorf("cannot install the service: %w", err)
		}
	} else {
		_ = s.Stop() // it may not be running
	}
	if err := startAgain(ctx, s); err != nil {
		return err
	}
	for _, w := range tuneService() {
		fmt.Fprintln(os.Stderr, "sekisho-agent: "+w)
	}
	return nil
}

// removeService leaves nothing to do where there is no service. A package stops it and lets it be.
func removeService(_ context.Context, byPackage bool) error {
	s, err := systemService("")
	if err != nil {
		return fmt.Errorf("cannot uninstall: %w", err)
	}
	if _, err := s.Status(); err != nil {
		return nil
	}
	_ = s.Stop() // it may not be running
	if byPackage {
		return nil
	}
	return s.Uninstall()
}

func removeFiles(context.Context) error {
	enforce.NewGate(enforce.Options{Root: "/", Log: zerolog.Nop(), Now: time.Now}).Forget()
	return errors.Join(unregisterLog(), removeChannel())
}

// removeChannel takes away the file of the local channel that an agent which was killed left, and its folder.
func removeChannel() error {
	for _, path := range []string{defaultSocket, filepath.Dir(defaultSocket)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("cannot remove the local channel: %w", err)
		}
	}
	return nil
}

// restarts are what the service manager does when the agent dies; the last one repeats
// (https://learn.microsoft.com/windows/win32/api/winsvc/ns-winsvc-service_failure_actionsw).
func restarts() []mgr.RecoveryAction {
	return []mgr.RecoveryAction{
		{Type: mgr.ServiceRestart, Delay: 5 * time.Second},
		{Type: mgr.ServiceRestart, Delay: 10 * time.Second},
		{Type: mgr.ServiceRestart, Delay: time.Minute},
	}
}

// preshutdown is how long the last words may take when Windows goes down.
const preshutdown = 20 * time.Second

// tuneService sets what keeps the service alive, one by one, and reads each back. A terminal that takes one of them not
// is guarded all the same: the words are for the person who installs.
func tuneService() (words []string) {
	err := withService(serviceName, func(s *mgr.Service) error {
		for _, step := range tuning(s) {
			if err := step.do(); err != nil {
				words = append(words, fmt.Sprintf("cannot set %s: %v", step.name, err))
			} else if !step.stands() {
				words = append(words, fmt.Sprintf("cannot set %s: Windows did not keep it", step.name))
			}
		}
		return nil
	})
	if err != nil {
		words = append(words, "cannot tune the service: "+err.Error())
	}
	return words
}

// errNoService says that a service cannot be opened, mostly because there is none.
var errNoService = errors.New("cannot find the service")

// withService opens a service for as long as do takes.
func withService(name string, do func(*mgr.Service) error) error {
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("cannot reach the service manager: %w", err)
	}
	defer m.Disconnect()
	s, err := m.OpenService(name)
	if err != nil {
		return fmt.Errorf("%w %s: %w", errNoService, name, err)
	}
	defer s.Close()
	return do(s)
}

// step is one setting of the service: how to set it, and whether it stands.
type step struct {
	name   string
	do     func() error
	stands func() bool
}

// resetAfter is when earlier failures are forgotten.
const resetAfter = 24 * time.Hour

func tuning(s *mgr.Service) []step {
	return []step{
		{"quotes around the program's path", func() error { return quotePath(s) }, func() bool {
			line, err := commandLine(s)
			return err == nil && quoted(line) == line
		}},
		{"recovery actions", func() error { return s.SetRecoveryActions(restarts(), uint32(resetAfter.Seconds())) }, func() bool {
			have, err := s.RecoveryActions()
			return err == nil && slices.Equal(have, restarts())
		}},
		{"recovery after a failure that was reported", func() error { return s.SetRecoveryActionsOnNonCrashFailures(true) }, func() bool {
			on, err := s.RecoveryActionsOnNonCrashFailures()
			return err == nil && on
		}},
		{"delayed start", func() error { return setDelayed(s) }, func() bool {
			c, err := s.Config()
			return err == nil && c.DelayedAutoStart
		}},
		{"time before shutdown", func() error { return setPreshutdown(s) }, func() bool { return hasPreshutdown(s) }},
	}
}

// quotePath: Windows starts C:\Program.exe for a path with a space that stands without quotes.
func quotePath(s *mgr.Service) error {
	line, err := commandLine(s)
	if err != nil || quoted(line) == line {
		return err
	}
	path, err := windows.UTF16PtrFromString(quoted(line))
	if err != nil {
		return err
	}
	const same = windows.SERVICE_NO_CHANGE
	return windows.ChangeServiceConfig(s.Handle, same, same, same, path, nil, nil, nil, nil, nil, nil)
}

// commandLine asks for nothing else: mgr's Config wants what older systems (and Wine) refuse. 8 KiB is the most there can be
// (https://learn.microsoft.com/windows/win32/api/winsvc/nf-winsvc-queryserviceconfigw).
func commandLine(s *mgr.Service) (string, error) {
	var buffer [8 << 10 / unsafe.Sizeof(uint64(0))]uint64 // aligned for the pointers in it
	config := (*windows.QUERY_SERVICE_CONFIG)(unsafe.Pointer(&buffer))
	var need uint32
	if err := windows.QueryServiceConfig(s.Handle, config, uint32(unsafe.Sizeof(buffer)), &need); err != nil {
		return "", err
	}
	return windows.UTF16PtrToString(config.BinaryPathName), nil
}

func setDelayed(s *mgr.Service) error {
	c, err := s.Config()
	if err != nil {
		return err
	}
	c.StartType, c.DelayedAutoStart = mgr.StartAutomatic, true
	return s.UpdateConfig(c)
}

// setPreshutdown writes SERVICE_PRESHUTDOWN_INFO, which is one number of milliseconds
// (https://learn.microsoft.com/windows/win32/api/winsvc/ns-winsvc-service_preshutdown_info).
func setPreshutdown(s *mgr.Service) error {
	ms := binary.LittleEndian.AppendUint32(nil, uint32(preshutdown.Milliseconds()))
	return windows.ChangeServiceConfig2(s.Handle, windows.SERVICE_CONFIG_PRESHUTDOWN_INFO, &ms[0])
}

func hasPreshutdown(s *mgr.Service) bool {
	ms := make([]byte, 4)
	var need uint32
	err := windows.QueryServiceConfig2(s.Handle, windows.SERVICE_CONFIG_PRESHUTDOWN_INFO, &ms[0], uint32(len(ms)), &need)
	return err == nil && int64(binary.LittleEndian.Uint32(ms)) == preshutdown.Milliseconds()
}

// restartRunning lets an agent that runs begin anew; one that does not run stays so.
func restartRunning(ctx context.Context) error {
	s, err := systemService("")
	if err != nil {
		return fmt.Errorf("cannot restart the agent: %w", err)
	}
	if !isRunning(s) {
		return nil
	}
	if err := s.Stop(); err != nil {
		return fmt.Errorf("cannot restart the agent: %w", err)
	}
	return startAgain(ctx, s)
}

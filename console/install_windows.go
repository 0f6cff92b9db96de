package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"

	"sekisho/internal/durable"
)

// account is a virtual one: Windows makes it with the service, it has no password, is in no group of people, and owns
// nothing but what names it (https://learn.microsoft.com/windows/security/identity-protection/access-control/service-accounts).
const account = `NT SERVICE\` + serviceName

// settleLimit is how long the service may take to start or to stop.
const settleLimit = 30 * time.Second

// install makes the console a service, or renews the one that is there: stop → program → folder → service → start.
func install(ctx context.Context, c call) error {
	if !windows.GetCurrentProcessToken().IsElevated() {
		return hint(errors.New("cannot install: only an administrator can"), "open a command prompt with \"Run as administrator\"")
	}
	state, err := filepath.Abs(c.state)
	if err != nil {
		return fmt.Errorf("cannot install: %w", err)
	}
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("cannot reach the service manager: %w", err)
	}
	defer m.Disconnect()
	if err := stopService(ctx, m); err != nil {
		return err
	}
	program, err := putProgram()
	if err != nil {
		return err
	}
	if err := protect(state); err != nil {
		return err
	}
	s, err := putService(m, program, state)
	if err != nil {
		return err
	}
	defer s.Close()
	for _, w := range tune(s) {
		fmt.Fprintln(c.err, "sekisho-console: "+w)
	}
	if err := startService(ctx, s, state); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "installed and started: %s\nprogram %s\nfolder  %s (log: %s)\n", serviceName, program, state, logName)
	if conf, err := readConfig(state); err == nil {
		fmt.Fprintf(c.out, "others reach it when the firewall lets TCP %s and %s in\n", portOf(conf.People), portOf(conf.Terminals))
	}
	return nil
}

func portOf(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return port
}

// uninstall stops the service and removes it. The records, which must be kept for years, stay.
func uninstall(ctx context.Context, c call) error {
	m, err := mgr.Connect()
	if err != nil {
		return hint(fmt.Errorf("cannot reach the service manager: %w", err), "open a command prompt with \"Run as administrator\"")
	}
	defer m.Disconnect()
	s, err := m.OpenService(serviceName)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		fmt.Fprintln(c.out, "there is no service", serviceName)
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot uninstall: %w", err)
	}
	defer s.Close()
	if err := stopService(ctx, m); err != nil {
		return err
	}
	if err := s.Delete(); err != nil {
		return fmt.Errorf("cannot uninstall: %w", err)
	}
	fmt.Fprintf(c.out, "removed: %s. Records and keys stay in %s, the program in its folder\n", serviceName, c.state)
	return nil
}

// putProgram copies this program to where only administrators can write; from a folder of downloads anybody could replace it.
func putProgram() (string, error) {
	from, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("cannot find this program: %w", err)
	}
	programs, err := windows.KnownFolderPath(windows.FOLDERID_ProgramFiles, 0)
	if err != nil {
		return "", fmt.Errorf("cannot find the folder of programs: %w", err)
	}
	to := filepath.Join(programs, "SekishoConsole", serviceName+".exe")
	if strings.EqualFold(from, to) {
		return to, nil
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return "", fmt.Errorf("cannot copy this program: %w", err)
	}
	if have, err := os.ReadFile(to); err == nil && bytes.Equal(have, text) {
		return to, nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return "", fmt.Errorf("cannot copy this program: %w", err)
	}
	return to, durable.WriteFile(to, text, 0o755)
}

// How people see the service.
const (
	serviceTitle = "Sekisho 管理コンソール"
	serviceWords = "端末の記録を受け取り、ポリシーを公開し、画面を見せます。 (Sekisho management console)"
)

// putService makes the service, or sets the one that is there. The path is quoted: an unquoted one with spaces is a hole.
func putService(m *mgr.Mgr, program, state string) (*mgr.Service, error) {
	args := []string{"serve", "--state", state}
	s, err := m.CreateService(serviceName, program, mgr.Config{
		DisplayName: serviceTitle, Description: serviceWords, ServiceStartName: account,
		StartType: mgr.StartAutomatic, ServiceType: windows.SERVICE_WIN32_OWN_PROCESS, ErrorControl: mgr.ErrorNormal,
	}, args...)
	if errors.Is(err, windows.ERROR_SERVICE_EXISTS) {
		return resetService(m, commandLine(program, args))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot make the service: %w", err)
	}
	return s, nil
}

// resetService sets program and account of a service that is there. A virtual account's password is the empty one
// (https://learn.microsoft.com/windows/win32/api/winsvc/nf-winsvc-changeserviceconfigw).
func resetService(m *mgr.Mgr, line string) (*mgr.Service, error) {
	s, err := m.OpenService(serviceName)
	if err != nil {
		return nil, fmt.Errorf("cannot open the service: %w", err)
	}
	program, lineErr := windows.UTF16PtrFromString(line)
	who, whoErr := windows.UTF16PtrFromString(account)
	title, titleErr := windows.UTF16PtrFromString(serviceTitle)
	if err = errors.Join(lineErr, whoErr, titleErr); err == nil {
		err = windows.ChangeServiceConfig(s.Handle, windows.SERVICE_WIN32_OWN_PROCESS, windows.SERVICE_AUTO_START, windows.SERVICE_ERROR_NORMAL,
			program, nil, nil, nil, who, new(uint16), title)
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("cannot set the service: %w", err)
	}
	return s, nil
}

func commandLine(program string, args []string) string {
	line := windows.EscapeArg(program)
	for _, a := range args {
		line += " " + windows.EscapeArg(a)
	}
	return line
}

// restarts are what the manager does when the console dies; the last one repeats
// (https://learn.microsoft.com/windows/win32/api/winsvc/ns-winsvc-service_failure_actionsw).
func restarts() []mgr.RecoveryAction {
	return []mgr.RecoveryAction{
		{Type: mgr.ServiceRestart, Delay: 5 * time.Second},
		{Type: mgr.ServiceRestart, Delay: 10 * time.Second},
		{Type: mgr.ServiceRestart, Delay: time.Minute},
	}
}

// resetAfter is when earlier failures are forgotten.
const resetAfter = 24 * time.Hour

// tune sets what keeps the service alive and reads it back. A console without it works all the same: the words are for
// the person who installs.
func tune(s *mgr.Service) (words []string) {
	err := errors.Join(s.SetRecoveryActions(restarts(), uint32(resetAfter.Seconds())), s.SetRecoveryActionsOnNonCrashFailures(true))
	have, readErr := s.RecoveryActions()
	if err = errors.Join(err, readErr); err != nil {
		return []string{"cannot set that the console is started again when it dies: " + err.Error()}
	}
	if !slices.Equal(have, restarts()) {
		return []string{"cannot set that the console is started again when it dies: Windows did not keep it"}
	}
	return nil
}

func startService(ctx context.Context, s *mgr.Service, state string) error {
	if err := s.Start(); err != nil {
		return hint(fmt.Errorf("cannot start the service: %w", err), "the log may tell why: "+filepath.Join(state, logName))
	}
	err := until(ctx, s, svc.Running)
	if err != nil {
		return hint(err, "the log may tell why: "+filepath.Join(state, logName))
	}
	return nil
}

// stopService stops a service that runs; one that is not there, or stands still, is stopped already.
func stopService(ctx context.Context, m *mgr.Mgr) error {
	s, err := m.OpenService(serviceName)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot open the service: %w", err)
	}
	defer s.Close()
	if _, err := s.Control(svc.Stop); err != nil && !errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE) {
		return fmt.Errorf("cannot stop the service: %w", err)
	}
	return until(ctx, s, svc.Stopped)
}

// until waits for the service to be in a state. The manager has no call that waits.
func until(ctx context.Context, s *mgr.Service, want svc.State) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(settleLimit)
	for {
		now, err := s.Query()
		switch {
		case err != nil:
			return fmt.Errorf("cannot ask for the service: %w", err)
		case now.State == want:
			return nil
		case want == svc.Running && now.State == svc.Stopped:
			return fmt.Errorf("cannot start the service: it ended with %d", now.ServiceSpecificExitCode)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline:
			return fmt.Errorf("cannot wait any longer for the service: it is in state %d instead of %d", now.State, want)
		}
	}
}

package enforce

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"

	"sekisho/agent/enforce/applocker"
	"sekisho/internal/policy"
)

// Standing is Windows' own policies about programs: they stand with or without the agent.
type Standing struct {
	own standing
}

// NewStanding makes it for this machine.
func NewStanding(o Options) *Standing {
	return &Standing{standing{reg: localMachine{}, dir: gateDir(o)}}
}

// Follow tells AppLocker and Windows Installer what p says, and says whether AppLocker was told something new.
func (s *Standing) Follow(p *policy.Policy, rules applocker.Policy, now time.Time) (changed bool, err error) {
	changed, err = s.own.set(rules, installerClosed(p, now))
	if changed {
		refresh()
	}
	return changed, err
}

// Undo brings back what was in the registry.
func (s *Standing) Undo() error {
	used := s.own.applocker().used()
	err := s.own.undo()
	if used {
		refresh()
	}
	return err
}

// State is "off", "records", "stops", or "failed: …" with what is missing.
func (s *Standing) State(rules applocker.Policy) string { return s.own.state(rules) }

// refresh asks Windows to read its policies again; it does so by itself within hours as well
// (https://learn.microsoft.com/windows/win32/api/userenv/nf-userenv-refreshpolicyex).
func refresh() {
	p := windows.NewLazySystemDLL("userenv.dll").NewProc("RefreshPolicyEx")
	if p.Find() == nil {
		_, _, _ = p.Call(1, 0) // the machine's; what it answers changes nothing
	}
}

// identityService is what AppLocker cannot do without
// (https://learn.microsoft.com/windows/security/application-security/application-control/app-control-for-business/applocker/configure-the-application-identity-service).
const identityService = "AppIDSvc"

// Wake starts the service that AppLocker needs. How it starts by itself is protected and stays as it is.
func (*Standing) Wake() error {
	if err := startService(identityService); err != nil {
		return fmt.Errorf("cannot start %s, without which AppLocker does nothing: %w", identityService, err)
	}
	return nil
}

func startService(name string) error {
	m, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT)
	if err != nil {
		return err
	}
	defer windows.CloseServiceHandle(m)
	s, err := openService(m, name)
	if err != nil {
		return err
	}
	defer s.Close()
	if status, err := s.Query(); err == nil && (status.State == svc.Running || status.State == svc.StartPending) {
		return nil
	}
	if err := s.Start(); err != nil && !errors.Is(err, windows.ERROR_SERVICE_ALREADY_RUNNING) {
		return err
	}
	return nil
}

func openService(m windows.Handle, name string) (*mgr.Service, error) {
	p, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return nil, err
	}
	h, err := windows.OpenService(m, p, windows.SERVICE_START|windows.SERVICE_QUERY_STATUS)
	if err != nil {
		return nil, err
	}
	return &mgr.Service{Name: name, Handle: h}, nil
}

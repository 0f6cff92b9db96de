package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// Who may do what, as security descriptors say it (https://learn.microsoft.com/windows/win32/secauthz/security-descriptor-string-format).
// P: nothing is inherited from ProgramData, where users may create files.
const onlyAdmins = "O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"

// readable is for the file that says how the agent is asked: who is signed in, here or from afar (IU), may read it.
const readable = onlyAdmins + "(A;OICI;FRFX;;;IU)"

// protectFolders makes configuration, identity, records and the gate's notes the system's and the administrators' own.
func protectFolders() error {
	return errors.Join(
		protect(filepath.Dir(defaultConfig), onlyAdmins),
		protect(defaultState, onlyAdmins),
		protect(filepath.Dir(defaultSocket), readable),
	)
}

// protect makes a folder with an explicit descriptor, or sets it on one that is there and on all that is in it.
func protect(dir, sddl string) error {
	sd, err := windows.SecurityDescriptorFromString(sddl)
	if err != nil {
		return fmt.Errorf("cannot protect %s: %w", dir, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot protect %s: %w", dir, err)
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return fmt.Errorf("cannot protect %s: %w", dir, err)
	}
	dacl, _, err := sd.DACL()
	if err != nil {
		return fmt.Errorf("cannot protect %s: %w", dir, err)
	}
	what := windows.SECURITY_INFORMATION(windows.OWNER_SECURITY_INFORMATION | windows.DACL_SECURITY_INFORMATION | windows.PROTECTED_DACL_SECURITY_INFORMATION)
	if err := windows.SetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, what, owner, nil, dacl, nil); err != nil {
		return fmt.Errorf("cannot protect %s: %w", dir, err)
	}
	return nil
}

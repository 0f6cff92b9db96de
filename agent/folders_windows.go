package main

import (
	"errors"
	"path/filepath"

	"sekisho/internal/private"
)

// Who may do what, as security descriptors say it (https://learn.microsoft.com/windows/win32/secauthz/security-descriptor-string-format).
// P: nothing is inherited from ProgramData, where users may create files.
const onlyAdmins = "O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"

// readable is for the file that says how the agent is asked: who is signed in, here or from afar (IU), may read it.
const readable = onlyAdmins + "(A;OICI;FRFX;;;IU)"

// protectFolders makes configuration, identity, records and the gate's notes the system's and the administrators' own.
func protectFolders() error {
	return errors.Join(
		private.Folder(filepath.Dir(defaultConfig), onlyAdmins),
		private.Folder(defaultState, onlyAdmins),
		private.Folder(filepath.Dir(defaultSocket), readable),
	)
}

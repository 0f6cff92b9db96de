package process

import (
	"slices"
	"strings"
)

// Places says what lies where only administrators write. Paths are compared without regard to case.
type Places struct {
	Windows  string   // C:\Windows
	Programs []string // C:\Program Files and its like
	Own      string   // the agent's own program
}

// writable is where users may write below Windows' own folder.
func writable() []string {
	return []string{`temp`, `tasks`, `tracing`, `registration\crmlog`, `system32\tasks`, `system32\spool\drivers\color`,
		`system32\spool\printers`, `system32\spool\servers`, `system32\microsoft\crypto\rsa\machinekeys`, `system32\com\dmp`,
		`system32\fxstmp`, `syswow64\tasks`, `syswow64\com\dmp`, `syswow64\fxstmp`}
}

// Vital says why nothing is ever done to a program; "" when it is like any other. Windows' own folder is spared as a whole but
// for where users write: most of its files are signed in a catalogue beside them, and one that was ended by
// mistake takes the session or the machine with it.
func (p Places) Vital(path string) string {
	switch {
	case path == "":
		return "its file cannot be told"
	case p.Windows == "" || p.Own == "":
		return "nobody knows where Windows and the agent lie"
	case strings.EqualFold(path, p.Own):
		return "it is the agent itself"
	case p.windowsOwn(path):
		return "it is a part of Windows"
	}
	return ""
}

func (p Places) windowsOwn(path string) bool {
	rest, ok := below(path, p.Windows)
	return ok && !slices.ContainsFunc(writable(), func(w string) bool { return strings.HasPrefix(rest, w+`\`) })
}

// Settled says whether only administrators could have put a file there: Windows' own, or a program that was installed for everybody.
func (p Places) Settled(path string) bool {
	return p.windowsOwn(path) || p.Installed(path)
}

// Installed says whether it lies among the programs that an administrator installed.
func (p Places) Installed(path string) bool {
	return slices.ContainsFunc(p.Programs, func(dir string) bool { _, ok := below(path, dir); return ok })
}

// InWindows says whether it lies anywhere below Windows' own folder.
func (p Places) InWindows(path string) bool { _, ok := below(path, p.Windows); return ok }

// below gives the rest of a path in small letters.
func below(path, dir string) (string, bool) {
	if dir == "" || strings.Contains(path, `\..\`) {
		return "", false
	}
	return strings.CutPrefix(strings.ToLower(path), strings.ToLower(strings.TrimRight(dir, `\`))+`\`)
}

// ofSystem says whether an account is one of Windows' own: LocalSystem, the service accounts, services' and window managers' own ones
// (https://learn.microsoft.com/windows-server/identity/ad-ds/manage/understand-security-identifiers).
func ofSystem(sid string) bool {
	switch sid {
	case "", "S-1-5-18", "S-1-5-19", "S-1-5-20":
		return true
	}
	return slices.ContainsFunc([]string{"S-1-5-80-", "S-1-5-90-", "S-1-5-96-"}, func(p string) bool { return strings.HasPrefix(sid, p) })
}

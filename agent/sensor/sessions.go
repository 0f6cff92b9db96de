package sensor

// noSession is what WTSGetActiveConsoleSessionId says while nobody is attached to the console
// (https://learn.microsoft.com/windows/win32/api/winbase/nf-winbase-wtsgetactiveconsolesessionid).
const noSession = 0xffffffff

// atTerminal picks whom the records name on a Windows terminal: who sits at the console, else the first who works from afar.
// A session without a name is one in which nobody is signed in.
func atTerminal(console uint32, active []uint32, name func(session uint32) string) string {
	if console != noSession {
		if who := name(console); who != "" {
			return who
		}
	}
	for _, id := range active {
		if who := name(id); who != "" {
			return who
		}
	}
	return ""
}

// signedIn is an account as Windows writes it.
func signedIn(domain, user string) string {
	if user == "" || domain == "" {
		return word(user)
	}
	return word(domain + `\` + user)
}

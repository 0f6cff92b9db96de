package sensor

import (
	"io/fs"
	"path"
	"strings"
)

// User names who sits at the terminal: the active session of the seat, else one from afar; "" is unknown or nobody.
func User(o Options) string { return whoSits(o) }

// user reads systemd-logind's session files (systemd src/login/logind-session.c, session_save).
func (t tree) user() string {
	remote := ""
	for _, name := range t.names("run/systemd/sessions") {
		s := t.session(name)
		if s["ACTIVE"] != "1" && s["STATE"] != "active" || s["CLASS"] != "user" && s["CLASS"] != "" {
			continue // asleep behind another one, or the login screen itself
		}
		if s["SEAT"] == "seat0" {
			return t.account(s)
		}
		if s["REMOTE"] == "1" && remote == "" {
			remote = t.account(s)
		}
	}
	return remote
}

func (t tree) session(name string) map[string]string {
	name, keys := path.Join("run/systemd/sessions", name), map[string]string{}
	if info, err := fs.Stat(t.FS, name); err != nil || !info.Mode().IsRegular() {
		return keys // beside a session lies its FIFO, 3.ref: who reads it waits until that session ends
	}
	b, _ := t.read(name, maxText)
	for _, line := range strings.Split(string(b), "\n") {
		if key, value, ok := strings.Cut(line, "="); ok {
			keys[key] = value
		}
	}
	return keys
}

// account is the name in /etc/passwd; for people of a directory service, the one that logind was told.
func (t tree) account(session map[string]string) string {
	b, _ := t.read("etc/passwd", 4<<20)
	for _, line := range strings.Split(string(b), "\n") {
		if f := strings.Split(line, ":"); len(f) > 2 && f[2] == session["UID"] && f[2] != "" {
			return word(f[0])
		}
	}
	return word(session["USER"])
}

func word(s string) string {
	s, _ = cleanWords(s)
	return s
}

package sensor

import (
	"path"
	"strings"
	"time"
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

// sitter remembers who sits at the terminal for as long as neither the sessions nor the accounts have changed.
// Both are replaced by renaming, which shows in the times of their folder and file.
type sitter struct {
	name  string
	known bool
	as    [2]time.Time // the times that belong to name
}

// settling is how old a change must be before it is trusted to be the last with its time: a kernel's file times
// stand still for some milliseconds.
const settling = time.Second

func (s *sitter) user(t tree, now time.Time) string {
	as, ok := t.changed([2]string{"run/systemd/sessions", "etc/passwd"})
	if s.known && ok && as == s.as {
		return s.name
	}
	s.name, s.as = t.user(), as
	s.known = ok && now.Sub(as[0]) > settling && now.Sub(as[1]) > settling
	return s.name
}

func (t tree) changed(names [2]string) (at [2]time.Time, ok bool) {
	for i, name := range names {
		info, err := t.stat(name)
		if err != nil {
			return at, false
		}
		at[i] = info.ModTime()
	}
	return at, true
}

func (t tree) session(name string) map[string]string {
	name, keys := path.Join("run/systemd/sessions", name), map[string]string{}
	if info, err := t.stat(name); err != nil || !info.Mode().IsRegular() {
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

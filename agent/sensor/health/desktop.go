package health

import (
	"path"
	"regexp"
	"strconv"
	"strings"

	"sekisho/internal/policy"
)

const errChoice = "cannot tell: users may choose this themselves, because no system-wide setting is locked"

// hasDesktop says whether anybody can have a desktop here.
func (e *Eyes) hasDesktop() (bool, error) {
	find := finder{tree: e.tree}
	n := len(find.glob("/usr/share/xsessions/*.desktop")) + len(find.glob("/usr/share/wayland-sessions/*.desktop"))
	return n > 0, find.err
}

// dconf gives the system-wide settings that users cannot change: keys with their values in /etc/dconf/db/*.d whose
// names are locked (GNOME, "System Administration Guide": lock down specific settings).
func (e *Eyes) dconf() (map[string]string, error) {
	values, locked := map[string]string{}, map[string]string{}
	find := finder{tree: e.tree}
	for _, f := range find.glob("/etc/dconf/db/*.d/*") {
		text, err := e.tree.text(f)
		if err != nil {
			if path.Base(f) == "locks" {
				continue
			}
			return nil, err
		}
		parseKeyfile(text, values)
	}
	for _, f := range find.glob("/etc/dconf/db/*.d/locks/*") {
		text, err := e.tree.text(f)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(text) {
			if key := strings.TrimSpace(line); strings.HasPrefix(key, "/") && values[key] != "" {
				locked[key] = values[key]
			}
		}
	}
	return locked, find.err
}

// parseKeyfile reads [section] and key=value as /section/key.
func parseKeyfile(text string, into map[string]string) {
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]"):
			section = strings.Trim(line, "[]")
		default:
			key, value, ok := strings.Cut(line, "=")
			if ok {
				into["/"+section+"/"+strings.TrimSpace(key)] = strings.TrimSpace(value)
			}
		}
	}
}

func seconds(value string) (int64, bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimPrefix(value, "uint32")), 10, 64)
	return n, err == nil && n >= 0 && n < 1<<31
}

const (
	keyIdle   = "/org/gnome/desktop/session/idle-delay"
	keyLock   = "/org/gnome/desktop/screensaver/lock-enabled"
	keyDelay  = "/org/gnome/desktop/screensaver/lock-delay"
	keyAuto   = "/org/gnome/desktop/media-handling/autorun-never"
	keyMount  = "/org/gnome/desktop/media-handling/automount-open"
	keyProxy  = "/system/proxy/mode"
	sourceDB  = "/etc/dconf/db"
	perMinute = 60
)

// screenLock is after how many minutes without anybody the screen is locked, for everybody.
func (e *Eyes) screenLock() policy.Reading {
	o := e.of(policy.FactLockIdle, sourceDB)
	desktop, err := e.hasDesktop()
	if err != nil {
		return unread(o, err)
	}
	if !desktop {
		return o.None(policy.CodeAbsent)
	}
	keys, err := e.dconf()
	if err != nil {
		return unread(o, err)
	}
	idle, ok := seconds(keys[keyIdle])
	delay, fixed := seconds(keys[keyDelay])
	switch {
	case !ok || keys[keyLock] == "":
		return o.Unread(policy.CodeChoice, errChoice)
	case keys[keyLock] != "true" || idle == 0:
		return o.Number(0)
	case !fixed: // users may put the lock off as long as they like
		return o.Unread(policy.CodeChoice, errChoice)
	}
	return o.Number((idle + delay + perMinute - 1) / perMinute)
}

// autorun says whether a medium that is plugged in starts something.
func (e *Eyes) autorun() policy.Reading {
	o := e.of(policy.FactAutorun, sourceDB)
	desktop, err := e.hasDesktop()
	if err != nil {
		return unread(o, err)
	}
	if !desktop {
		return o.None(policy.CodeAbsent)
	}
	keys, err := e.dconf()
	switch {
	case err != nil:
		return unread(o, err)
	case keys[keyAuto] == "":
		return o.Unread(policy.CodeChoice, errChoice)
	}
	return o.Bool(keys[keyAuto] != "true")
}

var autologinForms = []struct {
	files   []string
	section string
	key     *regexp.Regexp
	who     string
}{
	{[]string{"/etc/gdm3/*.conf", "/etc/gdm/*.conf"}, "daemon", regexp.MustCompile(`^AutomaticLogin$`), "gdm"},
	{[]string{"/etc/gdm3/*.conf", "/etc/gdm/*.conf"}, "daemon", regexp.MustCompile(`^TimedLogin$`), "gdm"},
	{[]string{"/usr/share/lightdm/lightdm.conf.d/*.conf", "/etc/lightdm/lightdm.conf.d/*.conf", "/etc/lightdm/lightdm.conf"}, "", regexp.MustCompile(`^autologin-user$`), "lightdm"},
	{[]string{"/usr/lib/sddm/sddm.conf.d/*.conf", "/etc/sddm.conf.d/*.conf", "/etc/sddm.conf"}, "Autologin", regexp.MustCompile(`^User$`), "sddm"},
}

var gettyForm = regexp.MustCompile(`^ExecStart=.*(?:--autologin|\s-a)[ =]+(\S+)`)

// autologin lists who is logged in without a password when the terminal starts.
func (e *Eyes) autologin() policy.Reading {
	o := e.of(policy.FactAutologin, "gdm, lightdm, sddm, getty")
	var who []string
	find := finder{tree: e.tree}
	for _, form := range autologinForms {
		for _, pattern := range form.files {
			for _, f := range find.glob(pattern) {
				text, err := e.tree.text(f)
				if err != nil {
					return unread(o, err)
				}
				for _, user := range settingsOf(text, form.section, form.key) {
					if form.who != "gdm" || gdmEnables(text, form.key) {
						who = append(who, form.who+": "+user)
					}
				}
			}
		}
	}
	for _, pattern := range []string{"/etc/systemd/system/getty@*.service.d/*.conf", "/etc/systemd/system/serial-getty@*.service.d/*.conf", "/etc/systemd/system/*getty@*.service"} {
		for _, f := range find.glob(pattern) {
			if e.tree.link(f) == "/dev/null" {
				continue // masked (systemctl(1)): nobody can log in there
			}
			text, err := e.tree.text(f)
			if err != nil {
				return unread(o, err)
			}
			for line := range strings.Lines(text) {
				if m := gettyForm.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
					who = append(who, "getty: "+m[1])
				}
			}
		}
	}
	if find.err != nil {
		return unread(o, find.err)
	}
	return o.List(policy.Lines(who))
}

// gdmEnables: a name alone does nothing (gdm(8), custom.conf: AutomaticLoginEnable, TimedLoginEnable).
func gdmEnables(text string, key *regexp.Regexp) bool {
	enable := regexp.MustCompile(strings.TrimSuffix(key.String(), "$") + "Enable$")
	for _, v := range settingsOf(text, "daemon", enable) {
		if strings.EqualFold(v, "true") || v == "1" {
			return true
		}
	}
	return false
}

// settingsOf gives the values of a key in an ini file, of one section or of all.
func settingsOf(text, section string, key *regexp.Regexp) []string {
	var out []string
	in := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			in = strings.Trim(line, "[]")
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		value = strings.TrimSpace(value)
		if ok && value != "" && (section == "" || section == in) && key.MatchString(strings.TrimSpace(name)) {
			out = append(out, value)
		}
	}
	return out
}

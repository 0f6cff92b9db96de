package health

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sekisho/internal/policy"
)

// account is one line of /etc/passwd with what /etc/shadow says of it (passwd(5), shadow(5)).
type account struct {
	name, shell string
	uid, gid    int
	hash        string
	changed     time.Time
	known       bool // shadow has a line of it
}

// people are who can log in: an interactive shell and a password that can be given.
func (a account) person() bool {
	return (a.uid == 0 || a.uid >= 1000 && a.uid < 65534) && !strings.HasSuffix(a.shell, "nologin") && !strings.HasSuffix(a.shell, "/false") && a.shell != ""
}

func (a account) locked() bool {
	return strings.HasPrefix(a.hash, "!") || strings.HasPrefix(a.hash, "*")
}

func (e *Eyes) accounts() []policy.Reading {
	admins, guests := e.of(policy.FactAdmins, "/etc/group, sudoers"), e.of(policy.FactGuests, "/etc/passwd, lightdm")
	used, weak, length := e.of(policy.FactAccounts, "lastlog, wtmp"), e.of(policy.FactWeak, "/etc/shadow"), e.of(policy.FactMinLength, "pam, pwquality.conf")
	list, err := e.accountList()
	if err != nil {
		return []policy.Reading{unread(admins, err), unread(guests, err), unread(used, err), unread(weak, err), e.minLength(length)}
	}
	return []policy.Reading{e.admins(admins, list), e.guests(guests, list), e.lastLogins(used, list), weak.List(policy.Lines(weakAccounts(list))), e.minLength(length)}
}

func (e *Eyes) accountList() ([]account, error) {
	passwd, err := e.tree.read("/etc/passwd", 4<<20)
	if err != nil {
		return nil, err
	}
	shadow, err := e.tree.read("/etc/shadow", 4<<20)
	if err != nil {
		return nil, err
	}
	list := parseAccounts(string(passwd), string(shadow))
	if len(list) == 0 {
		return nil, errors.New("cannot read accounts: /etc/passwd names none")
	}
	return list, nil
}

func parseAccounts(passwd, shadow string) []account {
	secrets := map[string][]string{}
	for line := range strings.Lines(shadow) {
		if f := strings.Split(strings.TrimRight(line, "\n"), ":"); len(f) >= 3 {
			secrets[f[0]] = f
		}
	}
	var out []account
	for line := range strings.Lines(passwd) {
		f := strings.Split(strings.TrimRight(line, "\n"), ":")
		if len(f) < 7 {
			continue
		}
		uid, err1 := strconv.Atoi(f[2])
		gid, err2 := strconv.Atoi(f[3])
		if err1 != nil || err2 != nil {
			continue
		}
		a := account{name: f[0], uid: uid, gid: gid, shell: f[6], hash: f[1]}
		if s, ok := secrets[a.name]; ok {
			a.known, a.hash = true, s[1]
			if n, err := strconv.ParseInt(s[2], 10, 32); err == nil && n > 0 {
				a.changed = time.Unix(n*24*60*60, 0).UTC()
			}
		}
		out = append(out, a)
	}
	return out
}

// weakAccounts are those that anybody can be.
func weakAccounts(list []account) []string {
	var out []string
	for _, a := range list {
		if a.person() && a.hash == "" {
			out = append(out, a.name+": no password")
		}
	}
	return out
}

// adminGroups let their members become root where sudo or polkit are as distributions ship them.
var adminGroups = []string{"sudo", "wheel", "admin"}

// admins lists who can act as root: other accounts with its number, members of the groups, and whom sudo names.
func (e *Eyes) admins(o policy.Origin, list []account) policy.Reading {
	groups, err := e.tree.read("/etc/group", 4<<20)
	if err != nil {
		return unread(o, err)
	}
	names := map[string]bool{}
	wanted := map[string]bool{}
	for _, g := range adminGroups {
		wanted[g] = true
	}
	find := finder{tree: e.tree}
	files := append([]string{"/etc/sudoers"}, find.glob("/etc/sudoers.d/*")...)
	if find.err != nil {
		return unread(o, find.err)
	}
	for _, f := range files {
		text, err := e.tree.text(f)
		if err != nil {
			return unread(o, err)
		}
		users, of := sudoers(text)
		for _, u := range users {
			names[u] = true
		}
		for _, g := range of {
			wanted[g] = true
		}
	}
	for line := range strings.Lines(string(groups)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) < 4 || !wanted[f[0]] {
			continue
		}
		for _, m := range strings.Split(f[3], ",") {
			names[m] = true
		}
		for _, a := range list {
			if strconv.Itoa(a.gid) == f[2] {
				names[a.name] = true
			}
		}
	}
	for _, a := range list {
		if a.uid == 0 {
			names[a.name] = true
		}
	}
	delete(names, "root")
	delete(names, "")
	return o.List(policy.Lines(sorted(names)))
}

func sorted(set map[string]bool) []string {
	var out []string
	for n := range set {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// sudoers gives whom the rules name (sudoers(5)): users, and groups behind %. Aliases are shown by their name.
func sudoers(text string) (users, groups []string) {
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) < 2 || strings.HasPrefix(f[0], "Defaults") || strings.HasSuffix(f[0], "_Alias") || strings.HasPrefix(f[0], "@") || !strings.Contains(line, "=") {
			continue
		}
		for _, who := range strings.Split(f[0], ",") {
			if g, ok := strings.CutPrefix(who, "%"); ok {
				groups = append(groups, g)
			} else {
				users = append(users, who)
			}
		}
	}
	return users, groups
}

var guestForm = regexp.MustCompile(`^allow-guest$`)

func (e *Eyes) guests(o policy.Origin, list []account) policy.Reading {
	var out []string
	for _, a := range list {
		if strings.HasPrefix(a.name, "guest") && a.person() && !a.locked() {
			out = append(out, a.name)
		}
	}
	find := finder{tree: e.tree}
	for _, pattern := range []string{"/etc/lightdm/lightdm.conf.d/*.conf", "/etc/lightdm/lightdm.conf"} {
		for _, f := range find.glob(pattern) {
			text, err := e.tree.text(f)
			if err != nil {
				return unread(o, err)
			}
			if slices.Contains(settingsOf(text, "", guestForm), "true") {
				out = append(out, "lightdm guest session")
			}
		}
	}
	if find.err != nil {
		return unread(o, find.err)
	}
	return o.List(policy.Lines(out))
}

// lastLogins dates each person's account by its last login or, when that is later, by when its password was set.
func (e *Eyes) lastLogins(o policy.Origin, list []account) policy.Reading {
	logins, err := e.logins()
	if err != nil {
		return unread(o, err)
	}
	var out []policy.Entry
	for _, a := range list {
		if !a.person() || a.uid == 0 || a.locked() {
			continue
		}
		at := logins.last(a)
		if a.changed.After(at) {
			at = a.changed
		}
		out = append(out, policy.Entry{Word: policy.OneLine(a.name), At: at})
	}
	return o.List(out)
}

// loginTimes are the last logins by number and by name.
type loginTimes struct {
	byUID  map[int]time.Time
	byName map[string]time.Time
}

func (l loginTimes) last(a account) time.Time {
	if at := l.byName[a.name]; at.After(l.byUID[a.uid]) {
		return at
	}
	return l.byUID[a.uid]
}

// Sizes of the records (utmp.h of glibc on 64 bit: struct lastlog, struct utmp).
const (
	lastlogSize = 292
	utmpSize    = 384
	userProcess = 7
	maxLog      = 64 << 20
)

func (e *Eyes) logins() (loginTimes, error) {
	l := loginTimes{map[int]time.Time{}, map[string]time.Time{}}
	last, err1 := e.tree.read("/var/log/lastlog", maxLog)
	if err1 == nil {
		parseLastlog(last, l.byUID)
	}
	wtmp, err2 := e.tree.read("/var/log/wtmp", maxLog)
	if err2 == nil {
		parseWtmp(wtmp, l.byName)
	}
	if err1 != nil && err2 != nil {
		return l, fmt.Errorf("cannot tell when people logged in last: %w", errors.Join(err1, err2))
	}
	if len(l.byUID)+len(l.byName) == 0 {
		return l, errors.New("cannot tell when people logged in last: the logs hold no login")
	}
	return l, nil
}

func parseLastlog(b []byte, into map[int]time.Time) {
	for uid := 0; len(b) >= lastlogSize; uid, b = uid+1, b[lastlogSize:] {
		if at := binary.LittleEndian.Uint32(b); at > 0 {
			into[uid] = time.Unix(int64(at), 0).UTC()
		}
	}
}

func parseWtmp(b []byte, into map[string]time.Time) {
	for ; len(b) >= utmpSize; b = b[utmpSize:] {
		if binary.LittleEndian.Uint16(b) != userProcess {
			continue
		}
		name, _, _ := bytes.Cut(b[44:76], []byte{0})
		at := time.Unix(int64(binary.LittleEndian.Uint32(b[340:])), 0).UTC()
		if at.After(into[string(name)]) {
			into[string(name)] = at
		}
	}
}

var (
	pamFiles     = []string{"/etc/pam.d/common-password", "/etc/pam.d/system-auth", "/etc/pam.d/password-auth"}
	minlenForm   = regexp.MustCompile(`\bminlen=(\d{1,4})\b`)
	qualityForm  = regexp.MustCompile(`(?m)^\s*minlen\s*=\s*(\d{1,4})\b`)
	usualQuality = int64(8) // pwquality.conf(5)
	usualUnix    = int64(6) // pam_unix(8)
)

// minLength is the shortest password that PAM lets people choose. login.defs does not count where PAM is used.
func (e *Eyes) minLength(o policy.Origin) policy.Reading {
	for _, f := range pamFiles {
		text, err := e.tree.read(f, 1<<20)
		if why(err) == policy.CodeMissing && err != nil {
			continue
		}
		if err != nil {
			return unread(o, err)
		}
		o.Source = f
		n, err := e.pamLength(string(text))
		if err != nil {
			return unread(o, err)
		}
		return o.Number(n)
	}
	return o.Unread(policy.CodeMissing, "cannot find how PAM treats passwords")
}

func (e *Eyes) pamLength(text string) (int64, error) {
	quality, shortest := false, usualUnix
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 3 || f[0] != "password" {
			continue
		}
		m := minlenForm.FindStringSubmatch(line)
		switch {
		case strings.Contains(line, "pam_pwquality.so"):
			n, err := e.qualityLength()
			if err != nil {
				return 0, err
			}
			if quality, shortest = true, n; m != nil {
				shortest, _ = strconv.ParseInt(m[1], 10, 64)
			}
		case strings.Contains(line, "pam_unix.so") && !quality && m != nil:
			shortest, _ = strconv.ParseInt(m[1], 10, 64)
		}
	}
	return shortest, nil
}

// qualityLength reads pwquality.conf; what comes later in the folder counts.
func (e *Eyes) qualityLength() (int64, error) {
	n := usualQuality
	find := finder{tree: e.tree}
	files := append([]string{"/etc/security/pwquality.conf"}, find.glob("/etc/security/pwquality.conf.d/*.conf")...)
	if find.err != nil {
		return 0, find.err
	}
	for _, f := range files {
		text, err := e.tree.text(f)
		if err != nil {
			return 0, err
		}
		for _, m := range qualityForm.FindAllStringSubmatch(text, -1) {
			n, _ = strconv.ParseInt(m[1], 10, 64)
		}
	}
	return n, nil
}

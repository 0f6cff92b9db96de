package local

import (
	"context"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/osexec"
)

// firstPerson is the first user id of people; below are the system's own (login.defs(5), UID_MIN).
const firstPerson = 1000

// maxSessions bounds how many desktops are told of one thing.
const maxSessions = 32

// Teller tells the people at the terminal.
type Teller struct {
	Root string // "/"; session buses are at Root/run/user
	Log  zerolog.Logger

	run func(context.Context, osexec.Program, osexec.Options, ...string) ([]byte, error) // nil is osexec.Run
}

// session is one person's message bus.
type session struct {
	uid, gid uint32
	bus      string // path of its socket
}

// Tell shows a notice in every desktop session and writes it into the log, which the journal keeps.
// It says how many sessions took it; it may take seconds.
func (t *Teller) Tell(ctx context.Context, n Notice) int {
	title, body := n.Words()
	t.Log.Warn().Str("request", n.Request).Str("outcome", string(n.Outcome)).Msg(title + " " + strings.ReplaceAll(body, "\n", " "))
	reached := 0
	for _, s := range t.sessions() {
		if err := t.notify(ctx, s, title, body); err != nil {
			t.Log.Info().Err(err).Uint32("uid", s.uid).Msg("desktop was not told")
			continue
		}
		reached++
	}
	return reached
}

// Sessions says how many people's message buses there are.
func (t *Teller) Sessions() int { return len(t.sessions()) }

// arguments calls Notify on a session's bus
// (https://specifications.freedesktop.org/notification-spec/latest/protocol.html).
func arguments(title, body string) []string {
	return []string{
		"--user", "--timeout=3", "call",
		"org.freedesktop.Notifications", "/org/freedesktop/Notifications", "org.freedesktop.Notifications", "Notify",
		"susssasa{sv}i", "Sekisho", "0", "dialog-warning", title, markup(body),
		"0",                      // no actions
		"1", "urgency", "y", "2", // critical: stays until it was seen
		"0", // no end of its own
	}
}

// options runs as the person whose session it is, so that a hostile bus gains nothing.
func options(s session) osexec.Options {
	return osexec.Options{
		UID: s.uid, GID: s.gid, Timeout: 4 * time.Second,
		Env: []string{"DBUS_SESSION_BUS_ADDRESS=unix:path=" + s.bus, "XDG_RUNTIME_DIR=" + path.Dir(s.bus)},
	}
}

// markup keeps desktops from reading markup into a text that has none.
func markup(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// person reads a folder name of run/user as the id of a person.
func person(name string) (uint32, bool) {
	uid, err := strconv.ParseUint(name, 10, 32)
	return uint32(uid), err == nil && uid >= firstPerson && strconv.FormatUint(uid, 10) == name
}

package local

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"sekisho/internal/osexec"
	"sekisho/internal/policy"
)

// desks makes run/user folders with a bus each.
func desks(t *testing.T, uids ...int) string {
	root, err := os.MkdirTemp("", "desk") // t.TempDir would be too long for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	for _, uid := range uids {
		dir := filepath.Join(root, "run/user", strconv.Itoa(uid))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("unix", filepath.Join(dir, "bus"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		if err := os.Chown(dir, uid, uid); err != nil && os.Geteuid() == 0 {
			t.Fatal(err)
		}
	}
	return root
}

func TestEveryPersonsDesktopIsToldAndNobodyElse(t *testing.T) {
	root := desks(t, 1000, 1001, 42)
	if os.Geteuid() != 0 { // only root can make folders of others: then none is trusted
		if n := (&Teller{Root: root}).Sessions(); n > 1 {
			t.Errorf("%d sessions are trusted", n)
		}
		return
	}
	var log bytes.Buffer
	var told []osexec.Options
	teller := &Teller{Root: root, Log: zerolog.New(&log)}
	teller.run = func(_ context.Context, p osexec.Program, o osexec.Options, args ...string) ([]byte, error) {
		told = append(told, o)
		if p != osexec.Busctl || !slices.Contains(args, "Notify") || !strings.Contains(strings.Join(args, " "), "4821-7730") {
			t.Errorf("%s %q", p, args)
		}
		if o.UID == 1001 {
			return nil, errors.New("no notification service")
		}
		return nil, nil
	}
	if n := teller.Tell(t.Context(), example("ja", policy.OutcomeBlocked, policy.KindStorage)); n != 1 {
		t.Errorf("%d sessions were told", n)
	}
	if len(told) != 2 || told[0].UID != 1000 || told[0].GID != 1000 || told[0].Env[0] != "DBUS_SESSION_BUS_ADDRESS=unix:path="+root+"/run/user/1000/bus" {
		t.Errorf("%+v", told)
	}
	if !strings.Contains(log.String(), "外部記憶媒体(USBメモリなど)の接続を止めました") || !strings.Contains(log.String(), "4821-7730") {
		t.Errorf("the log says %s", log.String())
	}
}

func TestAFolderThatBelongsToAnotherIsNoSession(t *testing.T) {
	root := desks(t, 1000)
	if err := os.Chown(filepath.Join(root, "run/user/1000"), os.Getuid(), os.Getgid()); err != nil {
		t.Fatal(err)
	}
	if n := (&Teller{Root: root}).Sessions(); os.Getuid() != 1000 && n != 0 {
		t.Errorf("%d sessions are trusted", n)
	}
}

func TestMarkupInATextIsShownAndNotRead(t *testing.T) {
	args := arguments("t", `<a href="x">&</a>`)
	if !slices.Contains(args, `&lt;a href="x"&gt;&amp;&lt;/a&gt;`) {
		t.Errorf("%q", args)
	}
}

func TestOnlyANumberOfAPersonIsAPerson(t *testing.T) {
	for name, want := range map[string]bool{"1000": true, "65534": true, "999": false, "0": false, "01000": false, "+1000": false, "-1": false, "taro": false, "4294967296": false, "": false} {
		if _, ok := person(name); ok != want {
			t.Errorf("%q: %v", name, ok)
		}
	}
}

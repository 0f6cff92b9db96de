package software

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"sekisho/agent/sensor/hivefile"
	"sekisho/agent/sensor/hivefile/hivetest"
)

// TestMain is also the child that opens hives: the test runs itself again.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == hivefile.ChildWord {
		if err := hivefile.Reply(os.Stdout, os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// absentee is somebody with a profile on this machine who is not signed in.
type absentee struct {
	*testing.T
	sid, folder string
	eyes        *Eyes
	clock       time.Time
}

func newAbsentee(t *testing.T) *absentee {
	a := &absentee{T: t, sid: "S-1-5-21-555-666-777-1008", folder: `C:\users\hanako`, clock: time.Now().Add(time.Hour)}
	k, _, err := registry.CreateKey(registry.LOCAL_MACHINE, profilesPath+`\`+a.sid, registry.ALL_ACCESS|registry.WOW64_64KEY)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if err := k.SetExpandStringValue("ProfileImagePath", `%SystemDrive%\users\hanako`); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(a.folder, filepath.Dir(classesHive)), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = registry.DeleteKey(registry.LOCAL_MACHINE, profilesPath+`\`+a.sid)
		_ = os.RemoveAll(a.folder)
	})
	a.eyes = Open(Options{Dir: t.TempDir(), Log: zerolog.Nop(), Now: func() time.Time { return a.clock }, Up: func() time.Duration { return time.Hour }})
	return a
}

func (a *absentee) put(file string, raw []byte) {
	a.Helper()
	if err := os.WriteFile(filepath.Join(a.folder, file), raw, 0o600); err != nil {
		a.Fatal(err)
	}
}

// look looks a quarter of an hour later; it gives what happened, what she has and what could not be seen.
func (a *absentee) look() (events, there []string, faults string) {
	a.Helper()
	a.clock = a.clock.Add(15 * time.Minute)
	l, err := a.eyes.Look(a.Context())
	if err != nil {
		a.Fatal(err)
	}
	if err := a.eyes.Keep(); err != nil {
		a.Fatal(err)
	}
	all, err := a.eyes.Programs()
	if err != nil {
		a.Fatal(err)
	}
	for p := range all.All() {
		if sidIn(p.ID) == a.sid {
			there = append(there, p.Name+" of "+p.User)
		}
	}
	slices.Sort(there)
	if l == nil {
		return nil, there, ""
	}
	for _, e := range l.Events {
		events = append(events, e.What+" "+e.Program.Name)
	}
	return events, there, strings.Join(l.Faults, "; ")
}

func (a *absentee) want(what string, wantEvents, wantThere []string, wantFault ...string) {
	a.Helper()
	events, there, fault := a.look()
	if !slices.Equal(events, wantEvents) || !slices.Equal(there, wantThere) || len(wantFault) == 0 && fault != "" {
		a.Errorf("%s: %q, there %q, %s", what, events, there, fault)
	}
	for _, f := range wantFault {
		if !strings.Contains(fault, f) {
			a.Errorf("%s: %q lacks %q", what, fault, f)
		}
	}
}

// signsIn puts the same into the registry that stands in the file, as Windows does.
func (a *absentee) signsIn(name, version string) (signsOut func()) {
	a.Helper()
	path := a.sid + `\` + uninstallPath
	k, _, err := registry.CreateKey(registry.USERS, path+`\Game`, registry.ALL_ACCESS)
	if err != nil {
		a.Fatal(err)
	}
	set(a.T, k, "DisplayName", name)
	set(a.T, k, "DisplayVersion", version)
	k.Close()
	return func() {
		for p := path + `\Game`; p != ""; p = p[:max(strings.LastIndexByte(p, '\\'), 0)] {
			_ = registry.DeleteKey(registry.USERS, p)
		}
	}
}

func TestAPersonWhoIsNotSignedInIsLookedAt(t *testing.T) {
	a := newAbsentee(t)
	game := installed("Game", "ゲーム箱　６", "6.0")
	full := hivetest.Bytes(hivetest.At(uninstallK, game))
	hers := []string{"ゲーム箱 6 of " + a.sid}
	a.put(ownHive, full)
	a.want("the first look", nil, hers)
	a.want("nothing happened", nil, hers)
	out := a.signsIn("ゲーム箱　６", "6.0")
	a.want("she signs in", nil, hers)
	out()
	a.want("she signs out", nil, hers)
	a.put(ownHive, append(full, make([]byte, 4096)...)) // Windows wrote to it
	a.want("nothing is new in it", nil, hers)
	a.put(ownHive, []byte("no hive at all, but long enough to be looked at"+strings.Repeat(".", 5000)))
	a.want("broken", nil, hers, a.folder+`\`+ownHive+": it is no registry hive", "what was known counts on", "let the person sign in once")
	a.put(ownHive, hivetest.Bytes(hivetest.At(uninstallK)))
	a.want("it is gone", []string{"removed ゲーム箱 6"}, nil)
	a.put(ownHive, hivetest.Bytes(hivetest.At(uninstallK, installed("Zip", "Zip", "1"))))
	a.put(classesHive, hivetest.Bytes(hivetest.At(packagesPath, hivetest.Key{Name: "Sekisho.Test_1.0.0.0_x64__8wekyb3d8bbwe", Values: []hivetest.Value{hivetest.Text("PackageRootFolder", `C:\x`)}})))
	a.want("a packaged app, of the other hive", []string{"installed Zip", "installed Sekisho.Test"}, []string{"Sekisho.Test of " + a.sid, "Zip of " + a.sid})
}

func TestWhoHasTheHiveOpenIsNotDisturbed(t *testing.T) {
	a := newAbsentee(t)
	a.put(ownHive, hivetest.Bytes(hivetest.At(uninstallK, installed("Zip", "Zip", "1"))))
	name, err := windows.UTF16PtrFromString(filepath.Join(a.folder, ownHive))
	if err != nil {
		t.Fatal(err)
	}
	alone := func() windows.Handle {
		t.Helper()
		h, err := windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE, 0, nil, windows.OPEN_EXISTING, 0, 0) // as the kernel opens a hive
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	h := alone()
	a.want("while it is in use", nil, nil, "somebody else has it in use", "it is tried again")
	windows.CloseHandle(h)
	a.want("afterwards", nil, []string{"Zip of " + a.sid})
	windows.CloseHandle(alone()) // nothing of ours has it open
}

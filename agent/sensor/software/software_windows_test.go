package software

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"sekisho/internal/policy"
	"sekisho/internal/roll"
)

func registryOnly(t *testing.T) *registryEyes {
	t.Helper()
	e, err := newRegistryEyes(Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// entry is a key below Uninstall in the real registry of this machine, for one test.
func entry(t *testing.T, root registry.Key, path, name string, view uint32) registry.Key {
	t.Helper()
	k, _, err := registry.CreateKey(root, path+`\`+name, registry.ALL_ACCESS|view)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		k.Close()
		if view == registry.WOW64_32KEY { // DeleteKey knows no views
			path = strings.Replace(path, `SOFTWARE\`, `SOFTWARE\Wow6432Node\`, 1)
		}
		if err := registry.DeleteKey(root, path+`\`+name); err != nil && !errors.Is(err, registry.ErrNotExist) {
			t.Error(err)
		}
	})
	return k
}

func set(t *testing.T, k registry.Key, name, value string) {
	t.Helper()
	if err := k.SetStringValue(name, value); err != nil {
		t.Fatal(err)
	}
}

// awaited looks whenever it is time to, until an event comes that ok likes.
func awaited(t *testing.T, e *Eyes, look <-chan struct{}, ok func(policy.ProgramEvent) bool) time.Duration {
	t.Helper()
	begun := time.Now()
	for {
		select {
		case <-look:
		case <-time.After(5*time.Second - time.Since(begun)):
			t.Fatal("it was not seen within five seconds")
		}
		l, err := e.Look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Keep(); err != nil {
			t.Fatal(err)
		}
		if l == nil {
			continue
		}
		for _, ev := range l.Events {
			if ok(ev) {
				return time.Since(begun)
			}
		}
	}
}

func watching(t *testing.T) (*Eyes, <-chan struct{}) {
	ctx, cancel := context.WithCancel(t.Context())
	e := Open(Options{Dir: t.TempDir(), Log: zerolog.Nop(), Calm: 50 * time.Millisecond})
	look := e.Watch(ctx)
	<-look
	l, err := e.Look(t.Context())
	if err != nil || !l.First {
		t.Fatal(l, err)
	}
	if err := e.Keep(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		for range look {
		}
	})
	return e, look
}

func event(what, name string) func(policy.ProgramEvent) bool {
	return func(ev policy.ProgramEvent) bool { return ev.What == what && ev.Program.Name == name }
}

func TestAProgramForTheMachineIsSeenWithinFiveSeconds(t *testing.T) {
	e, look := watching(t)
	for _, view := range []uint32{registry.WOW64_64KEY, registry.WOW64_32KEY} {
		k := entry(t, registry.LOCAL_MACHINE, uninstallPath, "SekishoTestGame", view)
		set(t, k, "DisplayName", "ゲーム箱　６")
		took := awaited(t, e, look, event(policy.ProgramInstalled, "ゲーム箱 6"))
		set(t, k, "DisplayVersion", "2.0")
		again := awaited(t, e, look, func(ev policy.ProgramEvent) bool {
			return ev.What == policy.ProgramChanged && ev.Program.Version == "2.0"
		})
		t.Logf("installed seen after %v, changed after %v", took, again)
	}
}

func TestAPersonsProgramIsSeenWithinFiveSecondsAndSaysWhose(t *testing.T) {
	e, look := watching(t)
	k := entry(t, registry.CURRENT_USER, uninstallPath, "SekishoTestPortable", 0)
	set(t, k, "DisplayName", "Portable Game")
	set(t, k, "DisplayVersion", "1.2.3")
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		t.Fatal(err)
	}
	sid := user.User.Sid.String()
	var seen policy.Program
	took := awaited(t, e, look, func(ev policy.ProgramEvent) bool {
		seen = ev.Program
		return ev.Program.Name == "Portable Game"
	})
	t.Logf("seen after %v: %+v", took, seen)
	if seen.User == "" || seen.User == sid || !strings.HasPrefix(seen.ID, "app:"+sid+":") {
		t.Errorf("%+v", seen)
	}
	k.Close()
	if err := registry.DeleteKey(registry.CURRENT_USER, uninstallPath+`\SekishoTestPortable`); err != nil {
		t.Fatal(err)
	}
	awaited(t, e, look, event(policy.ProgramRemoved, "Portable Game"))
}

// TestWhoSignsInIsLookedAt makes a hive come, as a sign-in does, and go again.
func TestWhoSignsInIsLookedAt(t *testing.T) {
	e, look := watching(t)
	sid := "S-1-5-21-111-222-333-4444"
	path := sid + `\` + uninstallPath
	k, _, err := registry.CreateKey(registry.USERS, path+`\Game`, registry.ALL_ACCESS)
	if err != nil {
		t.Fatal(err)
	}
	set(t, k, "DisplayName", "Game of hers")
	k.Close()
	awaited(t, e, look, event(policy.ProgramInstalled, "Game of hers"))
	profile, _, err := registry.CreateKey(registry.LOCAL_MACHINE, profilesPath+`\`+sid, registry.ALL_ACCESS|registry.WOW64_64KEY)
	if err != nil {
		t.Fatal(err)
	}
	profile.Close()
	for _, key := range []string{`\Game`, ``} { // she signs out
		if err := registry.DeleteKey(registry.USERS, path+key); err != nil {
			t.Fatal(err)
		}
	}
	for p := path; p != ""; p = p[:max(strings.LastIndexByte(p, '\\'), 0)] {
		_ = registry.DeleteKey(registry.USERS, p)
	}
	r := registryOnly(t).uninstall(t.Context(), byID(roll.Of([]policy.Program{{ID: "app:" + sid + ":game", Name: "Game of hers"}})), false)
	if !containsProgram(r.programs, "Game of hers") {
		t.Error("who signs out loses what was known")
	}
	if err := registry.DeleteKey(registry.LOCAL_MACHINE, profilesPath+`\`+sid); err != nil { // the profile is deleted
		t.Fatal(err)
	}
	r = registryOnly(t).uninstall(t.Context(), byID(roll.Of([]policy.Program{{ID: "app:" + sid + ":game", Name: "Game of hers"}})), false)
	if containsProgram(r.programs, "Game of hers") {
		t.Error("a profile that is gone leaves its programs behind")
	}
}

func containsProgram(programs []policy.Program, name string) bool {
	return slices.ContainsFunc(programs, func(p policy.Program) bool { return p.Name == name })
}

func TestAPackagedAppIsSeen(t *testing.T) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		t.Fatal(err)
	}
	sid := user.User.Sid.String()
	path := sid + `_Classes\` + packagesPath
	name := "SekishoTest.Game_1.0.0.0_x64__8wekyb3d8bbwe"
	k := entry(t, registry.USERS, path, name, 0)
	set(t, k, "PackageRootFolder", `C:\Program Files\WindowsApps\`+name)
	r := registryOnly(t).packages(t.Context(), nil, true)
	if len(r.programs) != 1 || r.programs[0].Name != "SekishoTest.Game" || r.programs[0].Version != "1.0.0.0" || r.programs[0].User == "" || r.torn {
		t.Errorf("%+v", r)
	}
}

func TestValuesOfWrongTypesAreReadAsWhatTheyAre(t *testing.T) {
	k := entry(t, registry.LOCAL_MACHINE, uninstallPath, "SekishoTestOdd", registry.WOW64_64KEY)
	set(t, k, "DisplayName", "Odd")
	for _, err := range []error{k.SetDWordValue("DisplayVersion", 7), k.SetBinaryValue("Publisher", []byte{0x83, 0x5c, 0x83, 0x74}),
		k.SetStringValue("InstallLocation", strings.Repeat("長", 10_000)), k.SetStringValue("InstallSource", strings.Repeat("x", 100_000))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range registryOnly(t).uninstall(t.Context(), nil, true).programs {
		if p.Name == "Odd" {
			if p.Version != "" || p.Publisher != "" || !p.Unclean || p.Fault != "cannot read all values: DisplayVersion is of type 4, Publisher is of type 3, InstallSource is too long" || len(p.Path) > maxPath {
				t.Errorf("%+v", p)
			}
			return
		}
	}
	t.Error("it is not seen")
}

// TestWhoInstalledAProductIsAskedOfTheLog: an imitation of Windows has no such log, and then nobody is named; on a real one lines come.
func TestWhoInstalledAProductIsAskedOfTheLog(t *testing.T) {
	lines := installations()
	t.Logf("%d lines", len(lines))
	for _, i := range lines {
		if name := registryOnly(t).nameOf(i.sid); name == "" {
			t.Errorf("%+v is nobody's", i)
		}
	}
	k := entry(t, registry.LOCAL_MACHINE, uninstallPath, "{0A1B2C3D-0000-1111-2222-333344445555}", registry.WOW64_64KEY)
	set(t, k, "DisplayName", "Sekisho test product")
	if err := k.SetDWordValue("WindowsInstaller", 1); err != nil {
		t.Fatal(err)
	}
	e := registryOnly(t)
	for range msiTries + 2 {
		r := e.uninstall(t.Context(), nil, false)
		i := slices.IndexFunc(r.programs, func(p policy.Program) bool { return p.Name == "Sekisho test product" })
		if i < 0 || r.programs[i].InstalledBy != "" || r.fault != "" {
			t.Fatalf("%+v", r)
		}
	}
	if n := e.tried["msi:{0a1b2c3d-0000-1111-2222-333344445555}\x00"]; n != msiTries {
		t.Errorf("asked %d times", n)
	}
}

// TestTheNameOfAPersonIsFoundByTheSID as the log gives it.
func TestTheNameOfAPersonIsFoundByTheSID(t *testing.T) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		t.Fatal(err)
	}
	e, sid := registryOnly(t), user.User.Sid.String()
	if name := e.nameOf(sid); name == sid || !strings.Contains(name, `\`) {
		t.Errorf("%s is %q", sid, name)
	}
	if name := e.nameOf("S-1-5-21-9-9-9-9999"); name != "S-1-5-21-9-9-9-9999" {
		t.Errorf("an unknown person is %q", name)
	}
}

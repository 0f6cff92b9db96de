package software

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sekisho/agent/sensor/hivefile"
	"sekisho/agent/sensor/hivefile/hivetest"
	"sekisho/internal/policy"
	"sekisho/internal/roll"
)

const (
	hanakoSID  = "S-1-5-21-1-2-3-1001"
	uninstallK = `Software\Microsoft\Windows\CurrentVersion\Uninstall`
)

func installed(key, name, version string) hivetest.Key {
	return hivetest.Key{Name: key, Values: []hivetest.Value{hivetest.Text("DisplayName", name), hivetest.Text("DisplayVersion", version)}}
}

// office is a machine with hanako's profile, and what the eyes see of her from one look to the next.
type office struct {
	*testing.T
	*absentees
	p      profile
	clock  time.Time
	booted time.Duration
	asked  int
	here_  bool
	before []policy.Program
	last   reading
}

func newOffice(t *testing.T) *office {
	o := &office{T: t, clock: time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC), booted: time.Hour, p: profile{sid: hanakoSID, folder: filepath.Join(t.TempDir(), "hanako")}}
	if err := os.Mkdir(o.p.folder, 0o700); err != nil {
		t.Fatal(err)
	}
	o.restart(hivefile.Read)
	return o
}

// restart is a new start of the agent.
func (o *office) restart(ask func(hivefile.Question) hivefile.Answer) {
	met, err := meet(filepath.Join(filepath.Dir(o.p.folder), "state", "uninstall-people.json"))
	if err != nil {
		o.Fatal(err)
	}
	o.absentees = &absentees{file: "NTUSER.DAT", key: uninstallK, values: uninstallValues, programs: uninstallable,
		ask:  func(_ context.Context, q hivefile.Question) hivefile.Answer { o.asked++; return ask(q) },
		here: func(string) bool { return o.here_ }, name: func(string) string { return `PC\hanako` },
		now: func() time.Time { return o.clock }, up: func() time.Duration { return o.booted }, known: map[string]sight{}, met: met}
}

func (o *office) path() string { return filepath.Join(o.p.folder, "NTUSER.DAT") }

// holds is her hive's file as it was an hour ago.
func (o *office) holds(raw []byte) {
	o.Helper()
	if err := os.WriteFile(o.path(), raw, 0o600); err != nil {
		o.Fatal(err)
	}
	o.writtenAt(o.clock.Add(-time.Hour))
}

func (o *office) writtenAt(at time.Time) {
	o.Helper()
	if err := os.Chtimes(o.path(), at, at); err != nil {
		o.Fatal(err)
	}
}

func (o *office) has(programs ...hivetest.Key) {
	o.Helper()
	o.holds(hivetest.Bytes(hivetest.At(uninstallK, programs...)))
}

// look looks a quarter of an hour later, with what the registry itself says; it gives the events, as "installed Zip".
func (o *office) look(loaded ...policy.Program) (events []string) {
	o.clock = o.clock.Add(15 * time.Minute)
	before := byID(roll.Of(o.before))
	o.last = o.read(o.Context(), before, []profile{o.p}, map[string]bool{hanakoSID: loaded != nil})
	o.last.programs = append(o.last.programs, loaded...)
	told, there := difference(before, o.last, o.clock, false)
	o.before = there
	for _, e := range told {
		events = append(events, e.What+" "+e.Program.Name)
	}
	return events
}

func (o *office) wantEvents(what string, have []string, want ...string) {
	o.Helper()
	if !slices.Equal(have, want) {
		o.Errorf("%s: events %q, not %q (%s)", what, have, want, o.last.fault)
	}
}

func (o *office) wantThere(names ...string) {
	o.Helper()
	var have []string
	for _, p := range o.before {
		have = append(have, p.Name)
	}
	slices.Sort(have)
	if !slices.Equal(have, names) {
		o.Errorf("there is %q, not %q (%s)", have, names, o.last.fault)
	}
}

func (o *office) wantFault(part ...string) {
	o.Helper()
	for _, p := range part {
		if !strings.Contains(o.last.fault, p) {
			o.Errorf("%q lacks %q", o.last.fault, p)
		}
	}
	if len(part) == 0 && o.last.fault != "" {
		o.Error(o.last.fault)
	}
}

func TestWhatAnAbsentPersonHasIsSeenAndFollowed(t *testing.T) {
	o := newOffice(t)
	o.has(installed("game", "ゲーム箱　６", "6.0"))
	o.wantEvents("who is seen for the first time has what was there", o.look())
	o.wantThere("ゲーム箱 6")
	p := o.before[0]
	equal(t, "whose", p.User+" "+p.InstalledBy+" "+p.ID, `PC\hanako PC\hanako app:`+hanakoSID+`:game`)
	o.wantEvents("nothing happened", o.look())
	equal(t, "opened", o.asked, 1)
	o.has(installed("game", "ゲーム箱　６", "6.1"), installed("zip", "Zip", "1"))
	o.wantEvents("another system wrote to it", o.look(), "changed ゲーム箱 6", "installed Zip")
	o.restart(hivefile.Read)
	o.has(installed("zip", "Zip", "1"), installed("vpn", "VPN", "1"))
	o.wantEvents("after a start", o.look(), "removed ゲーム箱 6", "installed VPN")
	o.wantThere("VPN", "Zip")
	o.wantFault()
}

// TestWhoSignsInAndOutHasWhatTheyHad: the registry and the file give the same programs the same names.
func TestWhoSignsInAndOutHasWhatTheyHad(t *testing.T) {
	o := newOffice(t)
	guid := "{90160000-008C-0000-1000-0000000FF1CE}"
	msi := installed(guid, "Office", "16")
	msi.Values = append(msi.Values, hivetest.Number("WindowsInstaller", 1))
	odd := hivetest.Key{Name: "ＧＡＭＥ", Values: []hivetest.Value{{Name: "DisplayName", Kind: 1, Data: hivetest.UTF16(strings.Repeat("長", 10_000) + "\x00")}, {Name: "Publisher", Kind: 3, Data: []byte{0x83, 0x5c, 0x83}}}}
	o.has(msi, odd, installed("Zip", "Zip", "1"))
	o.wantEvents("first", o.look())
	loaded := uninstallable(hive{id: hanakoSID, user: `PC\hanako`}, []regEntry{
		{guid, map[string]regValue{"DisplayName": sz("Office"), "DisplayVersion": sz("16"), "WindowsInstaller": dword(1)}},
		{odd.Name, map[string]regValue{"DisplayName": sz(strings.Repeat("長", 10_000)), "Publisher": {kind: 3, data: []byte{0x83, 0x5c, 0x83}}}},
		{"Zip", map[string]regValue{"DisplayName": sz("Zip"), "DisplayVersion": sz("1")}},
	})
	slices.SortFunc(loaded, byName)
	if !same(roll.Of(o.before), loaded) {
		t.Errorf("%+v\nis not\n%+v", o.before, loaded)
	}
	o.wantEvents("she signs in", o.look(loaded...))
	vpn := policy.Program{ID: "app:" + hanakoSID + ":vpn", Name: "VPN"}
	o.wantEvents("she installs", o.look(append(loaded, vpn)...), "installed VPN")
	o.has(msi, odd, installed("Zip", "Zip", "1"), installed("vpn", "VPN", ""))
	o.writtenAt(o.clock.Add(15*time.Minute - time.Second))
	o.wantEvents("she has signed out this moment", o.look())
	equal(t, "opened", o.asked, 1)
	o.wantFault()
	o.wantEvents("a quarter of an hour later", o.look())
	equal(t, "opened", o.asked, 2)
	equal(t, "programs", len(o.before), 4)
}

func TestFilesAreLeftAloneWhileTheTerminalStarts(t *testing.T) {
	o := newOffice(t)
	o.has(installed("zip", "Zip", "1"))
	o.booted = time.Minute
	o.look()
	equal(t, "opened", o.asked, 0)
	o.wantFault(`cannot see all that PC\hanako has installed`, "only just started", "by a later look")
	o.booted = time.Hour
	o.wantEvents("later", o.look())
	o.wantThere("Zip")
	o.wantFault()
	o.restart(hivefile.Read)
	o.booted = time.Minute
	o.wantEvents("the next start", o.look())
	o.wantThere("Zip")
	o.wantFault()
}

func TestWhatCannotBeReadIsSaidAndForgetsNothing(t *testing.T) {
	good := hivetest.Bytes(hivetest.At(uninstallK, installed("zip", "Zip", "1"), installed("vpn", "VPN", "1")))
	half := slices.Clone(good)
	copy(half[strings.Index(string(half), "vpn")-76:], "xx")
	for want, raw := range map[string][]byte{"it is empty": {}, "it is no registry hive": []byte(strings.Repeat("MZ", 5000)), "it is cut off": good[:5000], "a key of it is none": half} {
		o := newOffice(t)
		o.holds(good)
		o.look()
		o.holds(raw)
		for range 3 {
			o.wantEvents(want, o.look())
			o.wantThere("VPN", "Zip")
			o.wantFault(`cannot see all that PC\hanako has installed, who is not signed in: `, o.path(), want, "what was known counts on", "let the person sign in")
		}
		equal(t, "opened", o.asked, 2)
		o.has(installed("zip", "Zip", "1"))
		o.wantEvents("whole again", o.look(), "removed VPN")
		o.wantFault()
	}
}

func TestAHiveInUseIsTriedAgain(t *testing.T) {
	o := newOffice(t)
	o.has(installed("zip", "Zip", "1"))
	answer := hivefile.Answer{Code: hivefile.Busy, Fault: "somebody else has it in use"}
	o.restart(func(q hivefile.Question) hivefile.Answer {
		if answer.Code != "" {
			return answer
		}
		return hivefile.Read(q)
	})
	o.look()
	o.wantFault("somebody else has it in use", "it is tried again")
	o.clock = o.clock.Add(-14 * time.Minute) // something rang
	o.look()
	equal(t, "opened", o.asked, 1)
	answer = hivefile.Answer{}
	o.wantEvents("free again", o.look())
	o.wantThere("Zip")
	o.wantFault()
	answer.Code = hivefile.Busy
	o.here_ = true
	o.has(installed("vpn", "VPN", "1"))
	o.wantEvents("who signs in this moment is no fault", o.look())
	o.wantFault()
	o.wantThere("Zip")
}

func TestAProfileThatIsGone(t *testing.T) {
	o := newOffice(t)
	o.has(installed("zip", "Zip", "1"))
	o.look()
	if err := os.Remove(o.path()); err != nil {
		t.Fatal(err)
	}
	o.wantEvents("without its hive", o.look())
	o.wantFault("there is no such file", "delete the profile if the person is gone")
	o.optional = true
	o.wantEvents("a hive that need not be", o.look(), "removed Zip")
	o.wantFault()
	o.optional = false
	o.has(installed("zip", "Zip", "1"))
	o.wantEvents("it comes back", o.look(), "installed Zip")
	if err := os.RemoveAll(o.p.folder); err != nil {
		t.Fatal(err)
	}
	o.wantEvents("deleted by hand", o.look(), "removed Zip")
	o.wantFault()
	o.has2("on a disk that is not there")
	o.wantFault("what was known counts on")
	o.p.fault = "the list of profiles does not name a folder on a disk of this terminal"
	o.look()
	o.wantFault("does not name a folder")
}

// has2 gives her a program by way of the registry, and takes the disk with her profile away.
func (o *office) has2(what string) {
	o.Helper()
	o.look(policy.Program{ID: "app:" + hanakoSID + ":zip", Name: "Zip"})
	o.p.folder = filepath.Join(o.p.folder, "no", "disk")
	o.wantEvents(what, o.look())
	o.wantThere("Zip")
}

func TestManyPeopleAreReadOneMinuteAtATime(t *testing.T) {
	o := newOffice(t)
	o.restart(func(q hivefile.Question) hivefile.Answer {
		o.clock = o.clock.Add(25 * time.Second)
		return hivefile.Read(q)
	})
	var people []profile
	for _, n := range []string{"1", "2", "3", "4", "5", "6", "7", "8"} {
		p := profile{sid: hanakoSID + n, folder: filepath.Join(t.TempDir(), n)}
		o.p = p
		if err := os.Mkdir(p.folder, 0o700); err != nil {
			t.Fatal(err)
		}
		o.has(installed("zip", "Zip "+n, "1"))
		people = append(people, p)
	}
	for _, want := range []int{3, 6, 8} {
		r := o.read(o.Context(), nil, people, nil)
		equal(t, "seen", len(r.programs), want)
		equal(t, "whole", r.fault == "", want == 8)
	}
	people[1].fault, people[2].fault, people[3].fault, people[4].fault = "x", "x", "x", "x"
	if r := o.read(o.Context(), nil, people, nil); strings.Count(r.fault, "who is not signed in") != 3 || !strings.HasSuffix(r.fault, "cannot see it of 1 other people either") {
		t.Error(r.fault)
	}
	if r := o.read(o.Context(), nil, people[:1], nil); len(r.programs) != 1 || len(o.known) != 1 {
		t.Errorf("who has no profile any more stays: %+v", o.known)
	}
}

func TestAListOfPeopleThatIsDamagedBeginsAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x", "people.json")
	a, err := meet(path)
	if err != nil {
		t.Fatal(err)
	}
	a.add(hanakoSID)
	if err := errors.Join(a.keep(), a.keep()); err != nil {
		t.Fatal(err)
	}
	if a, err = meet(path); err != nil || !a.has(hanakoSID) {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if a, err = meet(path); err == nil || a == nil || a.has(hanakoSID) || a.keep() != nil {
		t.Error("a damaged list is believed, or ends everything")
	}
}

// TestAFirstSightThatWasNotKeptIsAFirstSightAgain: the agent ended before what it saw was safe.
func TestAFirstSightThatWasNotKeptIsAFirstSightAgain(t *testing.T) {
	o := newOffice(t)
	o.has(installed("zip", "Zip", "1"))
	o.wantEvents("first", o.look())
	o.before = nil
	o.restart(hivefile.Read)
	o.wantEvents("first again", o.look())
	o.wantThere("Zip")
	o.look()
	o.before = nil
	o.restart(hivefile.Read)
	o.wantEvents("known by now", o.look(), "installed Zip")
}

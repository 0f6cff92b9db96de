package software

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"sekisho/agent/sensor/aptlist"
	"sekisho/internal/policy"
	"sekisho/internal/roll"
)

func equal[T comparable](t testing.TB, what string, have, want T) {
	t.Helper()
	if have != want {
		t.Errorf("%s: %v, not %v", what, have, want)
	}
}

func TestWordsAreMadeFitForPages(t *testing.T) {
	for _, c := range []struct {
		in, out string
		ok      bool
	}{
		{"  Ａｄｏｂｅ（株）　ﾘｰﾀﾞｰ ", "Adobe(株) リーダー", true},
		{"office\x00\x1b[31m", "office\uFFFD\uFFFD[31m", false},
		{"gpj.exe\u202e", "gpj.exe\uFFFD", false},
		{"\x83\x5c\x83\x74\x83\x67", "\uFFFD\\\uFFFDt\uFFFDg", false}, // ソフト in Shift_JIS
		{strings.Repeat("長", 10_000), strings.Repeat("長", 85), false},
		{strings.Repeat("\ufdfa", 2000), "", false}, // one sign that NFKC makes eighteen of
		{"", "", true},
	} {
		out, ok := clean(c.in, maxWord)
		if c.out != "" {
			equal(t, c.in[:min(len(c.in), 20)], out, c.out)
		}
		equal(t, "ok", ok, c.ok)
		if len(out) > maxWord {
			t.Errorf("%d bytes", len(out))
		}
	}
}

func TestTwoProgramsNeverShareAnIDBecauseTheirNamesWereCut(t *testing.T) {
	long := strings.Repeat("x", 5000)
	seen := map[string]string{}
	for _, parts := range [][]string{{"deb", "a", "b"}, {"app", "64", long + "1"}, {"app", "64", long + "2"}, {"app", "64", "a\x01"}, {"app", "64", "a\x02"}, {"app", "64", "a\uFFFD"}} {
		id := ident(parts...)
		if other, taken := seen[id]; taken || len(id) > maxID {
			t.Errorf("%d bytes, shared with %.40q", len(id), other)
		}
		seen[id] = strings.Join(parts, ":")
	}
	equal(t, "a plain one", ident("deb", "curl", "amd64"), "deb:curl:amd64")
}

const captured = `Package: libfoo
Status: install ok installed
Priority: required
Installed-Size: 686
Maintainer: Debian <x@example.org>
Architecture: amd64
Version: 1:2.3~rc1-4+b1
Conffiles:
 /etc/x 00
Description: x
 Status: deinstall ok config-files
 .
 more

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: half
Status: install reinstreq half-installed
Architecture: all
Version: 2

`

func TestDpkgsStatusIsReadAsDpkgWritesIt(t *testing.T) {
	r := debs(strings.NewReader(captured))
	if r.torn || r.fault != "" || len(r.programs) != 2 {
		t.Fatalf("%+v", r)
	}
	p := r.programs[0]
	equal(t, "id", p.ID, "deb:libfoo:amd64")
	equal(t, "version", p.Version, "1:2.3~rc1-4+b1")
	equal(t, "size", p.Size, 686*1024)
	equal(t, "essential", p.Essential, true)
	equal(t, "what is half there is there", r.programs[1].Name, "half")
	windows := debs(strings.NewReader(strings.ReplaceAll(captured, "\n", "\r\n")))
	equal(t, "with the line ends of Windows", len(windows.programs), 2)
}

func TestADatabaseThatSaysNonsenseIsNotWhole(t *testing.T) {
	for what, text := range map[string]string{
		"empty":        "",
		"cut":          captured[:len(captured)-2],
		"zeros":        captured + "\x00\x00\x00\n\n",
		"no state":     "Package: a\nVersion: 1\n\n",
		"odd state":    "Package: a\nStatus: install ok flying\nVersion: 1\n\n",
		"no version":   "Package: a\nStatus: install ok installed\n\n",
		"no name":      "Status: install ok installed\nVersion: 1\n\n",
		"binary":       strings.Repeat("\xff\xfe", 100_000),
		"another form": `{"packages": []}` + "\n\n",
	} {
		if r := debs(strings.NewReader(text)); !r.torn || !strings.HasPrefix(r.fault, "cannot read") {
			t.Errorf("%s: %+v", what, r)
		}
	}
}

func TestHostileNamesAndLongLinesDoNoHarm(t *testing.T) {
	long := strings.Repeat("長", 400_000)
	text := "Package: ../../etc/passwd\nStatus: install ok installed\nVersion: 1\nArchitecture: ..\nMaintainer: " + long + "\nDepends: " + long + "\n\n" +
		"Package: <script>alert(1)</script>\nStatus: install ok installed\nVersion: \x1b[2J\nArchitecture: all\n\n"
	r := debs(strings.NewReader(text))
	if len(r.programs) != 2 || r.torn {
		t.Fatalf("%d %v %s", len(r.programs), r.torn, r.fault)
	}
	if p := r.programs[0]; !p.Unclean || len(p.Publisher) > maxWord {
		t.Errorf("%+v", p)
	}
	if p := r.programs[1]; !p.Unclean || strings.ContainsRune(p.Version, '\x1b') {
		t.Errorf("%+v", p)
	}
	d := dpkg{root: t.TempDir()}
	if at := d.installedAt(r.programs[0], false); !at.IsZero() {
		t.Error("a name leads out of dpkg's folder")
	}
}

func TestSixThousandPackages(t *testing.T) {
	var b strings.Builder
	for i := range 6000 {
		fmt.Fprintf(&b, "Package: p%d\nStatus: install ok installed\nVersion: %d:1.0~rc%d-1\nArchitecture: amd64\nMaintainer: x\n\n", i, i%3, i)
	}
	begun := time.Now()
	r := debs(strings.NewReader(b.String()))
	events, there := difference(byID(roll.Of(r.programs[1:])), r, time.Now(), false)
	if len(r.programs) != 6000 || r.torn || len(events) != 1 || len(there) != 6000 {
		t.Errorf("%d %v %d %d", len(r.programs), r.torn, len(events), len(there))
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestLogsThatWereCutTellWhatTheyHold(t *testing.T) {
	history := "l: x:amd64 (1)\n\nStart-Date: 2026-11-26  10:00:00\nCommandline: /usr/bin/apt install curl\nRequested-By: 太郎 (1000)\nInstall: curl:amd64 (7.88-1), libcurl4:amd64 (7.88-1, automatic)\n" +
		"Upgrade: tzdata:amd64 (2025b, 2026a)\nEnd-Date: x\n\nStart-Date: 2026-11-26  11:00:00\nCommandline: packagekit role='install-files'\nInstall: game:amd64 (1"
	d := readDeeds(history, "2026-11-26 10:00:01 install curl:amd64 <none> 7.88-1\n2026-11-26 12:30:00 upgrade tzdata:all 2026a 2026a\ngarbage\n2026-11-26 1", time.UTC)
	equal(t, "who", d.apt[deedKey("curl", "7.88-1")].user, "太郎")
	equal(t, "the new version", d.apt[deedKey("tzdata", "2026a")].command, "/usr/bin/apt install curl")
	equal(t, "a file by PackageKit", d.apt[deedKey("game", "1")].local, true)
	by, byApt, known := d.of("tzdata", "2026a")
	equal(t, "put over it later by dpkg", fmt.Sprint(by.command, " ", by.local, byApt, known), "dpkg true false true")
	_, _, known = d.of("tzdata", "1")
	equal(t, "of other versions nothing is known", known, false)
}

// sz is a REG_SZ as Windows keeps it.
func sz(s string) regValue {
	var b []byte
	for _, u := range utf16.Encode([]rune(s + "\x00")) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return regValue{kind: regSZ, data: b}
}

func dword(n uint32) regValue {
	return regValue{kind: regDWORD, data: binary.LittleEndian.AppendUint32(nil, n)}
}

func TestAnUninstallKeyIsReadWhateverIsInIt(t *testing.T) {
	guid := "{90160000-008C-0000-1000-0000000FF1CE}"
	programs := uninstallable(hive{id: "64"}, []regEntry{
		{guid, map[string]regValue{"DisplayName": sz("Ｏｆｆｉｃｅ　２０２６"), "DisplayVersion": sz("16.0.1"), "Publisher": sz("マイクロソフト（株）"),
			"InstallDate": sz("20261126"), "EstimatedSize": dword(2048), "WindowsInstaller": dword(1)}},
		{"7-Zip", map[string]regValue{"DisplayName": {kind: regExpandSZ, data: sz("7-Zip").data}, "InstallDate": sz("26.11.2026"), "WindowsInstaller": dword(1)}},
		{"part", map[string]regValue{"ParentKeyName": sz("x")}},
		{"binary", map[string]regValue{"DisplayName": {kind: 3, data: []byte("\x83\x5c\x83\x74")}}},
		{"odd", map[string]regValue{"DisplayName": {kind: regSZ, data: append(sz("odd").data[:6], 0x41)}, "EstimatedSize": {kind: regDWORD, data: []byte{1}}}},
		{"surrogate", map[string]regValue{"DisplayName": {kind: regSZ, data: []byte{0x00, 0xd8, 0x41, 0x00}}}},
		{"long", map[string]regValue{"DisplayName": sz(strings.Repeat("長", 10_000)), "Publisher": {long: true}}},
		{"list", map[string]regValue{"DisplayName": {kind: regMultiSZ, data: append(sz("first").data, sz("second").data...)}}},
	})
	byName := map[string]policy.Program{}
	for _, p := range programs {
		byName[p.Name] = p
	}
	office := byName["Office 2026"]
	equal(t, "id", office.ID, "msi:"+strings.ToLower(guid))
	equal(t, "kind", office.Kind, policy.ProgramMSI)
	equal(t, "publisher", office.Publisher, "マイクロソフト(株)")
	equal(t, "size", office.Size, 2048*1024)
	equal(t, "installed", office.InstalledAt.IsZero(), false)
	zip := byName["7-Zip"]
	equal(t, "no product code, no product", zip.ID+string(zip.Kind), "app:64:7-zipapp")
	equal(t, "a date of its own form", zip.InstalledAt.IsZero(), true)
	equal(t, "a name of the wrong type", byName["binary"].Fault, "cannot read all values: DisplayName is of type 3")
	equal(t, "half a letter", byName["odd"].Unclean, true)
	equal(t, "half a pair", byName["\uFFFDA"].ID, "app:64:surrogate")
	equal(t, "the first of a list", byName["first"].Unclean, false)
	equal(t, "all that have a name", len(programs), 7)
}

func TestPackagedAppsAreNamedByTheirKey(t *testing.T) {
	h := hive{id: "S-1-5-21-1-2-3-1001", user: `PC\taro`}
	programs := packaged(h, []regEntry{
		{"Microsoft.WindowsStore_22401.1400.6.0_x64__8wekyb3d8bbwe", map[string]regValue{"PackageRootFolder": sz(`C:\Program Files\WindowsApps\x`)}},
		{"no package", nil}, {"_____", nil},
	})
	if len(programs) != 1 {
		t.Fatalf("%+v", programs)
	}
	p := programs[0]
	equal(t, "app", strings.Join([]string{p.ID, p.Name, p.Version, p.Arch, p.Publisher, p.User}, "|"),
		`msix:S-1-5-21-1-2-3-1001:microsoft.windowsstore_x64__8wekyb3d8bbwe|Microsoft.WindowsStore|22401.1400.6.0|x64|8wekyb3d8bbwe|PC\taro`)
}

func TestPeopleAreToldFromServices(t *testing.T) {
	for key, is := range map[string]bool{"S-1-5-21-1-2-3-1001": true, "S-1-5-21-1_Classes": false, ".DEFAULT": false, "S-1-5-18": false, "S-1-12-1-5": true, "S-1-5-21-1-2-3-1001.bak": false} {
		equal(t, key, isPerson(key), is)
	}
	for folder, is := range map[string]bool{`C:\Users\hanako`: true, `d:\x`: true, ``: false, `C:\`: false, `\\server\hanako`: false, `\\?\C:\x`: false, `C:\Users\..\x`: false, `1:\x`: false, `C:hanako`: false} {
		equal(t, folder, profileAt("S-1-5-21-1", folder).fault == "", is)
	}
}

func TestRpmsWordsAreReadAndADamagedAnswerIsNotWhole(t *testing.T) {
	line := func(f ...string) string { return strings.Join(f, "\x1f") + "\x1e" }
	key := line("gpg-pubkey", "0", "350D275D", "1", "(none)", "(none)", "1", "0", "(none)(none)", "gpg(Rocky <x@example.org>)")
	signed := line("bash", "0", "5.1", "6.el9", "x86_64", "Rocky", "1700000000", "100", "(none)RSA/SHA256, Mon 01 Jan 2024 00:00:00, Key ID 702d426d350d275d", "shell")
	foreign := line("game", "1", "2~rc1", "1", "noarch", "(none)", "x", "-5", "RSA/SHA256, x, Key ID 1111111122222222(none)", "evil\x1b")
	fine := func() error { return nil }
	r := rpms(strings.NewReader(key+signed+foreign), fine)
	if len(r.programs) != 2 || r.torn {
		t.Fatalf("%+v", r)
	}
	equal(t, "signed by a key of the machine", r.programs[0].Source+" "+r.programs[0].Origin, "repository key 350d275d gpg(Rocky <x@example.org>)")
	equal(t, "by another", r.programs[1].Source+r.programs[1].Version, "unknown1:2~rc1-1")
	for _, bad := range []string{signed + foreign[:20], "\x1e", signed + line("a", "b")} {
		if r := rpms(strings.NewReader(bad), fine); !r.torn || r.fault == "" {
			t.Errorf("%q: %+v", bad, r)
		}
	}
	if r := rpms(strings.NewReader(signed), func() error { return io.ErrUnexpectedEOF }); !r.torn {
		t.Error("a rpm that failed is believed")
	}
	kernels := []policy.Program{{ID: "rpm:kernel:x", Name: "kernel", Version: "1"}, {ID: "rpm:kernel:x", Name: "kernel", Version: "2"}}
	twoOfOne(kernels)
	equal(t, "two kernels", kernels[0].ID == kernels[1].ID, false)
}

func TestHomesAreThoseOfPeople(t *testing.T) {
	passwd := "root:x:0:0::/root:/bin/sh\nsys:x:3:3::/dev:/x\nnobody:x:65534:65534::/nonexistent:/x\ntaro:x:1000:1000::/home/taro:/x\nevil:x:1001:1001::../../etc:/x\nroot2:x:1002:1:::/x\nhalf:x:10"
	var have []string
	for _, h := range homesOf(passwd, []string{"taro", "ldapuser"}) {
		have = append(have, h.user+" "+h.path)
	}
	equal(t, "homes", strings.Join(have, ", "), "root /root, taro /home/taro, ldapuser /home/ldapuser")
}

func FuzzDpkgStatus(f *testing.F) {
	f.Add([]byte(captured))
	f.Add([]byte("Package: a\nStatus: install ok installed\nVersion: 1\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := debs(strings.NewReader(string(raw)), strings.NewReader(string(raw)))
		if len(r.programs) == 0 && !r.torn {
			t.Error("nothing is whole")
		}
		checkWords(t, r.programs)
	})
}

func FuzzAptLogs(f *testing.F) {
	f.Add("Start-Date: 2026-11-26  10:00:00\nCommandline: apt install x\nInstall: x:amd64 (1, automatic), y:amd64 (2)\n", "2026-11-26 10:00:01 install curl:amd64 <none> 7.88-1\n")
	f.Fuzz(func(t *testing.T, history, log string) {
		events := []policy.ProgramEvent{{What: policy.ProgramInstalled, Program: policy.Program{Name: "x", Version: "1"}}}
		readDeeds(history, log, time.UTC).tell(events)
		if len(events[0].Command) > maxWord || len(events[0].User) > maxWord {
			t.Error("a word is too long")
		}
	})
}

func FuzzAptLists(f *testing.F) {
	f.Add("a.example b main", true, []byte("Package: x\nVersion: 1\nArchitecture: all\n\n"))
	f.Fuzz(func(t *testing.T, origin string, signed bool, list []byte) {
		p := policy.Program{Name: "x", Version: "1", Arch: "all"}
		a := ask([]*policy.Program{&p})
		if err := a.read(aptlist.List{Origin: origin, Signed: signed}, strings.NewReader(string(list))); err != nil {
			t.Fatal(err)
		}
		a.settle()
		if p.Source == "" {
			t.Error("nothing is said of where it came from")
		}
	})
}

func FuzzRegistry(f *testing.F) {
	f.Add("key", uint32(1), []byte("a\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, name string, kind uint32, data []byte) {
		values := map[string]regValue{}
		for _, v := range uninstallValues {
			values[v] = regValue{kind: kind, data: data}
		}
		checkWords(t, uninstallable(hive{id: "64"}, []regEntry{{name, values}}))
		checkWords(t, packaged(hive{id: "S-1-5-21-1"}, []regEntry{{name, values}}))
	})
}

func FuzzRpm(f *testing.F) {
	f.Add([]byte("bash\x1f0\x1f5\x1f6\x1fx\x1fv\x1f1\x1f2\x1fKey ID 702d426d350d275d\x1fs\x1e"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		checkWords(t, rpms(strings.NewReader(string(raw)), func() error { return nil }).programs)
	})
}

func FuzzTold(f *testing.F) {
	f.Add(make([]byte, 32))
	f.Fuzz(func(t *testing.T, raw []byte) { parseTold(raw) })
}

// checkWords: whatever was read, what is given on keeps to policy.Program's promise.
func checkWords(t *testing.T, programs []policy.Program) {
	for _, p := range programs {
		for _, w := range []string{p.Name, p.Version, p.Arch, p.Publisher, p.Origin} {
			if out, ok := clean(w, maxWord); !ok || out != w {
				t.Errorf("%q is not clean", w)
			}
		}
		if p.ID == "" || len(p.ID) > maxID || len(p.Path) > maxPath || p.Kind == "" {
			t.Errorf("%+v", p)
		}
	}
}

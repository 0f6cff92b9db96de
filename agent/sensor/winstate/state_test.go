package winstate

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"sekisho/agent/sensor/smbios"
	"sekisho/internal/policy"
)

func november(t testing.TB) []byte {
	text, err := os.ReadFile("../../../internal/policy/testdata/2026-11.baseline")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// table is a firmware's table with a boot password and two modules of 8 GiB.
func table(state byte) []byte {
	module := make([]byte, 0x22)
	module[0], module[1] = 17, 0x22
	binary.LittleEndian.PutUint16(module[12:], 8192)
	module = append(module, 0, 0)
	out := []byte{24, 5, 0, 0x18, state << 6, 0, 0}
	out = append(append(out, module...), module...)
	return append(out, 127, 4, 0, 0xff, 0, 0)
}

// kept is a client on which nothing is wrong, with a defender that works.
func kept(t testing.TB) (*box, *Eyes) {
	b := sellers()[0].terminal(t)
	b.services["MpsSvc"] = "running"
	b.smbios = table(1)
	b.users = []Account{{Name: "Administrator", RID: 500, Disabled: true}, {Name: "Guest", RID: 501, Disabled: true}, {Name: "花子", RID: 1001, Login: noon.AddDate(0, 0, -1)}}
	b.admins = []Member{{`PC-014\Administrator`, "S-1-5-21-1-2-3-500"}, {`PC-014\sysadmin`, "S-1-5-21-1-2-3-1000"}}
	b.wmi[`wmi root\cimv2\Security\MicrosoftVolumeEncryption Win32_EncryptableVolume`] = reply{Instances: []instance{
		{"DriveLetter": "C:", "ProtectionStatus": 1, "VolumeType": 0}, {"DriveLetter": "E:", "ProtectionStatus": 0, "VolumeType": 2}, {"DriveLetter": "", "ProtectionStatus": 0, "VolumeType": 1}}}
	b.network = Network{Cards: []Card{{Index: 1, Type: typeLoopback, Up: true, Name: "Loopback"}, {Index: 4, GUID: "{A}", Name: "イーサネット", MAC: "52:54:00:00:00:01", Type: 6, Up: true}},
		Routes: []Route{{4, netip.MustParseAddr("192.0.2.1")}}, Neighbours: []Neighbour{{4, netip.MustParseAddr("192.0.2.1"), "52:54:00:00:00:fe"}}}
	e := b.eyes()
	e.Baseline = func() []byte { return november(t) }
	e.Before = func(now []string) ([]string, error) { return now, nil }
	return b, e
}

// all is one look at everything but the clock.
func all(t testing.TB, b *box, e *Eyes) []policy.Reading {
	out := append(b.look(t), e.Patches(t.Context())...)
	out = append(out, e.Settings(t.Context())...)
	return append(out, e.Adapters()...)
}

// strict judges with every check on, and with what may be there named.
func strict(readings []policy.Reading) map[string]policy.CheckResult {
	p := policy.Builtin(policy.ModeAudit)
	p.Health = policy.DefaultHealth()
	for i := range p.Health.Checks {
		c := &p.Health.Checks[i]
		if c.Off = c.ID == "settings.clock"; c.ID == "network.gateway" || c.ID == "settings.admins" {
			c.Allowed = []string{"52:54:00:*", `*\sysadmin`}
		}
	}
	out := map[string]policy.CheckResult{}
	for _, r := range policy.Judge(p, &policy.Survey{OS: "windows", Up: 10 * time.Hour, Readings: readings}, nil, noon) {
		out[r.Check] = r
	}
	return out
}

func TestAWellKeptWindowsPassesEveryCheck(t *testing.T) {
	b, e := kept(t)
	for id, r := range strict(all(t, b, e)) {
		if r.Result != policy.ResultPass {
			t.Errorf("%s: %+v", id, r)
		}
	}
}

// TestEachCheckIsSwitchedToFailing changes one thing at a time.
func TestEachCheckIsSwitchedToFailing(t *testing.T) {
	const person = `HKU\S-1-5-21-1004336348-1177238915-682003330-1001`
	word := func(key, name string, n uint32) func(*box) {
		return func(b *box) { b.put(key, name, regDWORD, binary.LittleEndian.AppendUint32(nil, n)) }
	}
	str := func(key, name, s string) func(*box) { return func(b *box) { b.put(key, name, regSZ, wide(s)) } }
	key := func(k string) func(*box) { return func(b *box) { b.hive[strings.ToLower(k)] = map[string]regValue{} } }
	card := func(c Card) func(*box) { return func(b *box) { b.network.Cards = append(b.network.Cards, c) } }
	usb := func(service string) func(*box) {
		return func(b *box) {
			card(Card{Index: 9, GUID: "{B}", Name: "Ethernet 2", Type: 6, Up: true, MAC: "02:00:00:00:00:09"})(b)
			str(cardsKey+`{B}\Connection`, "PnpInstanceID", `USB\VID_04E8&PID_6863\1`)(b)
			str(enumKey+`USB\VID_04E8&PID_6863\1`, "Service", service)(b)
		}
	}
	for _, c := range []struct {
		check, want, value string
		change             func(*box)
	}{
		{"patch.level", "fail behind", "KB5121767 26200.8894", word(versionKey, "UBR", 8655)},
		{"patch.level", "unknown no_reference", "", str(versionKey, "CurrentBuildNumber", "27000")},
		{"patch.level", "unknown wrong_type", "", str(versionKey, "UBR", "new")},
		{"patch.level", "unknown missing", "", func(b *box) { b.drop(versionKey, "InstallationType") }},
		{"patch.level", "unknown missing", "", func(b *box) { b.drop(versionKey, "UBR") }},
		{"patch.support", "fail ended", "", func(b *box) {
			str(versionKey, "CurrentBuildNumber", "22631")(b)
			str(versionKey, "EditionID", "Enterprise")(b)
		}},
		{"patch.support", "unknown no_reference", "", str(versionKey, "EditionID", "Cloud")},
		{"patch.reboot", "fail waiting", "RebootPending", key(servicing + `\RebootPending`)},
		{"patch.reboot", "fail waiting", "RebootInProgress", key(servicing + `\RebootInProgress`)},
		{"patch.reboot", "fail waiting", "PackagesPending", key(servicing + `\PackagesPending`)},
		{"patch.reboot", "fail waiting", "RebootRequired", key(autoUpdate + `\RebootRequired`)},
		{"patch.reboot", "fail waiting", "PostRebootReporting", key(autoUpdate + `\PostRebootReporting`)},
		{"patch.reboot", "fail waiting", "ComputerName PC-015", str(namesKey+`\ComputerName`, "ComputerName", "PC-015")},
		{"patch.reboot", "fail waiting", "UpdateExeVolatile", word(`HKLM\SOFTWARE\Microsoft\Updates`, "UpdateExeVolatile", 1)},
		{"patch.reboot", "pass", "(PendingFileRenameOperations)", func(b *box) { b.put(sessionKey, "PendingFileRenameOperations", regMultiSZ, wide(`\??\C:\x`)) }},
		{"patch.reboot", "unknown missing", "", func(b *box) { delete(b.hive, strings.ToLower(servicing)) }},
		{"settings.firewall", "fail off", "EnableFirewall=false, MpsSvc running", word(firewallLocal+"PublicProfile", "EnableFirewall", 0)},
		{"settings.firewall", "fail off", "", word(firewallRules+"PrivateProfile", "EnableFirewall", 0)},
		{"settings.firewall", "fail off", "", word(firewallRules+"StandardProfile", "EnableFirewall", 0)},
		{"settings.firewall", "pass", "", func(b *box) {
			word(firewallRules+"PublicProfile", "EnableFirewall", 1)(b)
			word(firewallLocal+"PublicProfile", "EnableFirewall", 0)(b)
		}},
		{"settings.firewall", "fail off", "EnableFirewall=true, MpsSvc stopped", func(b *box) { b.services["MpsSvc"] = "stopped" }},
		{"settings.firewall", "pass", "", func(b *box) {
			word(firewallLocal+"PublicProfile", "EnableFirewall", 0)(b)
			b.wmi[`wmi root\SecurityCenter2 FirewallProduct`] = reply{Instances: []instance{{"displayName": "ESET Firewall", "productState": 0x041000}}}
		}},
		{"settings.firewall", "unknown missing", "", func(b *box) { b.drop(firewallLocal+"DomainProfile", "EnableFirewall") }},
		{"settings.firewall", "unknown wrong_type", "", word(firewallLocal+"DomainProfile", "EnableFirewall", 7)},
		{"settings.disk_encryption", "fail off", "", func(b *box) { b.wmi["wmi"] = reply{}; b.encrypt(0) }},
		{"settings.disk_encryption", "unknown denied", "", func(b *box) { b.encrypt(2) }},
		{"settings.disk_encryption", "unknown missing", "", func(b *box) { b.encrypt() }},
		{"settings.boot_password", "fail off", "", func(b *box) { b.smbios = table(0) }},
		{"settings.boot_password", "unknown no_source", "", func(b *box) { b.smbios = table(2) }},
		{"settings.boot_password", "unknown no_source", "", func(b *box) { b.smbios = table(1)[:4] }},
		{"settings.secure_boot", "fail off", "", word(secureKey, "UEFISecureBootEnabled", 0)},
		{"settings.secure_boot", "unknown missing", "", func(b *box) { b.drop(secureKey, "UEFISecureBootEnabled") }},
		{"settings.secure_boot", "fail off", "started without UEFI", func(b *box) { b.drop(secureKey, "UEFISecureBootEnabled"); b.uefi = false }},
		{"settings.screen_lock", "fail too_high", "", func(b *box) {
			word(systemKey, "InactivityTimeoutSecs", 0)(b)
			str(person+desktopKey, "ScreenSaveTimeOut", "3600")(b)
		}},
		{"settings.screen_lock", "fail off", "", func(b *box) {
			word(systemKey, "InactivityTimeoutSecs", 0)(b)
			str(person+desktopKey, "ScreenSaverIsSecure", "0")(b)
		}},
		{"settings.screen_lock", "fail off", "", func(b *box) {
			word(systemKey, "InactivityTimeoutSecs", 0)(b)
			b.drop(person+desktopKey, "SCRNSAVE.EXE")
		}},
		{"settings.screen_lock", "fail off", "", func(b *box) {
			word(systemKey, "InactivityTimeoutSecs", 0)(b)
			str(person+desktopRules, "ScreenSaveActive", "0")(b)
		}},
		{"settings.screen_lock", "unknown missing", "", func(b *box) {
			word(systemKey, "InactivityTimeoutSecs", 0)(b)
			delete(b.hive, strings.ToLower(person+desktopKey))
			key(`HKU\.DEFAULT`)(b)
		}},
		{"settings.screen_lock", "unknown wrong_type", "", str(person+desktopKey, "ScreenSaveTimeOut", "ten minutes")},
		{"settings.autologin", "fail found", "kiosk", func(b *box) { str(loginKey, "AutoAdminLogon", "1")(b); str(loginKey, "DefaultUserName", "kiosk")(b) }},
		{"settings.autologin", "unknown missing", "", func(b *box) { delete(b.hive, strings.ToLower(loginKey)) }},
		{"settings.guest", "fail found", "ゲスト", func(b *box) { b.users[1] = Account{Name: "ゲスト", RID: 501} }},
		{"settings.admins", "fail found", `PC-014\花子`, func(b *box) { b.admins = append(b.admins, Member{`PC-014\花子`, "S-1-5-21-1-2-3-1001"}) }},
		{"settings.admins", "fail found", `PC-014\Administrator`, func(b *box) { b.users[0].Disabled = false }},
		{"settings.unused_accounts", "fail found", "花子", func(b *box) { b.users[2].Login = noon.AddDate(0, -6, 0) }},
		{"settings.password_policy", "fail found", "花子: no password needed", func(b *box) { b.users[2].NoPassword = true }},
		{"settings.autorun", "fail found", "0x91", word(explorerKey, "NoDriveTypeAutoRun", 0x91)},
		{"settings.autorun", "fail found", "default of Windows", func(b *box) { b.drop(explorerKey, "NoDriveTypeAutoRun") }},
		{"settings.remote", "fail found", "rdp", word(terminalKey, "fDenyTSConnections", 0)},
		{"settings.remote", "fail found", "rdp", word(terminalRules, "fDenyTSConnections", 0)},
		{"settings.remote", "fail found", "anydesk.exe", func(b *box) { b.programs["anydesk.exe"] = true }},
		{"settings.remote", "unknown missing", "", func(b *box) { b.drop(terminalKey, "fDenyTSConnections") }},
		{"network.second_card", "fail found", "", card(Card{Index: 5, GUID: "{C}", Name: "Ethernet 3", Type: 6, Up: true, MAC: "52:54:00:00:00:02"})},
		{"network.second_card", "pass", "", card(Card{Index: 5, GUID: "{C}", Name: "Ethernet 3", Type: 6, MAC: "52:54:00:00:00:02"})},
		{"network.second_card", "pass", "", func(b *box) {
			card(Card{Index: 5, GUID: "{D}", Name: "vEthernet (Default Switch)", Type: 6, Up: true})(b)
			str(cardsKey+`{D}\Connection`, "PnpInstanceID", `ROOT\VMS_MP\0000`)(b)
		}},
		{"network.wifi", "fail found", "cafe", card(Card{Index: 6, Name: "Wi-Fi", Type: 71, Up: true, SSID: "cafe"})},
		{"network.wifi", "fail found", "Wi-Fi (name of the network not readable: Access is denied.)", card(Card{Index: 6, Name: "Wi-Fi", Type: 71, Up: true, SSIDFault: "Access is denied."})},
		{"network.tether", "fail found", "Ethernet 2 usb_rndisx 02:00:00:00:00:09", usb("usb_rndisx")},
		{"network.tether", "fail found", "Ethernet 2 UsbNcm 02:00:00:00:00:09", usb("UsbNcm")},
		{"network.second_card", "fail found", "", usb("rtux64w10")},
		{"network.tether", "fail found", "", func(b *box) {
			card(Card{Index: 7, GUID: "{E}", Name: "Bluetooth", Type: 6, Up: true})(b)
			str(cardsKey+`{E}\Connection`, "PnpInstanceID", `BTH\MS_BTHPAN\7`)(b)
		}},
		{"network.modem", "fail found", "携帯電話", card(Card{Index: 8, Name: "携帯電話", Type: 243, Up: true})},
		{"network.vpn", "fail found", "", card(Card{Index: 8, Name: "VPN", Type: 131, Up: true})},
		{"network.vpn", "fail found", "", func(b *box) {
			card(Card{Index: 8, GUID: "{F}", Name: "OpenVPN", About: "TAP-Windows Adapter V9", Type: 6, Up: true})(b)
			str(cardsKey+`{F}\Connection`, "PnpInstanceID", `ROOT\NET\0000`)(b)
		}},
		{"network.second_route", "fail found", "", func(b *box) {
			card(Card{Index: 5, GUID: "{C}", Name: "Ethernet 3", Type: 6, Up: true})(b)
			b.network.Routes = append(b.network.Routes, Route{5, netip.MustParseAddr("fe80::1")})
		}},
		{"network.gateway", "fail found", "02:ca:fe:00:00:01", func(b *box) { b.network.Neighbours[0].MAC = "02:ca:fe:00:00:01" }},
		{"network.gateway", "unknown missing", "", func(b *box) { b.network.Neighbours = nil }},
		{"network.proxy", "fail found", "proxy.example:8080", func(b *box) {
			word(person+internetKey, "ProxyEnable", 1)(b)
			str(person+internetKey, "ProxyServer", "http://u:secret@proxy.example:8080")(b)
		}},
		{"network.proxy", "fail found", "wpad", str(`HKLM`+internetKey, "AutoConfigURL", "http://wpad/wpad.dat")},
		{"network.proxy", "fail found", "WinHTTP p:80", func(b *box) {
			b.put(`HKLM`+internetKey+`\Connections`, "WinHttpSettings", regBinary, append([]byte{0x28, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0}, "p:80\x00\x00\x00\x00"...))
		}},
		{"network.proxy", "unknown wrong_type", "", func(b *box) { b.put(person+internetKey, "ProxyEnable", regBinary, []byte{1}) }},
	} {
		b, e := kept(t)
		c.change(b)
		r := strict(all(t, b, e))[c.check]
		is := strings.TrimSpace(string(r.Result) + " " + r.Code)
		if is != c.want || !strings.Contains(r.Value, c.value) || strings.Contains(r.Value, "secret") {
			t.Errorf("%s: %q %q, should be %q %q (%s)", c.check, is, r.Value, c.want, c.value, r.Fault)
		}
	}
}

// encrypt answers for C: with these states, one instance for each.
func (b *box) encrypt(states ...int) {
	r := reply{Instances: []instance{}}
	for _, s := range states {
		r.Instances = append(r.Instances, instance{"DriveLetter": "C:", "ProtectionStatus": s, "VolumeType": 0})
	}
	b.wmi[`wmi root\cimv2\Security\MicrosoftVolumeEncryption Win32_EncryptableVolume`] = r
}

func TestHardwareThatIsOtherThanItWasIsShown(t *testing.T) {
	b, e := kept(t)
	e.Before = func([]string) ([]string, error) { return []string{"memory 32768 MiB"}, nil }
	r := strict(all(t, b, e))["settings.hardware"]
	if r.Result != policy.ResultFail || !strings.Contains(r.Value, "- memory 32768 MiB") || !strings.Contains(r.Value, "+ memory 16384 MiB") || strings.Contains(r.Value, "USBSTOR") {
		t.Errorf("%+v", r)
	}
}

func TestAnExtensionOfSupportCountsWhenItIsActive(t *testing.T) {
	for _, c := range []struct {
		active []string
		want   string
	}{
		{nil, "2025-10-15"}, {[]string{esuYears[0].id}, "2026-10-14"}, {[]string{esuYears[0].id, esuYears[1].id}, "2027-10-13"}, {[]string{esuYears[2].id}, "2025-10-15"},
	} {
		b, e := kept(t)
		b.put(versionKey, "CurrentBuildNumber", regSZ, wide("19045"))
		e.Ask = func(_ context.Context, words ...string) ([]byte, error) {
			status := 0
			for _, id := range c.active {
				if strings.Contains(strings.Join(words, " "), id) {
					status = 1
				}
			}
			return []byte(fmt.Sprintf(`{"instances":[{"LicenseStatus":%d}]}`, status)), nil
		}
		if r := byFact(e.Patches(t.Context()))[policy.FactSupportEnd]; said(r) != c.want {
			t.Errorf("%v: %s", c.active, said(r))
		}
	}
}

func TestABaselineThatIsBrokenOrMissingIsUnknownAndSaysWhy(t *testing.T) {
	for name, text := range map[string][]byte{"none": nil, "another file": []byte("<html>"), "huge": make([]byte, 50<<20)} {
		b, e := kept(t)
		e.Baseline = func() []byte { return text }
		got := strict(all(t, b, e))
		for _, check := range []string{"patch.level", "patch.baseline_age"} {
			if r := got[check]; r.Result != policy.ResultUnknown || r.Code != policy.CodeNoReference || r.Fault == "" {
				t.Errorf("%s: %+v", name, r)
			}
		}
	}
	b, e := kept(t)
	e.Baseline = func() []byte {
		return []byte("sekisho-baseline 1\nmonth 2026-09\nmade 2026-09-10\n26200 client 8973 2026-09-08 security KB5101684\n")
	}
	got := strict(all(t, b, e))
	if got["patch.baseline_age"].Result != policy.ResultFail || got["patch.level"].Result != policy.ResultUnknown {
		t.Errorf("an old baseline: %+v, %+v", got["patch.baseline_age"], got["patch.level"])
	}
}

// TestNothingPassesThatCouldNotBeRead takes every source away, one after the other, and all at once.
func TestNothingPassesThatCouldNotBeRead(t *testing.T) {
	b, e := kept(t)
	before := strict(all(t, b, e))
	worse := func(name string, b *box, e *Eyes) {
		t.Helper()
		for id, r := range strict(all(t, b, e)) {
			if r.Result == policy.ResultPass && before[id].Result != policy.ResultPass {
				t.Errorf("%s: %s passes only because of it", name, id)
			}
		}
	}
	for _, fault := range []error{fs.ErrNotExist, fs.ErrPermission, errors.New("broken"), errNoSource} {
		b, e := kept(t)
		b.fault = fault
		worse(fault.Error(), b, e)
		b.hive = hive{}
		b.wmi = map[string]reply{"wmi": {Fault: "hangs"}}
		for id, r := range strict(all(t, b, b.eyes())) {
			if r.Result != policy.ResultUnknown && r.Result != policy.ResultFail {
				t.Errorf("%v, and nothing else to read: %s is %s %s", fault, id, r.Result, r.Code)
			}
		}
	}
	for key, values := range b.hive {
		for name := range values {
			b, e := kept(t)
			delete(b.hive[key], name)
			worse(key+`\`+name+" removed", b, e)
			b, e = kept(t)
			b.hive[key][name] = regValue{name, regBinary, []byte{1, 2, 3}}
			worse(key+`\`+name+" broken", b, e)
			b, e = kept(t)
			b.hive[key][name] = regValue{name, regDWORD, []byte{1, 2}}
			worse(key+`\`+name+" cut short", b, e)
		}
	}
}

func TestWMIIsAskedOnceInALook(t *testing.T) {
	b, e := kept(t)
	place := policy.Place{Kind: policy.PlaceWMI, Path: `root\Microsoft\Windows\Defender`, Class: "MSFT_MpComputerStatus", Value: "RealTimeProtectionEnabled"}
	for range 5 {
		e.Property(t.Context(), place)
	}
	if b.asked != 1 {
		t.Errorf("asked %d times", b.asked)
	}
}

func TestTheChildAnswersOnlyTheAgentsOwnQuestions(t *testing.T) {
	for _, words := range [][]string{nil, {"wmi"}, {"wmi", "root", "X", ""}, {"wmi", `\\other\root\cimv2`, "Win32_Process", "", "Name"}, {"wmi", "root/cimv2", "X", "", "Y"},
		{"wmi", `root\cimv2`, "X WHERE 1=1", "", "Name"}, {"wmi", `root\cimv2`, "X", "ID = 'a' OR 1=1", "Name"}, {"wmi", `root\cimv2`, "X", "", "a b"}, {"updates"}, {"shell", "x"},
		append([]string{"wmi", `root\cimv2`, "X", ""}, slices.Repeat([]string{"a"}, 41)...)} {
		if _, err := readQuestion(words); err == nil {
			t.Errorf("%q", words)
		}
	}
	q, err := readQuestion([]string{"wmi", `root\cimv2`, "SoftwareLicensingProduct", "ID = 'f520e45e-7413'", "LicenseStatus"})
	if err != nil || q.text() != "SELECT * FROM SoftwareLicensingProduct WHERE ID = 'f520e45e-7413'" {
		t.Errorf("%+v %v", q, err)
	}
}

func TestWhatWindowsUpdateMissesIsShownAndItsSilenceProvesNothing(t *testing.T) {
	b, e := kept(t)
	answer := `{"missing":[{"title":"2026-11 .NET","kb":"KB5999999","released":"2026-11-10T18:00:00Z"}],"installed":"2026-10-15T00:00:00Z","reboot_required":true}`
	e.Ask = func(ctx context.Context, words ...string) ([]byte, error) {
		if words[0] == askUpdates {
			return []byte(answer), nil
		}
		return b.ask(ctx, words...)
	}
	e.Search(t.Context())
	got := strict(all(t, b, e))
	if r := got["patch.level"]; r.Result != policy.ResultFail || !strings.Contains(r.Value, "KB5999999") {
		t.Errorf("%+v", r)
	}
	if r := got["patch.reboot"]; r.Result != policy.ResultFail || r.Value != "Windows Update" {
		t.Errorf("%+v", r)
	}
	if r := byFact(e.Patches(t.Context()))[policy.FactUpdated]; said(r) != "2026-10-15" {
		t.Errorf("%s", said(r))
	}
	answer = `{"missing":[],"installed":"","code":"no_source","fault":"cannot search"}`
	e.Search(t.Context())
	if r := byFact(e.Patches(t.Context()))[policy.FactUpdated]; said(r) != "(no_source)" {
		t.Errorf("%s", said(r))
	}
	e.Baseline = nil
	if r := strict(all(t, b, e))["patch.level"]; r.Result != policy.ResultUnknown {
		t.Errorf("%+v", r)
	}
}

func TestTheCatalogueIsUsedWhereItLies(t *testing.T) {
	b, e := kept(t)
	e.Cab = `C:\ProgramData\Sekisho\state\wsusscn2.cab`
	var asked []string
	e.Ask = func(_ context.Context, words ...string) ([]byte, error) {
		asked = append(asked, words[1])
		return []byte("{}"), nil
	}
	b.files = map[string]bool{}
	e.Search(t.Context())
	b.files[e.Cab] = true
	e.Search(t.Context())
	if len(asked) != 2 || asked[0] != "" || asked[1] != e.Cab {
		t.Errorf("%q", asked)
	}
}

func TestASearchRunsBesideTheLooks(t *testing.T) {
	_, e := kept(t)
	evening := time.Date(2026, 11, 26, 21, 0, 0, 0, time.Local)
	e.Now = func() time.Time { return evening }
	asked := make(chan struct{}, 10)
	e.Ask = func(_ context.Context, words ...string) ([]byte, error) {
		asked <- struct{}{}
		return []byte(`{"reboot_required":true}`), nil
	}
	look, end := context.WithCancel(t.Context())
	e.SearchWhenDue(look)
	e.SearchWhenDue(look) // one at a time
	end()
	<-asked
	for e.search.at.IsZero() {
		e.SearchWhenDue(t.Context())
		runtime.Gosched()
	}
	if r := e.reboots(); len(r.Entries()) != 1 || len(asked) != 0 {
		t.Errorf("%+v, asked %d times more", r, len(asked))
	}
}

func TestUpdatesAreSearchedWhenFewPeopleWork(t *testing.T) {
	day := time.Date(2026, 11, 26, 0, 0, 0, 0, time.FixedZone("JST", 9*3600))
	for _, c := range []struct {
		at, since time.Duration
		due       bool
	}{
		{20 * time.Hour, 24 * time.Hour, true}, {10 * time.Hour, 24 * time.Hour, false}, {12*time.Hour + time.Minute, 24 * time.Hour, true},
		{20 * time.Hour, time.Hour, false}, {10 * time.Hour, 100 * time.Hour, true}, {3 * time.Hour, 21 * time.Hour, true},
	} {
		if got := Due(day.Add(c.at), day.Add(c.at-c.since)); got != c.due {
			t.Errorf("%v, %v after the last: %v", c.at, c.since, got)
		}
	}
	if Due(day.Add(10*time.Hour), time.Time{}) || !Due(day.Add(22*time.Hour), time.Time{}) {
		t.Error("the first search waits for the evening as well")
	}
	if !Due(day.Add(22*time.Hour), day.AddDate(1, 0, 0)) {
		t.Error("a clock that was set back keeps nobody from searching")
	}
}

func TestRegistryValuesAreWhatTheirTypeSays(t *testing.T) {
	le := func(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }
	for _, c := range []struct {
		kind uint32
		b    []byte
		want string
	}{
		{regDWORD, le(7), "7"}, {regQWORD, append(le(1), le(0)...), "1"}, {regSZ, []byte{'2', 0, '6', 0, 0, 0}, "26"},
		{regDWORD, []byte{1}, "?wrong_type"}, {regDWORD, nil, "?wrong_type"}, {99, le(1), "?wrong_type"}, {regSZ, nil, "?missing"},
		{regBinary, nil, "?missing"}, {regBinary, []byte{1, 2}, "0102"}, {regSZ, make([]byte, 5000), "?too_long"},
	} {
		r := policy.Form{Type: policy.TypeText}.Read(policy.Origin{}, value(c.kind, c.b))
		if is := strings.Trim(strings.ReplaceAll(said(r), "(", "?"), ")"); is != c.want {
			t.Errorf("%d %x: %s, should be %s", c.kind, c.b, is, c.want)
		}
	}
}

func FuzzFirmware(f *testing.F) {
	f.Add(table(1))
	f.Add([]byte{24, 5, 0, 0, 0x40})
	f.Add(append([]byte{0, 3, 0, 0, 255, 255, 255, 255}, table(3)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		smbios.PowerOnPassword(b)
		smbios.Memory(b)
		if got := firmwareTable(b); len(got) > len(b) {
			t.Error("more than there is")
		}
	})
}

func FuzzReplies(f *testing.F) {
	f.Add([]byte(`{"instances":[{"productState":397568,"displayName":"x"}]}`))
	f.Add([]byte(`{"instances":[{"productState":-1e99,"displayName":null}]}`))
	f.Add([]byte(`{"missing":[{"released":"9999-99-99"}],"installed":"x"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e := New(Options{Now: func() time.Time { return noon }, Machine: &box{hive: hive{}}, Ask: func(context.Context, ...string) ([]byte, error) { return b, nil }})
		e.testimony(t.Context(), centerProduct)
		e.encryption(t.Context())
		e.Search(t.Context())
		e.searched()
		winHTTP(b)
	})
}

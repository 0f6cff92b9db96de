package winstate_test

import (
	"strings"
	"testing"
	"time"

	"sekisho/agent/sensor/winstate"
	"sekisho/internal/policy"
)

const (
	rules    = `HKLM\SOFTWARE\Policies\Microsoft\`
	current  = `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\`
	control  = `HKLM\SYSTEM\CurrentControlSet\Control\`
	profile  = `HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\`
	winlogon = `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon`
	person   = `HKU\S-1-5-21-1004336348-1177238915-682003330-1001`
	session  = `HKU\S-1-5-21-0-0-0-1000` // who is signed in at a Wine
	saver    = `\Control Panel\Desktop`
	internet = `\Software\Microsoft\Windows\CurrentVersion\Internet Settings`
	tools    = `C:\Program Files\Remote Tools\`
)

// turn is one way in which a setting may be otherwise.
type turn struct {
	check, want, shows string
	name               string
	change             func(*pc)
}

func sets(key, name string, c cell) func(*pc) { return func(p *pc) { p.put(in(key, name).is(c)) } }

func both(list ...func(*pc)) func(*pc) {
	return func(p *pc) {
		for _, f := range list {
			f(p)
		}
	}
}

func noLimit(change func(*pc)) func(*pc) {
	return both(sets(current+`Policies\System`, "InactivityTimeoutSecs", number(0)), change)
}

func runs(name string) func(*pc) {
	return func(p *pc) { p.undo = append(p.undo, p.start(tools+name)) }
}

func firewallTurns() []turn {
	var out []turn
	add := func(want, shows, name string, change func(*pc)) {
		out = append(out, turn{"settings.firewall", want, shows, name, change})
	}
	for name, keys := range map[string][]string{"Domain": {"DomainProfile", "DomainProfile"}, "Private": {"StandardProfile", "PrivateProfile"}, "Public": {"PublicProfile", "PublicProfile"}} {
		local, group := profile+keys[0], rules+`WindowsFirewall\`+keys[1]
		off := sets(local, "EnableFirewall", number(0))
		add("fail off", "EnableFirewall=false", name+" off", off)
		add("fail off", "EnableFirewall=false", name+" off by group policy, on locally", sets(group, "EnableFirewall", number(0)))
		add("pass", "", name+" on by group policy, off locally", both(off, sets(group, "EnableFirewall", number(1))))
		add("unknown missing", "", name+" says nothing", sets(local, "EnableFirewall", gone))
		add("unknown wrong_type", "", name+" says 7", sets(local, "EnableFirewall", number(7)))
		add("unknown wrong_type", "", name+" has bytes", sets(local, "EnableFirewall", bytes(1, 0, 0, 0)))
		add("unknown wrong_type", "", name+" has words by group policy", sets(group, "EnableFirewall", words("on")))
	}
	add("fail off", "EnableFirewall=false", "the policy of very old domains", sets(rules+`WindowsFirewall\StandardProfile`, "EnableFirewall", number(0)))
	add("fail off", "MpsSvc stopped", "its service is stopped", func(p *pc) { p.run() })
	add("fail off", "MpsSvc absent", "its service is not there", func(p *pc) { p.remove("MpsSvc") })
	return out
}

func signInTurns() []turn {
	return []turn{
		{"settings.screen_lock", "pass", "5", "only the person's own screen saver", noLimit(func(*pc) {})},
		{"settings.screen_lock", "fail too_high", "60", "after an hour", noLimit(sets(person+saver, "ScreenSaveTimeOut", words("3600")))},
		{"settings.screen_lock", "fail off", "0", "no password", noLimit(sets(person+saver, "ScreenSaverIsSecure", words("0")))},
		{"settings.screen_lock", "fail off", "0", "no program", noLimit(sets(person+saver, "SCRNSAVE.EXE", gone))},
		{"settings.screen_lock", "fail off", "0", "off by group policy, on by the person", noLimit(sets(person+`\Software\Policies\Microsoft\Windows`+saver, "ScreenSaveActive", words("0")))},
		{"settings.screen_lock", "pass", "", "the machine's own limit, the person has none", sets(person+saver, "ScreenSaveActive", words("0"))},
		{"settings.screen_lock", "fail too_high", "", "the machine's own limit is an hour, the person has none", both(sets(current+`Policies\System`, "InactivityTimeoutSecs", number(3600)), sets(person+saver, "ScreenSaveActive", words("0")))},
		{"settings.screen_lock", "unknown wrong_type", "", "ten minutes, in words", sets(person+saver, "ScreenSaveTimeOut", words("ten minutes"))},
		{"settings.screen_lock", "unknown wrong_type", "", "bytes for a limit", sets(current+`Policies\System`, "InactivityTimeoutSecs", bytes(1))},
		{"settings.autologin", "fail found", "kiosk", "on", both(sets(winlogon, "AutoAdminLogon", words("1")), sets(winlogon, "DefaultUserName", words("kiosk")), sets(winlogon, "DefaultPassword", words("secret")))},
		{"settings.autologin", "fail found", "kiosk", "a number for words", both(sets(winlogon, "AutoAdminLogon", number(1)), sets(winlogon, "DefaultUserName", words("kiosk")))},
		{"settings.autologin", "pass", "", "a name that is not used", sets(winlogon, "DefaultUserName", words("kiosk"))},
		{"settings.autologin", "unknown wrong_type", "", "bytes", sets(winlogon, "AutoAdminLogon", bytes(1))},
	}
}

func machineTurns() []turn {
	server := control + `Terminal Server`
	return []turn{
		{"settings.secure_boot", "fail off", "", "off", sets(control+`SecureBoot\State`, "UEFISecureBootEnabled", number(0))},
		{"settings.secure_boot", "unknown missing", "", "says nothing", sets(control+`SecureBoot\State`, "UEFISecureBootEnabled", gone)},
		{"settings.secure_boot", "unknown wrong_type", "", "says 2", sets(control+`SecureBoot\State`, "UEFISecureBootEnabled", number(2))},
		{"settings.autorun", "fail found", "0x91", "Windows' usual value", sets(current+`Policies\Explorer`, "NoDriveTypeAutoRun", number(0x91))},
		{"settings.autorun", "fail found", "default of Windows", "says nothing", sets(current+`Policies\Explorer`, "NoDriveTypeAutoRun", gone)},
		{"settings.autorun", "unknown wrong_type", "", "words", sets(current+`Policies\Explorer`, "NoDriveTypeAutoRun", words("all"))},
		{"settings.remote", "fail found", "rdp", "remote desktop on", sets(server, "fDenyTSConnections", number(0))},
		{"settings.remote", "fail found", "rdp", "remote desktop on by group policy", sets(rules+`Windows NT\Terminal Services`, "fDenyTSConnections", number(0))},
		{"settings.remote", "pass", "", "off by group policy, on locally", both(sets(server, "fDenyTSConnections", number(0)), sets(rules+`Windows NT\Terminal Services`, "fDenyTSConnections", number(1)))},
		{"settings.remote", "unknown missing", "", "says nothing", sets(server, "fDenyTSConnections", gone)},
		{"settings.remote", "unknown wrong_type", "", "bytes", sets(server, "fDenyTSConnections", bytes(0))},
		{"settings.remote", "fail found", "anydesk.exe", "AnyDesk runs", runs("AnyDesk.exe")},
		{"settings.remote", "fail found", "teamviewer_service.exe", "TeamViewer's service runs", runs("TeamViewer_Service.exe")},
		{"settings.clock", "fail too_high", "10m0s", "ten minutes fast", func(p *pc) { p.offset = 10 * time.Minute }},
		{"settings.clock", "fail too_high", "", "wrong by years", func(p *pc) { p.offset = -20000 * time.Hour }},
		{"settings.clock", "unknown no_reference", "", "the console was not heard yet", func(p *pc) { p.unheard = true }},
	}
}

// TestEachSettingOfThisWindowsFailsAndComesBack changes one setting at a time in the real registry, starts real programs and stops the
// real service; everything else stays. What a Wine has nothing of must be unknown, with its reason.
func TestEachSettingOfThisWindowsFailsAndComesBack(t *testing.T) {
	p := newPC(t, "client")
	p.run("MpsSvc")
	for name, text := range map[string]string{"SCRNSAVE.EXE": "scrnsave.scr", "ScreenSaveActive": "1", "ScreenSaverIsSecure": "1", "ScreenSaveTimeOut": "300"} {
		t.Cleanup(winstate.Put(t, session+saver, name, sz, words(text).data))
	}
	turns := append(append(firewallTurns(), signInTurns()...), machineTurns()...)
	for _, s := range append([]turn{{name: "as it should be", change: func(*pc) {}}}, turns...) {
		s.change(p)
		words, full := p.settings()
		if is := words[s.check]; s.check != "" && (is != s.want || !strings.Contains(full[s.check].Value, s.shows) || strings.Contains(full[s.check].Value, "secret")) {
			t.Errorf("%s, %s: %q %q, should be %q %q (%s)", s.check, s.name, is, full[s.check].Value, s.want, s.shows, full[s.check].Fault)
		}
		p.back()
		p.offset, p.unheard = 0, false
		p.run("MpsSvc")
		words, full = p.settings()
		for _, check := range []string{"settings.firewall", "settings.screen_lock", "settings.autologin", "settings.secure_boot", "settings.autorun", "settings.remote", "settings.clock"} {
			if words[check] != "pass" {
				t.Errorf("back from %s: %s is %q (%s)", s.name, check, words[check], full[check].Fault)
			}
		}
	}
	words, full := p.settings()
	for _, s := range settingsTried() {
		if r := full[s.check]; isWine() && strings.Contains(s.how, made) && strings.HasPrefix(s.check, "settings.") && (r.Result != policy.ResultUnknown || r.Code == "" || r.Fault == "") {
			t.Errorf("%s on a Wine: %q %q", s.check, words[s.check], r.Fault)
		}
	}
}

func (p *pc) settings() (map[string]string, map[string]policy.CheckResult) {
	words, full, _ := p.look(policy.AreaSettings, winstate.Options{Ask: p.ask})
	return words, full
}

// TestProxiesOfThisWindowsAreFoundAndGoAgain: cards and routes are the machine's, and stay as they are.
func TestProxiesOfThisWindowsAreFoundAndGoAgain(t *testing.T) {
	p := newPC(t, "client")
	winHTTP := append([]byte{0x28, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0}, "p:80\x00\x00\x00\x00"...)
	server := sets(person+internet, "ProxyServer", words("http://u:secret@proxy.example:8080"))
	for _, s := range []turn{
		{"network.proxy", "pass", "", "as it should be", func(*pc) {}},
		{"network.proxy", "fail found", "proxy.example:8080", "of who is signed in", both(sets(person+internet, "ProxyEnable", number(1)), server)},
		{"network.proxy", "pass", "", "written, not used", both(sets(person+internet, "ProxyEnable", number(0)), server)},
		{"network.proxy", "fail found", "wpad", "a script of the machine", sets(`HKLM`+internet, "AutoConfigURL", words("http://wpad/wpad.dat"))},
		{"network.proxy", "fail found", "WinHTTP p:80", "of services", sets(`HKLM`+internet+`\Connections`, "WinHttpSettings", bytes(winHTTP...))},
		{"network.proxy", "unknown wrong_type", "", "bytes", sets(person+internet, "ProxyEnable", bytes(1))},
		{"network.proxy", "pass", "", "as it should be again", func(*pc) {}},
	} {
		s.change(p)
		words, full, _ := p.look(policy.AreaNetwork, winstate.Options{Ask: p.ask})
		r := full[s.check]
		if words[s.check] != s.want || !strings.Contains(r.Value, s.shows) || strings.Contains(r.Value, "secret") {
			t.Errorf("proxy %s: %q %q, should be %q %q (%s)", s.name, words[s.check], r.Value, s.want, s.shows, r.Fault)
		}
		if isWine() && (words["network.second_card"] != "pass" || words["network.second_route"] != "pass" || words["network.gateway"] == "pass") {
			t.Errorf("proxy %s: %q", s.name, words)
		}
		p.back()
	}
}

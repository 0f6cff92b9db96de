//go:build msi && !lab && !wine && linux

package flows

import (
	"strings"
	"syscall"
	"testing"

	"sekisho/console/store"
)

const folder = `C:\Program Files\Sekisho`

// properties gives the console's invitation in the words of the MSI.
func (c *console) properties() []string {
	found := tokenLine.FindStringSubmatch(strings.ReplaceAll(c.invite(), "10.0.2.2", "127.0.0.1")) // not the lab's network
	return []string{"SERVER=" + found[1], "TOKEN=" + found[2], "FINGERPRINT=" + found[3]}
}

func TestAnMSIComesIsUpgradedAndGoesAndTheConsoleSeesIt(t *testing.T) {
	c, p := newConsole(t, built("sekisho-console")), newPC(t)
	before := p.machine()
	invitation := c.properties()
	if code := p.msi("/i", "1.0", invitation...); code != 0 {
		t.Fatalf("installing: %d\n%s", code, p.read("msi.log"))
	}
	p.running()
	first := c.terminal("1.0", func(t store.Terminal) bool { return t.Status.Agent == "1.0" })
	p.says(folder, "1.0 / windows", "last contact")
	for _, where := range []string{strings.Join(p.registry("HKLM"), "\n"), p.read("ProgramData/Sekisho/installer.log")} {
		if code := strings.TrimPrefix(invitation[1], "TOKEN="); strings.Contains(where, code) {
			t.Errorf("the enrolment code can be read: %s", around(where, code))
		}
	}

	if code := p.msi("/i", "1.1"); code != 0 {
		t.Fatalf("upgrading: %d\n%s", code, p.read("msi.log"))
	}
	p.running()
	second := c.terminal("1.1", func(t store.Terminal) bool { return t.Status.Agent == "1.1" })
	if second.ID != first.ID {
		t.Errorf("terminal %s became %s", first.ID, second.ID)
	}
	c.noGap()

	if code := p.msi("/i", "1.0"); code == 0 {
		t.Error("a downgrade is not refused")
	}
	p.running()
	p.says(folder, "1.1 / windows", "last contact")

	if code := p.msi("/x", "1.1"); code != 0 {
		t.Fatalf("uninstalling: %d\n%s\n%s", code, p.read("msi.log"), p.read("ProgramData/Sekisho/installer.log"))
	}
	c.row("the removal and by whom", func(e store.Event) bool {
		return e.Record.Code == "uninstalled" && strings.HasPrefix(e.Record.Note, "version 1.1, by ")
	})
	c.noGap()
	if state := p.service(); state != "" {
		t.Errorf("the service is still there: %s", state)
	}
	for _, line := range changed(before, p.machine()) {
		if !strings.HasPrefix(line, "+ ProgramData/Sekisho") {
			t.Errorf("uninstalling leaves: %s", line)
		}
	}

	if code := p.msi("/i", "1.1"); code != 0 {
		t.Fatalf("installing again: %d", code)
	}
	again := c.row("the new start", func(e store.Event) bool {
		return e.Record.Code == "started" && strings.Contains(e.Record.Note, "before: stopped")
	})
	if again.Terminal != first.ID {
		t.Errorf("terminal %s came back as %s", first.ID, again.Terminal)
	}
	c.noGap()
	if code := p.msi("/x", "1.1", "PURGE=1"); code != 0 {
		t.Fatalf("purging: %d\n%s", code, p.read("ProgramData/Sekisho/installer.log"))
	}
	for _, line := range changed(before, p.machine()) {
		t.Errorf("purging leaves: %s", line)
	}
}

// An upgrade is no removal. Windows tells the old version so with this property; Wine 8 does not, so we do.
func TestAnUpgradeIsNoFarewell(t *testing.T) {
	p := newPC(t)
	if code := p.msi("/i", "1.0"); code != 0 {
		t.Fatalf("installing: %d", code)
	}
	p.running()
	if code := p.msi("/x", "1.0", "UPGRADINGPRODUCTCODE={6D6E1F6C-0000-0000-0000-000000000000}"); code != 0 {
		t.Fatalf("removing: %d", code)
	}
	if said := p.read("ProgramData/Sekisho/installer.log"); strings.Contains(said, "uninstall") {
		t.Errorf("the old version said farewell:\n%s", said)
	}
}

func TestWhatIsRefusedChangesNothing(t *testing.T) {
	p := newPC(t)
	before := p.machine()
	for _, properties := range [][]string{
		{"SERVER=http://console:8444"},
		{"TOKEN=ABC", "FINGERPRINT=ab"},
		{"SERVER=https://console:8444", "TOKEN=ABC"},
	} {
		if code := p.msi("/i", "1.0", properties...); code == 0 {
			t.Errorf("%q is not refused", properties)
		}
	}
	for _, line := range changed(before, p.machine()) {
		t.Errorf("a refused installation leaves: %s", line)
	}
}

// Whatever is wrong with the console's data, the terminal is guarded, and says what is wrong.
func TestATerminalThatCannotEnrolIsGuardedAndSaysWhy(t *testing.T) {
	c, p := newConsole(t, built("sekisho-console")), newPC(t)
	const own = `C:\漢字 フォルダー\関所`
	if code := p.msi("/i", "1.0", "INSTALLDIR="+own); code != 0 {
		t.Fatalf("installing without SERVER: %d\n%s", code, p.read("msi.log"))
	}
	p.running()
	p.says(own, "record only", "none is configured")
	if service := strings.Join(p.registry(`HKLM\SYSTEM\CurrentControlSet\Services\sekisho-agent`), "\n"); !strings.Contains(service, `"ImagePath"="\"C:`) {
		t.Errorf("a path with a space stands without quotes:\n%s", service)
	}

	good := c.properties()
	wrong := []string{good[0], good[1], "FINGERPRINT=" + strings.Repeat("ab", 32)}
	if code := p.msi("/i", "1.0", wrong...); code != 0 {
		t.Fatalf("configuring by the same MSI: %d", code)
	}
	p.says(own, "the server is not the console you named")

	if code := p.msi("/i", "1.1", good[0], "TOKEN=NEVERMADE", good[2]); code != 0 {
		t.Fatalf("upgrading with a wrong code: %d", code)
	}
	p.says(own, "1.1 / windows", "the code is unknown, used or over") // and the folder that was chosen is kept

	c.stop(syscall.SIGTERM)
	if code := p.msi("/i", "1.1", good...); code != 0 {
		t.Fatalf("configuring while the console is away: %d\n%s%s", code, p.read("ProgramData/Sekisho/installer.log"), p.read("msi.log"))
	}
	p.says(own, "cannot enrol at")
	c.start()
	c.terminal("1.1, without a fault", func(t store.Terminal) bool { return t.Status.Agent == "1.1" && len(t.Status.Faults) == 0 })

	used := c.properties()
	used[1] = good[1]
	if code := p.msi("/x", "1.1", "PURGE=1"); code != 0 {
		t.Fatalf("purging: %d\n%s", code, p.read("ProgramData/Sekisho/installer.log"))
	}
	if code := p.msi("/i", "1.1", used...); code != 0 {
		t.Fatalf("installing with a used code: %d", code)
	}
	p.running()
	p.says(folder, "the code is unknown, used or over")
}

func TestAGroupPolicySaysWhereTheConsoleIs(t *testing.T) {
	c, p := newConsole(t, built("sekisho-console")), newPC(t)
	const key = `HKLM\SOFTWARE\Policies\Sekisho`
	p.run("reg", "add", key, "/v", "Server", "/t", "REG_DWORD", "/d", "1", "/f")
	if code := p.msi("/i", "1.0"); code != 0 {
		t.Fatalf("installing: %d", code)
	}
	p.running()
	p.says(folder, `cannot use Server in HKLM\SOFTWARE\Policies\Sekisho`)
	for _, property := range c.properties() {
		name, value, _ := strings.Cut(property, "=")
		p.run("reg", "add", key, "/v", name, "/t", "REG_SZ", "/d", value, "/f")
	}
	p.run("net", "stop", "sekisho-agent")
	p.run("net", "start", "sekisho-agent")
	c.terminal("1.0", func(t store.Terminal) bool { return t.Status.Agent == "1.0" })
	if code := p.msi("/x", "1.0"); code != 0 {
		t.Fatalf("uninstalling: %d", code)
	}
	c.row("the removal", func(e store.Event) bool { return e.Record.Code == "uninstalled" })
}

// around is a piece of text with what was found in it.
func around(text, found string) string {
	at := strings.Index(text, found)
	return text[max(0, at-200):min(len(text), at+len(found)+50)]
}

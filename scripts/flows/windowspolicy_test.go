//go:build wine && !lab && linux

package flows

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// modern makes the prefix a Windows 10 whose policies have layers, so that every rung of the gate is used.
func (w *windows) modern() {
	const key = `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion`
	w.does("reg.exe", "add", key, "/v", "CurrentBuildNumber", "/t", "REG_SZ", "/d", "19045", "/f")
	w.does("reg.exe", "add", key, "/v", "CurrentBuild", "/t", "REG_SZ", "/d", "19045", "/f")
	w.does("reg.exe", "add", key, "/v", "UBR", "/t", "REG_DWORD", "/d", "3803", "/f")
}

const (
	restrictions = `HKLM\SOFTWARE\Policies\Microsoft\Windows\DeviceInstall\Restrictions`
	removable    = `HKLM\SOFTWARE\Policies\Microsoft\Windows\RemovableStorageDevices\{53f5630d-b6bf-11d0-94f2-00a0c91efb8b}`
	explorer     = `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\Explorer`
)

// strange puts values of wrong types, and of somebody else, beside what the gate will write.
func (w *windows) strange() {
	w.does("reg.exe", "add", explorer, "/v", "NoDriveTypeAutoRun", "/t", "REG_BINARY", "/d", "910007", "/f")
	w.does("reg.exe", "add", restrictions+`\DenyDeviceIDs`, "/v", "1", "/t", "REG_EXPAND_SZ", "/d", `%OTHER%\THING`, "/f")
}

// foreign puts other values where the gate wants its own, as a domain's group policy does, one of them of a wrong type.
func (w *windows) foreign() {
	w.does("reg.exe", "add", restrictions, "/v", "AllowDenyLayered", "/t", "REG_SZ", "/d", "はい", "/f")
	w.does("reg.exe", "add", removable, "/v", "Deny_Read", "/t", "REG_DWORD", "/d", "0", "/f")
}

// joins installs the agent with a code of the console, and waits for the console's policy to be in force.
func (w *windows) joins(c *console) {
	w.Helper()
	invitation := strings.Fields(strings.ReplaceAll(c.invite(), "10.0.2.2", "127.0.0.1")) // the first is where a virtual machine looks
	if out := w.agentDoes(append([]string{"install"}, invitation...)...); !strings.Contains(out, "the console answers") {
		w.Fatalf("install says %q", out)
	}
	c.terminal("first contact", func(store.Terminal) bool { return true })
	c.publish(policy.ModeEnforce)
}

func (w *windows) query(key, value string) string {
	_, out := w.start("../wine", "run", `C:\windows\system32\reg.exe`, "query", key, "/v", value)
	return out
}

// TestAnOfficeShutsTheGateOfAWindowsTerminalAndUninstallLeavesNoTrace is the whole way: code, certificate, signed policy,
// registry, an agent that is killed, one that finds the gate shut, and everything as it was before.
func TestAnOfficeShutsTheGateOfAWindowsTerminalAndUninstallLeavesNoTrace(t *testing.T) {
	w, c := newWindows(t), newConsole(t, program("sekisho-console"))
	w.modern()
	w.strange()
	before := w.registry()
	w.joins(c)
	shut := func(t store.Terminal) bool {
		return t.Applied == t.Revision && t.Status.Mode == string(policy.ModeEnforce) && t.Status.Gate == "shut"
	}
	c.terminal("gate shut", shut)
	for _, want := range []struct{ key, value, data string }{
		{restrictions, "AllowDenyLayered", "0x1"}, {removable, "Deny_Read", "0x1"}, {explorer, "NoDriveTypeAutoRun", "0xff"},
	} {
		if out := w.query(want.key, want.value); !strings.Contains(out, want.data) {
			t.Errorf("%s\\%s is %q", want.key, want.value, out)
		}
	}
	w.untilAnswered("last contact")

	w.kill()
	w.does("sc.exe", "start", "sekisho-agent")
	c.row("it was killed", func(e store.Event) bool { return e.Record.Code == "started_after_killed" })
	c.terminal("gate still shut", shut)

	// Without state a gate that stands shut is not taken for one that was never wanted.
	w.does("sc.exe", "stop", "sekisho-agent")
	w.untilService("STOPPED")
	must(t, os.Rename(w.path(`C:\ProgramData\Sekisho\state`), filepath.Join(t.TempDir(), "lost")))
	w.does("sc.exe", "start", "sekisho-agent")
	w.untilAnswered("enforce")

	w.agentDoes("uninstall", "--purge")
	w.sameRegistry(before)
	w.nothingLeft()
}

// TestAPolicyOfTheDomainIsReportedAndNotFoughtOver: the domain's values stay theirs, and the office reads why the gate is not shut.
func TestAPolicyOfTheDomainIsReportedAndNotFoughtOver(t *testing.T) {
	w, c := newWindows(t), newConsole(t, program("sekisho-console"))
	w.modern()
	w.foreign()
	before := w.registry()
	w.joins(c)
	found := c.terminal("gate failed", func(t store.Terminal) bool { return t.Status.Gate == "failed" })
	if said := strings.Join(found.Status.Faults, "\n"); !strings.Contains(said, `Restrictions\AllowDenyLayered: it is set to another value`) ||
		!strings.Contains(said, `Deny_Read: it is set to another value`) || !strings.Contains(said, "group policy") {
		t.Errorf("the faults are %q", said)
	}
	if out := w.query(restrictions, "AllowDenyLayered"); !strings.Contains(out, "REG_SZ") {
		t.Errorf("the domain's value is %q", out)
	}
	w.agentDoes("uninstall", "--purge")
	w.sameRegistry(before)
}

//go:build wine && !lab && linux

package flows

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sekisho/agent/sensor/hivefile/hivetest"
	"sekisho/console/store"
	"sekisho/internal/policy"
)

const tool = `<?xml version="1.0"?><Wix xmlns="http://schemas.microsoft.com/wix/2006/wi">
<Product Id="*" Name="Proof Tool" Manufacturer="Acme KK" Version="1.2.3" Language="1033" UpgradeCode="6d2f0f5a-5a55-4a35-8a0e-0d6c9a2f7b10">
<Package InstallScope="perMachine" InstallerVersion="200" Compressed="yes"/><Media Id="1" Cabinet="a.cab" EmbedCab="yes"/>
<Directory Id="TARGETDIR" Name="SourceDir"><Directory Id="ProgramFilesFolder"><Directory Id="D" Name="Proof">
<Component Id="C" Guid="2f0c1b53-3b6a-4a57-9d39-4f3a8a1f5c77"><File Id="F" Source="tool.txt" KeyPath="yes"/></Component>
</Directory></Directory></Directory><Feature Id="A" Level="1"><ComponentRef Id="C"/></Feature></Product></Wix>`

// brings makes a small package of Windows Installer.
func (w *windows) brings(name string) {
	w.Helper()
	dir := w.TempDir()
	must(w.T, os.WriteFile(filepath.Join(dir, "tool.txt"), []byte("tool"), 0o600))
	must(w.T, os.WriteFile(filepath.Join(dir, "tool.wxs"), []byte(tool), 0o600))
	cmd := exec.Command("wixl", "-o", w.path(name), "tool.wxs")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		w.Fatalf("wixl: %v\n%s", err, out)
	}
}

// within runs something and waits for the record of it: the agent must have seen it within five seconds.
func (c *console) within(about string, do func(), fits func(*policy.ProgramEvent) bool) store.Event {
	c.t.Helper()
	do()
	end := time.Now()
	e := c.row(about, func(e store.Event) bool { return e.Record.Software != nil && fits(e.Record.Software) })
	took := e.Record.At.Sub(end)
	if took > 5*time.Second {
		c.t.Errorf("%s: seen after %v", about, took)
	}
	c.t.Logf("%s: %v after it was done", about, took.Round(time.Millisecond))
	return e
}

// TestAnInstallIsSeenWithinFiveSeconds: a package of Windows Installer, and what a person installs for themselves.
func TestAnInstallIsSeenWithinFiveSeconds(t *testing.T) {
	w, c := newWindows(t), newConsole(t, program("sekisho-console"))
	w.brings(`C:\tool.msi`)
	w.arrives(c)
	c.programs(policy.Software{Mode: policy.ModeAudit, Undecided: policy.ActionBlock, Stall: policy.ActionAllow})
	w.untilAnswered("record only")

	named := func(name, what string, kind policy.ProgramKind) func(*policy.ProgramEvent) bool {
		return func(e *policy.ProgramEvent) bool {
			return e.What == what && e.Program.Kind == kind && e.Program.Name == name
		}
	}
	msi := c.within("an MSI is installed", func() { w.does("msiexec.exe", "/i", `C:\tool.msi`, "/qn") }, named("Proof Tool", policy.ProgramInstalled, policy.ProgramMSI))
	if p := msi.Record.Software.Program; p.Version != "1.2.3" || p.Publisher != "Acme KK" || msi.Record.Outcome != policy.OutcomeAudit {
		t.Errorf("%+v: %s", p, msi.Record.Outcome)
	}
	const own = `HKCU\Software\Microsoft\Windows\CurrentVersion\Uninstall\自分用`
	mine := c.within("somebody installs for themselves", func() {
		w.does("reg.exe", "add", own, "/v", "DisplayName", "/t", "REG_SZ", "/d", "自分用 ツール", "/f")
	}, named("自分用 ツール", policy.ProgramInstalled, policy.ProgramApp))
	if !strings.Contains(mine.Record.Software.Program.ID, "自分用") || mine.Record.Software.Program.User == "" {
		t.Errorf("%+v", mine.Record.Software.Program)
	}
	c.within("and takes it away", func() { w.does("reg.exe", "delete", own, "/f") }, named("自分用 ツール", policy.ProgramRemoved, policy.ProgramApp))
	c.within("the MSI is removed", func() { w.does("msiexec.exe", "/x", `C:\tool.msi`, "/qn") }, named("Proof Tool", policy.ProgramRemoved, policy.ProgramMSI))
}

const hanako = "S-1-5-21-555-666-777-1008"

// absent gives somebody a profile who is not signed in: nothing of hers is loaded, all there is is a file.
func (w *windows) absent() {
	w.Helper()
	eventually(w.T, 12*time.Minute, "the machine runs for ten minutes: before that the agent opens nobody's files", func() error {
		if up := uptime(w.T); up < 620*time.Second {
			return fmt.Errorf("for Wine it has run for %v", up)
		}
		return nil
	})
	w.does("reg.exe", "add", `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList\`+hanako, "/v", "ProfileImagePath", "/t", "REG_EXPAND_SZ", "/d", `%SystemDrive%\users\hanako`, "/f")
	must(w.T, os.MkdirAll(w.path(`C:\users\hanako`), 0o755))
}

// uptime is since when the machine runs as Wine tells its programs. That is not /proc/uptime: where a machine is the copy of one
// that ran before, this clock can begin anew.
func uptime(t *testing.T) time.Duration {
	t.Helper()
	var now unix.Timespec
	must(t, unix.ClockGettime(unix.CLOCK_MONOTONIC_RAW, &now))
	return time.Duration(now.Nano())
}

// hive lays her file there, as it was written some time ago, and lets the agent look.
func (w *windows) hive(raw []byte, ago time.Duration) {
	w.Helper()
	path, at := w.path(`C:\users\hanako\NTUSER.DAT`), time.Now().Add(-ago)
	must(w.T, os.WriteFile(path, raw, 0o644))
	must(w.T, os.Chtimes(path, at, at))
	const bell = `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall\bell`
	w.does("reg.exe", "add", bell, "/f")
	w.does("reg.exe", "delete", bell, "/f")
}

// TestWhatSomebodyHasWhoIsNotSignedInIsSeen by the service, without loading anything of hers.
func TestWhatSomebodyHasWhoIsNotSignedInIsSeen(t *testing.T) {
	w, c := newWindows(t), newConsole(t, program("sekisho-console"))
	w.absent()
	has := func(programs ...string) []byte {
		var keys []hivetest.Key
		for _, p := range programs {
			keys = append(keys, hivetest.Key{Name: p, Values: []hivetest.Value{hivetest.Text("DisplayName", p), hivetest.Text("DisplayVersion", "6.0")}})
		}
		return hivetest.Bytes(hivetest.At(`Software\Microsoft\Windows\CurrentVersion\Uninstall`, keys...))
	}
	w.hive(has("ゲーム箱"), time.Hour)
	w.arrives(c)
	c.programs(policy.Software{Mode: policy.ModeAudit, Undecided: policy.ActionBlock, Stall: policy.ActionAllow})
	w.untilAnswered("record only")

	record := func(about, name, what string) policy.Program {
		return c.row(about, func(e store.Event) bool {
			return e.Record.Software != nil && e.Record.Software.What == what && e.Record.Software.Program.Name == name
		}).Record.Software.Program
	}
	if p := record("what she had when the agent came", "ゲーム箱", policy.ProgramFound); p.User != hanako || p.ID != "app:"+hanako+":ゲーム箱" {
		t.Errorf("%+v", p)
	}
	w.hive(has("ゲーム箱", "動画"), 50*time.Minute)
	record("what came into the file", "動画", policy.ProgramInstalled)
	w.hive(has("動画"), 40*time.Minute)
	record("what went out of it", "ゲーム箱", policy.ProgramRemoved)
	w.hive(has("動画")[:5000], 30*time.Minute)
	hidden := func(t store.Terminal) bool {
		said := strings.Join(t.Status.Faults, "\n")
		return strings.Contains(said, hanako+` has installed, who is not signed in: C:\users\hanako\NTUSER.DAT: it is cut off`)
	}
	c.terminal("why her programs cannot be seen", hidden)
	w.hive(has("動画"), 20*time.Minute)
	c.terminal("that they can again", func(t store.Terminal) bool { return !hidden(t) })
}

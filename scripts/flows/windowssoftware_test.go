//go:build wine && !lab && linux

package flows

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

//go:build wine && !lab && linux

package flows

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sekisho/console/store"
	"sekisho/internal/wire"
)

func TestAnUpdateOfAWindowsTerminalIsInstalledAndABadOneIsRolledBack(t *testing.T) {
	w := newWindows(t)
	f := newForge(t, "windows", strings.TrimSpace(w.script("overlay")))
	c := newConsole(t, f.console)
	w.place(f.agent("1.0"))
	w.agentDoes(append([]string{"install"}, strings.Fields(strings.ReplaceAll(c.invite(), "10.0.2.2", "127.0.0.1"))...)...) // the first is where a virtual machine looks
	w.untilService("RUNNING")
	c.terminal("first contact", func(t store.Terminal) bool { return t.Status.Agent == "1.0" && t.Status.Updates })
	before := w.registry()

	c.carryIn(f.bundle("1.1", f.agent("1.1")))
	c.offer("1.1")
	c.updated(8*time.Minute, "1.1", func(u wire.Update) bool { return u.State == wire.UpdateInstalled })
	c.row("it was installed", func(e store.Event) bool { return e.Record.Code == wire.CodeUpdateInstalled })
	w.watcherGone()

	c.carryIn(f.bundle("1.2", f.dying()))
	c.offer("1.2")
	u := c.updated(8*time.Minute, "1.1", func(u wire.Update) bool { return u.State == wire.UpdateRolledBack })
	if u.Version != "1.2" || u.Code != wire.ReasonCrashed {
		t.Errorf("it was rolled back like this: %+v", u)
	}
	c.row("it was rolled back", func(e store.Event) bool { return e.Record.Code == wire.CodeUpdateRolledBack && e.Violation })
	w.untilService("RUNNING")
	w.watcherGone()
	w.sameRegistry(before)

	w.script("reboot") // the agent's next start takes away what the watcher could not: what it ran from, and what was held
	w.untilService("RUNNING")
	c.updated(time.Minute, "1.1", func(u wire.Update) bool { return u.State == wire.UpdateRolledBack })
	eventually(t, 30*time.Second, "only one program is left", func() error { return w.onlyTheAgent() })
}

// place puts another build of the agent where the service will be.
func (w *windows) place(program string) {
	w.Helper()
	raw, err := os.ReadFile(program)
	must(w.T, err)
	must(w.T, os.WriteFile(filepath.Join(w.path(agentFolder), "sekisho-agent.exe"), raw, 0o755))
}

// watcherGone holds when the watcher's service has removed itself, and its plan.
func (w *windows) watcherGone() {
	w.Helper()
	eventually(w.T, 60*time.Second, "the watcher is gone", func() error {
		if _, err := os.Stat(w.path(`C:\ProgramData\Sekisho\state\update\plan.json`)); err == nil {
			return fmt.Errorf("its plan is there")
		}
		if code, out := w.start("../wine", "run", `C:\windows\system32\sc.exe`, "query", "sekisho-update"); code == 0 {
			return fmt.Errorf("its service is there: %s", out)
		}
		return nil
	})
}

func (w *windows) onlyTheAgent() error {
	entries, err := os.ReadDir(w.path(agentFolder))
	if err != nil || len(entries) != 1 {
		return fmt.Errorf("there are %v, %v", entries, err)
	}
	return nil
}

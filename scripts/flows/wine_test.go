//go:build wine && !lab && linux

package flows

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain builds the programs once: the console for this machine, the agent for Windows. The agent is built as it is
// released but for the one file of Go's library that Wine needs (scripts/wine).
func TestMain(m *testing.M) {
	os.Exit(withWine(m))
}

func withWine(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sekisho-wine-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	overlay, err := exec.Command("../wine", "overlay").Output()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot make the overlay:", err)
		return 1
	}
	for _, b := range []struct{ name, source, system, overlay string }{
		{"sekisho-agent.exe", "sekisho/agent", "windows", strings.TrimSpace(string(overlay))},
		{"idler.exe", "sekisho/scripts/flows/idler", "windows", ""},
		{"sekisho-console", "sekisho/console", "linux", ""},
	} {
		build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-overlay", b.overlay, "-o", filepath.Join(dir, b.name), b.source)
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+b.system)
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "cannot build %s: %v\n%s", b.name, err, out)
			return 1
		}
	}
	os.Setenv("SEKISHO_WINE_BIN", dir)
	return m.Run()
}

func program(name string) string { return filepath.Join(os.Getenv("SEKISHO_WINE_BIN"), name) }

// windows is one machine: a Wine prefix of its own with the agent in a folder with a space and 漢字 in its name.
type windows struct {
	*testing.T
	prefix string
}

const agentFolder = `C:\Program Files\関所 Sekisho`

func newWindows(t *testing.T) *windows {
	w := &windows{T: t, prefix: filepath.Join(t.TempDir(), "prefix")}
	w.script("new", w.prefix)
	t.Cleanup(func() { w.script("down") })
	folder := w.path(agentFolder)
	must(t, os.MkdirAll(folder, 0o755))
	raw, err := os.ReadFile(program("sekisho-agent.exe"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(folder, "sekisho-agent.exe"), raw, 0o755))
	w.boots(1)
	return w
}

// boots counts the starts of the machine where Windows does; Wine does not.
func (w *windows) boots(n int) {
	w.does("reg.exe", "add", `HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management\PrefetchParameters`,
		"/v", "BootId", "/t", "REG_DWORD", "/d", fmt.Sprint(n), "/f")
}

// path is where a file of drive C lies here.
func (w *windows) path(name string) string {
	return filepath.Join(w.prefix, "drive_c", filepath.FromSlash(strings.ReplaceAll(strings.TrimPrefix(name, `C:\`), `\`, "/")))
}

func (w *windows) script(args ...string) string {
	w.Helper()
	code, out := w.start("../wine", args...)
	if code != 0 {
		w.Fatalf("scripts/wine %q: exit code %d\n%s", args, code, out)
	}
	return out
}

func (w *windows) start(name string, args ...string) (int, string) {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "SEKISHO_WINEPREFIX="+w.prefix, "SEKISHO_WINE_LIMIT=120")
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// does runs a program of Windows' own, which must succeed.
func (w *windows) does(program string, args ...string) string {
	w.Helper()
	return w.script(append([]string{"run", `C:\windows\system32\` + program}, args...)...)
}

// agent runs our program.
func (w *windows) agent(args ...string) (int, string) {
	w.Helper()
	return w.start("../wine", append([]string{"run", agentFolder + `\sekisho-agent.exe`}, args...)...)
}

func (w *windows) agentDoes(args ...string) string {
	w.Helper()
	code, out := w.agent(args...)
	if code != 0 {
		w.Fatalf("sekisho-agent %q: exit code %d\n%s", args, code, out)
	}
	return out
}

// service is the state that the service control manager tells, "" when there is no such service.
func (w *windows) service() string {
	_, out := w.start("../wine", "run", `C:\windows\system32\sc.exe`, "query", "sekisho-agent")
	for _, line := range strings.Split(out, "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "STATE" {
			words := strings.Fields(value)
			return words[len(words)-1]
		}
	}
	return ""
}

func (w *windows) untilService(want string) {
	w.Helper()
	eventually(w.T, 40*time.Second, "the service is "+want, func() error {
		if have := w.service(); have != want {
			return fmt.Errorf("it is %q", have)
		}
		return nil
	})
}

// untilAnswered waits for what the running agent says to somebody at the terminal.
func (w *windows) untilAnswered(want string) {
	w.Helper()
	eventually(w.T, 60*time.Second, "status says "+want, func() error {
		code, out := w.agent("status", "--lang", "en")
		if code != 0 || !strings.Contains(out, want) {
			return fmt.Errorf("exit code %d: %s", code, out)
		}
		return nil
	})
}

// kill ends the agent as the kernel would.
func (w *windows) kill() {
	w.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/environ")
	must(w.T, err)
	killed := 0
	for _, name := range names {
		env, _ := os.ReadFile(name) // processes go
		line, _ := os.ReadFile(filepath.Join(filepath.Dir(name), "cmdline"))
		if !strings.Contains("\x00"+string(env), "\x00WINEPREFIX="+w.prefix+"\x00") || !strings.Contains(string(line), "sekisho-agent.exe") {
			continue
		}
		var pid int
		_, err := fmt.Sscanf(name, "/proc/%d/", &pid)
		must(w.T, err)
		must(w.T, syscall.Kill(pid, syscall.SIGKILL))
		killed++
	}
	if killed == 0 {
		w.Fatal("no agent runs")
	}
}

// registry is everything below the keys that the agent could touch, as text.
func (w *windows) registry() map[string]string {
	w.Helper()
	all := map[string]string{}
	for i, key := range []string{`HKLM\SOFTWARE\Policies`, `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies`, `HKLM\SYSTEM\CurrentControlSet\Services`,
		`HKLM\SYSTEM\CurrentControlSet\Enum`} {
		file := fmt.Sprintf(`C:\export-%d.reg`, i)
		if code, _ := w.start("../wine", "run", `C:\windows\system32\reg.exe`, "export", key, file, "/y"); code != 0 {
			all[key] = "" // there is none
			continue
		}
		raw, err := os.ReadFile(w.path(file))
		must(w.T, err)
		all[key] = string(raw)
	}
	return all
}

func (w *windows) sameRegistry(before map[string]string) {
	w.Helper()
	for key, now := range w.registry() {
		if now != before[key] {
			w.Errorf("%s is not as before:\n%s", key, difference(before[key], now))
		}
	}
}

func difference(before, now string) string {
	was := map[string]bool{}
	for _, line := range strings.Split(utf8(before), "\n") {
		was[line] = true
	}
	is := map[string]bool{}
	var out []string
	for _, line := range strings.Split(utf8(now), "\n") {
		if is[line] = true; !was[line] {
			out = append(out, "+"+line)
		}
	}
	for line := range was {
		if !is[line] {
			out = append(out, "-"+line)
		}
	}
	return strings.Join(out[:min(len(out), 40)], "\n")
}

// utf8 makes UTF-16 readable; only for people.
func utf8(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "\x00", ""), "\r", "") }

func TestTheServiceLivesThroughWhatHappensToAMachine(t *testing.T) {
	w := newWindows(t)
	before := w.registry()
	if out := w.agentDoes("install"); !strings.Contains(out, "installed and started") || !strings.Contains(out, "no console is configured") {
		t.Errorf("install says %q", out)
	}
	w.untilService("RUNNING")
	w.untilAnswered("No device is attached.")
	if code, out := w.agent("request"); code != 3 || !strings.Contains(out, "要求番号はありません") {
		t.Errorf("request: %d %q", code, out)
	}
	if code, out := w.agent("doctor", "--lang", "en"); code != 1 || !strings.Contains(out, "none is configured") || !strings.Contains(out, "devices read, but nothing tells of changes") {
		t.Errorf("doctor: %d %q", code, out)
	}
	if out := w.does("reg.exe", "query", `HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application\Sekisho`); !strings.Contains(out, "EventMessageFile") {
		t.Errorf("the event source is %q", out)
	}
	if out := w.agentDoes("install"); !strings.Contains(out, "installed and started") {
		t.Errorf("install again says %q", out)
	}
	w.untilAnswered("record only")

	w.does("sc.exe", "stop", "sekisho-agent")
	w.untilService("STOPPED")
	w.silent()
	w.does("sc.exe", "start", "sekisho-agent")
	w.untilAnswered("record only")

	w.kill()
	w.silent()
	w.does("sc.exe", "start", "sekisho-agent")
	w.untilAnswered("record only")
	w.journal("started_after_killed")

	w.script("reboot")
	w.untilService("RUNNING")
	w.untilAnswered("record only")

	w.agentDoes("uninstall", "--purge")
	if state := w.service(); state != "" {
		t.Errorf("after uninstall the service is %s", state)
	}
	w.sameRegistry(before)
	w.nothingLeft()
}

// silent holds when who asks is told that no agent answers, and what to do.
func (w *windows) silent() {
	w.Helper()
	if code, out := w.agent("status"); code != 1 || !strings.Contains(out, "エージェントが答えません") || !strings.Contains(out, "sc query") {
		w.Errorf("status of an agent that does not run: %d %q", code, out)
	}
}

// journal waits for a word in the records that wait for the console.
func (w *windows) journal(word string) {
	w.Helper()
	eventually(w.T, 20*time.Second, "the journal says "+word, func() error {
		files, err := filepath.Glob(filepath.Join(w.path(`C:\ProgramData\Sekisho\state\outbox`), "*.seg"))
		if err != nil {
			return err
		}
		for _, file := range files {
			if raw, err := os.ReadFile(file); err == nil && strings.Contains(string(raw), word) {
				return nil
			}
		}
		return fmt.Errorf("it is not in %q", files)
	})
}

// nothingLeft looks for what uninstall --purge should have taken.
func (w *windows) nothingLeft() {
	w.Helper()
	var left []string
	_ = filepath.WalkDir(w.path(`C:\ProgramData\Sekisho`), func(path string, _ os.DirEntry, err error) error {
		if err == nil {
			left = append(left, path)
		}
		return nil
	})
	if len(left) > 0 {
		w.Errorf("there is still %q", left)
	}
}

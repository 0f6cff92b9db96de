//go:build msi && !lab && !wine && linux

package flows

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// TestMain builds once what the tests install.
func TestMain(m *testing.M) { os.Exit(withPackages(m)) }

func withPackages(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sekisho flows 関所 ") // msiexec gets a path with spaces and 漢字
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	os.Setenv("SEKISHO_WINE_BIN", dir)
	return m.Run()
}

// build makes the console and two versions of the MSI. Wine 8 cannot delete files in Go's newer way (scripts/wine).
func build(dir string) error {
	console := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, "sekisho-console"), "sekisho/console")
	console.Env = append(os.Environ(), "CGO_ENABLED=0") // as every other section has built it
	if err := complained(console); err != nil {
		return err
	}
	overlay, err := exec.Command("../wine", "overlay").Output()
	if err != nil {
		return fmt.Errorf("cannot prepare Wine's overlay: %w", err)
	}
	for _, version := range []string{"1.0", "1.1"} {
		pack := exec.Command("../package", "--only", "msi-amd64", version)
		pack.Env = append(os.Environ(), "SEKISHO_DIST="+filepath.Join(dir, version), "GOFLAGS=-overlay="+strings.TrimSpace(string(overlay)))
		if err := complained(pack); err != nil {
			return err
		}
	}
	return nil
}

func complained(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot run %v: %w\n%s", cmd.Args, err, out)
	}
	return nil
}

func built(parts ...string) string {
	return filepath.Join(append([]string{os.Getenv("SEKISHO_WINE_BIN")}, parts...)...)
}

// pc is one Windows terminal, as far as Wine is one.
type pc struct {
	*testing.T
	prefix string
	wine   string
	env    []string
}

func newPC(t *testing.T) *pc {
	p := &pc{T: t, prefix: filepath.Join(t.TempDir(), "wine")}
	t.Setenv("SEKISHO_WINEPREFIX", p.prefix)
	out, err := exec.Command("../wine", "env").Output()
	must(t, err)
	t.Cleanup(func() { must(t, complained(exec.Command("../wine", "down"))) })
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		setting := strings.ReplaceAll(strings.TrimPrefix(lines.Text(), "export "), `\`, "")
		p.env = append(p.env, setting)
		if program, ok := strings.CutPrefix(setting, "WINE="); ok {
			p.wine = program
		}
	}
	return p
}

// run runs a Windows program and gives what it said and its exit code, which Wine cuts to eight bits.
func (p *pc) run(args ...string) (string, int) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.wine, args...)
	cmd.Env, cmd.WaitDelay = append(os.Environ(), p.env...), 5*time.Second
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		p.Fatalf("cannot run %q: %v", args, err)
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 && complaint.Len() > 0 {
		p.Logf("%.60q complains: %.4000s", args, complaint.String())
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// msi runs Windows Installer silently and gives its exit code; the log is kept in C:\msi.log.
func (p *pc) msi(act, version string, properties ...string) int {
	p.Helper()
	found, err := filepath.Glob(built(version, "*.msi"))
	must(p.T, err)
	if len(found) != 1 {
		p.Fatalf("the MSIs of %s are %q", version, found)
	}
	begin := time.Now()
	_, code := p.run(append([]string{"msiexec", act, `Z:` + strings.ReplaceAll(found[0], "/", `\`), "/qn", "/l*v", `C:\msi.log`}, properties...)...)
	p.Logf("msiexec %s %s: exit code %d after %v", act, version, code, time.Since(begin).Round(10*time.Millisecond))
	return code
}

// service gives the state as `sc query` says it, "" where there is none.
func (p *pc) service() string {
	p.Helper()
	out, _ := p.run("sc", "query", "sekisho-agent")
	for line := range strings.Lines(out) {
		if name, state, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "STATE" {
			return strings.Fields(state)[1]
		}
	}
	return ""
}

func (p *pc) running() {
	p.Helper()
	eventually(p.T, 20*time.Second, "the service runs", func() error {
		if state := p.service(); state != "RUNNING" {
			return fmt.Errorf("it is %q", state)
		}
		return nil
	})
}

// says waits until the installed agent's status holds these words.
func (p *pc) says(folder string, words ...string) {
	p.Helper()
	eventually(p.T, 40*time.Second, fmt.Sprintf("status says %q", words), func() error {
		out, _ := p.run(folder+`\sekisho-agent.exe`, "status", "--lang", "en")
		for _, w := range words {
			if !strings.Contains(out, w) {
				return fmt.Errorf("%q is not in:\n%s", w, out)
			}
		}
		return nil
	})
}

func (p *pc) path(parts ...string) string {
	return filepath.Join(append([]string{p.prefix, "drive_c"}, parts...)...)
}

func (p *pc) read(parts ...string) string {
	raw, err := os.ReadFile(p.path(parts...))
	if err != nil {
		return err.Error()
	}
	return decoded(raw)
}

// decoded is a text of Windows, which may be UTF-16.
func decoded(raw []byte) string {
	if len(raw) < 2 || raw[0] != 0xff || raw[1] != 0xfe {
		return string(raw)
	}
	var words []uint16
	for i := 2; i+1 < len(raw); i += 2 {
		words = append(words, binary.LittleEndian.Uint16(raw[i:]))
	}
	return string(utf16.Decode(words))
}

// registry is everything below a key, a line each with its key in front.
func (p *pc) registry(key string) []string {
	p.Helper()
	if out, code := p.run("reg", "export", key, `C:\export.reg`, "/y"); code != 0 {
		p.Fatalf("reg export %s: %d %s", key, code, out)
	}
	defer os.Remove(p.path("export.reg"))
	var lines []string
	at := ""
	for line := range strings.Lines(strings.ReplaceAll(p.read("export.reg"), "\r\n", "\n")) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "[") {
			at = line
		}
		lines = append(lines, at+" "+line)
	}
	return lines
}

// files are those of drive C with their sizes, but for what Windows itself keeps changing.
func (p *pc) files() []string {
	var found []string
	must(p.T, filepath.WalkDir(p.path(), func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(p.path(), path)
		switch name {
		case "windows", "users", "msi.log": // the linked DLLs; temporary files
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		found = append(found, name)
		return err
	}))
	return found
}

// machine is what an uninstall has to bring back.
func (p *pc) machine() []string {
	p.Helper()
	all := slices.Concat(p.files(), p.registry(`HKLM\SOFTWARE`), p.registry(`HKLM\SYSTEM\CurrentControlSet\Services`), []string{p.searchPath()})
	return slices.DeleteFunc(all, func(line string) bool {
		return slices.ContainsFunc(windowsOwn, func(own string) bool { return strings.Contains(line, own) })
	})
}

// windowsOwn is what Windows (here: Wine) writes by itself when something was installed and removed.
var windowsOwn = []string{
	`\CurrentVersion\Installer`, `\SOFTWARE\Classes\Installer`, // its own books
}

// searchPath is where Windows looks for programs. Wine 8 forgets to take the last separator away.
func (p *pc) searchPath() string {
	p.Helper()
	out, _ := p.run("reg", "query", `HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment`, "/v", "PATH")
	return "PATH " + strings.TrimRight(strings.TrimSpace(out), ";")
}

// changed lists the lines that only one of two has.
func changed(before, after []string) (out []string) {
	for sign, pair := range map[string][2][]string{"-": {before, after}, "+": {after, before}} {
		have := map[string]bool{}
		for _, line := range pair[1] {
			have[line] = true
		}
		for _, line := range pair[0] {
			if !have[line] {
				out = append(out, sign+" "+line)
			}
		}
	}
	slices.Sort(out)
	return out
}

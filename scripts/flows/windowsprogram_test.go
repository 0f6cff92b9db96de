//go:build wine && !lab && linux

package flows

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"sekisho/agent/sensor/binary"
	"sekisho/console/store"
	"sekisho/internal/policy"
)

const (
	srp       = `HKLM\SOFTWARE\Policies\Microsoft\Windows\SrpV2`
	installer = `HKLM\SOFTWARE\Policies\Microsoft\Windows\Installer`
	acme      = `O="ACME, INC.", L=CHIYODA, S=TOKYO, C=JP`
)

// arrives installs the agent with a code of the console; devices are only recorded.
func (w *windows) arrives(c *console) {
	w.Helper()
	invitation := strings.Fields(strings.ReplaceAll(c.invite(), "10.0.2.2", "127.0.0.1"))
	w.agentDoes(append([]string{"install"}, invitation...)...)
	c.terminal("first contact", func(store.Terminal) bool { return true })
}

// programs sets what the terminal's policy says of programs, and waits until it is in force.
func (c *console) programs(s policy.Software) {
	c.t.Helper()
	have, err := c.db.GroupPolicy(c.t.Context(), "default", 0)
	must(c.t, err)
	have.Software, have.By, have.Reason = &s, "lab", "lab: "+string(s.Mode)
	_, err = c.db.PutGroupPolicy(c.t.Context(), have, have.Version, time.Now())
	must(c.t, err)
	c.publish(policy.ModeAudit) // what the page does not show stays; it wakes the terminal
	c.terminal("the policy is in force", func(t store.Terminal) bool { return t.Applied == t.Revision })
}

func forbid(id string, m policy.ProgramMatch) policy.ProgramRule {
	return policy.ProgramRule{ID: id, Name: policy.Text{JA: "禁止: " + id}, Action: policy.ActionBlock, Match: m}
}

// puts lays a program somewhere.
func (w *windows) puts(raw []byte, path string) string {
	w.Helper()
	must(w.T, os.MkdirAll(filepath.Dir(w.path(path)), 0o755))
	must(w.T, os.WriteFile(w.path(path), raw, 0o755))
	return path
}

func (w *windows) has(path string) bool {
	_, err := os.Lstat(w.path(path))
	return err == nil
}

// running is a program that somebody started.
type running struct {
	*windows
	cmd *exec.Cmd
	out *bytes.Buffer
	end context.CancelFunc
}

// runs starts a program and waits until it says that it runs.
func (w *windows) runs(path string) *running {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	r := &running{windows: w, cmd: exec.CommandContext(ctx, "../wine", "run", path), out: &bytes.Buffer{}, end: cancel}
	r.cmd.Env = append(os.Environ(), "SEKISHO_WINEPREFIX="+w.prefix, "SEKISHO_WINE_LIMIT=80")
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.cmd.Cancel = func() error { return syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL) }
	r.cmd.Stdout, r.cmd.Stderr, r.cmd.WaitDelay = r.out, r.out, 5*time.Second
	must(w.T, r.cmd.Start())
	return r
}

// isEnded waits for its end, long before it would end by itself.
func (r *running) isEnded() {
	r.Helper()
	defer r.end()
	at := time.Now()
	err := r.cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || strings.Contains(r.out.String(), "left alone") || time.Since(at) > 40*time.Second {
		r.Errorf("it was not ended: %v after %v: %s", err, time.Since(at), r.out)
	}
}

var afterStart = regexp.MustCompile(`^stopped (\d+) ms after start$`)

// program waits for the record about a file.
func (c *console) program(about string, path string, outcome policy.Outcome) store.Event {
	c.t.Helper()
	return c.row(about, func(e store.Event) bool {
		p := e.Record.Software
		return p != nil && strings.EqualFold(p.Program.Path, path) && e.Record.Outcome == outcome
	})
}

func stopped(t *testing.T, e store.Event) {
	t.Helper()
	for _, s := range e.Record.Steps {
		if m := afterStart.FindStringSubmatch(s.Detail); m != nil {
			t.Logf("%s: %s", e.Record.Software.Program.Name, s.Detail)
			return
		}
	}
	t.Errorf("no step says when it was stopped: %+v", e.Record.Steps)
}

// signs makes a copy signed by somebody of this name.
func signs(t *testing.T, raw []byte) []byte {
	t.Helper()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.WriteFile(in("a.exe"), raw, 0o600))
	for _, args := range [][]string{
		{"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", in("k.pem"), "-out", in("c.pem"), "-days", "30",
			"-subj", "/C=JP/ST=Tokyo/L=Chiyoda/O=Acme, Inc./CN=Acme Signing", "-addext", "extendedKeyUsage=codeSigning"},
		{"osslsigncode", "sign", "-certs", in("c.pem"), "-key", in("k.pem"), "-h", "sha256", "-in", in("a.exe"), "-out", in("s.exe")},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
	}
	signed, err := os.ReadFile(in("s.exe"))
	must(t, err)
	return signed
}

// TestAForbiddenProgramIsEndedAndQuarantinedByAConsolesPolicy is the whole way on Windows: a console's signed policy, a program that is
// found by its hash wherever it lies, one by its signer, one by its name; AppLocker's rules and the installer's policy;
// and everything as before once the agent is gone.
func TestAForbiddenProgramIsEndedAndQuarantinedByAConsolesPolicy(t *testing.T) {
	w, c := newWindows(t), newConsole(t, program("sekisho-console"))
	before := w.registry()
	w.arrives(c)
	raw, err := os.ReadFile(program("idler.exe"))
	must(t, err)
	facts := binary.Read(t.Context(), program("idler.exe"))
	evil := w.puts(raw, `C:\users\taro\ダウンロード\悪い 道具.exe`)
	renamed := w.puts(raw, `C:\ProgramData\notepad.exe`)
	signed := w.puts(signs(t, append([]byte(nil), raw...)), `C:\users\taro\signed.exe`)
	other := w.puts(append(append([]byte(nil), raw...), 0, 0, 0, 0, 0, 0, 0, 0), `C:\users\taro\other.exe`)

	rules := policy.Software{Mode: policy.ModeEnforce, Undecided: policy.ActionReport, Stall: policy.ActionAllow, Rules: []policy.ProgramRule{
		forbid("by-hash", policy.ProgramMatch{Hash: []string{facts.Hash}}),
		forbid("by-signer", policy.ProgramMatch{Signer: []string{acme}}),
		forbid("by-name", policy.ProgramMatch{Name: []string{"winny.exe"}}),
	}}
	c.programs(rules)
	c.row("AppLocker has its rules", func(e store.Event) bool {
		return e.Record.Code == "applocker_stops" || e.Record.Code == "applocker_failed"
	})
	if out := w.query(srp+`\Exe`, "EnforcementMode"); !strings.Contains(out, "0x1") {
		t.Errorf("AppLocker's mode is %q", out)
	}
	if all := w.registry()[`HKLM\SOFTWARE\Policies`]; !strings.Contains(utf8(all), `O=\"ACME, INC.\"`) && !strings.Contains(utf8(all), "ACME, INC.") || strings.Contains(utf8(all), "FileHashRule") {
		t.Error("the rule about the signer is not there, or one about a hash that was not seen is")
	}

	bad, fine := w.runs(evil), w.runs(other)
	bad.isEnded()
	took := c.program("the program was put away", evil, policy.OutcomeQuarantined)
	stopped(t, took)
	if p := took.Record.Software.Program; p.Hash != facts.Hash || took.Record.Decision.Rule != "by-hash" || p.Kind != policy.ProgramFile || took.Record.Software.User == "" {
		t.Errorf("the record says %+v", took.Record.Software)
	}
	if w.has(evil) {
		t.Error("its file is still there")
	}
	w.runs(renamed).isEnded()
	stopped(t, c.program("a renamed copy was put away", renamed, policy.OutcomeQuarantined))
	w.runs(signed).isEnded()
	if e := c.program("a signed one was put away", signed, policy.OutcomeQuarantined); e.Record.Software.Program.Signer != acme {
		t.Errorf("its signer is %q", e.Record.Software.Program.Signer)
	}
	c.program("another program is only reported", other, policy.OutcomeDetected)
	eventually(t, 20*time.Second, "AppLocker knows the hash that was seen", func() error {
		if all := utf8(w.registry()[`HKLM\SOFTWARE\Policies`]); !strings.Contains(strings.ToLower(all), "0x"+facts.Authenticode) {
			return errors.New("it is in no rule")
		}
		return nil
	})

	// What is on no list is ended where nothing else is allowed, and its file stays.
	rules.Undecided = policy.ActionBlock
	c.programs(rules)
	eventually(t, 20*time.Second, "Windows Installer is closed", func() error {
		if out := w.query(installer, "DisableMSI"); !strings.Contains(out, "0x1") {
			return errors.New(out)
		}
		return nil
	})
	fine.stillRuns()
	w.runs(other).isEnded()
	stopped(t, c.program("the undecided was ended", other, policy.OutcomeEnded))
	if !w.has(other) {
		t.Error("the file of the undecided is gone")
	}

	// An agent that is killed and comes back finds the rules, and nothing is lost from quarantine.
	w.kill()
	w.does("sc.exe", "start", "sekisho-agent")
	c.row("it was killed", func(e store.Event) bool { return e.Record.Code == "started_after_killed" })
	w.untilAnswered("record only")

	rules.Mode = policy.ModeAudit
	c.programs(rules)
	eventually(t, 20*time.Second, "AppLocker only records", func() error {
		if out := w.query(srp+`\Exe`, "EnforcementMode"); !strings.Contains(out, "0x0") {
			return errors.New(out)
		}
		if out := w.query(installer, "DisableMSI"); strings.Contains(out, "0x1") {
			return errors.New("the installer is closed")
		}
		return nil
	})
	list := w.agentDoes("quarantine", "list")
	if strings.Count(list, "by-hash") != 2 || strings.Count(list, "by-signer") != 1 {
		t.Errorf("quarantine list says %q", list)
	}
	number := numberOf(t, list, `悪い 道具.exe`)
	if out := w.agentDoes("quarantine", "restore", number); !strings.Contains(out, "is back") {
		t.Errorf("restore says %q", out)
	}
	if back, err := os.ReadFile(w.path(evil)); err != nil || !bytes.Equal(back, raw) {
		t.Errorf("what came back is not what went: %v", err)
	}
	again := w.runs(evil)
	c.program("it is only recorded now", evil, policy.OutcomeAudit)
	again.stillRuns()

	w.agentDoes("uninstall", "--purge")
	w.sameRegistry(before)
	w.nothingLeft()
}

// stillRuns ends a program that should not have been.
func (r *running) stillRuns() {
	r.Helper()
	if err := r.cmd.Process.Signal(syscall.Signal(0)); err != nil || strings.Contains(r.out.String(), "ended") {
		r.Errorf("it does not run: %v: %s", err, r.out)
	}
	r.end()
	_ = r.cmd.Wait()
}

func numberOf(t *testing.T, list, name string) string {
	t.Helper()
	for _, line := range strings.Split(list, "\n") {
		if strings.Contains(line, name) {
			return strings.Fields(line)[0]
		}
	}
	t.Fatalf("%s is not in %q", name, list)
	return ""
}

// TestAppLockerRulesOfADomainAreReportedAndNotJoined: a domain's rules stay as they are, ours do not stand beside them, and programs are
// ended all the same.
func TestAppLockerRulesOfADomainAreReportedAndNotJoined(t *testing.T) {
	w, c := newWindows(t), newConsole(t, program("sekisho-console"))
	const rule = srp + `\Exe\921cc481-6e17-4653-8f75-050b80acca20`
	w.does("reg.exe", "add", rule, "/v", "Value", "/t", "REG_SZ", "/d", "<FilePathRule/>", "/f")
	w.does("reg.exe", "add", installer, "/v", "DisableMSI", "/t", "REG_DWORD", "/d", "2", "/f")
	before := w.registry()
	w.arrives(c)
	raw, err := os.ReadFile(program("idler.exe"))
	must(t, err)
	path := w.puts(raw, `C:\users\taro\winny.exe`)
	c.programs(policy.Software{Mode: policy.ModeEnforce, Undecided: policy.ActionBlock, Stall: policy.ActionAllow,
		Rules: []policy.ProgramRule{forbid("by-name", policy.ProgramMatch{Name: []string{"winny.exe"}})}})
	c.terminal("the conflict is said", func(t store.Terminal) bool {
		said := strings.Join(t.Status.Faults, "\n")
		return strings.Contains(said, "conflict") && strings.Contains(said, "DisableMSI: it is set to another value") && strings.Contains(fmt.Sprint(t.Status.Codes), "program_rules")
	})
	w.runs(path).isEnded()
	c.program("it was put away", path, policy.OutcomeQuarantined)
	w.sameRegistryBut(before, `SYSTEM\CurrentControlSet\Services`)
	w.agentDoes("uninstall", "--purge")
	w.sameRegistry(before)
}

// sameRegistryBut leaves out what the installed service itself needs.
func (w *windows) sameRegistryBut(before map[string]string, but string) {
	w.Helper()
	for key, now := range w.registry() {
		if !strings.Contains(key, but) && now != before[key] {
			w.Errorf("%s is not as before:\n%s", key, difference(before[key], now))
		}
	}
}

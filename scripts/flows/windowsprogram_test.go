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
	"strconv"
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
	path string
	out  bytes.Buffer // to be read once it is gone
	gone chan struct{}
	end  context.CancelFunc
}

// runs starts a program, which takes Wine a moment more. Its exit code is not kept: one that is ended while Wine's loader is at work
// leaves 0 on this side, or a signal, and its real code only within Wine.
func (w *windows) runs(path string) *running {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	r := &running{windows: w, path: path, gone: make(chan struct{}), end: cancel}
	cmd := exec.CommandContext(ctx, "../wine", "run", path)
	cmd.Env = append(os.Environ(), "SEKISHO_WINEPREFIX="+w.prefix, "SEKISHO_WINE_LIMIT=120")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &r.out, &r.out, 5*time.Second
	must(w.T, cmd.Start())
	go func() {
		_ = cmd.Wait()
		close(r.gone)
	}()
	w.Cleanup(r.ends)
	return r
}

func (r *running) ends() {
	r.end()
	<-r.gone
}

// isEnded waits for its end and for the record of it, which says that it had started; neither is the work of this test.
func (r *running) isEnded(c *console, about string, outcome policy.Outcome) store.Event {
	r.Helper()
	<-r.gone
	if said := r.out.String(); strings.Contains(said, leftAlone) || strings.Contains(said, "scripts/wine: ended after") {
		r.Errorf("%s: it was not ended: %s", about, said)
	}
	e := c.program(about, r.path, outcome)
	stopped(r.T, e)
	return e
}

// leftAlone is what idler says when its minute is over.
const leftAlone = "idler was left alone"

// wasLeftAlone ends a program that should not have been; its minute may be over by now.
func (r *running) wasLeftAlone() {
	r.Helper()
	select {
	case <-r.gone:
		if said := r.out.String(); !strings.Contains(said, leftAlone) {
			r.Errorf("it does not run: %s", said)
		}
	default:
		r.ends()
	}
}

// program waits for the record about a file.
func (c *console) program(about string, path string, outcome policy.Outcome) store.Event {
	c.t.Helper()
	return c.row(about, func(e store.Event) bool {
		p := e.Record.Software
		return p != nil && strings.EqualFold(p.Program.Path, path) && e.Record.Outcome == outcome
	})
}

var afterStart = regexp.MustCompile(`^stopped (\d+) ms after start$`)

// stopped wants that the record says how long it ran: long before the minute after which it would have ended by itself.
func stopped(t *testing.T, e store.Event) {
	t.Helper()
	for _, s := range e.Record.Steps {
		if m := afterStart.FindStringSubmatch(s.Detail); m != nil {
			if ms, err := strconv.Atoi(m[1]); err != nil || ms > 40_000 {
				t.Errorf("%s was %s", e.Record.Software.Program.Name, s.Detail)
			}
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
	took := bad.isEnded(c, "the program was put away", policy.OutcomeQuarantined)
	if p := took.Record.Software.Program; p.Hash != facts.Hash || took.Record.Decision.Rule != "by-hash" || p.Kind != policy.ProgramFile || took.Record.Software.User == "" {
		t.Errorf("the record says %+v", took.Record.Software)
	}
	if w.has(evil) {
		t.Error("its file is still there")
	}
	w.runs(renamed).isEnded(c, "a renamed copy was put away", policy.OutcomeQuarantined)
	if e := w.runs(signed).isEnded(c, "a signed one was put away", policy.OutcomeQuarantined); e.Record.Software.Program.Signer != acme {
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
	fine.wasLeftAlone()
	w.runs(other).isEnded(c, "the undecided was ended", policy.OutcomeEnded)
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
	again.wasLeftAlone()

	w.agentDoes("uninstall", "--purge")
	w.sameRegistry(before)
	w.nothingLeft()
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
	w.runs(path).isEnded(c, "it was put away", policy.OutcomeQuarantined)
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

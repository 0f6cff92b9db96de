//go:build wine && !lab && linux

package flows

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestWhatTheProofScriptDependsOn plays the steps of scripts/prove-windows.ps1 that need no PowerShell: a gate that stands shut makes an
// agent without a console enforce, status is read as JSON, and nothing is left.
func TestWhatTheProofScriptDependsOn(t *testing.T) {
	w := newWindows(t)
	w.modern()
	before := w.registry()
	w.tellsOfAppLocker()
	w.tellsOfHealth()
	must(t, os.MkdirAll(w.path(`C:\ProgramData\Sekisho\gate`), 0o755))
	must(t, os.WriteFile(w.path(`C:\ProgramData\Sekisho\gate\shut`), nil, 0o600))
	w.agentDoes("install")
	w.untilAnswered("enforce")
	w.untilAnswered("shut")
	var answer struct {
		Status struct{ Mode, Gate string }
	}
	if _, out := w.agent("status", "--json"); json.Unmarshal([]byte(out), &answer) != nil || answer.Status.Mode != "enforce" || answer.Status.Gate != "shut" {
		t.Errorf("status --json says %q", out)
	}

	w.agentDoes("uninstall", "--purge")
	w.sameRegistry(before)
	w.nothingLeft()
}

// tellsOfAppLocker asks for rules and for what is known of a file, as the script does.
func (w *windows) tellsOfAppLocker() {
	w.Helper()
	must(w.T, os.WriteFile(w.path(`C:\software.json`), []byte(`{"mode":"enforce","undecided":"block","stall":"allow","rules":[{"id":"proof-path","name":{"ja":"proof"},`+
		`"match":{"kind":["file"],"path":["C:\\Users\\Public\\sekisho-proof-programs\\by-path\\*"]},"action":"block"}]}`), 0o600))
	if out := w.agentDoes("applocker", "--policy", `C:\software.json`); !strings.Contains(out, `Path="C:\Users\Public\sekisho-proof-programs\by-path\*"`) ||
		!strings.Contains(out, `<RuleCollection Type="Appx" EnforcementMode="Enabled">`) {
		w.Errorf("applocker says %q", out)
	}
	facts := w.agentDoes("applocker", "--file", agentFolder+`\sekisho-agent.exe`)
	var f struct{ Hash, Authenticode, Signer string }
	if err := json.Unmarshal([]byte(facts), &f); err != nil || len(f.Hash) != 64 || len(f.Authenticode) != 64 || f.Hash == f.Authenticode || f.Signer != "" {
		w.Errorf("applocker --file says %q: %v", facts, err)
	}
}

// tellsOfHealth asks what the checks read, as the script does: each line is one fact, and what is not read says why.
func (w *windows) tellsOfHealth() {
	w.Helper()
	code, out := w.agent("ask", "health")
	facts := map[string]bool{}
	for lines := json.NewDecoder(strings.NewReader(out)); lines.More(); {
		var f struct{ Fact, Value, Code, Fault string }
		if err := lines.Decode(&f); err != nil {
			w.Fatalf("%v in %q", err, out)
		}
		facts[f.Fact] = true
	}
	for _, want := range []string{"antivirus.installed", "patch.updates", "patch.reboots", "settings.firewall", "settings.disk_encryption", "settings.boot_password", "settings.guests", "settings.password_length", "network.cards"} {
		if code != 0 || !facts[want] {
			w.Errorf("exit %d, %s is not told: %q", code, want, out)
		}
	}
}

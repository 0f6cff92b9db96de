//go:build wine && !lab && linux

package flows

import (
	"encoding/json"
	"os"
	"testing"
)

// TestWhatTheProofScriptDependsOn plays the steps of scripts/prove-windows.ps1 that need no PowerShell: a gate that stands shut makes an
// agent without a console enforce, status is read as JSON, and nothing is left.
func TestWhatTheProofScriptDependsOn(t *testing.T) {
	w := newWindows(t)
	w.modern()
	before := w.registry()
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

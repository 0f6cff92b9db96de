package health

import (
	"testing"
	"time"

	"sekisho/internal/policy"
)

func judge(t *testing.T, e *Eyes) []policy.CheckResult {
	t.Helper()
	p := policy.Builtin(policy.ModeAudit)
	p.Health = policy.DefaultHealth()
	for i := range p.Health.Checks {
		p.Health.Checks[i].Off = false
	}
	s := &policy.Survey{OS: "linux", Up: 24 * time.Hour}
	for _, area := range Areas() {
		s.Readings = append(s.Readings, e.Look(t.Context(), area, p.Health.Probes)...)
	}
	return policy.Judge(p, s, nil, noon)
}

// TestATerminalOnWhichNothingCanBeReadPassesNothing: only what the kernel and its filter say is not below the root.
func TestATerminalOnWhichNothingCanBeReadPassesNothing(t *testing.T) {
	for _, r := range judge(t, machine{t, t.TempDir()}.eyes()) {
		if r.Check != "settings.firewall" && r.Result != policy.ResultUnknown && r.Result != policy.ResultFail {
			t.Errorf("%+v", r)
		}
		if r.Result == policy.ResultPass {
			t.Errorf("%+v", r)
		}
	}
}

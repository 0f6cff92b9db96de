package execgate

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"sekisho/internal/policy"
)

// changed starts a program that is another than the one whose hash was permitted, and looks at it again.
func changed(t *testing.T, mode policy.Mode) (seen Seen, ended bool) {
	t.Helper()
	sleep, err := os.ReadFile("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "sleep")
	if err := os.WriteFile(file, sleep, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), file, "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	g := New(Options{Decide: func(policy.Program) policy.Decision { return policy.Decision{Action: policy.ActionBlock, Mode: mode} }, Log: zerolog.Nop()})
	s := g.lookAgain(question{fd: int32(fd), pid: int32(cmd.Process.Pid)}, strings.Repeat("0", 64))
	if s == nil {
		t.Fatal("it cannot be looked at")
	}
	s.look()
	ended = gone(cmd)
	select {
	case n := <-g.seen:
		return *n, ended
	default:
		t.Fatal("nothing was said")
		return seen, ended
	}
}

// gone says whether somebody has killed the program: we only ask it to end, and what came first counts.
func gone(cmd *exec.Cmd) bool {
	_ = cmd.Process.Signal(unix.SIGTERM) // one that has ended already is what we look for
	var exit *exec.ExitError
	return errors.As(cmd.Wait(), &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
}

func TestAProgramThatWasChangedBeforeItsStartIsEndedWhereThePolicyEnforces(t *testing.T) {
	if n, ended := changed(t, policy.ModeEnforce); !ended || n.Outcome != policy.OutcomeEnded || n.Note == "" || n.UID < 0 {
		t.Errorf("ended %v: %+v", ended, n)
	}
}

func TestAProgramThatWasChangedBeforeItsStartIsOnlyRecordedElsewhere(t *testing.T) {
	for mode, outcome := range map[policy.Mode]policy.Outcome{policy.ModeAudit: policy.OutcomeAudit, policy.ModeWarn: policy.OutcomeDetected, policy.ModeLearn: policy.OutcomeLearnt} {
		if n, ended := changed(t, mode); ended || n.Outcome != outcome {
			t.Errorf("%s: ended %v: %+v", mode, ended, n)
		}
	}
}

package osexec

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/windows"
)

// isWine: of a job's limits Wine 8 keeps none.
func isWine() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}

func child(t *testing.T, word string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], word)
	cmd.Stdout = &bounded{limit: 100}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}

// TestAJobAloneLimitsMemory is what Windows does without the watch. A Wine takes the limit and keeps nothing of it: when that
// changes, docs/checks.md has one line less that is unproven.
func TestAJobAloneLimitsMemory(t *testing.T) {
	cmd := child(t, eatWord)
	release, err := confine(cmd.Process.Pid, mayHold)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if ate := cmd.Wait() == nil; ate != isWine() {
		t.Errorf("the child ate %d MiB: %v, on a Wine: %v", eaten>>20, ate, isWine())
	}
}

// TestAJobThatIsClosedEndsWhatIsInIt: what the child itself started ends with it.
func TestAJobThatIsClosedEndsWhatIsInIt(t *testing.T) {
	cmd := child(t, eatWord)
	release, err := confine(cmd.Process.Pid, 2*eaten)
	if err != nil {
		t.Fatal(err)
	}
	release()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ended:
		if said := cmd.Stdout.(*bounded).Bytes(); len(said) > 0 {
			t.Errorf("it came to its own end: %s", said)
		}
	case <-time.After(20 * time.Second):
		t.Error("it goes on")
	}
}

func TestAStrangersMemoryIsNotRead(t *testing.T) {
	if _, _, err := meter(0); err == nil {
		t.Error("a process that nobody has was opened")
	}
}

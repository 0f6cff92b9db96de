package enforce

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/windows"
)

// child is a program that runs until it is ended; when it began is what the system says.
func child(t *testing.T) (*exec.Cmd, time.Time) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run", "TestAProgramIsEndedAndOnlyThatOne")
	c.Env = append(os.Environ(), "SEKISHO_TEST_WAIT=1")
	in, err := c.StdinPipe()
	must(t, err)
	must(t, c.Start())
	t.Cleanup(func() { in.Close(); _ = c.Wait() })
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(c.Process.Pid))
	must(t, err)
	defer windows.CloseHandle(h)
	var made, ended, kernel, own windows.Filetime
	must(t, windows.GetProcessTimes(h, &made, &ended, &kernel, &own))
	return c, time.Unix(0, made.Nanoseconds())
}

func TestAProgramIsEndedAndOnlyThatOne(t *testing.T) {
	if os.Getenv("SEKISHO_TEST_WAIT") != "" {
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	c, began := child(t)
	pid := uint32(c.Process.Pid)
	if _, err := EndProgram(pid, began.Add(-time.Second)); !errors.Is(err, ErrGone) {
		t.Errorf("one that began at another time: %v", err)
	}
	if at, err := EndProgram(pid, began); err != nil || at.Before(began) {
		t.Errorf("%v %v", at, err)
	}
	if err := c.Wait(); err == nil {
		t.Error("it ended well")
	}
	if _, err := EndProgram(pid, began); !errors.Is(err, ErrGone) {
		t.Errorf("once more: %v", err)
	}
}

package process

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func TestAProgramThatStartsIsSeenWithItsFile(t *testing.T) {
	if os.Getenv("SEKISHO_TEST_WAIT") != "" {
		_, _ = io.Copy(io.Discard, os.Stdin) // runs until its parent lets go
		return
	}
	again := make(chan struct{}, 1)
	found := Watch(t.Context(), Options{Every: 100 * time.Millisecond, Again: again, Log: zerolog.Nop()})
	if s := <-found; !s.Before {
		t.Errorf("what ran before is %+v", s)
	}
	child := exec.Command(os.Args[0], "-test.run", t.Name())
	child.Env = append(os.Environ(), "SEKISHO_TEST_WAIT=1")
	hold, err := child.StdinPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { hold.Close(); _ = child.Wait() }()
	look := func(before bool) {
		limit := time.After(10 * time.Second)
		for {
			select {
			case s := <-found:
				if int(s.PID) != child.Process.Pid {
					continue
				}
				if !strings.EqualFold(s.Path, os.Args[0]) || time.Since(s.Began) > time.Minute || s.User == "" || s.Before != before || !strings.EqualFold(s.Parent, os.Args[0]) {
					t.Errorf("%+v", s)
				}
				return
			case <-limit:
				t.Fatal("it was not seen")
			}
		}
	}
	look(false)
	again <- struct{}{}
	look(true)
}

package outbox

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

const childEnv = "OUTBOX_TEST_CHILD"

// TestMain turns this binary into the writer that gets killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		writeUntilKilled(dir)
	}
	os.Exit(m.Run())
}

// writeUntilKilled says each record's name on stdout after it is durable.
func writeUntilKilled(dir string) {
	o, err := Open(dir, Options{SegmentBytes: 4 << 10})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	for n := int(o.last) + 1; ; n += 3 {
		if _, err := o.Append(bodies(n, n+2)...); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Printf("%d\n", n+2)
	}
}

func TestWhatWasAcknowledgedSurvivesAKillInTheMiddle(t *testing.T) {
	dir, durable := t.TempDir(), 0
	for round := range 12 {
		durable = max(durable, killedAfter(t, dir, 3+7*round))
	}
	c, o := newConsole(), open(t, dir, Options{})
	c.drain(t, o)
	if len(c.order) < durable || c.gaps > 0 {
		t.Fatalf("%d were durable, %d arrived, %d gap records", durable, len(c.order), c.gaps)
	}
	c.want(t, 1, len(c.order))
}

// killedAfter starts a writer, kills it with -9 after some lines and gives the last number it said.
func killedAfter(t *testing.T, dir string, lines int) (said int) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := os.StartProcess(must[string](t)(os.Executable()), []string{"writer"}, &os.ProcAttr{
		Env: append(os.Environ(), childEnv+"="+dir), Files: []*os.File{nil, w, w}})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(time.Minute, func() { p.Kill() })
	defer watchdog.Stop()
	in := bufio.NewScanner(r)
	for n := 0; in.Scan(); n++ {
		if strings.HasPrefix(in.Text(), "error") {
			t.Fatal(in.Text())
		}
		fmt.Sscan(in.Text(), &said)
		if n == lines {
			p.Kill() // what it says until it is dead still counts
		}
	}
	p.Wait()
	return said
}

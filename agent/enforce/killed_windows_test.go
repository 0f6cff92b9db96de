package enforce

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"sekisho/internal/policy"
)

// Where the process that is killed works, and how many changes of the registry it makes before.
const (
	dieIn    = "SEKISHO_TEST_DIE_IN"
	dieAfter = "SEKISHO_TEST_DIE_AFTER"
	dieOf    = "SEKISHO_TEST_DIE_OF"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(dieIn); dir != "" {
		left, err := strconv.Atoi(os.Getenv(dieAfter))
		if err != nil {
			os.Exit(3)
		}
		os.Exit(work(ladder{reg: mortal{left: &left}, dir: dir, layered: true}))
	}
	os.Exit(m.Run())
}

// work is one change of the gate; 0 says that it came to its end.
func work(l ladder) int {
	var err error
	switch s := (standing{reg: l.reg, dir: l.dir}); os.Getenv(dieOf) {
	case "open":
		err = l.open()
	case "rules":
		_, err = s.set(rulesOf(theRules()), true)
	case "no rules":
		err = s.undo()
	default:
		err = l.shut()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 4
	}
	return 0
}

// mortal is the real registry, in whose use the process dies: no deferred call runs, nothing is flushed.
type mortal struct {
	sandbox
	left *int
}

func (m mortal) count() {
	if *m.left == 0 {
		_ = windows.TerminateProcess(windows.CurrentProcess(), 99)
	}
	*m.left--
}

func (m mortal) Set(key, name string, v regValue) error {
	m.count()
	return m.sandbox.Set(key, name, v)
}
func (m mortal) Drop(key, name string) error { m.count(); return m.sandbox.Drop(key, name) }
func (m mortal) Make(key string) error       { m.count(); return m.sandbox.Make(key) }
func (m mortal) Remove(key string) error     { m.count(); return m.sandbox.Remove(key) }

// dies runs a change of the gate in a process of its own, which is killed at a write, and says whether it was.
func dies(t *testing.T, what, dir string, after int) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), dieOf+"="+what, dieIn+"="+dir, dieAfter+"="+strconv.Itoa(after))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return false
	case errors.As(err, &exit) && exit.ExitCode() == 99:
		return true
	}
	t.Fatalf("%v\n%s", err, out)
	return false
}

func TestAProcessKilledWhileTheGateMovesIsUndoneByTheNext(t *testing.T) {
	for _, what := range []string{"shut", "open"} {
		for after := 0; ; after += 5 { // a process costs a second under Wine; every write is tried with a registry in memory
			wipe(sandboxKey)
			t.Cleanup(func() { wipe(sandboxKey) })
			s := sandbox{}
			must(t, s.Make(`SOFTWARE\Policies`))
			must(t, s.Set(explorerKey, "NoDriveTypeAutoRun", regValue{Type: registry.MULTI_SZ, Data: []byte{1, 2, 3}}))
			before := map[string]regValue{}
			dump(t, sandboxKey, before)
			dir := filepath.Join(t.TempDir(), "共有 ゲート")
			l := ladder{reg: s, dir: dir, layered: true}
			if what == "open" {
				must(t, l.shut())
			}
			killed := dies(t, what, dir, after)
			must(t, l.open())
			now := map[string]regValue{}
			dump(t, sandboxKey, now)
			if !reflect.DeepEqual(before, now) {
				t.Fatalf("%s killed after %d writes left %v", what, after, now)
			}
			if !killed {
				break
			}
		}
	}
}

func theRules() *policy.Policy {
	return software(policy.ModeEnforce, policy.ActionBlock, "winny.exe", "悪い.exe")
}

func TestAProcessKilledWhileRulesAreWrittenIsUndoneByTheNext(t *testing.T) {
	for _, what := range []string{"rules", "no rules"} {
		for after := 0; ; after += 25 {
			wipe(sandboxKey)
			t.Cleanup(func() { wipe(sandboxKey) })
			r := sandbox{}
			must(t, r.Make(`SOFTWARE\Policies\Microsoft\Windows`)) // every Windows has it
			before := map[string]regValue{}
			dump(t, sandboxKey, before)
			s := standing{reg: r, dir: filepath.Join(t.TempDir(), "共有 ゲート")}
			if what == "no rules" {
				stands(t, s, theRules(), "stops")
			}
			killed := dies(t, what, s.dir, after)
			must(t, s.undo())
			now := map[string]regValue{}
			dump(t, sandboxKey, now)
			if !reflect.DeepEqual(before, now) {
				t.Fatalf("%s killed after %d writes left %v", what, after, now)
			}
			if !killed {
				break
			}
		}
	}
}

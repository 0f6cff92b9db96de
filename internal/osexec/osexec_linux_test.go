package osexec

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// list puts programs that every Linux has on the list, for one test.
func list(t *testing.T) {
	for name, path := range map[Program]string{"sh": "/bin/sh", "env": "/usr/bin/env", "head": "/usr/bin/head", "sleep": "/bin/sleep"} {
		programs[name] = []string{"/nowhere/" + string(name), path}
		t.Cleanup(func() { delete(programs, name) })
	}
}

func TestAProgramsOutputComesBack(t *testing.T) {
	list(t)
	out, err := Run(t.Context(), "sh", Options{}, "-c", `printf '%s|' "$@"`, "sh", "a b", "$(c)", "")
	if err != nil || string(out) != "a b|$(c)||" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestWhatIsMuchComesAsItIsWritten(t *testing.T) {
	list(t)
	var got bytes.Buffer
	out, err := Run(t.Context(), "head", Options{Stdout: &got}, "-c", "3000000", "/dev/zero")
	if err != nil || len(out) != 0 || got.Len() != 3000000 {
		t.Errorf("%d and %d bytes, %v", len(out), got.Len(), err)
	}
}

func TestNothingIsInheritedFromTheEnvironment(t *testing.T) {
	list(t)
	t.Setenv("SECRET", "x")
	out, err := Run(t.Context(), "env", Options{Env: []string{"LANG=ja_JP.UTF-8"}})
	if want := "LC_ALL=C.UTF-8\nLANG=ja_JP.UTF-8\n"; err != nil || string(out) != want {
		t.Errorf("%q, %v", out, err)
	}
}

func TestAProgramThatIsNotListedOrNotInstalledDoesNotRun(t *testing.T) {
	programs["ghost"] = []string{"/nowhere/ghost", "/tmp"} // a folder is no program
	t.Cleanup(func() { delete(programs, "ghost") })
	for _, p := range []Program{"ghost", "sh", "/bin/sh", ""} {
		if _, err := Run(t.Context(), p, Options{}); !errors.Is(err, ErrMissing) || !strings.HasPrefix(err.Error(), "cannot run "+string(p)) {
			t.Errorf("%q: %v", p, err)
		}
		if Has(p) {
			t.Errorf("%q is said to be there", p)
		}
	}
}

func TestAProgramThatDoesNotEndIsEndedAndTimeIsNamedAsTheReason(t *testing.T) {
	list(t)
	begun := time.Now()
	_, err := Run(t.Context(), "sleep", Options{Timeout: 50 * time.Millisecond}, "60")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestACallerWhoGoesAwayEndsTheProgram(t *testing.T) {
	list(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, "sleep", Options{}, "60"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestAGrandchildThatHoldsTheOutputDoesNotHoldUs(t *testing.T) {
	list(t)
	begun := time.Now()
	out, err := Run(t.Context(), "sh", Options{Timeout: 30 * time.Second}, "-c", "echo said; sleep 20 &")
	if string(out) != "said\n" || err == nil {
		t.Errorf("%q, %v", out, err)
	}
	if took := time.Since(begun); took > 15*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestOutputIsBoundedAndTheProgramStillEnds(t *testing.T) {
	list(t)
	out, err := Run(t.Context(), "head", Options{}, "-c", "3000000", "/dev/zero")
	if err != nil || len(out) != maxOutput {
		t.Errorf("%d bytes, %v", len(out), err)
	}
}

func TestAFailureCarriesTheProgramsComplaintButNotAllOfIt(t *testing.T) {
	list(t)
	_, err := Run(t.Context(), "sh", Options{}, "-c", "echo no such unit >&2; exit 4")
	if want := "cannot run sh: exit status 4: no such unit"; err == nil || err.Error() != want {
		t.Errorf("%v, not %s", err, want)
	}
	_, err = Run(t.Context(), "sh", Options{}, "-c", "exit 4")
	if want := "cannot run sh: exit status 4"; err == nil || err.Error() != want {
		t.Errorf("%v, not %s", err, want)
	}
	_, err = Run(t.Context(), "sh", Options{}, "-c", "head -c 100000 /dev/zero | tr '\\0' x >&2; exit 4")
	if err == nil || len(err.Error()) > 2*maxComplaint {
		t.Errorf("%.80v", err)
	}
}

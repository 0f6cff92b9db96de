package execgate

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"sekisho/internal/policy"
)

// stage is a gate of the real kernel before a file system of our own; nothing else on this machine is asked about.
type stage struct {
	*testing.T
	gate   *Gate
	dir    string
	mu     sync.Mutex
	seen   []Seen
	fault  string
	decide func(policy.Program) policy.Decision
	there  []policy.Program // packages
}

// forbidden is the verdict on what no rule names.
var forbidden = policy.Decision{Action: policy.ActionBlock, Mode: policy.ModeEnforce, Rule: policy.RuleUndecided}

func newStage(t *testing.T, limit time.Duration) *stage { return newStageAt(t, t.TempDir(), limit) }

func newStageAt(t *testing.T, dir string, limit time.Duration) *stage {
	if os.Geteuid() != 0 {
		t.Fatal("needs root: it mounts a file system of its own")
	}
	s := &stage{T: t, dir: dir, decide: func(policy.Program) policy.Decision { return forbidden }, there: []policy.Program{deb("dpkg", "amd64")}}
	if err := unix.Mount("sekisho-test", s.dir, "tmpfs", 0, "mode=0755"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(s.dir, unix.MNT_DETACH) })
	root := database(t, map[string]string{"dpkg": "/usr/bin/dpkg\n"}, map[string]string{"/var/lib/dpkg/status": "Package: dpkg\n"})
	s.gate = New(Options{
		Root: root, Packages: func() ([]policy.Program, error) { s.mu.Lock(); defer s.mu.Unlock(); return s.there, nil },
		Decide: func(p policy.Program) policy.Decision { s.mu.Lock(); d := s.decide; s.mu.Unlock(); return d(p) },
		Report: func(n Seen) { s.mu.Lock(); s.seen = append(s.seen, n); s.mu.Unlock() },
		Fault:  func(text string) { s.mu.Lock(); s.fault = text; s.mu.Unlock() },
		Mounts: func(point, _ string) bool { return point == s.dir },
		Log:    zerolog.Nop(), Limit: limit,
	})
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { s.gate.Run(ctx) })
	t.Cleanup(func() { cancel(); done.Wait() })
	return s
}

// enforce lets the gate stand, and waits until it does.
func (s *stage) enforce(stall policy.Action) {
	s.gate.Published(&policy.Policy{Software: &policy.Software{Mode: policy.ModeEnforce, Stall: stall}})
	s.wait("the gate stands", func() bool {
		s.gate.age.RLock()
		defer s.gate.age.RUnlock()
		return s.gate.kern != nil && s.gate.mounts.Load() != nil
	})
}

func (s *stage) wait(about string, is func() bool) {
	s.Helper()
	for over := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(over) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.Fatalf("waited in vain: %s; the gate says %q", about, s.fault)
		}
	}
}

func (s *stage) put(name, text string) string {
	file := filepath.Join(s.dir, name)
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		s.Fatal(err)
	}
	return file
}

// run lets a shell run a command line: this process itself asks nothing, so that it cannot wait for itself.
func (s *stage) run(line string) string {
	s.Helper()
	out, _ := exec.CommandContext(s.Context(), "/bin/sh", "-c", line).CombinedOutput()
	return string(out)
}

func (s *stage) saw(outcome policy.Outcome) (found []Seen) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.seen {
		if n.Outcome == outcome {
			found = append(found, n)
		}
	}
	return found
}

func TestWhatNobodyPermittedDoesNotRunAndWhatIsPermittedByItsContentDoes(t *testing.T) {
	s := newStage(t, 0)
	script := s.put("script", "#!/bin/sh\necho REACHED\n")
	if out := s.run(script); out != "REACHED\n" {
		t.Fatalf("with nobody in the way: %q", out)
	}
	s.enforce(policy.ActionAllow)
	if out := s.run(script); strings.Contains(out, "REACHED") {
		t.Errorf("it ran: %q", out)
	}
	s.wait("it is recorded", func() bool { return len(s.saw(policy.OutcomeBlocked)) > 0 })
	got := s.saw(policy.OutcomeBlocked)[0]
	if got.Program.Path != script || got.Program.Kind != policy.ProgramScript || len(got.Program.Hash) != 64 || got.UID != 0 || got.Parent == "" {
		t.Errorf("%+v", got)
	}
	s.mu.Lock()
	s.decide = func(p policy.Program) policy.Decision {
		if p.Hash == got.Program.Hash {
			return policy.Decision{Action: policy.ActionAllow, Mode: policy.ModeEnforce}
		}
		return forbidden
	}
	s.mu.Unlock()
	s.gate.Published(&policy.Policy{Software: &policy.Software{Mode: policy.ModeEnforce}})
	if out := s.run(script); out != "REACHED\n" {
		t.Errorf("permitted by its hash: %q", out)
	}
	s.put("script", "#!/bin/sh\necho REACHED, changed\n")
	if out := s.run(script); strings.Contains(out, "REACHED") {
		t.Errorf("changed: %q", out)
	}
	s.gate.Published(&policy.Policy{})
	s.wait("the gate is gone", func() bool { s.gate.age.RLock(); defer s.gate.age.RUnlock(); return s.gate.kern == nil })
	if out := s.run(script); !strings.Contains(out, "REACHED") {
		t.Errorf("not controlled any more: %q", out)
	}
}

// A medium that is pulled out and plugged in again has the same number, and the machine may be busy reading its packages.
func TestAMediumInAnothersPlaceIsWatchedWhateverElseIsDone(t *testing.T) {
	s := newStage(t, 300*time.Millisecond)
	var hold sync.Mutex
	var reads atomic.Int32
	s.gate.Packages = func() ([]policy.Program, error) {
		reads.Add(1)
		hold.Lock()
		defer hold.Unlock()
		return []policy.Program{deb("dpkg", "amd64")}, nil
	}
	s.enforce(policy.ActionBlock)
	stopped := func() bool { return !strings.Contains(s.run(s.put("evil", "#!/bin/sh\necho REACHED\n")), "REACHED") }
	s.wait("the first is watched", stopped)
	hold.Lock()
	defer hold.Unlock()
	before := reads.Load()
	go func() { _ = s.gate.Refresh(t.Context()) }()
	s.wait("it reads", func() bool { return reads.Load() > before })
	says := func() string { s.mu.Lock(); defer s.mu.Unlock(); return s.fault }
	must(t, unix.Unmount(s.dir, 0))
	s.wait("it says that nothing is there", func() bool { return strings.Contains(says(), "no file system") })
	must(t, unix.Mount("sekisho-test", s.dir, "tmpfs", 0, "mode=0755"))
	s.wait("the second is watched", stopped)
	s.wait("nothing is wrong", func() bool { return says() == "" })
}

func TestWhatIsMountedNewlyIsWatchedBeforeAllElse(t *testing.T) {
	old, stick := []mount{{dev: 1, point: "/"}, {dev: 2, point: "/home"}}, mount{dev: 3, point: "/media/stick"}
	k := &kernel{}
	k.newFirst(slices.Clone(old))
	if got := k.newFirst([]mount{old[0], old[1], stick}); !slices.Equal(got, []mount{stick, old[0], old[1]}) {
		t.Errorf("%v", got)
	}
	if got := k.newFirst([]mount{old[0], old[1], stick}); got[2] != stick {
		t.Errorf("it is new for ever: %v", got)
	}
}

func TestAnAnswerThatDoesNotComeInTimeIsThePolicys(t *testing.T) {
	for _, stall := range []policy.Action{policy.ActionAllow, policy.ActionBlock} {
		t.Run(string(stall), func(t *testing.T) {
			s := newStage(t, 200*time.Millisecond)
			let := make(chan struct{})
			s.decide = func(policy.Program) policy.Decision { <-let; return forbidden }
			t.Cleanup(func() { close(let) })
			s.enforce(stall)
			script := s.put("script", "#!/bin/sh\necho REACHED\n")
			begun := time.Now()
			for range 2 * workers { // more than there are workers: each is replaced
				if out := s.run(script); strings.Contains(out, "REACHED") != (stall == policy.ActionAllow) {
					t.Errorf("%q", out)
				}
			}
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
			s.wait("it is said", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return strings.Contains(s.fault, "in time") })
		})
	}
}

// TestWhatDpkgHasJustUnpackedRunsAtOnce: a package's script has its service started by the first process, before dpkg has
// ended and anybody was told of the package.
func TestWhatDpkgHasJustUnpackedRunsAtOnce(t *testing.T) {
	dir, err := os.MkdirTemp("/var/lib", "sekisho-test-") // where only root can put anything
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := newStageAt(t, dir, 0)
	s.decide = func(p policy.Program) policy.Decision {
		if p.Kind == policy.ProgramDeb {
			return policy.Decision{Action: policy.ActionAllow, Mode: policy.ModeEnforce}
		}
		return forbidden
	}
	s.enforce(policy.ActionBlock)
	const services = 2 * workers
	list, all := "", ""
	for n := range services {
		all += s.put(fmt.Sprintf("service%d", n), "#!/bin/sh\necho REACHED\n") + " & "
		list += fmt.Sprintf("%s/service%d\n", dir, n)
	}
	if out := s.run(all + "wait"); strings.Contains(out, "REACHED") {
		t.Errorf("no package has it: %q", out)
	}
	if err := os.WriteFile(filepath.Join(s.gate.Root, dpkgInfo, "service.list"), []byte(list), 0o644); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.there = append(slices.Clone(s.there), deb("service", "amd64"))
	s.mu.Unlock()
	if out := s.run(all + "wait"); strings.Count(out, "REACHED") != services {
		t.Errorf("its list is there: %q", out)
	}
}

// TestAForbiddenVersionsSuccessorRunsAtOnce: apt has put a permitted version in its place, and nobody was told yet.
func TestAForbiddenVersionsSuccessorRunsAtOnce(t *testing.T) {
	dir, err := os.MkdirTemp("/var/lib", "sekisho-test-") // where only root can put anything
	must(t, err)
	t.Cleanup(func() { _ = os.Remove(dir) })
	must(t, os.Chmod(dir, 0o755))
	s := newStageAt(t, dir, 0)
	s.decide = func(p policy.Program) policy.Decision {
		if p.Kind == policy.ProgramDeb && p.Version != "1" {
			return policy.Decision{Action: policy.ActionAllow, Mode: policy.ModeEnforce}
		}
		return forbidden
	}
	tool := s.put("tool", "#!/bin/sh\necho REACHED\n")
	install := func(version string) {
		p := deb("tool", "amd64")
		p.Version = version
		must(t, os.WriteFile(filepath.Join(s.gate.Root, dpkgInfo, "tool.list"), []byte(tool+"\n"), 0o644))
		s.mu.Lock()
		defer s.mu.Unlock()
		s.there = []policy.Program{deb("dpkg", "amd64"), p}
	}
	install("1")
	s.enforce(policy.ActionBlock)
	if strings.Contains(s.run(tool), "REACHED") {
		t.Error("a forbidden version runs")
	}
	install("2")
	if !strings.Contains(s.run(tool), "REACHED") {
		t.Error("a permitted version is stopped, as the one before it was")
	}
}

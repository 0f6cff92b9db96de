package execgate

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sekisho/internal/policy"
)

// dpkgStage has dpkg's folders on a file system of its own, below a place where only root can put anything.
func dpkgStage(t *testing.T) *stage {
	dir, err := os.MkdirTemp("/var/lib", "sekisho-test-")
	must(t, err)
	t.Cleanup(func() { _ = os.Remove(dir) })
	must(t, os.Chmod(dir, 0o755))
	s := newStageAt(t, dir, 0)
	must(t, os.CopyFS(dir, os.DirFS(s.gate.Root)))
	s.gate.Root = dir // it is read from when the gate stands on
	for _, d := range []string{"", "updates", "updates/below", "triggers", "info"} {
		must(t, os.MkdirAll(filepath.Join(dir, "var/lib/dpkg", d), 0o755))
	}
	return s
}

// putProgram puts one that a dynamic loader can be given into a folder of dpkg's.
func (s *stage) putProgram(names ...string) {
	echo, err := os.ReadFile("/bin/echo")
	must(s.T, err)
	for _, name := range names {
		s.put("var/lib/dpkg/"+name, string(echo))
	}
}

// asked says whether anybody is asked who opens a program in a folder of dpkg's: it would be stopped.
func (s *stage) asked(name string) bool {
	loader, _ := filepath.Glob("/lib*/ld-linux*")
	if len(loader) == 0 {
		s.Fatal("no dynamic loader")
	}
	return !strings.Contains(s.run(loader[0]+" "+filepath.Join(s.dir, "var/lib/dpkg", name)+" REACHED"), "REACHED")
}

// dpkgWorks lets a vetted dpkg work: any process, for which ones are dpkg's is not what this is about.
func (s *stage) dpkgWorks() (p process, end func()) {
	dpkg := exec.Command("sleep", "600")
	must(s.T, dpkg.Start())
	end = sync.OnceFunc(func() { _ = dpkg.Process.Kill(); _ = dpkg.Wait() }) // killed
	s.Cleanup(end)
	p = process(dpkg.Process.Pid)
	_, begun := p.parent()
	s.gate.vetted.add(p, transaction{begun: begun, dpkg: true, until: time.Now().Add(longest)})
	s.gate.hush(p, begun)
	return p, end
}

// TestWhileAVettedDpkgWorksNobodyIsAskedWhoOpensFilesInItsOwnFolders: a program that is read there by a dynamic loader shows
// whether anybody is asked. Where others than root could put one, and for whoever runs one, nothing changes.
func TestWhileAVettedDpkgWorksNobodyIsAskedWhoOpensFilesInItsOwnFolders(t *testing.T) {
	s := dpkgStage(t)
	must(t, os.Chmod(filepath.Join(s.dir, "var/lib/dpkg/triggers"), 0o777))
	s.putProgram("updates/prog", "updates/below/prog", "triggers/prog", "info/prog")
	runs := func() bool { return strings.Contains(s.run(s.dir+"/var/lib/dpkg/updates/prog REACHED"), "REACHED") }
	s.enforce(policy.ActionBlock)
	if !s.asked("updates/prog") || runs() {
		t.Fatal("nobody works: it is asked about")
	}

	_, end := s.dpkgWorks()
	if s.asked("updates/prog") {
		t.Error("it is asked who opens a file there, on a kernel that could leave it (Linux 6.0)")
	}
	if runs() {
		t.Error("who runs a program there is not asked")
	}
	for _, name := range []string{"updates/below/prog", "triggers/prog", "info/prog"} {
		if !s.asked(name) {
			t.Errorf("%s: nobody is asked", name)
		}
	}
	s.gate.forget(s.gate.kern)
	if s.asked("updates/prog") {
		t.Error("it still works, and everything is asked about")
	}

	end()
	s.wait("it has ended, and everything is asked about again", func() bool { return s.asked("updates/prog") })
}

// TestThePackagesScriptsAreLeftToDpkgOnlyWhileNoPackageIsForbidden: what an interpreter is given of a forbidden package is
// stopped, whatever works and whatever changes meanwhile.
func TestThePackagesScriptsAreLeftToDpkgOnlyWhileNoPackageIsForbidden(t *testing.T) {
	s := dpkgStage(t)
	s.putProgram("info/prog")
	script := s.put("var/lib/dpkg/info/bad.postinst", "#!/bin/sh\necho REACHED\n")
	s.put("var/lib/dpkg/info/bad.list", script+"\n") // below this root it is no script by its path
	permit := func(names ...string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.decide = func(p policy.Program) policy.Decision {
			if p.Kind == policy.ProgramDeb && slices.Contains(names, p.Name) {
				return policy.Decision{Action: policy.ActionAllow, Mode: policy.ModeEnforce}
			}
			return forbidden
		}
	}
	install := func(names ...string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.there = nil
		for _, n := range names {
			s.there = append(s.there, deb(n, "amd64"))
		}
	}
	stopped := func() bool { return !strings.Contains(s.run("/bin/sh "+script), "REACHED") }
	publish := func() {
		s.gate.Published(&policy.Policy{Software: &policy.Software{Mode: policy.ModeEnforce, Stall: policy.ActionBlock}})
	}
	permit("dpkg")
	install("dpkg", "bad")
	s.enforce(policy.ActionBlock)
	_, end := s.dpkgWorks()
	if !stopped() || !s.asked("info/prog") {
		t.Error("a package is forbidden, and its script runs while dpkg works")
	}

	permit("dpkg", "bad")
	publish()
	s.wait("the policy permits all: nobody is asked any more", func() bool { return !s.asked("info/prog") })
	if stopped() {
		t.Error("a permitted package's script is stopped")
	}
	if out := s.run(s.dir + "/var/lib/dpkg/info/prog REACHED"); strings.Contains(out, "REACHED") {
		t.Error("who runs a program there is not asked")
	}
	permit("dpkg")
	publish()
	s.wait("the policy forbids one: it is stopped again", stopped)
	if !s.asked("info/prog") {
		t.Error("one package is stopped, and the folder is not asked about")
	}

	install("dpkg")
	must(t, s.gate.Refresh(t.Context()))
	if s.asked("info/prog") {
		t.Error("the forbidden package is gone, and it is asked about")
	}
	install("dpkg", "bad")
	must(t, s.gate.Refresh(t.Context()))
	if !stopped() {
		t.Error("a forbidden package has come, and its script runs")
	}

	permit("dpkg", "bad")
	publish()
	s.wait("it is permitted", func() bool { return !s.asked("info/prog") })
	end()
	s.wait("dpkg has ended, and everything is asked about again", func() bool { return s.asked("info/prog") })
}

// managerWorks lets a vetted package manager live that has dpkg work for it.
func (s *stage) managerWorks() (end func()) {
	apt := exec.Command("sleep", "600")
	must(s.T, apt.Start())
	end = sync.OnceFunc(func() { _ = apt.Process.Kill(); _ = apt.Wait() }) // killed
	s.Cleanup(end)
	s.gate.Vetted(apt.Process.Pid)
	return end
}

// installsNew is a package that comes, in a way that nobody is told of who watches the database.
func (s *stage) installsNew() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.there = append(slices.Clone(s.there), deb("new", "amd64"))
	status := filepath.Join(s.gate.Root, dpkgStatus)
	_ = os.Remove(status) // it may not be there
	must(s.T, os.Link(s.put("var/lib/dpkg/status-next", "Package: new\n"), status))
}

// TestWhatAptHasDpkgDoInPartsIsReadOnceAtItsEnd, without anybody saying so: who gave dpkg the work says nothing.
func TestWhatAptHasDpkgDoInPartsIsReadOnceAtItsEnd(t *testing.T) {
	s := dpkgStage(t)
	s.enforce(policy.ActionBlock)
	apt := s.managerWorks()
	if s.gate.Busy() {
		t.Error("no dpkg has worked yet, and it is said that packages are being installed")
	}
	_, unpacks := s.dpkgWorks()
	s.installsNew()
	unpacks()
	s.wait("the first dpkg has ended", func() bool { s.gate.age.RLock(); defer s.gate.age.RUnlock(); return s.gate.hushes == 0 })
	if !s.gate.Busy() {
		t.Error("between two dpkgs of one apt it is said that nothing goes on")
	}
	apt()
	if s.gate.Busy() {
		t.Error("apt has ended, and it is said that packages are being installed")
	}
	s.wait("the new package counts", func() bool { _, there := s.gate.index().find("new"); return there })
}

// TestAManagerThatStaysOpenIsNotWaitedFor: a program with windows lives for hours after its last dpkg.
func TestAManagerThatStaysOpenIsNotWaitedFor(t *testing.T) {
	s := dpkgStage(t)
	s.enforce(policy.ActionBlock)
	s.managerWorks()
	_, end := s.dpkgWorks()
	s.installsNew()
	end()
	s.wait("the new package counts", func() bool { _, there := s.gate.index().find("new"); return there })
	if s.gate.Busy() {
		t.Error("it is said that packages are being installed")
	}
}

// TestWhatDpkgUnpacksAScriptIntoIsAskedAbout: it makes that folder anew for each package, and a mark on it would cost more.
func TestWhatDpkgUnpacksAScriptIntoIsAskedAbout(t *testing.T) {
	s := dpkgStage(t)
	s.enforce(policy.ActionBlock)
	s.dpkgWorks()
	folder := s.dir + "/var/lib/dpkg/tmp.ci"
	s.run("mkdir " + folder)
	s.putProgram("tmp.ci/prog") // this process' own files are its own business
	s.run("tee " + folder + "/control </dev/null")
	if !s.asked("tmp.ci/prog") {
		t.Error("nobody is asked who opens what dpkg has just unpacked")
	}
}

// TestWhatAVettedDpkgOpensOfRootsNeedsNoJudgement, and nothing else that is not empty does not.
func TestWhatAVettedDpkgOpensOfRootsNeedsNoJudgement(t *testing.T) {
	s := dpkgStage(t)
	root, others := s.put("root", "text"), s.put("others", "text")
	s.putProgram("../../../new.dpkg-new")
	must(t, os.Chmod(others, 0o666))
	s.enforce(policy.ActionBlock)
	dpkg, end := s.dpkgWorks()
	trivial := func(file string, by process, mask uint64) bool {
		f, err := os.OpenFile(file, os.O_WRONLY, 0) // as dpkg does
		must(t, err)
		defer f.Close()
		return s.gate.trivial(question{mask: mask, fd: int32(f.Fd()), pid: int32(by)})
	}
	if !trivial(root, dpkg, askOpen) {
		t.Error("it is judged what dpkg opens")
	}
	if trivial(s.put("var/lib/dpkg/info/a.list", "text"), dpkg, askOpen) {
		t.Error("the kernel would ask every dpkg about every list where a package is forbidden")
	}
	if trivial(root, dpkg, askExec) || trivial(others, dpkg, askOpen) || trivial(root, process(os.Getpid()), askOpen) {
		t.Error("not judged: what dpkg runs, what anybody could have written, or what another opens")
	}
	new := s.dir + "/new.dpkg-new"
	asked := func() bool { return s.asked("../../../new.dpkg-new") }
	if !asked() || !trivial(new, dpkg, askOpen) || asked() {
		t.Error("it is asked who opens what dpkg has unpacked, also after dpkg had it on disk")
	}
	s.gate.Published(&policy.Policy{Software: &policy.Software{Mode: policy.ModeEnforce}})
	s.wait("the policy is another", func() bool { _, doubted := s.gate.vetted.works(dpkg); return doubted })
	if !trivial(new, dpkg, askOpen) || !asked() {
		t.Error("it was vetted by another policy, and nobody is asked")
	}
	s.putProgram("../../../newer.dpkg-new")
	other, last := s.dpkgWorks()
	if !trivial(s.dir+"/newer.dpkg-new", other, askOpen) || s.asked("../../../newer.dpkg-new") {
		t.Error("it is asked who opens what dpkg has unpacked")
	}
	end()
	last()
	s.wait("both have ended: it is asked again", func() bool { return s.asked("../../../newer.dpkg-new") })
	if trivial(root, dpkg, askOpen) {
		t.Error("not judged: what another opens that has dpkg's number now")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

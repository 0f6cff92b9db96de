package software

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sekisho/internal/policy"
)

func TestWhatTheRealDpkgDoesIsSeen(t *testing.T) {
	m := newMachine(t)
	m.offer("deb.example.lan_debian", true, "office 1:2.0~rc1-1", "editor 3.0")
	m.dpkg("-i", m.build("office", "1:2.0~rc1-1"), m.build("editor", "2.9"))
	e := m.open()
	l, said := m.look(e)
	want(t, "the first look", said, "")
	want(t, "it is the first", l.First, true)
	want(t, "known source", l.find("office").Source, policy.SourceRepository)
	want(t, "its origin", l.find("office").Origin, "deb.example.lan/debian stable main")
	want(t, "an old version", l.find("editor").Source, policy.SourceUnknown)
	want(t, "publisher", l.find("office").Publisher, "株式会社テスト <test@example.lan>")
	if at := l.find("office").InstalledAt; time.Since(at).Abs() > time.Minute {
		t.Errorf("installed at %v", at)
	}
	_, said = m.look(e)
	want(t, "nothing happened", said, "nothing")
	m.dpkg("-i", m.build("gamebox", "6.6"))
	_, said = m.look(e)
	want(t, "a file was brought", said, "installed gamebox >6.6 local dpkg")
	m.dpkg("-i", m.build("gamebox", "6.7"))
	_, said = m.look(e)
	want(t, "another version", said, "changed gamebox 6.6>6.7 local dpkg")
	m.dpkg("-r", "gamebox")
	_, said = m.look(e)
	want(t, "it is gone", said, "removed gamebox 6.7>6.7 local dpkg")
}

func TestWhatHappensWhileNobodyLooksIsSeenAfterwards(t *testing.T) {
	m := newMachine(t)
	m.dpkg("-i", m.build("office", "1.0"), m.build("editor", "2.9"))
	m.look(m.open())
	m.dpkg("-r", "editor")
	m.dpkg("-i", m.build("gamebox", "1"))
	_, said := m.look(m.open())
	want(t, "after the restart", said, "removed editor 2.9>2.9 unknown dpkg away, installed gamebox >1 local dpkg away")
	l, said := m.look(m.open())
	want(t, "once more", said, "")
	want(t, "and not first", l.First, false)
}

func TestWhatIsNotKeptIsToldAgain(t *testing.T) {
	m := newMachine(t)
	m.dpkg("-i", m.build("office", "1.0"))
	m.look(m.open())
	m.dpkg("-i", m.build("gamebox", "1"))
	if l, err := m.open().Look(m.t.Context()); err != nil || len(l.Events) != 1 {
		t.Fatal(l, err)
	} // and the power is cut
	_, said := m.look(m.open())
	want(t, "after the power cut", said, "installed gamebox >1 local dpkg away")
}

// The version alone proves nothing: anybody can build a package with the version of the repository's.
func TestAForgedPackageWithTheRepositorysVersionIsLocal(t *testing.T) {
	m := newMachine(t)
	m.offer("deb.example.lan_debian", true, "office 1.0", "bash 5.2")
	m.dpkg("-i", m.build("office", "1.0"))
	e := m.open()
	m.look(e)
	m.dpkg("-i", m.build("bash", "5.2", "Essential: yes"))
	l, said := m.look(e)
	want(t, "it was brought", said, "installed bash >5.2 local dpkg")
	want(t, "what it says of itself", l.find("bash").Essential, false)
	m.offer("deb.example.lan_debian", true, "office 1.0", "bash 5.2", "more 1") // apt update
	for range 2 {
		l, said = m.look(m.open()) // after a restart, with nothing in memory
		want(t, "no other event", said, "")
		want(t, "it stays local", l.find("bash").Source, policy.SourceLocal)
	}
	p := newPackages(m.options(), newRecent(m.options().Dir))
	programs, err := p.Installed()
	m.must(err)
	for _, is := range programs {
		if is.Name == "bash" && (is.Essential || is.Source != policy.SourceLocal) {
			t.Errorf("%+v", is)
		}
	}
	m.dpkg("-i", m.build("dash", "0.1", "Priority: required"))
	programs, err = p.Installed() // before the eyes have looked
	m.must(err)
	for _, is := range programs {
		if is.Name == "dash" && (is.Essential || is.Source != policy.SourceLocal) {
			t.Errorf("%+v", is)
		}
	}
	want(t, "all", len(programs), 3)
}

// Who stands before programs must not wait for the disk that keeps what was seen.
func TestWhatTheEyesHaveSeenCountsBeforeItIsKept(t *testing.T) {
	m := newMachine(t)
	m.offer("deb.example.lan_debian", true, "office 1.0")
	m.dpkg("-i", m.build("office", "1.0"))
	e := m.open()
	p := e.Packages()
	want(t, "before any look", p.Seen(), false)
	_, err := e.Look(m.t.Context())
	m.must(err)
	want(t, "after it", p.Seen(), true)
	m.must(os.RemoveAll(filepath.Join(m.root, "var/lib/apt/lists"))) // nobody can find it out again
	programs, err := p.Installed()
	m.must(err)
	want(t, "all", len(programs), 1)
	want(t, "where it came from", programs[0].Source, policy.SourceRepository)
}

// The terminal must start also after somebody has put something over a package that it cannot be without; that somebody did
// is judged all the same.
func TestWhatTheSystemNeedsStaysNeeded(t *testing.T) {
	m := newMachine(t)
	m.offer("deb.example.lan_debian", true, "bash 5.2")
	m.dpkg("-i", m.build("bash", "5.2", "Essential: yes"), m.build("own", "1", "Essential: yes"))
	e := m.open()
	l, _ := m.look(e)
	want(t, "there from the first", l.find("bash").Essential && l.find("own").Essential, true)
	m.dpkg("-i", m.build("bash", "99", "Essential: yes"))
	l, said := m.look(e)
	want(t, "it is local", said, "changed bash 5.2>99 local dpkg")
	want(t, "the event says nothing of being needed", l.Events[0].Program.Essential, false)
	want(t, "the terminal needs it", l.find("bash").Essential, true)
}

func TestWhoBroughtAPackageByAptIsKnown(t *testing.T) {
	m := newMachine(t)
	m.offer("deb.example.lan_debian", true, "office 1.0", "editor 2.0")
	m.dpkg("-i", m.build("base", "1.0"))
	e := m.open()
	m.look(e)
	m.write(aptHistory, "\nStart-Date: "+time.Now().Add(-time.Second).Format("2006-01-02  15:04:05")+"\nCommandline: apt-get install office ./gamebox_1.0_all.deb\n"+
		"Requested-By: taro (1000)\nInstall: office:amd64 (1.0), gamebox:amd64 (1.0), editor:amd64 (2.0, automatic)\n")
	m.dpkg("-i", m.build("office", "1.0"), m.build("gamebox", "1.0"), m.build("editor", "2.0"))
	l, said := m.look(e)
	want(t, "events", said, "installed editor >2.0 repository taro apt-get install office ./gamebox_1.0_all.deb, "+
		"installed gamebox >1.0 local taro apt-get install office ./gamebox_1.0_all.deb, "+
		"installed office >1.0 local taro apt-get install office ./gamebox_1.0_all.deb")
	m.write(aptHistory, "\nStart-Date: "+time.Now().Add(-time.Second).Format("2006-01-02  15:04:05")+"\nCommandline: apt full-upgrade\n"+
		"Requested-By: hanako (1001)\nUpgrade: base:amd64 (1.0, 1.1)\n")
	m.dpkg("-i", m.build("base", "1.1"))
	_, said = m.look(e)
	want(t, "an upgrade that the lists do not know any more", said, "changed base 1.0>1.1 repository hanako apt full-upgrade")
	want(t, "the file", l.find("gamebox").Origin, "./gamebox_1.0_all.deb")
	want(t, "by whom", l.find("gamebox").InstalledBy, "taro")
}

func TestAnUnsignedRepositoryProvesNothing(t *testing.T) {
	m := newMachine(t)
	m.offer("deb.example.lan_loose", false, "one 1")
	m.offer("deb.example.lan_trusted", true, "two 1")
	m.write("etc/apt/sources.list", "deb [arch=amd64 trusted=yes] http://deb.example.lan/trusted stable main\n")
	m.dpkg("-i", m.build("one", "1"), m.build("two", "1"))
	l, _ := m.look(m.open())
	want(t, "without a signature", l.find("one").Source, policy.SourceUnknown)
	want(t, "trusted without a look", l.find("two").Source, policy.SourceUnknown)
	want(t, "its origin is known", l.find("two").Origin, "deb.example.lan/trusted stable main")
}

func TestAListThatCannotBeReadMakesNothingLocal(t *testing.T) {
	m := newMachine(t)
	m.offer("deb.example.lan_debian", true, "one 1")
	m.write("var/lib/apt/lists/deb.example.lan_debian_dists_stable_extra_binary-amd64_Packages.xz", "this is no xz")
	m.dpkg("-i", m.build("one", "1"), m.build("two", "1"))
	l, _ := m.look(m.open())
	want(t, "in the other list", l.find("one").Source, policy.SourceRepository)
	want(t, "perhaps in this one", l.find("two").Source, policy.SourceUnknown)
	m.run("xz", "-kf", filepath.Join(m.root, "var/lib/apt/lists/deb.example.lan_debian_dists_stable_main_binary-amd64_Packages"))
	m.must(os.Remove(filepath.Join(m.root, "var/lib/apt/lists/deb.example.lan_debian_dists_stable_extra_binary-amd64_Packages.xz")))
	m.must(os.Remove(filepath.Join(m.root, "var/lib/apt/lists/deb.example.lan_debian_dists_stable_main_binary-amd64_Packages")))
	m.dir = t.TempDir()
	l, _ = m.look(m.open())
	want(t, "packed", l.find("one").Source+l.find("two").Source, policy.SourceRepository+policy.SourceLocal)
}

func TestWithoutListsNothingIsCalledLocal(t *testing.T) {
	m := newMachine(t)
	m.dpkg("-i", m.build("one", "1"))
	l, _ := m.look(m.open())
	want(t, "without lists", l.find("one").Source, policy.SourceUnknown)
}

func TestADamagedDatabaseTakesNothingForGone(t *testing.T) {
	m := newMachine(t)
	m.dpkg("-i", m.build("one", "1"), m.build("two", "2"), m.build("three", "3"))
	e := m.open()
	m.look(e)
	status := filepath.Join(m.root, "var/lib/dpkg/status")
	whole, err := os.ReadFile(status)
	m.must(err)
	for cut := 0; cut < len(whole)-1; cut += 7 {
		m.must(os.WriteFile(status, whole[:cut], 0o644))
		if l, said := m.look(e); strings.Contains(said, "removed") || l.Programs.Len() > 0 && l.Programs.Len() != 3 {
			t.Fatalf("cut at %d of %d: %s", cut, len(whole), said)
		}
	}
	m.must(os.WriteFile(status, append(whole[:len(whole)/2:len(whole)/2], make([]byte, len(whole)/2)...), 0o644))
	l, said := m.look(e)
	want(t, "zeros", said, "")
	if len(l.Faults) != 1 || !strings.HasPrefix(l.Faults[0], "cannot read all of dpkg's database") {
		t.Errorf("%q", l.Faults)
	}
	m.must(os.Remove(status))
	_, said = m.look(e)
	want(t, "no database", said, "")
	m.must(os.WriteFile(status, whole, 0o644))
	l, said = m.look(e)
	want(t, "whole again", said, "")
	want(t, "faults", len(l.Faults), 0)
}

func TestADamagedMemoryIsSaidAndMadeAnew(t *testing.T) {
	m := newMachine(t)
	m.dpkg("-i", m.build("one", "1"))
	m.look(m.open())
	path := filepath.Join(m.dir, "deb.json")
	whole, err := os.ReadFile(path)
	m.must(err)
	m.must(os.WriteFile(path, whole[:len(whole)/2], 0o600))
	l, said := m.look(m.open())
	want(t, "no event", said, "")
	if l.Programs.Len() != 1 || len(l.Faults) != 1 || !strings.Contains(l.Faults[0], "cannot read what was seen last") {
		t.Errorf("%+v", l)
	}
	l, _ = m.look(m.open())
	want(t, "it is whole again", len(l.Faults), 0)
}

// TestTheRealAptSaysWhoAndHow installs from a repository of its own with the real apt, below a root of its own.
func TestTheRealAptSaysWhoAndHow(t *testing.T) {
	m := newMachine(t)
	m.dpkg("-i", m.build("base", "1"))
	e := m.open()
	m.look(e)
	repo := t.TempDir()
	m.run("cp", m.build("office", "1.0"), repo)
	m.preinst = "#!/bin/sh\ncp " + filepath.Join(m.root, aptHistory) + " " + filepath.Join(repo, "seen") + "\n"
	m.run("cp", m.build("slow", "1.0"), repo)
	m.preinst = ""
	m.run("sh", "-c", "cd "+repo+" && dpkg-scanpackages --multiversion . > Packages")
	m.write("etc/apt/sources.list", "deb [trusted=yes] file:"+repo+" ./\n")
	for _, dir := range []string{"etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/trusted.gpg.d", "var/cache/apt/archives/partial", "var/lib/apt/lists/partial"} {
		m.must(os.MkdirAll(filepath.Join(m.root, dir), 0o755))
	}
	conf := filepath.Join(t.TempDir(), "apt.conf")
	m.must(os.WriteFile(conf, []byte("Dir \""+m.root+"\";\nDir::Bin::dpkg \"/usr/bin/dpkg\";\nDir::Bin::Methods \"/usr/lib/apt/methods\";\nDir::State::status \""+m.root+"/var/lib/dpkg/status\";\n"+
		"APT::Architecture \"amd64\";\nAPT::Sandbox::User \"root\";\nDPkg::Options {\"--root="+m.root+"\";\"--force-not-root\";\"--force-script-chrootless\";\"--log="+filepath.Join(m.root, dpkgLog)+"\";};\n"), 0o644))
	t.Setenv("APT_CONFIG", conf)
	t.Setenv("SUDO_UID", "65534")
	m.run("apt-get", "update")
	m.run("apt-get", "install", "-y", "office")
	l, said := m.look(e)
	m.run("apt-get", "install", "-y", "slow")
	during, err := os.ReadFile(filepath.Join(repo, "seen"))
	if err != nil || !strings.Contains(string(during), "Install: slow:") {
		t.Errorf("apt notes only afterwards what it does: %q %v", during, err)
	}
	m.look(e)
	want(t, "by apt", said, "installed office >1.0 unknown nobody apt-get install -y office")
	want(t, "the repository is not signed", l.find("office").Fault, "its repository is not signed")
	for second := time.Now().Unix(); time.Now().Unix() == second; { // the logs know seconds only
		time.Sleep(10 * time.Millisecond)
	}
	m.dpkg("-i", m.build("office", "1.0"))
	l, said = m.look(e)
	want(t, "the same version by dpkg", said, "changed office 1.0>1.0 local dpkg")
	m.run("apt-get", "install", "-y", m.build("gamebox", "1.0"))
	l, said = m.look(e)
	if !strings.HasPrefix(said, "installed gamebox >1.0 local nobody apt-get install -y /") {
		t.Error(said)
	}
	if !strings.HasSuffix(l.find("gamebox").Origin, "/gamebox_1.0_all.deb") {
		t.Errorf("%+v", l.find("gamebox"))
	}
}

func TestWhoLetsProgramsRunHearsOfPackagesAlsoFromADamagedDatabase(t *testing.T) {
	m := newMachine(t)
	m.dpkg("-i", m.build("one", "1"), m.build("two", "1"))
	p := newPackages(m.options(), newRecent(m.options().Dir))
	programs, err := p.Installed() // before any look
	m.must(err)
	want(t, "both", len(programs), 2)
	m.look(m.open())
	status := filepath.Join(m.root, "var/lib/dpkg/status")
	whole, err := os.ReadFile(status)
	m.must(err)
	m.must(os.WriteFile(status, append([]byte("Package: odd\nStatus: what\n\n"), whole[:len(whole)*3/4]...), 0o644))
	programs, err = p.Installed()
	m.must(err)
	want(t, "both all the same", len(programs), 2)
	m.must(os.WriteFile(status, nil, 0o644))
	if _, err := p.Installed(); err == nil || !strings.HasPrefix(err.Error(), "cannot read dpkg's database") {
		t.Error(err)
	}
	m.dpkgLess()
	programs, err = p.Installed()
	m.must(err)
	want(t, "without dpkg", len(programs), 0)
}

func TestAnUpdateThatDpkgHasNotBroughtInCounts(t *testing.T) {
	m := newMachine(t)
	m.dpkg("-i", m.build("one", "1"), m.build("two", "1"))
	e := m.open()
	m.look(e)
	m.write("var/lib/dpkg/updates/0000", "Package: one\nStatus: install ok unpacked\nVersion: 2\nArchitecture: all\n")
	m.write("var/lib/dpkg/updates/0001", "Package: two\nStatus: purge ok not-installed\nArchitecture: all\n")
	m.write("var/lib/dpkg/updates/tmp.i", "Package: half")
	l, said := m.look(e)
	want(t, "both", said, "changed one 1>2 unknown, removed two 1>1 unknown dpkg")
	want(t, "faults", strings.Join(l.Faults, "; "), "") // dpkg ends no update with a blank line
}

// TestWhatDpkgChangesUnderTheReadingIsReadAgain: at its checkpoints dpkg writes its status anew and takes the updates away.
func TestWhatDpkgChangesUnderTheReadingIsReadAgain(t *testing.T) {
	m := newMachine(t)
	m.dpkg("-i", m.build("one", "1"))
	d := &dpkg{root: m.root}
	gone := filepath.Join(m.root, "var/lib/dpkg/updates/0000")
	m.must(os.Symlink("nothing", gone)) // listed, and not there when it is opened
	if r := d.database(); !r.torn || !strings.Contains(r.fault, "updates/0000") {
		t.Errorf("it stays so: torn %v, %q", r.torn, r.fault)
	}
	times := 0
	r := steady(func() (reading, bool) {
		if times++; times == 3 {
			m.must(os.Remove(gone))
		}
		return d.attempt()
	})
	want(t, "times", times, 3)
	want(t, "fault", r.fault, "")
	want(t, "packages", len(r.programs), 1)
	m.write("var/lib/dpkg/updates/0000", "Package: one\nStatus: install ok unpa")
	if r := d.database(); !r.torn || r.fault == "" {
		t.Errorf("cut off: torn %v, %q", r.torn, r.fault)
	}
}

// TestAnInstallIsSeenWithinFiveSeconds takes the real inotify.
func TestAnInstallIsSeenWithinFiveSeconds(t *testing.T) {
	m := newMachine(t)
	m.dpkg("-i", m.build("base", "1"))
	deb := m.build("gamebox", "1")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e := m.open()
	look := e.Watch(ctx)
	<-look
	m.look(e)
	begun := time.Now()
	m.dpkg("-i", deb)
	installed := time.Now()
	for {
		select {
		case <-look:
		case <-time.After(5*time.Second - time.Since(installed)):
			t.Fatal("it was not seen")
		}
		if _, said := m.look(e); said == "installed gamebox >1 local dpkg" {
			t.Logf("seen %v after dpkg began, %v after it ended", time.Since(begun), time.Since(installed))
			break
		}
	}
	cancel()
	for range look { // it ends
	}
}

// TestWhatDpkgDoesMakesNobodyLookForAppImages: to find them takes opening every file in people's folders, and dpkg changes its
// database many times in one run.
func TestWhatDpkgDoesMakesNobodyLookForAppImages(t *testing.T) {
	m := newMachine(t)
	m.dpkg("-i", m.build("base", "1"))
	m.must(os.MkdirAll(filepath.Join(m.root, "opt"), 0o755))
	deb := m.build("gamebox", "1")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e := m.open()
	look := e.Watch(ctx)
	<-look
	m.look(e)
	m.write("opt/a/b/game.AppImage", anImage) // so deep that nobody is told of it
	m.dpkg("-i", deb)
	said := ""
	for !strings.Contains(said, "gamebox") {
		<-look
		_, said = m.look(e)
	}
	want(t, "by dpkg", said, "installed gamebox >1 local dpkg")
	m.write("opt/other.AppImage", anImage)
	for !strings.Contains(said, "installed other") {
		<-look
		_, said = m.look(e)
	}
	if !strings.Contains(said, "installed game ") {
		t.Errorf("a look at everything says %q", said)
	}
}

func TestALookWaitsForThePackageManagerWhoseRunIsKnown(t *testing.T) {
	m := newMachine(t)
	m.dpkg("-i", m.build("base", "1"))
	m.must(os.MkdirAll(filepath.Join(m.root, "opt"), 0o755))
	deb := m.build("gamebox", "1")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o, asked, done := m.options(), make(chan struct{}, 1), atomic.Bool{}
	o.Busy = func() bool { ring(asked); return !done.Load() }
	e := Open(o)
	look := e.Watch(ctx)
	<-look
	m.look(e)
	m.dpkg("-i", deb)
	for range 3 { // it asks again and again whether it is over
		select {
		case <-asked:
		case <-look:
			t.Fatal("it does not wait")
		}
	}
	done.Store(true)
	<-look
	if _, said := m.look(e); said != "installed gamebox >1 local dpkg" {
		t.Errorf("%q", said)
	}
	done.Store(false)
	m.dpkg("-r", "gamebox")
	m.write("opt/game.AppImage", anImage)
	<-look // for that it does not wait
	if _, said := m.look(e); !strings.Contains(said, "installed game ") {
		t.Errorf("%q", said)
	}
}

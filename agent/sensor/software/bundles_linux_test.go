package software

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sekisho/internal/policy"
)

const anImage = "\x7fELF\x02\x01\x01\x00AI\x02 the rest"

func (m *machine) link(to, name string) {
	m.t.Helper()
	path := filepath.Join(m.root, name)
	m.must(os.MkdirAll(filepath.Dir(path), 0o755))
	m.must(os.Symlink(to, path))
}

// furnished has one program of each kind that no database names.
func furnished(t testing.TB) *machine {
	m := newMachine(t)
	m.write("etc/passwd", "root:x:0:0::/root:/bin/sh\ndaemon:x:1:1::/usr/sbin:/bin/false\ntaro:x:1000:1000:太郎:/home/taro:/bin/bash\nhanako:x:1001:1001::/srv/people/hanako:/bin/bash\n")
	m.write("snap/chat/12/meta/snap.yaml", "name: chat\nversion: '4.5'\n")
	m.link("12", "snap/chat/current")
	m.write("snap/tool/x1/meta/snap.yaml", "name: tool\n")
	m.link("x1", "snap/tool/current")
	m.write("snap/README", "")
	commit := strings.Repeat("ab", 32)
	m.write("var/lib/flatpak/app/org.example.Draw/x86_64/stable/"+commit+"/deploy", "flathub\x00"+commit+"\x00")
	m.link(commit, "var/lib/flatpak/app/org.example.Draw/x86_64/stable/active")
	m.link("x86_64/stable", "var/lib/flatpak/app/org.example.Draw/current")
	m.write("home/taro/.local/share/flatpak/app/org.example.Play/x86_64/master/"+commit+"/deploy", "play-origin\x00")
	m.link(commit, "home/taro/.local/share/flatpak/app/org.example.Play/x86_64/master/active")
	m.link("x86_64/master", "home/taro/.local/share/flatpak/app/org.example.Play/current")
	m.write("home/taro/Downloads/表計算.AppImage", anImage)
	m.write("srv/people/hanako/renamed.txt", anImage)
	m.write("opt/tool/run", anImage)
	m.write("home/taro/letter.odt", "PK\x03\x04")
	return m
}

func TestProgramsWithoutADatabaseAreFound(t *testing.T) {

	m := furnished(t)
	l, _ := m.look(m.open())
	var have []string
	for p := range l.Programs.All() {
		have = append(have, strings.Join([]string{p.ID, p.Version, p.Source, p.Origin, p.User}, "|"))
	}
	want(t, "programs", strings.Join(have, "\n"), strings.Join([]string{
		"snap:chat|4.5|store|snap|",
		"snap:tool|x1|local||",
		"flatpak::org.example.Draw|stable-abababababab|store|flathub|",
		"flatpak:taro:org.example.Play|master-abababababab|local|play-origin|taro",
		"appimage:/home/taro/Downloads/表計算.AppImage||none||taro",
		"appimage:/opt/tool/run||none||",
		"appimage:/srv/people/hanako/renamed.txt||none||",
	}, "\n"))
	p := l.find("表計算")
	if len(p.Hash) != 64 || p.Path != "/home/taro/Downloads/表計算.AppImage" || p.Size != int64(len(anImage)) {
		t.Errorf("%+v", p)
	}
}

func TestAnAppImageIsFollowedThroughItsLife(t *testing.T) {
	m := furnished(t)
	e := m.open()
	m.look(e)
	m.write("home/taro/Desktop/game.AppImage", anImage)
	_, said := m.look(e)
	want(t, "it came", said, "installed game > none taro")
	m.write("home/taro/Desktop/game.AppImage", anImage+" and more")
	_, said = m.look(e)
	want(t, "another one", said, "changed game > none taro")
	m.must(os.Remove(filepath.Join(m.root, "home/taro/Desktop/game.AppImage")))
	_, said = m.look(e)
	want(t, "it went", said, "removed game > none taro")
}

func TestLinksPipesAndWhatIsReplacedLeadNowhere(t *testing.T) {
	m := newMachine(t)
	outside := filepath.Join(t.TempDir(), "secret")
	m.must(os.WriteFile(outside, []byte(anImage), 0o600))
	m.write("etc/passwd", "taro:x:1000:1000::/home/taro:/bin/bash\n")
	m.link(outside, "home/taro/link.AppImage")
	m.link("../../../../../../..", "home/taro/up")
	m.link(filepath.Dir(outside), "home/taro/folder")
	m.must(syscall.Mkfifo(filepath.Join(m.root, "home/taro/pipe.AppImage"), 0o600))
	m.link(outside, "snap/evil/current")
	m.link("/etc", "var/lib/flatpak/app/org.evil/current")
	m.must(os.WriteFile(filepath.Join(m.root, "home/taro/\x83\x5c\x83\x74.AppImage"), []byte(anImage), 0o600)) // ソフ in Shift_JIS
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() { // somebody swaps a file for a link all the time
		defer close(done)
		at := filepath.Join(m.root, "home/taro/swap.AppImage")
		for {
			select {
			case <-stop:
				return
			default:
			}
			os.Remove(at)
			os.Symlink(outside, at)
			os.Remove(at)
			os.WriteFile(at, []byte("no image"), 0o600)
		}
	}()
	e := m.open()
	for range 50 {
		l, _ := m.look(e)
		for p := range l.Programs.All() {
			if p.Kind == policy.ProgramAppImage && (!p.Unclean || !strings.Contains(p.Path, "\uFFFD")) {
				t.Fatalf("%+v", p)
			}
		}
	}
	close(stop)
	<-done
}

// A folder that cannot be read has not lost what is in it.
func TestWhatCannotBeReadIsNotTakenForGone(t *testing.T) {
	m := furnished(t)
	e := m.open()
	first, _ := m.look(e)
	aside := t.TempDir()
	for i, name := range []string{"home/taro", "snap"} {
		at := filepath.Join(m.root, name)
		m.must(os.Rename(at, filepath.Join(aside, string('a'+rune(i)))))
		m.must(os.Symlink(filepath.Base(at), at)) // it leads to itself
	}
	l, said := m.look(e)
	want(t, "removed", said, "")
	want(t, "programs", l.Programs.Len(), first.Programs.Len())
	for _, fault := range []string{"cannot read snaps: ", "cannot read flatpaks: ", "cannot look everywhere for AppImages: "} {
		want(t, fault, strings.Contains(strings.Join(l.Faults, "; "), fault), true)
	}
}

func TestWhatIsMountedInAHomeIsNotEntered(t *testing.T) {
	m := furnished(t)
	m.write("home/taro/my server/far.AppImage", anImage)
	m.write("proc/1/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:50 / /home/taro/my\\040server rw - fuse.sshfs far rw\n")
	l, _ := m.look(m.open())
	want(t, "far", l.find("far").ID, "")
	want(t, "near", l.find("表計算").User, "taro")
}

func TestAHomeFullOfFilesIsNotReadWithoutEnd(t *testing.T) {
	m := furnished(t)
	e := m.open()
	m.look(e)
	for i := range 60 {
		m.must(os.MkdirAll(filepath.Join(m.root, "home/taro/many", strings.Repeat("d", i+1)), 0o755))
	}
	s := search{left: 30}
	dir, err := openFolder(filepath.Join(m.root, "home/taro"))
	m.must(err)
	defer dir.Close()
	s.below(dir, "/home/taro", "taro")
	if !s.full || s.left > 0 {
		t.Errorf("%+v", s)
	}
}

func TestWhatIsPutIntoAHomeIsSeenWithinFiveSeconds(t *testing.T) {
	m := furnished(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e := m.open()
	look := e.Watch(ctx)
	<-look
	m.look(e)
	m.write("home/taro/Downloads/part", anImage)
	m.must(os.Rename(filepath.Join(m.root, "home/taro/Downloads/part"), filepath.Join(m.root, "home/taro/Downloads/game.bin")))
	put := time.Now()
	for {
		select {
		case <-look:
		case <-time.After(5*time.Second - time.Since(put)):
			t.Fatal("it was not seen")
		}
		if _, said := m.look(e); strings.Contains(said, "installed game.bin") {
			t.Logf("seen after %v", time.Since(put))
			return
		}
	}
}

func TestOrdinaryFilesWakeNobody(t *testing.T) {
	m := furnished(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stirred := make(chan struct{}, 1)
	m.open().listen(ctx, stirred)
	for range 100 {
		m.write("home/taro/letter.odt", "PK\x03\x04 more")
	}
	m.must(os.Remove(filepath.Join(m.root, "home/taro/letter.odt")))
	m.write("home/taro/Downloads/game.AppImage", anImage)
	<-stirred // of the image: what came before it has been read
	m.write("home/taro/other.odt", "PK\x03\x04 more")
	select {
	case <-stirred:
		t.Error("a letter is taken for a program")
	case <-time.After(100 * time.Millisecond):
	}
}

// TestTheRealRpmIsAsked makes a database with the real rpm.
func TestTheRealRpmIsAsked(t *testing.T) {
	m := newMachine(t)
	spec := filepath.Join(t.TempDir(), "x.spec")
	m.must(os.WriteFile(spec, []byte("Name: gamebox\nEpoch: 2\nVersion: 6.6~rc1\nRelease: 3\nSummary: ゲーム\nLicense: x\nVendor: 株式会社テスト\nBuildArch: noarch\n%description\nx\n%files\n"), 0o644))
	top := t.TempDir()
	m.run("rpmbuild", "-bb", "--define", "_topdir "+top, spec)
	files, err := filepath.Glob(top + "/RPMS/noarch/*.rpm")
	m.must(err)
	m.must(os.MkdirAll(filepath.Join(m.root, "var/lib/rpm"), 0o755))
	m.run("rpm", "--root", m.root, "--dbpath", "/var/lib/rpm", "-i", "--nodeps", files[0])
	m.dpkgLess()
	e := m.open()
	l, _ := m.look(e)
	p := l.find("gamebox")
	if p.ID != "rpm:gamebox:noarch" || p.Version != "2:6.6~rc1-3" || p.Publisher != "株式会社テスト" || p.Source != policy.SourceUnknown || time.Since(p.InstalledAt).Abs() > time.Minute {
		t.Errorf("%+v %q", p, l.Faults)
	}
	m.run("rpm", "--root", m.root, "--dbpath", "/var/lib/rpm", "-e", "gamebox")
	_, said := m.look(e)
	want(t, "removed", said, "removed gamebox 2:6.6~rc1-3>2:6.6~rc1-3 unknown")
}

// dpkgLess takes dpkg away.
func (m *machine) dpkgLess() { m.must(os.RemoveAll(filepath.Join(m.root, "var/lib/dpkg"))) }

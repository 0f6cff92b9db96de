//go:build health

package health

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sekisho/internal/policy"
)

// command runs a program of the workshop within a minute.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := try(t, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func try(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "SOURCE_DATE_EPOCH=1700000000")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// until waits for something to become true.
func until(t *testing.T, what string, within time.Duration, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("waited %s: %s", within, what)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// aptRoot is a system of its own for dpkg and apt, with a local repository.
type aptRoot struct {
	machine
	repo string
}

func newAptRoot(t *testing.T) aptRoot {
	a := aptRoot{newMachine(t), t.TempDir()}
	for _, dir := range []string{"etc/apt/apt.conf.d", "etc/apt/preferences.d", "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/log"} {
		if err := os.MkdirAll(filepath.Join(a.root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	a.write("var/lib/dpkg/status", "").write("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n")
	a.write("etc/apt/sources.list", "deb [trusted=yes] file:"+a.repo+" lan-security main\n")
	a.write("apt.conf", fmt.Sprintf("Dir %q;\nDir::State::status %q;\nAPT::Sandbox::User \"root\";\nAPT::Architecture \"amd64\";\n", a.root, a.root+"/var/lib/dpkg/status"))
	return a
}

// publish makes the repository hold one version of the package, and fetches the lists with the real apt.
func (a aptRoot) publish(version string, made time.Time) {
	t := a.t
	a.build(version)
	bin := filepath.Join(a.repo, "dists/lan-security/main/binary-amd64")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	list := command(t, "sh", "-c", "cd "+a.repo+" && dpkg-scanpackages -m pool 2>/dev/null")
	if err := os.WriteFile(filepath.Join(bin, "Packages"), []byte(list), 0o644); err != nil {
		t.Fatal(err)
	}
	sum := strings.Fields(command(t, "sha256sum", filepath.Join(bin, "Packages")))[0]
	release := fmt.Sprintf("Origin: LAN\nLabel: Debian-Security\nSuite: lan-security\nCodename: lan-security\nArchitectures: amd64\nComponents: main\nDate: %s\nSHA256:\n %s %d main/binary-amd64/Packages\n",
		made.UTC().Format(time.RFC1123), sum, len(list))
	if err := os.WriteFile(filepath.Join(a.repo, "dists/lan-security/Release"), []byte(release), 0o644); err != nil {
		t.Fatal(err)
	}
	command(t, "env", "APT_CONFIG="+a.root+"/apt.conf", "apt-get", "update")
}

// build makes a package with the real dpkg-deb, and gives its file.
func (a aptRoot) build(version string) string {
	dir := a.t.TempDir()
	m := machine{a.t, dir}
	m.write("DEBIAN/control", "Package: sekisho-sample\nVersion: "+version+"\nArchitecture: all\nMaintainer: Office <office@example.jp>\nDescription: sample\n").write("usr/share/sample", version)
	if err := os.MkdirAll(filepath.Join(a.repo, "pool"), 0o755); err != nil {
		a.t.Fatal(err)
	}
	file := filepath.Join(a.repo, "pool", "sekisho-sample_"+version+"_all.deb")
	command(a.t, "dpkg-deb", "--root-owner-group", "-b", dir, file)
	return file
}

// forget lets apt take an older list: it refuses to go back.
func (a aptRoot) forget() aptRoot {
	a.remove("var/lib/apt/lists")
	if err := os.MkdirAll(filepath.Join(a.root, "var/lib/apt/lists/partial"), 0o755); err != nil {
		a.t.Fatal(err)
	}
	return a
}

func (a aptRoot) install(version string) {
	command(a.t, "dpkg", "--root="+a.root, "--log="+a.root+"/var/log/dpkg.log", "--force-not-root,script-chrootless,bad-path", "-i", a.build(version))
}

func TestRealAptASecurityUpdateIsMissingUntilItIsApplied(t *testing.T) {
	a := newAptRoot(t)
	a.install("1.0-1")
	a.publish("1.0-1", noon.AddDate(0, 0, -2))
	first := noon.AddDate(0, 0, -20)
	e := a.eyes()
	e.Seen = func(string) time.Time { return first }
	level := func() policy.CheckResult { return result(t, e, "patch.level") }
	if r := level(); r.Result != policy.ResultPass {
		t.Fatalf("nothing is missing: %+v", r)
	}
	a.publish("1.0-1+deb12u1", noon.AddDate(0, 0, -1))
	r := level()
	if r.Result != policy.ResultFail || r.Value != "sekisho-sample 1.0-1 → 1.0-1+deb12u1" {
		t.Fatalf("%+v", r)
	}
	said := command(t, "env", "APT_CONFIG="+a.root+"/apt.conf", "apt-get", "-s", "dist-upgrade")
	if !strings.Contains(said, "Inst sekisho-sample [1.0-1] (1.0-1+deb12u1") {
		t.Errorf("apt says otherwise:\n%s", said)
	}
	a.install("1.0-1+deb12u1")
	if r := level(); r.Result != policy.ResultPass {
		t.Errorf("once it is applied: %+v", r)
	}
	a.forget().publish("1.0-1+deb12u1", noon.AddDate(0, 0, -30))
	if r := level(); r.Result != policy.ResultUnknown || r.Code != policy.CodeSourceOld {
		t.Errorf("with old lists: %+v", r)
	}
	if r := result(t, e, "patch.baseline_age"); r.Result != policy.ResultFail {
		t.Errorf("%+v", r)
	}
	a.remove("var/lib/apt/lists")
	if r := level(); r.Result != policy.ResultUnknown || r.Code != policy.CodeMissing {
		t.Errorf("without lists: %+v", r)
	}
}

const specText = "Name: sekisho-sample\nVersion: %{v}\nRelease: 1.el9\nSummary: sample\nLicense: none\nBuildArch: noarch\n%description\nsample\n%files\n"

const advisory = `<?xml version="1.0"?><updates><update from="office@example.jp" status="final" type="security" version="1"><id>LAN-2026:0001</id><title>sample</title><severity>Important</severity><issued date="2026-11-20 00:00:00"/><description>x</description><pkglist><collection short="lan"><name>lan</name><package name="sekisho-sample" version="1.1" release="1.el9" epoch="0" arch="noarch" src="x"><filename>sekisho-sample-1.1-1.el9.noarch.rpm</filename></package></collection></pkglist></update></updates>`

// TestRealDnfAnAdvisoryIsOpenUntilItIsApplied has Debian's own dnf and rpm work below a root.
func TestRealDnfAnAdvisoryIsOpenUntilItIsApplied(t *testing.T) {
	m, work := newMachine(t), machine{t, t.TempDir()}
	work.write("a.spec", specText).write("updateinfo.xml", advisory)
	repo := filepath.Join(work.root, "repo")
	for _, v := range []string{"1.0", "1.1"} {
		command(t, "rpmbuild", "--quiet", "-bb", "--define", "v "+v, "--define", "_topdir "+work.root+"/build", "--define", "_rpmdir "+repo, filepath.Join(work.root, "a.spec"))
	}
	command(t, "createrepo_c", "-q", repo)
	m.write("etc/dnf/dnf.conf", "[main]\ngpgcheck=0\n").write("etc/yum.repos.d/lan.repo", "[lan]\nname=lan\nbaseurl=file://"+repo+"\ngpgcheck=0\n").
		write("etc/os-release", "ID=almalinux\nVERSION_ID=\"9.4\"\n").write("var/lib/rpm/x", "")
	dnf := func(args ...string) {
		command(t, "dnf", append([]string{"-q", "-y", "--installroot=" + m.root, "--releasever=9", "--setopt=reposdir=" + m.root + "/etc/yum.repos.d"}, args...)...)
	}
	e := m.eyes()
	e.Scratch, e.Now = t.TempDir(), time.Now
	look := func() policy.Reading {
		return reading(t, e.Look(t.Context(), policy.AreaPatch, nil), policy.FactUpdates)
	}
	expect(t, "nothing fetched", look(), "?missing")
	dnf("install", "sekisho-sample-1.0")
	expect(t, "a repository without advisories", look(), "?no_source")
	command(t, "modifyrepo_c", filepath.Join(work.root, "updateinfo.xml"), filepath.Join(repo, "repodata"))
	dnf("makecache", "--refresh")
	expect(t, "open", look(), "LAN-2026:0001 sekisho-sample-1.1-1.el9.noarch")
	dnf("upgrade")
	expect(t, "applied", look(), "")
}

// result looks at everything and judges one check.
func result(t *testing.T, e *Eyes, check string) policy.CheckResult {
	t.Helper()
	for _, r := range judge(t, e) {
		if r.Check == check {
			return r
		}
	}
	t.Fatalf("no result of %s", check)
	return policy.CheckResult{}
}

// TestRealClamAV has the real programs of Debian's package run on a database of its own, made with sigtool's help.
func TestRealClamAV(t *testing.T) {
	dir := t.TempDir()
	m := machine{t, dir}
	db := filepath.Join(dir, "db")
	m.write("db/own.ndb", "Own.Test:0:*:53656b6973686f\n").write("conf", fmt.Sprintf("DatabaseDirectory %s\nLocalSocket %s/sock\nForeground yes\nPidFile %s/pid\nUser root\n", db, dir, dir))
	root := newMachine(t).write("usr/sbin/clamd", "").write("var/lib/clamav/daily.cvd", clamHeader(noon.AddDate(0, 0, -1), 27832))
	e := root.eyes()
	info, _ := try(t, "sigtool", "--info", filepath.Join(root.root, "var/lib/clamav/daily.cvd")) // and complains that nobody signed it
	if !strings.Contains(info, "Version: 27832") || !strings.Contains(info, "Build time: 25 Nov 2026") {
		t.Errorf("sigtool reads another header:\n%s", info)
	}
	root.remove("proc").link("proc", "/proc")
	expectCheck := func(check string, want policy.Result, code string) {
		t.Helper()
		if r := result(t, e, check); r.Result != want || r.Code != code {
			t.Errorf("%s: %+v", check, r)
		}
	}
	expectCheck("antivirus.present", policy.ResultFail, policy.CodeStopped)
	expectCheck("antivirus.patterns", policy.ResultPass, "")
	stopDaemon := background(t, "clamd", "--foreground", "--config-file="+filepath.Join(dir, "conf"))
	until(t, "clamd answers", time.Minute, func() bool { _, err := os.Stat(filepath.Join(dir, "sock")); return err == nil })
	expectCheck("antivirus.present", policy.ResultPass, "")
	expectCheck("antivirus.realtime", policy.ResultFail, policy.CodeOff)
	stopWatch := background(t, "clamonacc", "--foreground", "--fdpass", "--config-file="+watched(m, dir))
	until(t, "clamonacc runs", 20*time.Second, func() bool { return result(t, e, "antivirus.realtime").Result == policy.ResultPass })
	stopWatch()
	until(t, "clamonacc ended", 20*time.Second, func() bool { return result(t, e, "antivirus.realtime").Code == policy.CodeOff })
	stopDaemon()
	until(t, "clamd ended", 20*time.Second, func() bool { return result(t, e, "antivirus.present").Code == policy.CodeStopped })
	for days, want := range map[int]policy.Result{1: policy.ResultPass, 60: policy.ResultFail} {
		root.write("var/lib/clamav/daily.cvd", clamHeader(noon.AddDate(0, 0, -days), 27000))
		expectCheck("antivirus.patterns", want, map[policy.Result]string{policy.ResultFail: policy.CodeOld}[want])
	}
	root.write("var/lib/clamav/daily.cvd", clamHeader(noon.AddDate(1, 0, 0), 27000))
	expectCheck("antivirus.patterns", policy.ResultUnknown, policy.CodeFuture)
	root.write("var/lib/clamav/daily.cvd", clamHeader(noon, 27000)[:100])
	expectCheck("antivirus.patterns", policy.ResultUnknown, policy.CodeWrongType)
}

// watched is a configuration in which clamonacc watches one folder of the test, and only notes.
func watched(m machine, dir string) string {
	m.write("watched/x", "").write("watch.conf", fmt.Sprintf("LocalSocket %s/sock\nOnAccessIncludePath %s/watched\nOnAccessPrevention no\nOnAccessExcludeUname root\n", dir, dir))
	return filepath.Join(dir, "watch.conf")
}

// background starts a program and gives what ends it.
func background(t *testing.T, name string, args ...string) (stop func()) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	stop = func() {
		if !ended {
			ended = true
			cmd.Process.Kill()
			cmd.Wait()
		}
	}
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s said:\n%s", name, text)
		}
	})
	return stop
}

// inNamespace runs this very test again in a network namespace of its own; true is said inside.
func inNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv("SEKISHO_NETNS") != "" {
		return true
	}
	name := fmt.Sprintf("sekisho-%d", os.Getpid())
	command(t, "ip", "netns", "add", name)
	defer try(t, "ip", "netns", "del", name)
	ctx, cancel := context.WithTimeout(context.Background(), 110*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ip", "netns", "exec", name, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=100s")
	cmd.Env = append(os.Environ(), "SEKISHO_NETNS="+name)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("inside: %v\n%s", err, out)
	}
	return false
}

func TestRealFirewall(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	e := New(Options{Root: "/", Now: time.Now})
	firewall := func() string {
		var out []string
		for _, r := range e.firewall(t.Context()) {
			out = append(out, r.Product()+" "+says(r))
		}
		return strings.Join(out, ", ")
	}
	for _, step := range []struct{ rules, want string }{
		{"flush ruleset", "IPv4 false, IPv6 false"},
		{"table inet f { chain in { type filter hook input priority 0; policy accept; }; }", "IPv4 false, IPv6 false"},
		{"flush ruleset; table inet f { chain in { type filter hook input priority 0; policy drop; ct state established accept; }; }", "IPv4 true, IPv6 true"},
		{"flush ruleset; table ip f { chain in { type filter hook input priority 0; policy drop; }; }", "IPv4 true, IPv6 false"},
		{"flush ruleset; table inet f { chain sub { tcp dport 1-1024 reject; }; chain in { type filter hook input priority 0; policy accept; jump sub; }; }", "IPv4 true, IPv6 true"},
		{"flush ruleset; table inet f { chain out { type filter hook output priority 0; policy drop; }; }", "IPv4 false, IPv6 false"},
	} {
		command(t, "nft", step.rules)
		if got := firewall(); got != step.want {
			t.Errorf("%s: %s, not %s", step.rules, got, step.want)
		}
	}
}

// office network: two cards whose other ends lie in the same namespace of the test. What sysfs says of them is made up, because
// no card can be plugged in here: the kernel's own veth stands for it.
func TestRealNetworkIsWatchedWithoutAWordToAnybody(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	command(t, "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6")
	m := newMachine(t)
	for _, name := range []string{"lan0", "lan1", "usb0", "wg9"} {
		m.write("sys/class/net/"+name+"/uevent", "INTERFACE="+name+"\n").write("sys/class/net/"+name+"x/uevent", "")
	}
	m.write("sys/class/net/lan0/device/x", "").write("sys/class/net/lan1/device/x", "").link("sys/class/net/usb0/device/driver", "../../drivers/rndis_host")
	command(t, "ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan0x")
	command(t, "ip", "addr", "add", "192.0.2.10/24", "dev", "lan0")
	for _, l := range []string{"lan0", "lan0x"} {
		command(t, "ip", "link", "set", l, "up")
	}
	command(t, "ip", "route", "add", "default", "via", "192.0.2.1")
	command(t, "ip", "neigh", "add", "192.0.2.1", "lladdr", "52:54:00:00:00:fe", "dev", "lan0", "nud", "permanent")

	e := New(Options{Root: m.root, Now: func() time.Time { return noon }})
	changes, err := e.Changes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fact := func(name string) string { return says(reading(t, e.network(t.Context()), name)) }
	if got := fact(policy.FactGateways); got != "52:54:00:00:00:fe" {
		t.Errorf("gateway %s", got)
	}
	if got := fact(policy.FactRoutes); got != "lan0 192.0.2.1" {
		t.Errorf("routes %s", got)
	}

	words := capture(t)
	for range 50 {
		e.network(t.Context())
	}
	if text := words(); text != "" {
		t.Errorf("looking sent something:\n%s", text)
	}

	for _, step := range []struct {
		check string
		fail  [][]string
		back  [][]string
	}{
		{"network.second_card", [][]string{{"link", "add", "lan1", "type", "veth", "peer", "name", "lan1x"}, {"link", "set", "lan1x", "up"}, {"link", "set", "lan1", "up"}}, [][]string{{"link", "del", "lan1"}}},
		{"network.tether", [][]string{{"link", "add", "usb0", "type", "veth", "peer", "name", "usb0x"}, {"link", "set", "usb0x", "up"}, {"link", "set", "usb0", "up"}}, [][]string{{"link", "del", "usb0"}}},
		{"network.second_route", [][]string{{"link", "add", "lan1", "type", "veth", "peer", "name", "lan1x"}, {"link", "set", "lan1x", "up"}, {"link", "set", "lan1", "up"}, {"addr", "add", "198.51.100.2/24", "dev", "lan1"}, {"route", "add", "default", "via", "198.51.100.1", "metric", "500"}}, [][]string{{"link", "del", "lan1"}}},
		{"network.vpn", [][]string{{"tuntap", "add", "dev", "wg9", "mode", "tun"}, {"link", "set", "wg9", "up"}}, [][]string{{"link", "del", "wg9"}}},
	} {
		drain(changes)
		if r := result(t, e, step.check); r.Result != policy.ResultPass {
			t.Errorf("%s before: %+v", step.check, r)
			continue
		}
		for _, args := range step.fail {
			command(t, "ip", args...)
		}
		if step.check == "network.vpn" {
			hold(t)
		}
		began := time.Now()
		pulsed(t, changes)
		until(t, step.check+" fails", 5*time.Second, func() bool { return result(t, e, step.check).Result == policy.ResultFail })
		t.Logf("%s: seen after %s", step.check, time.Since(began).Round(time.Millisecond))
		drain(changes)
		for _, args := range step.back {
			command(t, "ip", args...)
		}
		pulsed(t, changes)
		until(t, step.check+" passes again", 5*time.Second, func() bool { return result(t, e, step.check).Result == policy.ResultPass })
	}
}

// hold keeps the other end of the tunnel open, without which it has no carrier.
func hold(t *testing.T) {
	t.Helper()
	fd, err := openTun("wg9")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fd.Close() })
}

func drain(c <-chan struct{}) {
	for {
		select {
		case <-c:
		case <-time.After(flapping + 300*time.Millisecond):
			return
		}
	}
}

func pulsed(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(30 * time.Second):
		t.Fatal("nobody said that the network changed")
	}
}

// capture writes down every packet of the namespace. That it works is proved by a packet of its own.
func capture(t *testing.T) (words func() string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "packets")
	stop := background(t, "sh", "-c", "exec tcpdump -i any -nn -l -U > "+file+" 2>"+file+".log")
	read := func() string { b, _ := os.ReadFile(file); return string(b) }
	until(t, "tcpdump listens", 20*time.Second, func() bool {
		b, _ := os.ReadFile(file + ".log")
		return strings.Contains(string(b), "listening on")
	})
	return func() string {
		if c, err := net.Dial("udp", "192.0.2.77:9"); err == nil { // nobody has it: the kernel asks for it, and that is what is seen
			c.Write([]byte("x"))
			c.Close()
		}
		until(t, "the packet is seen", 10*time.Second, func() bool { return strings.Contains(read(), "192.0.2.77") })
		stop()
		var others []string
		for line := range strings.Lines(read()) {
			if !strings.Contains(line, "192.0.2.77") {
				others = append(others, line)
			}
		}
		return strings.Join(others, "")
	}
}

package health

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sekisho/internal/policy"
)

const securityPackages = `Package: openssl
Architecture: amd64
Version: 3.0.17-1~deb12u2
Description: a very long
 text

Package: openssl
Architecture: amd64
Version: 3.0.16-1~deb12u1

Package: openssl
Architecture: i386
Version: 4.0

Package: gone
Architecture: amd64
Version: 2.0

Package: libc6
Architecture: amd64
Version: 2.36-9+deb12u9
`

func debian(t *testing.T) machine {
	return newMachine(t).write("var/lib/dpkg/status", debStatus).
		write("var/lib/apt/lists/lan_debian-security_dists_bookworm-security_InRelease", "Origin: Debian\nLabel: Debian-Security\nSuite: oldstable-security\nDate: Wed, 25 Nov 2026 02:22:30 UTC\n").
		write("var/lib/apt/lists/lan_debian-security_dists_bookworm-security_main_binary-amd64_Packages", securityPackages).
		write("var/lib/apt/lists/lan_debian_dists_bookworm_InRelease", "Label: Debian\nSuite: oldstable\nDate: Sat, 01 Aug 2026 00:00:00 UTC\n").
		write("var/lib/apt/lists/lan_debian_dists_bookworm_main_binary-amd64_Packages", "Package: openssl\nArchitecture: amd64\nVersion: 9\n")
}

func TestWhatTheSecuritySourceHasNewerIsMissing(t *testing.T) {
	m := debian(t)
	e := m.eyes()
	e.Seen = func(string) time.Time { return noon.AddDate(0, 0, -20) }
	r := e.Look(t.Context(), policy.AreaPatch, nil)
	updates := reading(t, r, policy.FactUpdates)
	expect(t, "updates", updates, "openssl 3.0.15-1~deb12u1 → 3.0.17-1~deb12u2")
	if at := updates.Entries()[0].At; !at.Equal(noon.AddDate(0, 0, -20)) {
		t.Errorf("dated %s", at)
	}
	expect(t, "lists", reading(t, r, policy.FactUpdatesAsOf), "2026-11-25T02:22:30Z")
	m.write("var/lib/dpkg/status", strings.Replace(debStatus, "3.0.15-1~deb12u1", "3.0.17-1~deb12u2", 1))
	expect(t, "once applied", reading(t, e.Look(t.Context(), policy.AreaPatch, nil), policy.FactUpdates), "")
}

// apt keeps its lists packed as it is told to (apt.conf(5), Acquire::CompressionTypes).
func TestAListThatOnlyAptUnpacksIsReadToo(t *testing.T) {
	const list = "var/lib/apt/lists/lan_debian-security_dists_bookworm-security_main_binary-amd64_Packages"
	for _, pack := range []string{"xz", "bzip2"} {
		m := debian(t)
		if out, err := exec.CommandContext(t.Context(), pack, filepath.Join(m.root, list)).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		expect(t, pack, reading(t, m.eyes().Look(t.Context(), policy.AreaPatch, nil), policy.FactUpdates), "openssl 3.0.15-1~deb12u1 → 3.0.17-1~deb12u2")
	}
}

// A folder of packages with one list (sources.list(5): a path that ends in a slash) is what a small LAN often has.
func TestAFlatRepositoryIsASecuritySourceToo(t *testing.T) {
	m := newMachine(t).write("var/lib/dpkg/status", debStatus).
		write("var/lib/apt/lists/_srv_updates_._InRelease", "Label: Debian-Security\nDate: Wed, 25 Nov 2026 02:22:30 UTC\n").
		write("var/lib/apt/lists/_srv_updates_._Packages", securityPackages)
	expect(t, "updates", reading(t, m.eyes().Look(t.Context(), policy.AreaPatch, nil), policy.FactUpdates), "openssl 3.0.15-1~deb12u1 → 3.0.17-1~deb12u2")
}

func TestListsThatAreMissingOrBrokenSayNothing(t *testing.T) {
	const list = "var/lib/apt/lists/lan_debian-security_dists_bookworm-security_"
	for what, c := range map[string]struct {
		spoil func(machine)
		code  string
	}{
		"no lists":             {func(m machine) { m.remove("var/lib/apt/lists") }, "?missing"},
		"no security source":   {func(m machine) { m.remove(list + "InRelease") }, "?no_source"},
		"no package list":      {func(m machine) { m.remove(list + "main_binary-amd64_Packages") }, "?failed"},
		"a release undated":    {func(m machine) { m.write(list+"InRelease", "Label: Debian-Security\nDate: gestern\n") }, "?failed"},
		"an empty status":      {func(m machine) { m.write("var/lib/dpkg/status", "") }, "?failed"},
		"packed unreadably":    {func(m machine) { m.write(list+"main_binary-amd64_Packages.xz", "x") }, "?failed"},
		"packed and broken":    {func(m machine) { m.write(list+"main_binary-amd64_Packages.gz", "x") }, "?failed"},
		"neither dpkg nor rpm": {func(m machine) { m.remove("var/lib/dpkg") }, "?no_source"},
	} {
		m := debian(t)
		c.spoil(m)
		r := m.eyes().Look(t.Context(), policy.AreaPatch, nil)
		expect(t, what, reading(t, r, policy.FactUpdates), c.code)
		expect(t, what, reading(t, r, policy.FactUpdatesAsOf), c.code)
	}
}

func TestAKernelThatIsInstalledAndDoesNotRunWaitsForARestart(t *testing.T) {
	m := newMachine(t).write("proc/sys/kernel/osrelease", "6.1.0-13-amd64\n").write("boot/vmlinuz-6.1.0-13-amd64", "").write("boot/vmlinuz-6.1.0-9-amd64", "").
		write("boot/vmlinuz-6.1.0-40-cloud-amd64", "")
	expect(t, "newest runs", m.eyes().reboots(), "")
	m.write("boot/vmlinuz-6.1.0-18-amd64", "")
	expect(t, "newer is there", m.eyes().reboots(), "kernel 6.1.0-13-amd64 → 6.1.0-18-amd64")
	m.remove("boot")
	expect(t, "nobody can tell", m.eyes().reboots(), "?missing")
	m.write("run/reboot-required", "").write("run/reboot-required.pkgs", "linux-base\nlibc6\nlibc6\n")
	expect(t, "packages ask", m.eyes().reboots(), "linux-base, libc6")
}

func TestTheEndOfSupportStandsInATableThatCanBeRenewed(t *testing.T) {
	m := newMachine(t).write("etc/os-release", "NAME=\"Debian\"\nID=debian\nVERSION_ID=\"12\"\n")
	expect(t, "built in", m.eyes().support(), "2028-07-01T00:00:00Z")
	e := m.eyes()
	e.Support = func() []byte {
		return []byte(`{"made":"2027-01-01","systems":[{"id":"debian","version":"12","end":"2026-01-01"}]}`)
	}
	expect(t, "imported", e.support(), "2026-01-02T00:00:00Z")
	for _, bad := range []string{"{", `{"made":"2027-01-01"}`, `{"made":"x","systems":[{"id":"a","end":"2026-01-01"}]}`, `{"made":"2027-01-01","systems":[{"id":"debian","version":"12","end":"soon"}]}`} {
		e.Support = func() []byte { return []byte(bad) }
		expect(t, bad, e.support(), "?no_reference")
	}
	m.write("etc/os-release", "ID=plan9\nVERSION_ID=4\n")
	expect(t, "a system nobody knows", m.eyes().support(), "?no_reference")
	m.remove("etc/os-release")
	expect(t, "no os-release", m.eyes().support(), "?missing")
	m.write("etc/os-release", "ID=\"rhel\"\nVERSION_ID=\"9.4\"\n")
	expect(t, "a point release", m.eyes().support(), "2032-06-01T00:00:00Z")
}

// The agent starts on nothing older than these: it needs Linux 3.2.
func TestAReleaseThatIsLongOverHasAnEndOfSupport(t *testing.T) {
	m := newMachine(t)
	for id, versions := range map[string]string{"debian": "7 8 9 10", "ubuntu": "12.04 14.04 16.04 17.10 18.04 19.10 22.10 24.10 25.04", "rhel": "7.9", "centos": "7 8", "ol": "7.9"} {
		for _, v := range strings.Fields(versions) {
			m.write("etc/os-release", "ID="+id+"\nVERSION_ID=\""+v+"\"\n")
			r := m.eyes().support()
			if end, ok := r.Moment(); !ok || end.After(noon) {
				t.Errorf("%s %s: %s", id, v, says(r))
			}
		}
	}
}

func TestRepositoriesWithoutAdvisoriesDoNotMeanThatNothingIsMissing(t *testing.T) {
	m := newMachine(t).write("var/lib/rpm/rpmdb.sqlite", "")
	look := func() []policy.Reading { return m.eyes().Look(t.Context(), policy.AreaPatch, nil) }
	expect(t, "nothing fetched", reading(t, look(), policy.FactUpdates), "?missing")
	m.write("var/cache/dnf/base-1/repodata/repomd.xml", "<repomd><revision>1795651200</revision></repomd>")
	expect(t, "no advisories", reading(t, look(), policy.FactUpdates), "?no_source")
	expect(t, "no advisories", reading(t, look(), policy.FactUpdatesAsOf), "2026-11-26T00:00:00Z")
	m.write("var/cache/dnf/base-1/repodata/repomd.xml", `<repomd><data type="updateinfo"/></repomd>`)
	expect(t, "undated", reading(t, look(), policy.FactUpdatesAsOf), "?missing")
}

//go:build packages && linux

package linux

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Needs scripts/package's programs, mmdebstrap and root; nothing outside of temporary folders is written.

func TestPackagesAreTheSameTwiceAndComeAndGoWithoutATrace(t *testing.T) {
	// Two copies, so that somebody who edits meanwhile disturbs nothing, in two folders, so that no path gets into the bytes.
	source := copied(t)
	again := filepath.Join(t.TempDir(), "another-folder")
	say(t, "cp", "-a", source, again)
	first, second := packed(t, source), packed(t, again)
	t.Run("the same bytes", func(t *testing.T) { sameBytes(t, first, second) })
	t.Run("deb contents", func(t *testing.T) { debContents(t, first) })
	t.Run("rpm contents", func(t *testing.T) { rpmContents(t, first) })
	root := debian(t)
	t.Run("rpm in a root of its own", func(t *testing.T) { rpmComesAndGoes(t, root, first) })
	t.Run("deb in a tree that does not run", func(t *testing.T) { debComesAndGoes(t, root, first) })
}

// copied is the source as it lies here, and the pages as they were built last.
func copied(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	say(t, "sh", "-ec", `cd ../.. && scripts/assets >&2 && git ls-files -z --cached --others --exclude-standard | tar -c --null --ignore-failed-read -T - | tar -x -C "$0"
cp -a console/web/dist/. "$0/console/web/dist/" && cp -a console/web/assets/node_modules "$0/console/web/assets/"`, dir)
	return dir
}

func packed(t *testing.T, source string) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command(filepath.Join(source, "scripts/package"), "--only", "deb,rpm,tar", "1.2.3~test")
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1764000000", "SEKISHO_DIST="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot package: %v\n%s", err, out)
	}
	return dir
}

func sameBytes(t *testing.T, first, second string) {
	names, err := os.ReadDir(first)
	if err != nil || len(names) != 10 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	for _, n := range names {
		a, err := os.ReadFile(filepath.Join(first, n.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(second, n.Name())); err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs the second time: %v", n.Name(), err)
		}
	}
	say(t, "sh", "-c", "cd "+first+" && sha256sum --strict -c SHA256SUMS")
}

func debContents(t *testing.T, dist string) {
	agent := one(t, dist, "sekisho-agent_*.deb")
	has(t, say(t, "dpkg-deb", "-c", agent),
		"-rwxr-xr-x root/root", "./usr/bin/sekisho-agent", "-rw------- root/root", "./etc/sekisho/agent.yaml",
		"./usr/lib/systemd/system/sekisho-agent.service", "./usr/lib/systemd/system/sekisho-update.service", "./usr/share/initramfs-tools/hooks/sekisho", "./usr/share/doc/sekisho-agent/copyright")
	has(t, say(t, "dpkg-deb", "-I", agent), "libusb-1.0-0", "Version: 1.2.3~test", "conffiles")
	console := one(t, dist, "sekisho-console_*.deb")
	has(t, say(t, "dpkg-deb", "-c", console), "./usr/bin/sekisho-console", "./etc/sekisho/console.yaml",
		"./usr/lib/sysusers.d/sekisho-console.conf", "./usr/lib/tmpfiles.d/sekisho-console.conf")
	if strings.Contains(say(t, "dpkg-deb", "-c", agent), "udev/rules.d") {
		t.Error("the package carries rules of the gate: they belong to the agent alone")
	}
}

func rpmContents(t *testing.T, dist string) {
	has(t, say(t, "rpm", "-qpl", one(t, dist, "sekisho-agent-*.rpm")), "/usr/bin/sekisho-agent", "/usr/lib/systemd/system/sekisho-update.service", "/usr/lib/dracut/dracut.conf.d/90-sekisho.conf")
	has(t, say(t, "rpm", "-qpc", one(t, dist, "sekisho-console-*.rpm")), "/etc/sekisho/console.yaml")
	if out := say(t, "rpm", "-qpR", one(t, dist, "sekisho-agent-*.rpm")); strings.Contains(out, "libc.so") || strings.Contains(out, "libusb") {
		t.Errorf("the rpm's agent is not static: %s", out)
	}
}

// debian is a tree with systemd that does not run: no /proc, no /sys, no service manager.
func debian(t *testing.T) string {
	root := filepath.Join(t.TempDir(), "root")
	say(t, "mmdebstrap", "--quiet", "--variant=minbase", "--include=systemd,systemd-sysv,udev,libusb-1.0-0", "bookworm", root)
	return root
}

// snapshot lists the tree without what package managers and logs keep about themselves.
const snapshot = `find / -xdev \( -path /proc -o -path /sys -o -path /tmp -o -path /var/lib/dpkg -o -path /var/lib/rpm -o -path /var/log -o -path /var/cache \
 -o -path '/etc/*-' -o -path '/etc/.pwd.lock' \) -prune -o -printf '%p %M %u %g %l\n' | sort`

func debComesAndGoes(t *testing.T, root, dist string) {
	in := tree(t, root)
	copyInto(t, root, one(t, dist, "sekisho-agent_*.deb"), "agent.deb")
	copyInto(t, root, one(t, dist, "sekisho-console_*.deb"), "console.deb")
	before := in(snapshot)

	in("dpkg -i /tmp/agent.deb /tmp/console.deb")
	has(t, in("ls /etc/systemd/system/multi-user.target.wants; id sekisho-console; sekisho-agent version"), "sekisho-agent.service", "sekisho-console.service", "1.2.3~test")

	// An install by hand before, records, an administrator's own line, a gate that was shut when the tree was copied.
	in(`cp /usr/lib/systemd/system/sekisho-agent.service /etc/systemd/system/
ln -sf /etc/systemd/system/sekisho-agent.service /etc/systemd/system/multi-user.target.wants/
mkdir -p /var/lib/sekisho/outbox && echo 1 >/var/lib/sekisho/outbox/1 && mkdir -p /etc/udev/rules.d && echo 1 >/etc/udev/rules.d/51-sekisho-gate.rules
echo 'server: https://c:8444' >>/etc/sekisho/agent.yaml; chmod 0600 /etc/sekisho/agent.yaml`)
	in("dpkg -i /tmp/agent.deb /tmp/console.deb </dev/null")
	has(t, in("cat /etc/sekisho/agent.yaml; stat -c %a /etc/sekisho/agent.yaml; readlink /etc/systemd/system/multi-user.target.wants/sekisho-agent.service; ls /var/lib/sekisho/outbox /etc/udev/rules.d"),
		"https://c:8444", "600", "/usr/lib/systemd/system/sekisho-agent.service", "51-sekisho-gate.rules")
	in("test ! -e /etc/systemd/system/sekisho-agent.service")

	in("systemctl disable sekisho-agent && dpkg -i /tmp/agent.deb && test ! -e /etc/systemd/system/multi-user.target.wants/sekisho-agent.service")

	in("dpkg -r sekisho-agent sekisho-console && test ! -e /etc/udev/rules.d/51-sekisho-gate.rules && test -e /var/lib/sekisho/outbox/1 && test -e /etc/sekisho/agent.yaml")
	in("dpkg -P sekisho-agent sekisho-console")
	if after := in(snapshot); after != before {
		t.Errorf("purging leaves a trace:\n%s", difference(before, after))
	}
}

func rpmComesAndGoes(t *testing.T, base, dist string) {
	root := filepath.Join(t.TempDir(), "root")
	say(t, "cp", "-a", base, root)
	in := tree(t, root)
	rpm := func(args ...string) string {
		return say(t, "rpm", append(args, "--root", root, "--dbpath", "/var/lib/rpm")...)
	}
	rpm("--initdb")
	before := in(snapshot)
	files := []string{one(t, dist, "sekisho-agent-*.rpm"), one(t, dist, "sekisho-console-*.rpm")}
	rpm(append([]string{"-i", "--nodeps"}, files...)...)
	has(t, in("ls /etc/systemd/system/multi-user.target.wants; id sekisho-console; sekisho-agent version"), "sekisho-agent.service", "sekisho-console.service", "1.2.3~test")
	in("mkdir -p /var/lib/sekisho && echo 1 >/var/lib/sekisho/1 && echo 'server: https://c:8444' >>/etc/sekisho/agent.yaml")
	rpm(append([]string{"-U", "--force", "--nodeps"}, files...)...)
	has(t, in("cat /etc/sekisho/agent.yaml"), "https://c:8444")
	rpm("-e", "--nodeps", "sekisho-agent", "sekisho-console")
	in("test -e /etc/sekisho/agent.yaml.rpmsave && test -e /var/lib/sekisho/1 && rm -r /etc/sekisho /var/lib/sekisho")
	left := difference(before, in(snapshot))
	for line := range strings.Lines(left) { // rpm leaves users, as it should
		if !strings.Contains(line, "/etc/") || strings.Contains(line, "sekisho") {
			t.Errorf("removing leaves: %s", line)
		}
	}
}

// tree runs sh in a root; it must succeed.
func tree(t *testing.T, root string) func(script string) string {
	return func(script string) string {
		t.Helper()
		return say(t, "chroot", root, "/bin/sh", "-ec", script)
	}
}

func say(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %.200q: %v\n%s%s", name, args, err, out.String(), complaint.String())
	}
	return out.String()
}

func has(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
}

func one(t *testing.T, dir, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %q, %v", pattern, found, err)
	}
	return found[0]
}

func copyInto(t *testing.T, root, from, name string) {
	t.Helper()
	say(t, "cp", from, filepath.Join(root, "tmp", name))
}

// difference lists the lines that only one of two has.
func difference(before, after string) string {
	var out strings.Builder
	for sign, pair := range map[string][2]string{"-": {before, after}, "+": {after, before}} {
		have := map[string]bool{}
		for line := range strings.Lines(pair[1]) {
			have[line] = true
		}
		for line := range strings.Lines(pair[0]) {
			if !have[line] {
				out.WriteString(sign + line)
			}
		}
	}
	return out.String()
}

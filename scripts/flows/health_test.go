//go:build lab && linux

package flows

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/scripts/vm"
)

// switched is one check with the real thing that it looks at: how it is broken and mended in the terminal.
type switched struct {
	check string
	fail  string // a command; "" where another's does it
	says  string // what the terminal's sheet shows of it
	mend  string
}

// switches are in the order in which they are broken; the clock comes last, as it moves under everything else.
func switches() []switched {
	return []switched{
		{"antivirus.realtime", "systemctl stop clamav-clamonacc", "ClamAV", ""},
		{"antivirus.present", "systemctl stop clamav-daemon.socket clamav-daemon", "ClamAV", "systemctl start clamav-daemon clamav-clamonacc"},
		{"antivirus.patterns", "cp /srv/clam/old.cvd /var/lib/clamav/daily.cvd", "/var/lib/clamav/daily.cvd", "cp /srv/clam/new.cvd /var/lib/clamav/daily.cvd"},
		{"antivirus.source", "", reference, ""},
		{"patch.level", "lists later", "kyoku 1.0 → 1.1", "lists now; apt-get -qy install kyoku"},
		{"patch.baseline_age", "", "/var/lib/apt/lists", ""},
		{"patch.reboot", "apt-get -qy install linux-image-6.1.0-99-amd64", "→ 6.1.0-99-amd64", "apt-get -qy purge linux-image-6.1.0-99-amd64"},
		{"patch.support", `cp /etc/os-release /root; sed -i 's/^VERSION_ID=.*/VERSION_ID="10"/' /etc/os-release`, "2024", "cat /root/os-release >/etc/os-release"},
		{"settings.firewall", "systemctl stop nftables", "nft list ruleset", "ufw allow from 10.0.2.2; ufw --force enable"},
		{"settings.screen_lock", "sed -i 's/^idle-delay=.*/idle-delay=uint32 0/' " + dconf, "0", "sed -i 's/^idle-delay=.*/idle-delay=uint32 300/' " + dconf},
		{"settings.autorun", "sed -i 's/^autorun-never=.*/autorun-never=false/' " + dconf, "true", "sed -i 's/^autorun-never=.*/autorun-never=true/' " + dconf},
		{"settings.autologin", "mkdir -p " + getty + " && printf '[Service]\\nExecStart=\\nExecStart=-/sbin/agetty --autologin taro --noclear %%I\\n' >" + getty + "/auto.conf", "getty: taro", "rm -r " + getty},
		{"settings.guest", "useradd -m -s /bin/bash guest; echo guest:welcome | chpasswd", "guest", "userdel -r guest 2>/dev/null"},
		{"settings.admins", "usermod -aG sudo taro", "taro", "gpasswd -d taro sudo"},
		{"settings.unused_accounts", "usermod -U retired", "retired", "usermod -L retired"},
		{"settings.password_policy", "sed -i 's/ minlen=12//' /etc/pam.d/common-password", "6", "sed -i 's/yescrypt/yescrypt minlen=12/' /etc/pam.d/common-password"},
		{"settings.remote", "systemd-run -q --unit=lab-rdp python3 -m http.server 3389", "rdp port 3389", "systemctl stop lab-rdp"},
		{"network.wifi", "modprobe mac80211_hwsim radios=1; ip link set wlan0 down; iw wlan0 set type ibss; ip link set wlan0 up; iw wlan0 ibss join free-wifi 2412", "free-wifi", "modprobe -r mac80211_hwsim"},
		{"network.vpn", "ip link add wg0 type wireguard; ip link set wg0 up", "wg0 wireguard", "ip link del wg0"},
		{"network.proxy", "echo http_proxy=http://user:pass@proxy.example:8080 >>/etc/environment", "http_proxy=http://proxy.example:8080", "sed -i /http_proxy/d /etc/environment"},
		{"network.second_card", "", "eth1", ""},
		{"network.second_route", "ip addr add 10.0.3.15/24 dev eth1; ip link set eth1 up; ip route add default via 10.0.3.2 metric 500; echo >/dev/udp/10.0.3.2/9", "eth1 10.0.3.2", ""},
		{"network.gateway", "", "52:55:0a:00:03:02", ""},
		{"network.tether", "for l in /sys/class/net/usb*; do ip link set ${l##*/} up; done", "usb0", ""},
		{"settings.hardware", "", "+ disk", ""},
		{"settings.clock", "date -s '+10 minutes'", "10m0s", ""},
	}
}

const (
	dconf = "/etc/dconf/db/local.d/00-office"
	getty = "/etc/systemd/system/getty@tty2.service.d"
)

// What cannot be switched here: the disk is not encrypted, the machine starts without UEFI, its firmware says nothing of a
// password, and ClamAV notes no scan.
const (
	unencrypted = "settings.disk_encryption"
	staged      = "settings.secure_boot" // fails all the time: its stages go by
)

var neverKnown = []string{"settings.boot_password", "antivirus.scan_full"}

// Issue 5, "done when" 1: the real agent, the real console, a real browser, and real things that are broken and mended.
func TestEachCheckFailsAndPassesWithTheRealThingAndThePageFollows(t *testing.T) {
	s := newScene(t, vm.Options{})
	s.wellKept()
	s.check()
	admin, id := s.signIn("1007", store.RoleAdmin), s.only()
	admin.sees(time.Minute, "everything that can be right is right", s.expected(passes))
	admin.keep("1-right")
	admin.stage(id, staged, "注意", 10*time.Second)

	for _, d := range []vm.Device{{ID: "card", Kind: vm.Card}, {ID: "telephone", Kind: vm.Network}, {ID: "disk", Kind: vm.SCSI}} {
		s.plug(d)
	}
	s.all(func(c switched) string { return c.fail })
	s.timed("the network is seen", func() { admin.sees(time.Minute, "what is on the network is seen by itself", s.network(fails)) })
	admin.waive(id, unencrypted) // a new policy has everything looked at anew
	s.timed("all is broken", func() { admin.sees(time.Minute, "everything that is broken fails", s.expected(fails)) })
	admin.keep("2-broken")
	admin.explains(id)

	for _, id := range []string{"card", "telephone", "disk"} {
		s.unplug(id)
	}
	must(t, s.machine.SetClock(t.Context(), time.Now()))
	s.all(func(c switched) string { return c.mend })
	s.timed("all is mended", func() {
		admin.sees(time.Minute, "everything that was mended passes, and nobody pressed anything", s.expected(passes))
	})
	admin.keep("3-mended")
	admin.stage(id, staged, "警告", 2*time.Minute)
	s.told(staged)

	s.run(blinded)
	admin.unwaive()
	admin.sees(time.Minute, "what cannot be seen is unknown", blind())
	admin.keep("4-blind")
	admin.stage(id, staged, "違反", 2*time.Minute)
}

// blinded takes sources away; blind is what must then be said of their checks.
const blinded = `set -e; truncate -s 100 /var/lib/clamav/daily.cvd; rm -r /var/lib/apt/lists; mkdir /root/away; mv /var/log/lastlog /var/log/wtmp /boot/vmlinuz-* /root/away
mv $(readlink -f /usr/sbin/nft) $(readlink -f /usr/sbin/iptables-save) /root/away; ip route add default via 10.0.2.99 metric 500; sed -i 's/^VERSION_ID=.*/VERSION_ID="99"/' /etc/os-release`

func blind() map[string]string {
	want := map[string]string{}
	for _, check := range []string{"antivirus.patterns", "antivirus.source", "patch.level", "patch.baseline_age", "patch.reboot", "patch.support",
		"settings.firewall", "settings.unused_accounts", "network.gateway", "antivirus.scan_full", "settings.boot_password"} {
		want[check] = unknown
	}
	return want
}

// told holds when the person at the terminal was told of a failing check.
func (s *scene) told(check string) {
	s.Helper()
	info, _ := policy.CheckOf(check)
	eventually(s.T, time.Minute, "taro is told of "+check, func() error {
		if told := s.run("cat /home/taro/notifications.log"); !strings.Contains(told, info.Name.JA) || !strings.Contains(told, info.Todo.JA) {
			return fmt.Errorf("he was told %q", told)
		}
		return nil
	})
}

// only gives the id of the only terminal.
func (s *scene) only() string {
	return s.terminal("it is there", func(store.Terminal) bool { return true }).ID
}

// timed writes down how long something took.
func (s *scene) timed(what string, act func()) {
	s.Helper()
	began := time.Now()
	act()
	s.remark(what+" after %v", began)
}

// remark writes how long something took.
func (s *scene) remark(format string, since time.Time) {
	s.Helper()
	s.Logf(format, time.Since(since).Round(100*time.Millisecond))
}

// all runs one command of every check, one after the other, and stops at the first that goes wrong.
func (s *scene) all(which func(switched) string) {
	s.Helper()
	script := []string{"set -e; export DEBIAN_FRONTEND=noninteractive", `lists() { rm -rf /var/lib/apt/lists/*; echo "deb [trusted=yes] file:/srv/lab/$1 ./" >/etc/apt/sources.list; apt-get -q update; }`}
	for _, c := range switches() {
		if command := which(c); command != "" {
			script = append(script, command)
		}
	}
	began := time.Now()
	s.run("{ " + strings.Join(script, "\n") + "\n} >/var/tmp/switched 2>&1 || { tail -n 5 /var/tmp/switched >&2; exit 1; }")
	s.remark("the commands took %v", began)
}

// The words of the matrix.
const (
	passes  = "適合"
	fails   = "不適合"
	unknown = "確認不可"
)

// expected is what the matrix says when every switch stands as wanted.
func (s *scene) expected(word string) map[string]string {
	want := map[string]string{unencrypted: fails, staged: fails, "network.modem": passes}
	for _, c := range switches() {
		want[c.check] = word
	}
	for _, check := range neverKnown {
		want[check] = unknown
	}
	return want
}

// network is what is expected of the checks that ring by themselves.
func (s *scene) network(word string) map[string]string {
	want := map[string]string{}
	for _, c := range switches() {
		if strings.HasPrefix(c.check, policy.AreaNetwork+".") && c.check != "network.proxy" { // files do not ring
			want[c.check] = word
		}
	}
	return want
}

// differs says what of a page is not as wanted.
func differs(have, want map[string]string) error {
	var wrong []string
	for check, word := range want {
		if have[check] != word {
			wrong = append(wrong, fmt.Sprintf("%s is %q, not %s", check, have[check], word))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%d differ: %s", len(wrong), strings.Join(wrong, "; "))
	}
	return nil
}

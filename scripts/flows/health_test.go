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
		{"antivirus.realtime", "systemctl stop clamav-clamonacc", "process clamonacc", ""},
		{"antivirus.present", "systemctl stop clamav-daemon.socket clamav-daemon", "process clamd", "systemctl start clamav-daemon clamav-clamonacc"},
		{"antivirus.patterns", "cp /srv/clam/old.cvd /var/lib/clamav/daily.cvd", "/var/lib/clamav/daily.cvd", "cp /srv/clam/new.cvd /var/lib/clamav/daily.cvd"},
		{"antivirus.source", "", reference, ""},
		{"patch.level", "lists later", "kyoku 1.0 → 1.1", "lists now; apt-get -qy install kyoku"},
		{"patch.baseline_age", "", "/var/lib/apt/lists", ""},
		{"patch.reboot", "cp /boot/vmlinuz-$(uname -r) /boot/vmlinuz-6.1.0-99-amd64", "→ 6.1.0-99-amd64", "rm /boot/vmlinuz-6.1.0-99-amd64"},
		{"patch.support", `cp /etc/os-release /root; sed -i 's/^VERSION_ID=.*/VERSION_ID="11"/' /etc/os-release`, "2026", "cat /root/os-release >/etc/os-release"},
		// nftables, and then Debian's iptables: another one's rules count too
		{"settings.firewall", "systemctl stop nftables", "iptables-save", "iptables -A INPUT -s 10.0.2.2 -j ACCEPT; for i in iptables ip6tables; do $i -A INPUT -i lo -j ACCEPT; $i -P INPUT DROP; done"},
		{"settings.screen_lock", "sed -i 's/^idle-delay=.*/idle-delay=uint32 0/' " + dconf, "0", "sed -i 's/^idle-delay=.*/idle-delay=uint32 300/' " + dconf},
		{"settings.autorun", "sed -i 's/^autorun-never=.*/autorun-never=false/' " + dconf, "true", "sed -i 's/^autorun-never=.*/autorun-never=true/' " + dconf},
		{"settings.autologin", "mkdir -p " + getty + " && printf '[Service]\\nExecStart=\\nExecStart=-/sbin/agetty --autologin taro --noclear %%I\\n' >" + getty + "/auto.conf", "getty: taro", "rm -r " + getty},
		{"settings.guest", "useradd -m -s /bin/bash guest; echo guest:welcome | chpasswd", "guest", "userdel -r guest 2>/dev/null"},
		{"settings.admins", "usermod -aG sudo taro", "taro", "gpasswd -d taro sudo"},
		{"settings.unused_accounts", "usermod -U retired", "retired", "usermod -L retired"},
		{"settings.password_policy", "sed -i 's/ minlen=12//' /etc/pam.d/common-password", "6", "sed -i 's/yescrypt/yescrypt minlen=12/' /etc/pam.d/common-password"},
		{"settings.remote", "systemd-run -q --unit=lab-rdp python3 -m http.server 3389", "rdp port 3389", "systemctl stop lab-rdp"},
		{"network.wifi", "modprobe mac80211_hwsim radios=1; ip link set wlan0 down; iw wlan0 set type ibss; ip link set wlan0 up; iw wlan0 ibss join free-wifi 2412", "free-wifi", "modprobe -r mac80211_hwsim"},
		{"network.modem", "ip link add wwan0 type dummy; ip link set wwan0 up", "wwan0", "ip link del wwan0"}, // by the name that the kernel gives to modems
		{"network.vpn", "ip link add wg0 type wireguard; ip link set wg0 up", "wg0 wireguard", "ip link del wg0"},
		{"network.proxy", "echo http_proxy=http://user:pass@proxy.example:8080 >>/etc/environment", "http_proxy=http://proxy.example:8080", "sed -i /http_proxy/d /etc/environment"},
		{"network.second_card", "", "eth1", ""},
		{"network.second_route", "ip addr add 10.0.3.15/24 dev eth1; ip link set eth1 up; ip route add default via 10.0.3.2 metric 500; echo >/dev/udp/10.0.3.2/9", "eth1 10.0.3.2", ""},
		{"network.gateway", "", "52:55:0a:00:03:02", ""},
		{"network.tether", "for l in /sys/class/net/usb*; do ip link set ${l##*/} up; done", "usb0", ""},
		{"settings.hardware", "", "+ disk", ""},
		{"settings.clock", "date -s '+10 minutes'", "10分", ""},
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

// The real agent, the real console, a real browser, and real things that are broken and mended.
func TestEachCheckFailsAndPassesWithTheRealThingAndThePageFollows(t *testing.T) {
	s := newScene(t)
	s.wellKept()
	admin := s.signIn("1007", store.RoleAdmin)
	s.check()
	s.right(admin)
	s.breaks(admin)
	s.mends(admin)
	s.blinds(admin)
	admin.stage(s.only(), staged, "違反")
}

// right: what can be right is.
func (s *scene) right(admin *person) {
	s.Helper()
	s.timed("all is right", func() { admin.sees(time.Minute, "everything that can be right is right", s.expected(passes)) })
	admin.keep("1-right")
}

// breaks breaks everything. The network rings by itself; a new policy, here that with a waiver, has everything looked at anew.
func (s *scene) breaks(admin *person) {
	s.Helper()
	for _, d := range intruders {
		s.plug(d)
	}
	s.all(func(c switched) string { return c.fail })
	s.timed("the network is seen", func() { admin.sees(time.Minute, "what is on the network is seen by itself", s.network(fails)) })
	admin.waive(s.only(), unencrypted)
	s.timed("all is broken", func() { admin.sees(time.Minute, "everything that is broken fails", s.expected(fails)) })
	admin.keep("2-broken")
	admin.explains(s.only())
	admin.stage(s.only(), staged, "警告", "違反") // a busy machine may have come further; the records show the warning
	s.told(staged)
}

// mends mends everything. Nobody presses anything: what fails is looked at every minute.
func (s *scene) mends(admin *person) {
	s.Helper()
	for _, d := range intruders {
		s.unplug(d.ID)
	}
	must(s.T, s.machine.SetClock(s.T.Context(), time.Now()))
	s.all(func(c switched) string { return c.mend })
	s.timed("all is mended", func() { admin.sees(time.Minute, "everything that was mended passes", s.expected(passes)) })
	admin.keep("3-mended")
}

// blinds takes sources away: what cannot be seen is never said to be right.
func (s *scene) blinds(admin *person) {
	s.Helper()
	s.run(blinded)
	admin.unwaive() // this policy has everything looked at anew
	s.timed("all is blind", func() { admin.sees(time.Minute, "what cannot be seen is unknown", blind()) })
	admin.keep("4-blind")
	admin.keepSheet(s.only(), "4-blind-sheet")
}

// intruders are what is plugged in beside the commands.
var intruders = []vm.Device{{ID: "card", Kind: vm.Card, Port: "1"}, {ID: "telephone", Kind: vm.Network}, {ID: "disk", Kind: vm.NVMe, Port: "2"}}

// blinded takes sources away; blind is what must then be said of their checks.
const blinded = `set -e; truncate -s 100 /var/lib/clamav/daily.cvd; rm -r /var/lib/apt/lists; mkdir /root/away; mv /var/log/lastlog /var/log/wtmp /boot/vmlinuz-* /root/away
mv $(readlink -f /usr/sbin/nft) $(readlink -f /usr/sbin/iptables-save) /root/away; ip route add default via 10.0.2.99 metric 500; sed -i 's/^VERSION_ID=.*/VERSION_ID="99"/' /etc/os-release`

func blind() map[string]string {
	want := map[string]string{"antivirus.source": fails} // the reference alone shows that
	for _, check := range []string{"antivirus.patterns", "patch.level", "patch.baseline_age", "patch.reboot", "patch.support",
		"settings.firewall", "settings.unused_accounts", "network.gateway", "antivirus.scan_full", "settings.boot_password"} {
		want[check] = unknown
	}
	return want
}

// told holds when a failing check came to its warning, and the person at the terminal was told of it.
func (s *scene) told(check string) {
	s.Helper()
	s.row(check+" comes to its warning", func(e store.Event) bool {
		r := e.Record.Check
		return r != nil && r.Check == check && r.Stage == policy.StageWarning
	})
	info, _ := policy.CheckOf(check)
	eventually(s.T, 3*time.Minute, "taro is told of "+check, func() error {
		if told := s.run("cat /home/taro/notifications.log || true"); !strings.Contains(told, info.Name.JA) || !strings.Contains(told, info.Todo.JA) {
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
	s.Logf("%s after %v", what, time.Since(began).Round(100*time.Millisecond))
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
	s.timed("the commands are done", func() {
		s.run("{ " + strings.Join(script, "\n") + "\n} >/var/tmp/switched 2>&1 || { tail -n 5 /var/tmp/switched >&2; exit 1; }")
	})
}

// The words of the matrix.
const (
	passes  = "適合"
	fails   = "不適合"
	unknown = "確認不可"
)

// expected is what the matrix says when every switch stands as wanted.
func (s *scene) expected(word string) map[string]string {
	want := map[string]string{unencrypted: fails, staged: fails}
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

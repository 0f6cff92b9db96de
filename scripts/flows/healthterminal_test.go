//go:build lab && linux

package flows

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/scripts/debs"
)

// wellKept makes a terminal on which everything is right that can be: ClamAV of Debian runs with patterns of yesterday, apt
// knows of a security source that has nothing newer, nftables keeps out what nobody asked for.
func (s *scene) wellKept() {
	s.Helper()
	dir := s.TempDir()
	day := 24 * time.Hour
	write := func(name, text string) {
		file := filepath.Join(dir, name)
		must(s.T, os.MkdirAll(filepath.Dir(file), 0o755))
		must(s.T, os.WriteFile(file, []byte(text), 0o644))
	}
	write("clam/new.cvd", clamHeader(time.Now().Add(-day)))
	write("clam/old.cvd", clamHeader(time.Now().Add(-60*day)))
	write("clam/own/own.ndb", "Own.Test:0:*:53656b6973686f\n")
	write("nftables.conf", "flush ruleset\ntable inet office { chain input { type filter hook input priority 0; policy drop; iif lo accept; ip saddr 10.0.2.2 accept; }; }\n")
	kyoku := func(version string) debs.Package { return packageOf("kyoku", version) }
	must(s.T, debs.Source{Label: "Debian-Security"}.Write(filepath.Join(dir, "lab/now"), kyoku("1.0"), kyoku("1.1")))
	must(s.T, debs.Source{Label: "Debian-Security", Made: time.Now().Add(-30 * day)}.Write(filepath.Join(dir, "lab/later"), kyoku("1.1")))
	must(s.T, debs.Source{Label: "Debian-Security"}.Write(filepath.Join(dir, "lab/first"), kyoku("1.0")))
	s.bring(dir, "/srv")
	s.timed("the terminal is well kept", func() { s.run(wellKept) })
}

// clamHeader is that of a database of ClamAV (its documentation, "Creating signatures", CVD header), made at a time of choice.
func clamHeader(at time.Time) string {
	return fmt.Sprintf("%-512s", fmt.Sprintf("ClamAV-VDB:%s:27832:2075:90:X:X:builder:%d", at.UTC().Format("02 Jan 2006 15-04 -0700"), at.Unix())) + "archive"
}

// wellKept: the daemon has signatures of its own, as nobody but ClamAV can sign a database; what is judged is the file that
// its package keeps for them.
const wellKept = `set -e; exec >/var/tmp/kept 2>&1; trap 'test $? = 0 || tail -n 5 /var/tmp/kept >&2' EXIT
cp /srv/nftables.conf /etc/nftables.conf; systemctl start nftables
cp /srv/clam/new.cvd /var/lib/clamav/daily.cvd; cp /srv/clam/new.cvd /var/lib/clamav/main.cvd; mkdir -p /srv/watched /root/quarantine # which its unit names, and its package does not make
sed -i 's|^DatabaseDirectory .*|DatabaseDirectory /srv/clam/own|' /etc/clamav/clamd.conf
printf 'OnAccessIncludePath /srv/watched\nOnAccessExcludeUname clamav\nOnAccessPrevention no\n' >>/etc/clamav/clamd.conf
systemctl start clamav-daemon clamav-clamonacc
rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*; echo 'deb [trusted=yes] file:/srv/lab/first ./' >/etc/apt/sources.list
apt-get -q update; DEBIAN_FRONTEND=noninteractive apt-get -qy install kyoku
sed -i 's/yescrypt/yescrypt minlen=12/' /etc/pam.d/common-password
useradd -G sudo kanri; useradd -m -s /bin/bash retired; echo retired:once-upon-a-time | chpasswd; chage -d 2026-01-05 retired; usermod -L retired
mkdir -p /usr/share/xsessions /etc/dconf/db/local.d/locks; echo '[Desktop Entry]' >/usr/share/xsessions/office.desktop
printf '[org/gnome/desktop/session]\nidle-delay=uint32 300\n[org/gnome/desktop/screensaver]\nlock-enabled=true\nlock-delay=uint32 0\n[org/gnome/desktop/media-handling]\nautorun-never=true\n' >/etc/dconf/db/local.d/00-office
printf '/org/gnome/desktop/session/idle-delay\n/org/gnome/desktop/screensaver/lock-enabled\n/org/gnome/desktop/screensaver/lock-delay\n/org/gnome/desktop/media-handling/autorun-never\n' >/etc/dconf/db/local.d/locks/office`

// check gives every terminal its checks, with what this office allows, and what is known of the newest patterns.
func (s *scene) check() {
	s.Helper()
	have, err := s.db.GroupPolicy(s.T.Context(), "default", 0)
	must(s.T, err)
	h := policy.DefaultHealth()
	h.Settle = policy.Span{}
	for i := range h.Checks {
		c := &h.Checks[i]
		switch c.ID {
		case "settings.admins":
			c.Off, c.Allowed = false, []string{"kanri"}
		case "network.gateway":
			c.Off, c.Allowed = false, strings.Fields(s.run("ip -4 neigh show 10.0.2.2 | sed 's/.*lladdr //; s/ .*//'"))
		case "patch.level":
			c.Limits = map[string]policy.Span{"overdue": {Unit: policy.UnitHours}}
		case staged:
			c.Mode, c.Grace = policy.ModeWarn, &policy.Grace{Warning: policy.Span{Count: 1, Unit: policy.UnitMinutes}, Violation: policy.Span{Count: 2, Unit: policy.UnitMinutes}}
		}
	}
	have.Health, have.Reason, have.By = h, "lab", "lab"
	_, err = s.db.PutGroupPolicy(s.T.Context(), have, have.Version, time.Now())
	must(s.T, err)
	must(s.T, s.db.PutReference(s.T.Context(), store.Reference{Reference: policy.Reference{Name: reference, Kind: policy.ReferencePatterns, Product: "clamav",
		MadeAt: time.Now().AddDate(0, 0, -30)}, By: "lab"}, time.Now()))
	s.publish(have.Control.Mode) // what another process writes is seen within half a minute; what the console writes, at once
	s.terminal("the policy counts", func(t store.Terminal) bool { return t.Applied == t.Revision && t.Revision > have.Version })
}

// reference is the newest pattern that this office knows of: its source was left to grow old.
const reference = "構内の最新パターン"

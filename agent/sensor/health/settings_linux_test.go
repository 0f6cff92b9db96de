package health

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"sekisho/internal/policy"
)

func TestSecureBootIsTheFifthByte(t *testing.T) {
	m := newMachine(t)
	expect(t, "no firmware", m.eyes().secureBoot(), "?no_source")
	m.write("sys/firmware/acpi/x", "")
	expect(t, "started without UEFI", m.eyes().secureBoot(), "started without UEFI")
	m.write("sys/firmware/efi/runtime", "")
	expect(t, "no variable", m.eyes().secureBoot(), "?missing")
	for value, want := range map[string]string{"\x06\x00\x00\x00\x01": "true", "\x06\x00\x00\x00\x00": "false", "\x06\x00\x00\x00": "?wrong_type", "\x06\x00\x00\x00\x07": "?wrong_type"} {
		m.write(efiSecureBoot, value)
		expect(t, "variable", m.eyes().secureBoot(), want)
	}
}

func TestABootPasswordIsWhatTheFirmwareSays(t *testing.T) {
	table := func(state byte) string {
		return "\x00\x05\x00\x00x" + "vendor\x00\x00" + "\x18\x05\x01\x00" + string(rune(0))[:0] + string([]byte{state}) + "\x00\x00" + "\x7f\x04\x02\x00\x00\x00"
	}
	m := newMachine(t)
	expect(t, "no table", m.eyes().bootPassword(), "?missing")
	for state, want := range map[byte]string{0x40: "true", 0x00: "false", 0x80: "?no_source", 0xc0: "?no_source"} {
		m.write("sys/firmware/dmi/tables/DMI", table(state))
		expect(t, "state", m.eyes().bootPassword(), want)
	}
	m.write("sys/firmware/dmi/tables/DMI", table(0x40)[:9])
	expect(t, "cut short", m.eyes().bootPassword(), "?no_source")
}

func TestEncryptionIsFollowedFromTheRootToTheDisk(t *testing.T) {
	m := newMachine(t).write("proc/self/mountinfo", "22 1 253:1 / / rw - ext4 /dev/mapper/vg-root rw\n").
		write("sys/dev/block/253:1/dm/uuid", "LVM-abc\n").write("sys/dev/block/253:1/slaves/dm-0/dev", "253:0\n").
		write("sys/dev/block/253:0/dm/uuid", "CRYPT-LUKS2-0123-x\n")
	get := func() policy.Reading { return m.eyes().encryption()[0] }
	if !get().IsYes() {
		t.Errorf("%+v", get())
	}
	m.write("sys/dev/block/253:0/dm/uuid", "LVM-def\n").write("sys/dev/block/253:0/slaves/sda2/dev", "8:2\n").write("sys/dev/block/8:2/x", "")
	if r := get(); !r.Read() || r.IsYes() {
		t.Errorf("%+v", r)
	}
	m.write("sys/dev/block/253:1/slaves/sdb1/dev", "8:17\n").write("sys/dev/block/253:0/dm/uuid", "CRYPT-LUKS2-0\n").write("sys/dev/block/8:17/x", "")
	if r := get(); !r.Read() || r.IsYes() {
		t.Errorf("half of it lies open: %+v", r)
	}
	m.write("proc/self/mountinfo", "22 1 0:30 / / rw - btrfs /dev/sdz9 rw\n")
	expect(t, "a disk nobody knows", get(), "?no_source")
	m.write("proc/self/mountinfo", "22 1 0:30 / / rw - overlay overlay rw\n")
	expect(t, "a container", get(), "?no_source")
	m.remove("proc")
	expect(t, "no mountinfo", get(), "?missing")
}

func TestAScreenLockCountsOnlyWhenUsersCannotChangeIt(t *testing.T) {
	m := newMachine(t)
	expect(t, "no desktop", m.eyes().screenLock(), "?absent")
	m.write("usr/share/xsessions/gnome.desktop", "")
	expect(t, "nothing set", m.eyes().screenLock(), "?choice")
	keys := "[org/gnome/desktop/session]\nidle-delay=uint32 540\n[org/gnome/desktop/screensaver]\nlock-enabled=true\nlock-delay=uint32 30\n"
	m.write("etc/dconf/db/local.d/00-lock", keys)
	expect(t, "not locked", m.eyes().screenLock(), "?choice")
	m.write("etc/dconf/db/local.d/locks/00", keyIdle+"\n"+keyLock+"\n"+keyDelay+"\n")
	expect(t, "locked", m.eyes().screenLock(), "10")
	m.write("etc/dconf/db/local.d/00-lock", strings.Replace(keys, "540", "0", 1))
	expect(t, "never", m.eyes().screenLock(), "0")
	m.write("etc/dconf/db/local.d/00-lock", strings.Replace(keys, "uint32 540", "zehn", 1))
	expect(t, "no number", m.eyes().screenLock(), "?choice")
	m.write("etc/dconf/db/local.d/00-lock", strings.Replace(keys, "uint32 30", "lang", 1))
	expect(t, "no number for the delay", m.eyes().screenLock(), "?choice")
	m.write("etc/dconf/db/local.d/00-lock", keys).write("etc/dconf/db/local.d/locks/00", keyIdle+"\n"+keyLock+"\n")
	expect(t, "anybody can put the lock off for an hour", m.eyes().screenLock(), "?choice")
}

func TestAutomaticLoginsAreFoundWhereverTheyAreSet(t *testing.T) {
	m := newMachine(t).write("etc/gdm3/daemon.conf", "[daemon]\n#AutomaticLoginEnable = true\nAutomaticLogin = user1\n").write("etc/lightdm/lightdm.conf", "[Seat:*]\nautologin-user=\n")
	expect(t, "none", m.eyes().autologin(), "")
	m.write("etc/gdm3/daemon.conf", "[daemon]\nAutomaticLoginEnable = true\nAutomaticLogin = hanako\n").write("etc/lightdm/lightdm.conf", "[Seat:*]\nautologin-user=taro\n").
		write("etc/sddm.conf", "[Autologin]\nUser=jiro\n").write("etc/systemd/system/getty@tty1.service.d/a.conf", "[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin saburo --noclear %I $TERM\n")
	m.link("etc/systemd/system/getty@tty2.service", "/dev/null") // masked (systemctl(1)): nobody logs in there at all
	expect(t, "four", m.eyes().autologin(), "gdm: hanako, lightdm: taro, sddm: jiro, getty: saburo")
}

const passwd = "root:x:0:0::/root:/bin/bash\ndaemon:x:1:1::/:/usr/sbin/nologin\nhanako:x:1000:1000::/h:/bin/bash\ntaro:x:1001:1001::/h:/bin/bash\nguest:x:1002:1002::/h:/bin/bash\ntoor:x:0:0::/root:/bin/sh\n"

func office(t *testing.T) machine {
	return newMachine(t).write("etc/passwd", passwd).write("etc/group", "sudo:x:27:hanako\nwheel:x:10:\nops:x:50:taro\n").
		write("etc/shadow", "root:*:20000::\nhanako:$y$x:20000:0:99999:7:::\ntaro:$y$x:20780:0::::\nguest:!$y$x:20000:::\ntoor:*:1::\n").
		write("var/log/lastlog", string(lastlog(1000, noon.AddDate(0, 0, -3)))).write("etc/pam.d/common-password", "password [success=1 default=ignore] pam_unix.so obscure yescrypt\n")
}

func lastlog(uid int, at time.Time) []byte {
	b := make([]byte, (uid+1)*lastlogSize)
	binary.LittleEndian.PutUint32(b[uid*lastlogSize:], uint32(at.Unix()))
	return b
}

func TestAccountsAreReadFromTheSystemsOwnFiles(t *testing.T) {
	m := office(t)
	get := func(fact string) policy.Reading { return reading(t, m.eyes().accounts(), fact) }
	expect(t, "administrators", get(policy.FactAdmins), "hanako, toor")
	expect(t, "guests", get(policy.FactGuests), "")
	expect(t, "weak", get(policy.FactWeak), "")
	used := get(policy.FactAccounts).Entries()
	if len(used) != 2 || !used[0].At.Equal(noon.AddDate(0, 0, -3)) || used[1].Word != "taro" || !used[1].At.Equal(time.Unix(20780*86400, 0)) {
		t.Errorf("%+v", used)
	}
	m.write("etc/sudoers.d/ops", "# who else\n%ops ALL=(ALL) NOPASSWD: ALL\njiro ALL=(ALL:ALL) ALL\nDefaults env_reset\n").
		write("etc/shadow", "hanako::20000::\nguest:$y$x:20000::\n").write("etc/lightdm/lightdm.conf", "[Seat:*]\nallow-guest=true\n")
	expect(t, "administrators", get(policy.FactAdmins), "hanako, jiro, taro, toor")
	expect(t, "guests", get(policy.FactGuests), "guest, lightdm guest session")
	expect(t, "weak", get(policy.FactWeak), "hanako: no password")
	m.remove("etc/shadow")
	for _, fact := range []string{policy.FactAdmins, policy.FactGuests, policy.FactWeak, policy.FactAccounts} {
		expect(t, "without shadow", get(fact), "?missing")
	}
	m.write("etc/shadow", "").remove("var/log/lastlog")
	expect(t, "without lastlog", get(policy.FactAccounts), "?missing")
}

func TestTheShortestPasswordIsWhatPAMAllows(t *testing.T) {
	m := office(t)
	get := func() policy.Reading { return reading(t, m.eyes().accounts(), policy.FactMinLength) }
	expect(t, "unix alone", get(), "6")
	m.write("etc/pam.d/common-password", "password requisite pam_pwquality.so retry=3\npassword [success=1] pam_unix.so use_authtok minlen=4\n")
	expect(t, "quality as shipped", get(), "8")
	m.write("etc/security/pwquality.conf", "# minlen = 3\nminlen = 12\n")
	expect(t, "quality set", get(), "12")
	m.write("etc/pam.d/common-password", "password requisite pam_pwquality.so minlen=14\n")
	expect(t, "by argument", get(), "14")
	m.remove("etc/pam.d")
	expect(t, "no PAM", get(), "?missing")
}

func wtmp(name string, at time.Time) []byte {
	b := make([]byte, utmpSize)
	binary.LittleEndian.PutUint16(b, userProcess)
	copy(b[44:], name)
	binary.LittleEndian.PutUint32(b[340:], uint32(at.Unix()))
	return b
}

func TestLoginsAreReadFromWtmpToo(t *testing.T) {
	m := office(t).remove("var/log/lastlog").write("var/log/wtmp", string(wtmp("hanako", noon))+string(wtmp("hanako", noon.Add(-time.Hour)))+"cut")
	if used := reading(t, m.eyes().accounts(), policy.FactAccounts).Entries(); len(used) != 2 || !used[0].At.Equal(noon) {
		t.Errorf("%+v", used)
	}
}

func TestRemoteControlIsAListenerOrAProgram(t *testing.T) {
	head := "  sl  local_address rem_address   st\n"
	m := newMachine(t).write("proc/net/tcp", head+"   0: 0100007F:170C 00000000:0000 0A 0\n   1: 00000000:0016 00000000:0000 0A 0\n   2: 0A00020F:0D3D 0A000202:1234 01 0\n").
		link("proc/1/exe", "/usr/lib/systemd/systemd")
	expect(t, "nothing", m.eyes().remote(), "")
	m.write("proc/net/tcp", head+"   0: 00000000:0D3D 00000000:0000 0A 0\n").write("proc/net/tcp6", head+"   0: 00000000000000000000000000000000:170C 00000000000000000000000000000000:0000 0A 0\n   1: 00000000000000000000000001000000:1B9E 0:0 0A\n").
		link("proc/22/exe", "/usr/bin/x11vnc (deleted)")
	expect(t, "three", m.eyes().remote(), "rdp port 3389, vnc port 5900, x11vnc")
	m.remove("proc/net/tcp")
	expect(t, "unreadable", m.eyes().remote(), "?missing")
	m.remove("proc")
	expect(t, "no proc", m.eyes().remote(), "?missing")
}

func TestHardwareIsComparedWithWhatWasThereFirst(t *testing.T) {
	m := newMachine(t).write("proc/meminfo", "MemTotal:        8012345 kB\n").write("sys/block/sda/device/model", "DISK  A \n").write("sys/block/sda/size", "4194304\n").
		write("sys/block/sdb/device/model", "STICK\n").write("sys/block/sdb/removable", "1\n").write("sys/block/dm-0/size", "1\n")
	e := m.eyes()
	expect(t, "nothing noted", e.hardware(), "?no_reference")
	var first []string
	e.Before = func(now []string) ([]string, error) {
		if first == nil {
			first = now
		}
		return first, nil
	}
	expect(t, "first look", e.hardware(), "")
	m.write("proc/meminfo", "MemTotal:        8011000 kB\n")
	expect(t, "the kernel keeps a little more", e.hardware(), "")
	m.write("proc/meminfo", "MemTotal:        4011000 kB\n").write("sys/block/sda/device/model", "DISK B\n")
	expect(t, "changed", e.hardware(), "- disk sda DISK A 2048 MiB, - memory 7936 MiB, + disk sda DISK B 2048 MiB, + memory 4096 MiB")
	e.Before = func([]string) ([]string, error) { return nil, errors.New("cannot read") }
	expect(t, "notes broken", e.hardware(), "?failed")
}

func TestTheClockIsComparedWithTheConsoles(t *testing.T) {
	e := newMachine(t).eyes()
	expect(t, "no console", e.clockOffset(), "?no_source")
	e.Offset = func() (time.Duration, bool) { return 0, false }
	expect(t, "not heard yet", e.clockOffset(), "?no_reference")
	e.Offset = func() (time.Duration, bool) { return -400 * time.Second, true }
	expect(t, "behind", e.clockOffset(), "-400")
}

package sensor

import (
	"os"
	"path"
	"path/filepath"
	"testing"
	"time"
)

func TestDevicesAreToldByTheirInterfaces(t *testing.T) {
	cases := []struct {
		name  string
		class uint8
		made  []iface
		want  string
	}{
		{"stick", 0, []iface{bot}, "storage"},
		{"disk with two alternates", 0, []iface{bot, uas}, "storage"},
		{"stick that types", 0, []iface{bot, keyboard}, "keyboard storage"},
		{"hub", 9, []iface{{0, 0, 9, 0, 0}}, "hub"},
		{"keyboard", 0, []iface{{0, 0, 3, 1, 1}}, "keyboard"},
		{"card reader", 0, []iface{{0, 0, 0x0b, 0, 0}}, "smartcard"},
		{"camera", 0, []iface{{0, 0, 6, 1, 1}}, "portable"},
		{"telephone with a class of its own", 0, []iface{{0, 0, 0xff, 0xff, 0}}, "vendor"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			raw := append(deviceDescriptor(c.class, 1), config(1, c.made...)...)
			m.configure(m.usb(xhci+"/1-2", raw, nil), c.made...)
			got := m.enumerate()["1-2"]
			want(t, "kinds", kinds(got), c.want)
			want(t, "interfaces", len(got.Interfaces), len(c.made))
			want(t, "fault", got.Fault, "")
		})
	}
}

func TestWhatASticksFactsAre(t *testing.T) {
	m := newMachine(t)
	dir := m.stick("1-2")
	m.attrs(dir, map[string]string{"serial": "bad\x01serial"})
	m.attrs(part(dir, bot)+"/host2/target2:0:0/2:0:0:0/block/sda", map[string]string{"size": "4096"})
	m.attrs(part(dir, bot)+"/host2/target2:0:0/2:0:0:1/block/sdb", map[string]string{"size": "4096"})
	got := m.enumerate()["1-2"]
	want(t, "ids", got.Vendor+":"+got.Product, "0781:5583")
	want(t, "serial", got.Serial, "bad\uFFFDserial")
	want(t, "unclean", got.Unclean, true)
	want(t, "external", got.External, true)
	want(t, "port", got.Port, "1-2")
	want(t, "class", got.Class, "00/00/00")
	want(t, "both media", got.Capacity, 4<<20)
	want(t, "digest", len(got.Digest), 64)
}

func TestAStickWithoutASerialHasNoneAndTwinsAreTwoDevices(t *testing.T) {
	m := newMachine(t)
	os.Remove(filepath.Join(m.root, "sys", m.stick("1-2"), "serial"))
	m.stick("1-3")
	m.stick("1-4")
	got := m.enumerate()
	want(t, "none", got["1-2"].Serial, "")
	want(t, "same serial", got["1-3"].Serial, got["1-4"].Serial)
	want(t, "devices", len(got), 3)
}

func TestADeviceBehindAHubIsFoundAndItsHubIsNotBlamed(t *testing.T) {
	m := newMachine(t)
	hub := iface{0, 0, 9, 0, 0}
	m.configure(m.usb(xhci+"/1-1", append(deviceDescriptor(9, 1), config(1, hub)...), nil), hub)
	dir := m.usb(xhci+"/1-1/1-1.4", describes(bot), map[string]string{"removable": "unknown"})
	m.attrs(part(dir, bot)+"/host2/target2:0:0/2:0:0:0/block/sda", map[string]string{"size": "4096"})
	m.configure(dir, bot)
	got := m.enumerate()
	want(t, "hub", kinds(got["1-1"]), "hub")
	want(t, "hub's capacity", got["1-1"].Capacity, 0)
	want(t, "stick", kinds(got["1-1.4"]), "storage")
	want(t, "reachable through the hub", got["1-1.4"].External, true)
}

func TestAnInterfaceThatOnlyTheKernelShowsIsNotOverlooked(t *testing.T) {
	m := newMachine(t)
	m.configure(m.usb(xhci+"/1-2", describes(iface{0, 0, 3, 1, 1}), nil), iface{0, 0, 3, 1, 1}, iface{1, 0, 8, 6, 0x62})
	got := m.enumerate()["1-2"]
	want(t, "kinds", kinds(got), "keyboard storage unknown")
}

func TestATelephoneThatSpeaksMTPOverAVendorsInterfaceIsPortable(t *testing.T) {
	m := newMachine(t)
	vendor := iface{0, 0, 0xff, 0xff, 0}
	dir := m.usb(xhci+"/1-2", describes(vendor), nil)
	m.configure(dir, vendor)
	m.attrs(part(dir, vendor), map[string]string{"interface": "MTP"})
	want(t, "kinds", kinds(m.enumerate()["1-2"]), "portable vendor")
}

func TestEveryOtherWayInIsSeen(t *testing.T) {
	m := newMachine(t)
	card := func(id, kind string) {
		dir := "devices/pci0000:00/0000:00:1a.0/mmc_host/" + id[:4] + "/" + id
		m.attrs(dir, map[string]string{"type": kind, "serial": "0x12345678", "name": "SD32G", "manfid": "0x000003", "oemid": "0x5344"})
		m.link("sys/bus/mmc/devices/"+id, "sys/"+dir)
	}
	scsi := func(path, id, kind string) {
		m.attrs(path+"/"+id, map[string]string{"type": kind, "vendor": "ATA     ", "model": "Disk"})
		m.link("sys/bus/scsi/devices/"+id, "sys/"+path+"/"+id)
	}
	tunnel := func(id string) {
		dir := "devices/pci0000:00/0000:00:0d.2/domain0/" + id
		m.attrs(dir, map[string]string{"unique_id": "c0ffee", "vendor": "0x8086", "device": "0x1234", "device_name": "Dock"})
		m.link("sys/bus/thunderbolt/devices/"+path.Base(id), "sys/"+dir)
	}
	card("mmc0:0001", "SD")
	card("mmc1:0001", "MMC")
	card("mmc2:0001", "SDIO")
	scsi(ahci+"/ata1/host0/target0:0:0", "0:0:0:0", "0")
	scsi(ahci+"/ata2/host1/target1:0:0", "1:0:0:0", "5")
	scsi(ahci+"/ata2/host1/target1:0:0", "1:0:0:1", "13")
	scsi("devices/pci0000:00/virtio3/host5/target5:0:0", "5:0:0:0", "0")
	m.attrs(nvme(m)+"/nvme/nvme0", map[string]string{"serial": "S1", "model": "SSD"})
	m.attrs(nvme(m)+"/nvme/nvme0/nvme0n1", map[string]string{"size": "2"})
	tunnel("0-0")
	tunnel("0-0/0-1")

	check := func(o Options, list map[string]string) {
		t.Helper()
		got := m.enumerateWith(o)
		want(t, "devices", len(got), len(list))
		for id, kind := range list {
			want(t, id, kinds(got[id]), kind)
		}
	}
	later, atFirst := m.options(), m.options()
	atFirst.System = nil
	check(later, map[string]string{"mmc0:0001": "card", "mmc1:0001": "card", "0:0:0:0": "disk", "1:0:0:0": "optical", "0000:03:00.0": "disk", "0-1": "disk"})
	check(atFirst, map[string]string{"mmc0:0001": "card", "mmc1:0001": "system", "0:0:0:0": "system", "1:0:0:0": "optical", "0000:03:00.0": "system", "0-1": "system"})
	got := m.enumerate()
	want(t, "card", got["mmc0:0001"].Vendor+":"+got["mmc0:0001"].Product+" "+got["mmc0:0001"].Serial, "0003:5344 0x12345678")
	want(t, "cable", got["0:0:0:0"].Port, "ata1")
	want(t, "nvme size", got["0000:03:00.0"].Capacity, 1024)
}

func TestTheDiskThatTheSystemRunsFromIsItsOwnEvenOnUSB(t *testing.T) {
	m := newMachine(t)
	dir := m.stick("1-2")
	m.stick("1-3")
	m.link("sys/dev/block/253:0", "sys/devices/virtual/block/dm-0")
	m.link("sys/devices/virtual/block/dm-0/slaves/sda2", "sys/"+part(dir, bot)+"/host2/target2:0:0/2:0:0:0/block/sda/sda2")
	m.write("proc/self/mountinfo", "22 1 253:0 / / rw,relatime shared:1 - ext4 /dev/mapper/root rw\n")
	o := m.options()
	o.System = nil
	got := m.enumerateWith(o)
	want(t, "root", kinds(got["1-2"]), "storage system")
	want(t, "another", kinds(got["1-3"]), "storage")
}

func TestTheUserIsWhoeverSitsAtTheTerminal(t *testing.T) {
	m := newMachine(t)
	who := func() string { return User(m.options()) }
	want(t, "nobody", who(), "")
	m.write("etc/passwd", "root:x:0:0::/root:/bin/sh\nsato:x:1000:1000:佐藤:/home/sato:/bin/sh\n")
	m.write("run/systemd/sessions/c1", "UID=110\nUSER=gdm\nACTIVE=1\nSTATE=active\nSEAT=seat0\nCLASS=greeter\n")
	want(t, "login screen", who(), "")
	m.write("run/systemd/sessions/3", "UID=2000\nUSER=suzuki\nACTIVE=1\nSTATE=active\nREMOTE=1\nCLASS=user\n")
	want(t, "from afar, in no passwd", who(), "suzuki")
	m.write("run/systemd/sessions/5", "UID=1000\nUSER=x\nACTIVE=1\nSTATE=active\nREMOTE=0\nSEAT=seat0\nCLASS=user\n")
	want(t, "at the seat", who(), "sato")
}

func TestWhoSitsIsReadAgainOnlyWhenSessionsOrAccountsHaveChanged(t *testing.T) {
	m := newMachine(t)
	m.write("etc/passwd", "sato:x:1000:1000::/home/sato:/bin/sh\nkato:x:1001:1001::/home/kato:/bin/sh\n")
	session := func(uid string) {
		m.write("run/systemd/sessions/5", "UID="+uid+"\nACTIVE=1\nSEAT=seat0\nCLASS=user\n")
	}
	touch := func(at time.Time) {
		for _, name := range []string{"run/systemd/sessions", "etc/passwd"} {
			if err := os.Chtimes(filepath.Join(m.root, name), at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	var s sitter
	who := func() string { return s.user(m.options().tree(), time.Now()) }
	long := time.Now().Add(-time.Hour)
	session("1000")
	want(t, "changed just now", who(), "sato")
	session("1001")
	want(t, "too young to be remembered", who(), "kato")
	touch(long)
	want(t, "long ago", who(), "kato")
	session("1000")
	touch(long)
	want(t, "remembered, for nothing says that it changed", who(), "kato")
	touch(long.Add(time.Second))
	want(t, "changed", who(), "sato")
}

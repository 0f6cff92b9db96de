package sensor

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestBrokenDescriptorsAreSaidToBeBroken(t *testing.T) {
	good := describes(bot)
	for name, raw := range map[string][]byte{
		"nothing":                nil,
		"device descriptor only": deviceDescriptor(0, 1),
		"cut in the middle":      good[:len(good)-5],
		"length zero":            append(append([]byte{}, good...), 0, 4),
		"length one":             append(append([]byte{}, good...), 1),
		"length beyond the end":  append(append([]byte{}, good...), 200, 4, 0),
		"short interface":        append(append([]byte{}, good...), 5, 4, 0, 0, 0),
		"no configuration":       append(deviceDescriptor(0, 1), 9, 4, 0, 0, 0, 8, 6, 0x50, 0),
		"one too few":            append(deviceDescriptor(0, 2), config(1, bot)...),
		"one too many":           append(describes(bot), config(2, keyboard)...),
		"too many interfaces":    append(deviceDescriptor(0, 1), config(1, make([]iface, 300)...)...),
	} {
		if got := parseDescriptors(raw); got.fault == "" {
			t.Errorf("%s: no fault", name)
		}
	}
}

func TestEveryConfigurationIsSeen(t *testing.T) {
	raw := append(append(deviceDescriptor(0, 2), config(1, iface{0, 0, 6, 1, 1})...), config(2, bot, uas, keyboard)...)
	got := parseDescriptors(raw)
	want(t, "fault", got.fault, "")
	want(t, "interfaces", len(got.interfaces), 4)
	want(t, "configurations", got.configs, 2)
}

func TestAWrongTotalLengthIsSloppyButHidesNothing(t *testing.T) {
	raw := describes(keyboard)
	raw[18+2]++ // the configuration promises one byte more than there is, as cheap keyboards do
	got := parseDescriptors(raw)
	want(t, "unclean", got.unclean, true)
	want(t, "fault", got.fault, "")
}

func FuzzDescriptors(f *testing.F) {
	f.Add(describes(bot, uas, keyboard))
	f.Add(append(append(deviceDescriptor(0xef, 2), config(1, bot)...), config(2, keyboard)...))
	f.Add([]byte{18, 1})
	f.Add(append(describes(bot), 0, 0, 0))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := parseDescriptors(raw)
		if len(got.interfaces) > maxInterfaces {
			t.Error("too many interfaces")
		}
		if got.fault == "" && len(got.interfaces) == 0 {
			t.Error("a device without interfaces and without fault")
		}
		if got.fault == "" && got.configs != int(raw[17]) {
			t.Error("a configuration is missing without fault")
		}
	})
}

const addStick = "add@/devices/pci0000:00/0000:00:14.0/usb1/1-2\x00ACTION=add\x00DEVPATH=/devices/pci0000:00/0000:00:14.0/usb1/1-2\x00" +
	"SUBSYSTEM=usb\x00MAJOR=189\x00MINOR=4\x00DEVNAME=bus/usb/001/005\x00DEVTYPE=usb_device\x00PRODUCT=46f4/1/0\x00TYPE=0/0/0\x00" +
	"BUSNUM=001\x00DEVNUM=005\x00SEQNUM=2104\x00"

func TestAKernelMessageIsRead(t *testing.T) {
	got, err := parseUEvent([]byte(addStick))
	if err != nil {
		t.Fatal(err)
	}
	want(t, "event", got, uevent{action: "add", path: "/devices/pci0000:00/0000:00:14.0/usb1/1-2",
		subsystem: "usb", devtype: "usb_device", product: "46f4/1/0", devnum: "5"})
}

func TestWhatIsNotAKernelMessageIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "\x00", "@", "add@", "libudev\x00\xfe\xed\xca\xfe", "add@/module/uas\x00ACTION=add\x00SUBSYSTEM=module\x00",
		"add@/devices/../../etc\x00ACTION=add\x00SUBSYSTEM=usb\x00", "add@/devices/a\x00ACTION=remove\x00SUBSYSTEM=usb\x00",
		"add@/devices/a\x00ACTION=add\x00",
	} {
		if _, err := parseUEvent([]byte(text)); err == nil {
			t.Errorf("%q was taken for an event", text)
		}
	}
}

func FuzzUEvent(f *testing.F) {
	f.Add([]byte(addStick))
	f.Add([]byte("remove@/devices/platform/dummy_hcd.0/usb2/2-1/2-1:1.0\x00ACTION=remove\x00SUBSYSTEM=usb\x00"))
	f.Add([]byte("change@/devices/pci0000:00/0000:03:00.0/nvme/nvme0\x00ACTION=change\x00SUBSYSTEM=nvme\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		ev, err := parseUEvent(b)
		if err != nil {
			return
		}
		sub, ok := subjectOf(ev.path)
		if ok && (sub.id() == "" || !strings.HasPrefix("sys"+ev.path+"/", sub.dir+"/")) {
			t.Errorf("%q is not above %q", sub.dir, ev.path)
		}
	})
}

func TestThePathAloneTellsWhoseAnEventIs(t *testing.T) {
	const pci = "/devices/pci0000:00/0000:00:14.0"
	for devpath, id := range map[string]string{
		pci + "/usb1":                            "",
		pci + "/usb1/1-0:1.0":                    "",
		pci + "/usb1/1-2":                        "usb/1-2",
		pci + "/usb1/1-2/1-2.3":                  "usb/1-2.3",
		pci + "/usb1/1-2/1-2.3/1-2.3:1.0":        "usb/1-2.3",
		"/devices/platform/dummy_hcd.0/usb9/9-1": "usb/9-1",
		pci + "/usb1/1-2/1-2:1.0/host2/target2:0:0/2:0:0:1/block/sdb/sdb1": "usb/1-2",
		pci + "/usb1/1-2/1-2:1.0/rtsx/mmc_host/mmc0/mmc0:0001/block/x":     "mmc/mmc0:0001",
		pci + "/ata3/host2/target2:0:0/2:0:0:0/block/sr0":                  "scsi/2:0:0:0",
		pci + "/0000:03:00.0/nvme/nvme0/nvme0n1":                           "nvme/0000:03:00.0",
		"/devices/virtual/nvme-fabrics/ctl/nvme0":                          "",
		pci + "/domain0/0-0/0-1/0-301":                                     "thunderbolt/0-301",
		"/devices/virtual/block/dm-0":                                      "",
		"/devices/pci0000:00/0000:00:05.0/virtio1/block/vda":               "",
	} {
		got := ""
		if sub, ok := subjectOf(devpath); ok {
			got = sub.key()
		}
		want(t, devpath, got, id)
	}
}

func TestADevicesOwnWordsAreCleaned(t *testing.T) {
	for in, out := range map[string]string{
		"Ultra USB 3.0":          "Ultra USB 3.0",
		"WDC      ":              "WDC",
		"日本語のメモリ":                "日本語のメモリ",
		"a\x1b[31m\nb":           "a\uFFFD[31m\uFFFDb",
		"bad\xff":                "bad\uFFFD",
		"left\u202eto":           "left\uFFFDto",
		`quote"'<b>`:             `quote"'<b>`,
		strings.Repeat("x", 300): strings.Repeat("x", 256),
	} {
		got, clean := cleanWords(in)
		want(t, "words", got, out)
		want(t, "clean "+in, clean, got == strings.TrimRight(in, " "))
	}
}

func FuzzWords(f *testing.F) {
	f.Add("シリアル\x00\x7f" + strings.Repeat("あ", 99))
	f.Fuzz(func(t *testing.T, s string) {
		got, _ := cleanWords(s)
		if len(got) > maxWord || !utf8.ValidString(got) || bytes.ContainsAny([]byte(got), "\x00\n\r\x1b\x7f") {
			t.Errorf("%q is not clean", got)
		}
	})
}

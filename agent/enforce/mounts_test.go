package enforce

import (
	"strings"
	"testing"
)

func TestMountsAreReadAsTheKernelWritesThem(t *testing.T) {
	text := `36 35 98:0 /mnt1 /mnt/two\040words rw,noatime master:1 - ext3 /dev/root\134x rw,errors=continue
broken line
22 1 0:20 / relative rw - tmpfs tmpfs rw
25 1 0:21 / /run rw,nosuid shared:3 shared:4 - tmpfs tmpfs rw
`
	got := parseMounts(strings.NewReader(text))
	want := []mount{
		{number: "98:0", point: "/mnt/two words", kind: "ext3", source: `/dev/root\x`},
		{number: "0:21", point: "/run", kind: "tmpfs", source: "tmpfs"},
	}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%+v", got)
	}
}

func TestWhatAMachineLivesOnIsNotWherePeoplesMediaAre(t *testing.T) {
	for _, p := range []string{"/", "/usr", "/usr/", "/boot/efi", "/var/lib/postgresql", "/home", "/srv"} {
		if !systemPoint(p) {
			t.Errorf("%s is not the system's", p)
		}
	}
	for _, p := range []string{"/media/hanako/USB", "/run/media/hanako/USB", "/mnt", "/home/hanako/usb", "/userdata"} {
		if systemPoint(p) {
			t.Errorf("%s is the system's", p)
		}
	}
}

func FuzzParseMounts(f *testing.F) {
	f.Add("36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 - ext3 /dev/root rw\n")
	f.Add("\\777 - \\\n - - - \n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, m := range parseMounts(strings.NewReader(text)) {
			if !strings.HasPrefix(m.point, "/") || strings.Contains(m.point, "\x00") {
				t.Errorf("point %q", m.point)
			}
			on([]mount{m}, []node{{name: "sdb", number: "8:16"}})
			systemPoint(m.point)
		}
	})
}

func FuzzParseSwaps(f *testing.F) {
	f.Add("Filename\tType\n/dev/sda2 partition 1 0 -2\n/swap\\040file file 1 0 -3\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range parseSwaps(text) {
			if !strings.HasPrefix(s, "/dev/") {
				t.Errorf("swap %q", s)
			}
		}
	})
}

package sensor

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"sekisho/internal/policy"
)

func TestAnInstanceIDTellsVendorProductAndSerial(t *testing.T) {
	for _, c := range []struct {
		id, vendor, product, serial string
		usb, function               bool
	}{
		{`USB\VID_0781&PID_5583\4C531001650331115432`, "0781", "5583", "4C531001650331115432", true, false},
		{`usb\vid_046d&pid_c31c\5&2f1a7c4&0&3`, "046d", "c31c", "", true, false},
		{`USB\VID_0781&PID_5583&MI_00\6&1d3bd1b&0&0000`, "0781", "5583", "", false, true},
		{`USB\ROOT_HUB30\4&1a2b3c&0&0`, "", "", "", false, false},
		{`USBSTOR\Disk&Ven_SanDisk&Prod_Ultra&Rev_1.00\4C531001650331115432&0`, "", "", "", false, false},
		{`SD\VID_03&OID_5344&PID_SU08G&REV_8.0\5&3a7e&0&0`, "0003", "", "", false, false},
	} {
		i, ok := parseInstance(c.id)
		if !ok {
			t.Fatalf("%s is not read", c.id)
		}
		vendor, product, usb := i.usb()
		if vendor != c.vendor || product != c.product || i.serial() != c.serial || usb != c.usb || i.function() != c.function {
			t.Errorf("%s: %s %s %q usb %v function %v", c.id, vendor, product, i.serial(), usb, i.function())
		}
	}
}

func TestWhatIsNoInstanceIDIsNotRead(t *testing.T) {
	for _, id := range []string{"", `USB`, `USB\VID_0781`, `\\`, `USB\\x`, `USB\VID_0781&PID_5583\` + strings.Repeat("A", 300)} {
		if i, ok := parseInstance(id); ok {
			t.Errorf("%q gave %+v", id, i)
		}
	}
}

func TestACompatibleIDGivesTheTriplet(t *testing.T) {
	for id, want := range map[string]compatible{
		`USB\Class_08&SubClass_06&Prot_50`:    {false, policy.Interface{Class: 8, Subclass: 6, Protocol: 0x50}},
		`USB\CLASS_08&SUBCLASS_06&PROT_62`:    {false, policy.Interface{Class: 8, Subclass: 6, Protocol: 0x62}},
		`USB\DevClass_EF&SubClass_02&Prot_01`: {true, policy.Interface{Class: 0xef, Subclass: 2, Protocol: 1}},
	} {
		if got, ok := parseCompatible(id); !ok || got != want {
			t.Errorf("%s: %+v %v", id, got, ok)
		}
	}
	for _, id := range []string{"", `USB\Class_08`, `USB\Class_08&SubClass_06`, `USB\COMPOSITE`, `USB\Class_8&SubClass_06&Prot_50`,
		`USB\Class_+8&SubClass_06&Prot_50`, `USBSTOR\GenDisk`, `USB\Class_08&SubClass_06&Prot_50&MI_00`} {
		if got, ok := parseCompatible(id); ok {
			t.Errorf("%s gave %+v", id, got)
		}
	}
}

func TestALossyListOfStringsIsReadAsFarAsItGoes(t *testing.T) {
	for _, c := range []struct {
		raw  []byte
		want []string
	}{
		{wide("USB\\COMPOSITE\x00USB\\A\x00\x00"), []string{`USB\COMPOSITE`, `USB\A`}},
		{wide("only one, no end"), []string{"only one, no end"}},
		{append(wide("odd\x00"), 0x41), []string{"odd"}},
		{[]byte{0x00, 0xd8}, []string{"\uFFFD"}}, // half a surrogate
		{nil, nil},
		{wide("\x00\x00"), nil},
	} {
		if got := decodeStrings(c.raw); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q", c.raw, got)
		}
	}
	if got := decodeStrings(wide(strings.Repeat("a\x00", 1000))); len(got) != maxIDs {
		t.Errorf("%d strings", len(got))
	}
}

func wide(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// answer builds what a disk says of itself.
func answer(bus uint32, removable byte, vendor, product, serial string) []byte {
	b := make([]byte, sizeDescriptor)
	b[10] = removable
	binary.LittleEndian.PutUint32(b[28:], bus)
	for at, s := range map[int]string{12: vendor, 16: product, 24: serial} {
		if s != "" {
			binary.LittleEndian.PutUint32(b[at:], uint32(len(b)))
			b = append(append(b, s...), 0)
		}
	}
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
	return b
}

func TestADiskSaysItsBusAndSerial(t *testing.T) {
	m, ok := parseMedium(answer(storageBusNVMe, 0, "", "Samsung SSD 980  ", "S64ANS0T"))
	if !ok || m.bus != storageBusNVMe || m.product != "Samsung SSD 980" || m.serial != "S64ANS0T" || m.removable || m.unclean {
		t.Errorf("%+v %v", m, ok)
	}
	lying := answer(storageBusUSB, 1, "x", "y", "z")
	binary.LittleEndian.PutUint32(lying[24:], 1<<31)
	if m, ok := parseMedium(lying); !ok || m.serial != "" || !m.removable {
		t.Errorf("an offset outside: %+v %v", m, ok)
	}
	if _, ok := parseMedium(make([]byte, 8)); ok {
		t.Error("eight bytes are no answer")
	}
}

func FuzzParseInstance(f *testing.F) {
	f.Add(`USB\VID_0781&PID_5583\4C53`, `USB\Class_08&SubClass_06&Prot_50`)
	f.Add(`SD\VID_03&OID_5344&PID_SU08G&REV_8.0\5&3a7e&0&0`, `USB\DevClass_00&SubClass_00&Prot_00`)
	f.Fuzz(func(t *testing.T, id, comp string) {
		if i, ok := parseInstance(id); ok {
			if v, p, usb := i.usb(); usb && (len(v) != 4 || len(p) != 4) {
				t.Errorf("%q: %q %q", id, v, p)
			}
		}
		parseCompatible(comp)
		msKind(comp)
	})
}

func FuzzDecodeStrings(f *testing.F) {
	f.Add(wide("USB\\COMPOSITE\x00\x00"))
	f.Add([]byte{0x00, 0xd8, 0x41})
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, s := range decodeStrings(raw) {
			if s == "" || !utf8.ValidString(s) || len(s) > 4*maxWord {
				t.Errorf("%q", s)
			}
		}
	})
}

func FuzzParseMedium(f *testing.F) {
	f.Add(answer(storageBusUSB, 1, "SanDisk", "Ultra", "4C53"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, _ := parseMedium(raw)
		for _, s := range []string{m.vendor, m.product, m.serial} {
			if len(s) > maxWord || !utf8.ValidString(s) {
				t.Errorf("%q", s)
			}
		}
	})
}

package policy

import (
	"fmt"
	"slices"
	"testing"
)

func TestKindsAreToldFromDescriptorsAlone(t *testing.T) {
	for _, c := range []struct {
		what       string
		device     Interface
		interfaces string
		want       []Kind
	}{
		{"a stick", Interface{}, "08/06/50", []Kind{KindStorage}},
		{"a disk that speaks both BOT and UAS", Interface{}, "08/06/50+08/06/62", []Kind{KindStorage}},
		{"a keyboard with media keys", Interface{}, "03/01/01+03/00/00", []Kind{KindHID, KindKeyboard}},
		{"a mouse", Interface{}, "03/01/02", []Kind{KindMouse}},
		{"a hub", Interface{9, 0, 1}, "09/00/00", []Kind{KindHub}},
		{"an IC-card reader", Interface{}, "0b/00/00", []Kind{KindSmartCard}},
		{"a camera", Interface{}, "06/01/01", []Kind{KindPortable}},
		{"a telephone being debugged", Interface{}, "06/01/01+ff/42/01", []Kind{KindPortable, KindVendor}},
		{"fastboot", Interface{}, "ff/42/03", []Kind{KindPortable, KindVendor}},
		{"RNDIS of Android", Interface{}, "e0/01/03+0a/00/00", []Kind{KindNetwork}},
		{"RNDIS over miscellaneous", Interface{0xef, 4, 1}, "ef/04/01+0a/00/00", []Kind{KindNetwork}},
		{"RNDIS as ActiveSync", Interface{}, "ef/01/01+0a/00/00", []Kind{KindNetwork}},
		{"RNDIS as vendor's ACM", Interface{}, "02/02/ff+0a/00/00", []Kind{KindNetwork}},
		{"CDC-ECM", Interface{2, 0, 0}, "02/06/00+0a/00/00", []Kind{KindNetwork}},
		{"CDC-EEM", Interface{}, "02/0c/07", []Kind{KindNetwork}},
		{"CDC-NCM", Interface{2, 0, 0}, "02/0d/00+0a/00/01", []Kind{KindNetwork}},
		{"MBIM", Interface{}, "02/0e/00+0a/00/02", []Kind{KindNetwork}},
		{"CDC-ACM", Interface{2, 0, 0}, "02/02/01+0a/00/00", []Kind{KindSerial}},
		{"a network card with a vendor's configuration first", Interface{}, "ff/ff/00+02/06/00+0a/00/00", []Kind{KindNetwork, KindVendor}},
		{"Bluetooth", Interface{0xe0, 1, 1}, "e0/01/01", []Kind{KindWireless}},
		{"a printer", Interface{}, "07/01/02", []Kind{KindPrinter}},
		{"a headset", Interface{}, "01/01/00+01/02/00+03/00/00", []Kind{KindAudio, KindHID}},
		{"a web camera", Interface{0xef, 2, 1}, "0e/01/00+0e/02/00+01/01/00", []Kind{KindAudio, KindVideo}},
		{"a dock's billboard", Interface{0x11, 0, 0}, "11/00/00", []Kind{KindOther}},
		{"firmware update", Interface{}, "fe/01/01", []Kind{KindOther}},
		{"infrared", Interface{}, "fe/02/00", []Kind{KindWireless}},
		{"a device class that its interfaces do not show", Interface{8, 6, 0x50}, "03/01/01", []Kind{KindKeyboard, KindStorage}},
		{"data pipes and nothing else", Interface{}, "0a/00/00", []Kind{KindUnknown}},
		{"a class nobody assigned", Interface{}, "aa/00/00", []Kind{KindUnknown}},
		{"an interface of class zero", Interface{}, "00/00/00", []Kind{KindUnknown}},
	} {
		list, err := interfaceWords(c.interfaces)
		if err != nil {
			t.Fatal(err)
		}
		if got := KindsOf(c.device, list); !slices.Equal(got, c.want) {
			t.Errorf("%s is %v, not %v", c.what, got, c.want)
		}
	}
	if got := KindsOf(Interface{9, 0, 0}, nil); !slices.Equal(got, []Kind{KindUnknown}) {
		t.Errorf("a hub without readable interfaces is %v", got)
	}
}

func TestCompositeIsWhatCanActByItselfAndOrdinaryTelephonesAreNot(t *testing.T) {
	for _, c := range []struct {
		kinds                string
		composite, grantable bool
	}{
		{"storage", false, true},
		{"card", false, true},
		{"optical+storage", false, true},
		{"portable", false, true},
		{"portable+storage", false, true},
		{"portable+vendor", false, true},
		{"audio+hid+portable+vendor", false, false}, // ordinary, but a grant would let its HID in
		{"portable+serial+vendor", false, false},
		{"printer+storage", false, false},
		{"storage+unknown", false, false},
		{"smartcard+storage", false, false},
		{"storage+vendor", true, false},
		{"hid+storage", true, false},
		{"keyboard+storage", true, false},
		{"disk+serial", true, false},
		{"card+wireless", true, false},
		{"keyboard+portable", true, false},
		{"network+portable", true, false},
		{"portable+storage+vendor", true, false},
		{"keyboard+mouse", false, false},
		{"network+vendor", false, false},
		{"system", false, false},
	} {
		kinds, err := kindWords(c.kinds)
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(Composite(kinds), Grantable(kinds))
		if want := fmt.Sprint(c.composite, c.grantable); got != want {
			t.Errorf("%s: composite, grantable = %s, not %s", c.kinds, got, want)
		}
	}
}

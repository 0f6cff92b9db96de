package winstate

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"sekisho/internal/policy"
)

// TestTheAdapterOfTheConsoleIsKnownOnWindows: by the address that the console answered to and by the way there; what has no
// device node cannot be disabled, and is no adapter.
func TestTheAdapterOfTheConsoleIsKnownOnWindows(t *testing.T) {
	local, remote := netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("192.0.2.80")
	b, e := kept(t)
	b.network.Cards[1].Addresses = []netip.Addr{netip.MustParseAddr("fe80::1"), local}
	b.out = 4
	b.put(cardsKey+`{A}\Connection`, "PnpInstanceID", regSZ, wide(`PCI\VEN_8086&DEV_15B8\3`))
	b.network.Cards = append(b.network.Cards,
		Card{Index: 7, GUID: "{E}", Name: "イーサネット 2", MAC: "02:00:00:00:00:09", Type: 6, Up: true}, Card{Index: 8, GUID: "{W}", Name: "Wi-Fi", Type: typeWireless, Up: true, SSIDFault: "denied"},
		Card{Index: 9, GUID: "{H}", Name: "vEthernet", Type: 6, Up: true}, Card{Index: 10, GUID: "{N}", Name: "no node", Type: 6, Up: true})
	b.put(cardsKey+`{E}\Connection`, "PnpInstanceID", regSZ, wide(`USB\VID_04E8&PID_6863\5`))
	b.put(enumKey+`USB\VID_04E8&PID_6863\5`, "Service", regSZ, wide("usb_rndisx"))
	b.put(cardsKey+`{W}\Connection`, "PnpInstanceID", regSZ, wide(`PCI\VEN_8086&DEV_2723\4`))
	b.put(cardsKey+`{H}\Connection`, "PnpInstanceID", regSZ, wide(`ROOT\VMS_MP\0000`))
	spell := func() string {
		list, err := e.Ways(local, remote)
		if err != nil {
			return err.Error()
		}
		var out []string
		for _, a := range list {
			out = append(out, fmt.Sprintf("%s %s %t %t %t", a.ID, a.Fact, a.Linked, a.Reached, a.Routed))
		}
		return strings.Join(out, "; ")
	}
	want := `PCI\VEN_8086&DEV_15B8\3 network.cards true true true; USB\VID_04E8&PID_6863\5 network.tethers true false false; PCI\VEN_8086&DEV_2723\4 network.wifi true false false`
	if got := spell(); got != want {
		t.Errorf("%s\nnot %s", got, want)
	}
	lines := map[string]bool{}
	for _, r := range e.Adapters() {
		for _, one := range r.Entries() {
			lines[r.Fact()+" "+one.Word] = true
		}
	}
	list, _ := e.Ways(local, remote)
	for _, a := range list {
		if !lines[a.Fact+" "+a.Word] {
			t.Errorf("the check has no line %q in %s: %v", a.Word, a.Fact, lines)
		}
	}
	b.out = 7
	if got := spell(); !strings.Contains(got, `15B8\3 network.cards true true false; USB\VID_04E8&PID_6863\5 network.tethers true false true`) {
		t.Errorf("another way: %s", got)
	}
	b.fault = errors.New("cannot ask")
	if got := spell(); got != "cannot ask" {
		t.Errorf("not read: %s", got)
	}
	if n := policy.Separate(nil, "windows", nil, list, true); len(n.Parts) != 0 {
		t.Errorf("%+v", n)
	}
}

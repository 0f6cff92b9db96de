package winstate

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

// TestTheMachinesOwnAdaptersAndWaysAreRead: the real calls, on whatever machine this is; nothing is sent.
func TestTheMachinesOwnAdaptersAndWaysAreRead(t *testing.T) {
	e := New(Options{Now: time.Now})
	n, err := e.Machine.Network()
	if err != nil {
		t.Fatal(err)
	}
	addresses := 0
	for _, c := range n.Cards {
		addresses += len(c.Addresses)
		t.Logf("%d %s %v", c.Index, c.Name, c.Addresses)
	}
	if own, err := net.InterfaceAddrs(); err == nil && len(own) > 0 && addresses == 0 {
		t.Error("no adapter has an address")
	}
	for _, to := range []string{"127.0.0.1", "192.0.2.80", "2001:db8::1"} {
		out, err := e.Machine.Out(netip.MustParseAddr(to))
		t.Logf("%s leaves by %d (%v)", to, out, err)
		if err != nil && to == "127.0.0.1" {
			t.Error(err)
		}
	}
	list, err := e.Ways(netip.Addr{}, netip.MustParseAddr("127.0.0.1"))
	t.Logf("%+v, %v", list, err)
	for _, a := range list {
		if a.Reached || a.ID == "" || a.Fact == "" {
			t.Errorf("%+v", a)
		}
	}
}

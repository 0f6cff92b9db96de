package health

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"sekisho/internal/policy"
)

func lan(t *testing.T) (machine, netState) {
	m := newMachine(t).link("sys/class/net/eth0/device/driver", "../../bus/virtio/drivers/virtio_net").write("sys/class/net/veth1/uevent", "INTERFACE=veth1\n")
	return m, netState{
		links: []link{{index: 1, name: "lo", hardware: hardwareLoopback, carrier: true}, {index: 2, name: "eth0", hardware: 1, mac: "52:54:00:00:00:01", carrier: true},
			{index: 3, name: "veth1", hardware: 1, kind: "veth", carrier: true}},
		routes:     []route{{2, netip.MustParseAddr("192.0.2.1")}, {2, netip.MustParseAddr("fe80::1")}},
		neighbours: []neighbour{{2, netip.MustParseAddr("192.0.2.1"), "52:54:00:00:00:fe"}, {2, netip.MustParseAddr("fe80::1"), "52:54:00:00:00:fe"}},
	}
}

func TestOneCardIsTheUsualNetwork(t *testing.T) {
	m, n := lan(t)
	got := m.eyes().linuxNetwork(n, nil)
	for fact, want := range map[string]string{
		policy.FactCards: "eth0 52:54:00:00:00:01", policy.FactWifi: "", policy.FactTethers: "", policy.FactModems: "", policy.FactVPNs: "",
		policy.FactRoutes: "eth0 192.0.2.1 fe80::1", policy.FactGateways: "52:54:00:00:00:fe", policy.FactProxies: "",
	} {
		expect(t, fact, reading(t, got, fact), want)
	}
}

func TestEveryOtherWayOutIsNamed(t *testing.T) {
	for what, c := range map[string]struct {
		change func(machine, *netState)
		fact   string
		want   string
	}{
		"second card": {func(m machine, n *netState) {
			m.write("sys/class/net/eth1/device/x", "")
			n.links = append(n.links, link{index: 9, name: "eth1", hardware: 1, mac: "02:00:00:00:00:01", carrier: true})
		}, policy.FactCards, "eth0 52:54:00:00:00:01, eth1 02:00:00:00:00:01"},
		"second card without a cable": {func(m machine, n *netState) {
			n.links = append(n.links, link{index: 9, name: "eth1", hardware: 1})
		}, policy.FactCards, "eth0 52:54:00:00:00:01"},
		"two cards that are one bond": {func(m machine, n *netState) {
			m.write("sys/class/net/eth1/device/x", "").write("sys/class/net/bond0/uevent", "DEVTYPE=bond\n")
			n.links[1].master = 8
			n.links = append(n.links, link{index: 9, name: "eth1", hardware: 1, carrier: true, master: 8}, link{index: 8, name: "bond0", kind: "bond", hardware: 1, carrier: true})
		}, policy.FactCards, "eth0 52:54:00:00:00:01"},
		"wireless": {func(m machine, n *netState) {
			m.write("sys/class/net/wlp1/uevent", "DEVTYPE=wlan\n")
			n.links = append(n.links, link{index: 9, name: "wlp1", hardware: 1, mac: "02:00:00:00:00:02", carrier: true})
		}, policy.FactWifi, "wlp1 02:00:00:00:00:02"},
		"wireless in a network": {func(m machine, n *netState) {
			m.write("sys/class/net/wlp1/uevent", "DEVTYPE=wlan\n")
			n.links = append(n.links, link{index: 9, name: "wlp1", hardware: 1, mac: "02:00:00:00:00:02", carrier: true})
			n.ssids = map[int]string{9: "cafe-free"}
		}, policy.FactWifi, "cafe-free"},
		"a telephone": {func(m machine, n *netState) {
			m.link("sys/class/net/usb0/device/driver", "../../drivers/rndis_host")
			n.links = append(n.links, link{index: 9, name: "usb0", hardware: 1, carrier: true})
		}, policy.FactTethers, "usb0 rndis_host"},
		"bluetooth": {func(m machine, n *netState) {
			m.write("sys/class/net/bnep0/uevent", "DEVTYPE=bluetooth\n")
			n.links = append(n.links, link{index: 9, name: "bnep0", hardware: 1, carrier: true})
		}, policy.FactTethers, "bnep0 bluetooth"},
		"a modem": {func(m machine, n *netState) {
			m.link("sys/class/net/wwan0/device/driver", "../../drivers/cdc_mbim")
			n.links = append(n.links, link{index: 9, name: "wwan0", hardware: 1, carrier: true})
		}, policy.FactModems, "wwan0 cdc_mbim"},
		"a tunnel": {func(m machine, n *netState) {
			m.write("sys/class/net/wg0/uevent", "")
			n.links = append(n.links, link{index: 9, name: "wg0", kind: "wireguard", hardware: 65534, carrier: true})
		}, policy.FactVPNs, "wg0 wireguard"},
		"a virtual machine's own card": {func(m machine, n *netState) {
			m.write("sys/class/net/vnet0/uevent", "")
			n.links = append(n.links, link{index: 9, name: "vnet0", kind: "tun", hardware: 1, carrier: true, master: 3})
		}, policy.FactVPNs, ""},
		"a second default route": {func(m machine, n *netState) {
			n.routes = append(n.routes, route{3, netip.MustParseAddr("198.51.100.1")})
		}, policy.FactRoutes, "eth0 192.0.2.1 fe80::1, veth1 198.51.100.1"},
		"another gateway":           {func(m machine, n *netState) { n.neighbours[0].mac = "00:11:22:33:44:55" }, policy.FactGateways, "00:11:22:33:44:55, 52:54:00:00:00:fe"},
		"a gateway not spoken with": {func(m machine, n *netState) { n.neighbours = nil }, policy.FactGateways, "?missing"},
		"an interface sysfs hides": {func(m machine, n *netState) {
			n.links = append(n.links, link{index: 9, name: "ghost", hardware: 1, carrier: true})
		}, policy.FactTethers, "?failed"},
		"a name that leads astray": {func(m machine, n *netState) {
			n.links = append(n.links, link{index: 9, name: "../../etc", hardware: 1, carrier: true})
		}, policy.FactCards, "?failed"},
		"a proxy": {func(m machine, n *netState) {
			m.write("etc/environment", "PATH=/bin\nhttps_proxy=\"http://user:pass@proxy:3128\"\n")
		}, policy.FactProxies, "https_proxy=http://proxy:3128"},
		"a proxy of the desktop": {func(m machine, n *netState) {
			m.write("etc/dconf/db/site.d/p", "[system/proxy]\nmode='auto'\n").write("etc/dconf/db/site.d/locks/p", "/system/proxy/mode\n")
		}, policy.FactProxies, "dconf auto"},
	} {
		m, n := lan(t)
		c.change(m, &n)
		expect(t, what, reading(t, m.eyes().linuxNetwork(n, nil), c.fact), c.want)
	}
}

func TestAKernelThatDoesNotAnswerIsNoQuietNetwork(t *testing.T) {
	m, _ := lan(t)
	for _, r := range m.eyes().linuxNetwork(netState{}, errors.New("cannot ask")) {
		if r.Fact() != policy.FactProxies && r.Read() {
			t.Errorf("%s: %s", r.Fact(), says(r))
		}
	}
}

// spellAdapters writes adapters with what is said of them: + linked, r reached, o routed.
func spellAdapters(t *testing.T, list []policy.Adapter, err error) string {
	t.Helper()
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, a := range list {
		marks := ""
		for mark, is := range map[string]bool{"+": a.Linked, "r": a.Reached, "o": a.Routed} {
			if is {
				marks += mark
			}
		}
		b := []byte(marks)
		slices.Sort(b)
		out = append(out, a.ID+" "+strings.TrimPrefix(a.Fact, "network.")+string(b))
	}
	return strings.Join(out, ", ")
}

func TestTheAdapterOfTheConsoleIsKnownByItsAddressAndByTheWayThere(t *testing.T) {
	local := netip.MustParseAddr("192.0.2.10")
	phone := func(m machine, n *netState) {
		m.link("sys/class/net/usb0/device/driver", "../../drivers/rndis_host")
		n.links = append(n.links, link{index: 9, name: "usb0", hardware: 1, carrier: true})
	}
	for what, c := range map[string]struct {
		change func(machine, *netState)
		out    int
		want   string
	}{
		"one card":                           {func(machine, *netState) {}, 2, "2 eth0 cards+or"},
		"a telephone":                        {phone, 2, "2 eth0 cards+or, 9 usb0 tethers+"},
		"the telephone would be the way now": {phone, 9, "2 eth0 cards+r, 9 usb0 tethers+o"},
		"no way there":                       {phone, 0, "2 eth0 cards+r, 9 usb0 tethers+"},
		"a second card without a cable": {func(m machine, n *netState) {
			m.write("sys/class/net/eth1/device/x", "")
			n.links = append(n.links, link{index: 9, name: "eth1", hardware: 1})
		}, 2, "2 eth0 cards+or, 9 eth1 cards"},
		"the address is a bridge's": {func(m machine, n *netState) {
			m.write("sys/class/net/br0/uevent", "DEVTYPE=bridge\n")
			n.links[1].master = 8
			n.links = append(n.links, link{index: 8, name: "br0", kind: "bridge", hardware: 1, carrier: true})
			n.addresses[0].index = 8
		}, 8, "2 eth0 cards+or"},
		"the address is a VLAN's": {func(m machine, n *netState) {
			m.write("sys/class/net/eth0.7/uevent", "DEVTYPE=vlan\n")
			n.links = append(n.links, link{index: 8, below: 2, name: "eth0.7", kind: "vlan", hardware: 1, carrier: true})
			n.addresses[0].index = 8
		}, 8, "2 eth0 cards+or"},
		"a bond of two under a VLAN": {func(m machine, n *netState) {
			m.write("sys/class/net/eth1/device/x", "").write("sys/class/net/bond0/uevent", "DEVTYPE=bond\n").write("sys/class/net/bond0.7/uevent", "DEVTYPE=vlan\n")
			n.links[1].master = 8
			n.links = append(n.links, link{index: 9, name: "eth1", hardware: 1, carrier: true, master: 8}, link{index: 8, name: "bond0", kind: "bond", hardware: 1, carrier: true},
				link{index: 10, below: 8, name: "bond0.7", kind: "vlan", hardware: 1, carrier: true})
			n.addresses[0].index = 10
		}, 10, "2 eth0 cards+or, 9 eth1 cards+or"},
		"a tunnel leads there": {func(m machine, n *netState) {
			m.write("sys/class/net/wg0/uevent", "")
			n.links = append(n.links, link{index: 9, name: "wg0", kind: "wireguard", hardware: 65534, carrier: true})
			n.addresses[0].index = 9
		}, 9, "2 eth0 cards+"},
	} {
		m, n := lan(t)
		n.addresses = []neighbour{{index: 2, ip: local}}
		c.change(m, &n)
		list, err := m.eyes().linuxAdapters(n, local, c.out)
		if got := spellAdapters(t, list, err); got != c.want {
			t.Errorf("%s: %s, not %s", what, got, c.want)
		}
	}
}

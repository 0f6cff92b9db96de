package health

import (
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"

	"sekisho/internal/policy"
)

// netState is what the kernel says of its network.
type netState struct {
	links      []link
	routes     []route
	neighbours []neighbour
	addresses  []neighbour    // the terminal's own
	ssids      map[int]string // of wireless links, by index
}

// link is one interface.
type link struct {
	index, master int
	below         int    // what it is built on, or its other end
	name, kind    string // kind is what a virtual one is: bridge, veth, wireguard
	hardware      uint16
	mac           string
	carrier       bool // it is up, and something is at its other end
}

// route is one way of a default route out.
type route struct {
	index   int
	gateway netip.Addr // not valid where the interface itself is the way
}

type neighbour struct {
	index int
	ip    netip.Addr
	mac   string
}

// What an interface is for.
const (
	isVirtual = ""
	isCard    = "card"
	isWifi    = "wifi"
	isTether  = "tether"
	isModem   = "modem"
	isVPN     = "vpn"
)

// hardwarePPP and hardwareNone are types of links (include/uapi/linux/if_arp.h).
const (
	hardwareLoopback = 772
	hardwarePPP      = 512
)

var (
	tetherDrivers = []string{"rndis_host", "cdc_ether", "cdc_ncm", "cdc_eem", "ipheth", "cdc_subset"}
	modemDrivers  = []string{"cdc_mbim", "qmi_wwan", "qmi_wwan_q", "huawei_cdc_ncm", "sierra_net", "hso", "mhi_wwan_mbim", "iosm", "t7xx"}
	vpnKinds      = []string{"wireguard", "tun", "ipip", "gre", "gretap", "ip6gre", "ip6tnl", "vti", "vti6", "xfrm", "amneziawg", "ovpn", "ppp"}
)

// linuxNetwork sorts what the kernel says. It only listens: nothing is sent to anybody, not even to ask for an address.
func (e *Eyes) linuxNetwork(n netState, err error) []policy.Reading {
	facts := []string{policy.FactCards, policy.FactWifi, policy.FactTethers, policy.FactModems, policy.FactVPNs, policy.FactRoutes, policy.FactGateways}
	sorted := map[string][]string{}
	if err == nil {
		sorted, err = e.sortLinks(n.links, n.ssids)
	}
	if err != nil {
		var out []policy.Reading
		for _, f := range facts {
			out = append(out, unread(e.of(f, "rtnetlink"), err))
		}
		return append(out, e.proxies())
	}
	list := func(fact, kind string) policy.Reading {
		return e.of(fact, "rtnetlink").List(policy.Lines(sorted[kind]))
	}
	return []policy.Reading{
		list(policy.FactCards, isCard), list(policy.FactWifi, isWifi), list(policy.FactTethers, isTether), list(policy.FactModems, isModem),
		list(policy.FactVPNs, isVPN), e.of(policy.FactRoutes, "rtnetlink").List(policy.Lines(n.ways())), e.gateways(n), e.proxies(),
	}
}

// sortLinks gives those that have a link, by what they are. Cards that are one bond count as one. A wireless link is called by
// its network; one whose network the kernel does not name, by itself.
func (e *Eyes) sortLinks(links []link, ssids map[int]string) (map[string][]string, error) {
	out, bonds := map[string][]string{}, map[int]bool{}
	for _, l := range links {
		if l.hardware == hardwareLoopback || !l.carrier {
			continue
		}
		what, driver, err := e.sortLink(l)
		if err != nil {
			return nil, err
		}
		if m := linkOf(links, l.master); what == isCard && m != nil && (m.kind == "bond" || m.kind == "team") {
			if bonds[m.index] {
				continue
			}
			bonds[m.index] = true
		}
		if what != isVirtual {
			out[what] = append(out[what], lineOf(l, what, driver, ssids))
		}
	}
	return out, nil
}

func linkOf(links []link, index int) *link {
	for i := range links {
		if index != 0 && links[i].index == index {
			return &links[i]
		}
	}
	return nil
}

// sortLink says what one is; the driver is named where it is the reason.
func (e *Eyes) sortLink(l link) (what, driver string, err error) {
	dir := "/sys/class/net/" + l.name
	if strings.ContainsAny(l.name, "/\x00") || !e.tree.exists(dir) {
		return "", "", fmt.Errorf("cannot tell what %q is: /sys/class/net does not show it", policy.OneLine(l.name))
	}
	uevent, err := e.tree.text(dir + "/uevent")
	if err != nil {
		return "", "", err
	}
	kind := devtype(uevent)
	driver = path.Base(e.tree.link(dir + "/device/driver"))
	switch {
	case kind == "wlan" || e.tree.exists(dir+"/phy80211") || e.tree.exists(dir+"/wireless"):
		return isWifi, "", nil
	case kind == "wwan" || slices.Contains(modemDrivers, driver) || strings.HasPrefix(l.name, "wwan"):
		return isModem, driver, nil
	case kind == "bluetooth" || strings.HasPrefix(l.name, "bnep"):
		return isTether, "bluetooth", nil
	case slices.Contains(tetherDrivers, driver):
		return isTether, driver, nil
	case l.hardware == hardwarePPP || slices.Contains(vpnKinds, l.kind) && l.master == 0:
		return isVPN, l.kind, nil
	case e.tree.exists(dir + "/device"):
		return isCard, "", nil
	}
	return isVirtual, "", nil
}

func devtype(uevent string) string {
	for line := range strings.Lines(uevent) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "DEVTYPE="); ok {
			return v
		}
	}
	return ""
}

// ways gives one line for each interface that a default route leaves by.
func (n netState) ways() []string {
	var out []string
	for _, l := range n.links {
		var next []string
		is := false
		for _, r := range n.routes {
			if r.index == l.index {
				is = true
				if r.gateway.IsValid() {
					next = append(next, r.gateway.String())
				}
			}
		}
		if is {
			slices.Sort(next)
			out = append(out, strings.TrimSpace(l.name+" "+strings.Join(slices.Compact(next), " ")))
		}
	}
	return out
}

// gateways gives the addresses of the cards that the default routes lead to, by what the kernel has learnt of its neighbours:
// whom it has not spoken with yet, nobody is asked for.
func (e *Eyes) gateways(n netState) policy.Reading {
	o := e.of(policy.FactGateways, "rtnetlink")
	macs := map[string]bool{}
	for _, r := range n.routes {
		if !r.gateway.IsValid() {
			if l := linkOf(n.links, r.index); l != nil {
				macs["none "+l.name] = true
			}
			continue
		}
		mac := n.macOf(r)
		if mac == "" {
			return o.Unread(policy.CodeMissing, fmt.Sprintf("cannot tell the card of gateway %s: the terminal has not spoken with it yet", r.gateway))
		}
		macs[mac] = true
	}
	return o.List(policy.Lines(sorted(macs)))
}

func (n netState) macOf(r route) string {
	for _, near := range n.neighbours {
		if near.index == r.index && near.ip == r.gateway {
			return near.mac
		}
	}
	return ""
}

var proxyForm = regexp.MustCompile(`(?i)^(?:export\s+)?((?:http|https|ftp|all|socks)_proxy)=["']?([^"'\s]+)`)

// proxies lists what sends programs another way out.
func (e *Eyes) proxies() policy.Reading {
	o := e.of(policy.FactProxies, "/etc/environment, profile.d, dconf")
	var out []string
	find := finder{tree: e.tree}
	files := append([]string{"/etc/environment", "/etc/profile"}, find.glob("/etc/profile.d/*.sh")...)
	if find.err != nil {
		return unread(o, find.err)
	}
	for _, f := range files {
		text, err := e.tree.text(f)
		if err != nil {
			return unread(o, err)
		}
		for line := range strings.Lines(text) {
			if m := proxyForm.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
				out = append(out, strings.ToLower(m[1])+"="+withoutUser(m[2]))
			}
		}
	}
	keys, err := e.dconf()
	if err != nil {
		return unread(o, err)
	}
	if mode := strings.Trim(keys[keyProxy], "'"); mode != "" && mode != "none" {
		out = append(out, "dconf "+mode)
	}
	return o.List(policy.Lines(sorted(setOf(out))))
}

// withoutUser takes name and password out of an address.
func withoutUser(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		scheme, rest = "", s
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	if scheme != "" {
		return scheme + "://" + rest
	}
	return rest
}

package winstate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sekisho/internal/policy"
)

// Network is what Windows says of its adapters.
type Network struct {
	Cards      []Card
	Routes     []Route // default ones
	Neighbours []Neighbour
	Fault      error // why the neighbours are not known
}

// Card is one adapter.
type Card struct {
	Index     uint32
	Index6    uint32
	GUID      string // {…}
	Name      string // what people call it
	About     string // its description
	MAC       string
	Addresses []netip.Addr
	Type      uint32
	Up        bool
	SSID      string // of a wireless one that is connected
	SSIDFault string
}

// Route is one default route.
type Route struct {
	Index   uint32
	Gateway netip.Addr
}

// Neighbour is whom the machine has spoken with.
type Neighbour struct {
	Index uint32
	IP    netip.Addr
	MAC   string
}

// Types of interfaces (https://learn.microsoft.com/windows/win32/api/iptypes/ns-iptypes-ip_adapter_addresses_lh).
const (
	typePPP      = 23
	typeLoopback = 24
	typeWireless = 71
	typeTunnel   = 131
	typeWWAN1    = 243
	typeWWAN2    = 244
)

const (
	isCard    = "card"
	isWifi    = "wifi"
	isTether  = "tether"
	isModem   = "modem"
	isVPN     = "vpn"
	isVirtual = ""
)

const (
	cardsKey = `HKLM\SYSTEM\CurrentControlSet\Control\Network\{4D36E972-E325-11CE-BFC1-08002BE10318}\`
	enumKey  = `HKLM\SYSTEM\CurrentControlSet\Enum\`
)

var (
	tetherDrivers = []string{"usb_rndisx", "usb_rndis", "usbrndis6", "rndismp", "rndismpx", "rndismp6", "usbncm", "netaapl", "netaapl64", "bthpan"}
	vpnWords      = []string{"tap-windows", "tap-win", "wintun", "wireguard", "openvpn", "anyconnect", "fortinet", "pangp", "globalprotect", "softether", "vpn", "zerotier", "tailscale"}
)

// Adapters sorts what Windows says. It only listens: nothing is sent to anybody.
func (e *Eyes) Adapters() []policy.Reading {
	facts := []string{policy.FactCards, policy.FactWifi, policy.FactTethers, policy.FactModems, policy.FactVPNs, policy.FactRoutes, policy.FactGateways}
	const source = "GetAdaptersAddresses"
	n, err := e.Machine.Network()
	sorted := map[string][]string{}
	if err == nil {
		sorted, err = e.sort(n.Cards)
	}
	if err != nil {
		var out []policy.Reading
		for _, f := range facts {
			out = append(out, not(e.of(f, source), err))
		}
		return append(out, e.proxies())
	}
	list := func(fact, kind string) policy.Reading { return e.of(fact, source).List(policy.Lines(sorted[kind])) }
	return []policy.Reading{list(policy.FactCards, isCard), list(policy.FactWifi, isWifi), list(policy.FactTethers, isTether), list(policy.FactModems, isModem),
		list(policy.FactVPNs, isVPN), e.of(policy.FactRoutes, "GetIpForwardTable2").List(policy.Lines(n.ways())), e.gateways(n), e.proxies()}
}

// sort gives the adapters that have a link, by what they are.
func (e *Eyes) sort(cards []Card) (map[string][]string, error) {
	out := map[string][]string{}
	for _, c := range cards {
		if !c.Up || c.Type == typeLoopback {
			continue
		}
		what, driver, err := e.kind(c)
		if err != nil {
			return nil, err
		}
		if what != isVirtual {
			out[what] = append(out[what], lineOf(c, what, driver))
		}
	}
	return out, nil
}

// lineOf is what a list calls an adapter.
func lineOf(c Card, what, driver string) string {
	switch {
	case what == isWifi && c.SSID != "":
		return c.SSID
	case what == isWifi: // since Windows 11 24H2 a service may not know it (Microsoft, "Changes to API behavior for Wi-Fi access and location")
		return strings.TrimSpace(c.Name + " (name of the network not readable: " + c.SSIDFault + ")")
	}
	return strings.Join(strings.Fields(c.Name+" "+driver+" "+c.MAC), " ")
}

// factOf is the list that an adapter is a line of.
var factOf = map[string]string{isCard: policy.FactCards, isWifi: policy.FactWifi, isTether: policy.FactTethers, isModem: policy.FactModems}

// Ways gives the terminal's adapters with what the console is reached by: local is the address that its newest answer came to, remote is its
// own. What has no device node, such as a switch of Windows' own, is no adapter that could be disabled. Nothing is sent.
func (e *Eyes) Ways(local, remote netip.Addr) ([]policy.Adapter, error) {
	n, err := e.Machine.Network()
	if err != nil {
		return nil, err
	}
	var out uint32
	if remote.IsValid() {
		if out, err = e.Machine.Out(remote); err != nil {
			return nil, err
		}
	}
	var list []policy.Adapter
	for _, c := range n.Cards {
		what, driver, err := e.kind(c)
		if err != nil {
			return nil, err
		}
		at, err := e.words(cardsKey+c.GUID+`\Connection`, "PnpInstanceID")
		if err != nil && !errors.Is(err, errAbsent) {
			return nil, err
		}
		if factOf[what] == "" || at == "" || c.Type == typeLoopback {
			continue
		}
		list = append(list, policy.Adapter{ID: at, Name: c.Name, Fact: factOf[what], Word: policy.OneLine(lineOf(c, what, driver)), Linked: c.Up,
			Reached: slices.Contains(c.Addresses, local), Routed: out != 0 && (out == c.Index || out == c.Index6)})
	}
	return list, nil
}

// kind says what an adapter is. A telephone that tethers looks like a plain card: where it is plugged in, and its driver, tell.
func (e *Eyes) kind(c Card) (what, driver string, err error) {
	switch c.Type {
	case typeWireless:
		return isWifi, "", nil
	case typeWWAN1, typeWWAN2:
		return isModem, "", nil
	case typePPP, typeTunnel:
		return isVPN, "", nil
	}
	at, err := e.words(cardsKey+c.GUID+`\Connection`, "PnpInstanceID")
	if err != nil && !errors.Is(err, errAbsent) {
		return "", "", err
	}
	if at != "" {
		driver, err = e.words(enumKey+at, "Service")
		if err != nil && !errors.Is(err, errAbsent) {
			return "", "", err
		}
	}
	bus, _, _ := strings.Cut(strings.ToUpper(at), `\`)
	about := strings.ToLower(c.About + " " + at)
	switch {
	case bus == "BTH" || slices.Contains(tetherDrivers, strings.ToLower(driver)) || strings.Contains(about, "rndis") || strings.Contains(about, "apple mobile device"):
		return isTether, driver, nil
	case slices.ContainsFunc(vpnWords, func(w string) bool { return strings.Contains(about, w) }):
		return isVPN, driver, nil
	case bus == "ROOT" || bus == "SWD":
		return isVirtual, driver, nil // a bridge or a switch of Windows' own: its card is listed as well
	}
	return isCard, "", nil // also one that nobody can place
}

// ways gives one line for each adapter that a default route leaves by.
func (n Network) ways() []string {
	var out []string
	for _, c := range n.Cards {
		var next []string
		is := false
		for _, r := range n.Routes {
			if r.Index == c.Index || r.Index == c.Index6 && r.Index != 0 {
				is = true
				if r.Gateway.IsValid() && !r.Gateway.IsUnspecified() {
					next = append(next, r.Gateway.String())
				}
			}
		}
		if is {
			slices.Sort(next)
			out = append(out, strings.TrimSpace(c.Name+" "+strings.Join(slices.Compact(next), " ")))
		}
	}
	return out
}

// gateways gives the cards that the default routes lead to, by what Windows has learnt of its neighbours: nobody is asked.
func (e *Eyes) gateways(n Network) policy.Reading {
	o := e.of(policy.FactGateways, "GetIpNetTable2")
	if n.Fault != nil && len(n.Routes) > 0 {
		return unread(o, n.Fault)
	}
	var out []string
	for _, r := range n.Routes {
		if !r.Gateway.IsValid() || r.Gateway.IsUnspecified() {
			out = append(out, fmt.Sprintf("none %d", r.Index))
			continue
		}
		mac := n.macOf(r)
		if mac == "" {
			return o.Unread(policy.CodeMissing, fmt.Sprintf("cannot tell the card of gateway %s: the terminal has not spoken with it yet", r.Gateway))
		}
		out = append(out, mac)
	}
	slices.Sort(out)
	return o.List(policy.Lines(slices.Compact(out)))
}

func (n Network) macOf(r Route) string {
	for _, near := range n.Neighbours {
		if near.Index == r.Index && near.IP == r.Gateway {
			return near.MAC
		}
	}
	return ""
}

const (
	internetKey   = `\Software\Microsoft\Windows\CurrentVersion\Internet Settings`
	internetRules = `HKLM\SOFTWARE\Policies\Microsoft\Windows\CurrentVersion\Internet Settings`
)

// proxies lists what sends programs another way out: the machine's own setting, WinHTTP's, and those of who is signed in.
func (e *Eyes) proxies() policy.Reading {
	o := e.of(policy.FactProxies, "registry Internet Settings")
	sids, err := e.people()
	if err != nil {
		return unread(o, err)
	}
	keys := []string{`HKLM` + internetKey, internetRules}
	for _, sid := range sids {
		keys = append(keys, `HKU\`+sid+internetKey)
	}
	var out []string
	for _, key := range keys {
		found, err := e.proxy(key)
		if err != nil {
			return not(o, err)
		}
		out = append(out, found...)
	}
	raw := e.Machine.Value(`HKLM`+internetKey+`\Connections`, "WinHttpSettings", "64")
	switch {
	case raw.Code == policy.CodeMissing:
	case raw.Code != "":
		return o.Unread(raw.Code, raw.Fault)
	default:
		if p := winHTTP(raw.Bytes); p != "" {
			out = append(out, "WinHTTP "+p)
		}
	}
	slices.Sort(out)
	return o.List(policy.Lines(slices.Compact(out)))
}

func (e *Eyes) proxy(key string) ([]string, error) {
	var out []string
	on, err := e.number(key, "ProxyEnable")
	if err != nil && !errors.Is(err, errAbsent) {
		return nil, err
	}
	if on != 0 {
		server, err := e.words(key, "ProxyServer")
		if err != nil {
			server = "?"
		}
		out = append(out, withoutUser(server))
	}
	script, err := e.words(key, "AutoConfigURL")
	if err != nil && !errors.Is(err, errAbsent) {
		return nil, err
	}
	if script != "" {
		out = append(out, withoutUser(script))
	}
	return out, nil
}

// winHTTP reads what `netsh winhttp set proxy` writes: a head of eight bytes, flags (2 is a named proxy), the name with its length.
func winHTTP(b []byte) string {
	if len(b) < 16 || binary.LittleEndian.Uint32(b[8:])&2 == 0 {
		return ""
	}
	n := int(min(binary.LittleEndian.Uint32(b[12:]), uint32(len(b)-16)))
	return withoutUser(string(b[16 : 16+n]))
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

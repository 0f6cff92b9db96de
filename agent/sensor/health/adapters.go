package health

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"sekisho/internal/policy"
)

// Way is between which addresses the console answered last; neither is valid before it did.
type Way struct{ Local, Remote netip.Addr }

// factOf is the list that an adapter is a line of.
var factOf = map[string]string{isCard: policy.FactCards, isWifi: policy.FactWifi, isTether: policy.FactTethers, isModem: policy.FactModems}

// builtOn are kinds of interfaces that are another one under another name (ip-link(8)).
var builtOn = []string{"vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "macsec", "vrf"}

// linuxAdapters gives what is an adapter, also without a link. Out is the interface by which the console would be sent to, 0 for none.
func (e *Eyes) linuxAdapters(n netState, local netip.Addr, out int) ([]policy.Adapter, error) {
	in := 0
	for _, a := range n.addresses {
		if local.IsValid() && a.ip == local {
			in = a.index
		}
	}
	reached, routed := n.under(in), n.under(out)
	var list []policy.Adapter
	for _, l := range n.links {
		if l.hardware == hardwareLoopback {
			continue
		}
		what, driver, err := e.sortLink(l)
		if err != nil {
			return nil, err
		}
		fact := factOf[what]
		if fact == "" {
			continue
		}
		list = append(list, policy.Adapter{ID: strconv.Itoa(l.index) + " " + l.name, Name: l.name, Fact: fact, Word: lineOf(l, what, driver, n.ssids),
			Linked: l.carrier, Reached: slices.Contains(reached, l.index), Routed: slices.Contains(routed, l.index)})
	}
	return list, nil
}

// lineOf is what a list calls a link.
func lineOf(l link, what, driver string, ssids map[int]string) string {
	if name := ssids[l.index]; what == isWifi && name != "" {
		return name
	}
	return strings.Join(strings.Fields(l.name+" "+driver+" "+l.mac), " ")
}

// under gives an interface with everything that carries it: the cards of a bridge or a bond, the card under a VLAN.
func (n netState) under(index int) []int {
	if index == 0 {
		return nil
	}
	out := []int{index}
	for i := 0; i < len(out); i++ {
		for _, l := range n.links {
			if l.master == out[i] && !slices.Contains(out, l.index) {
				out = append(out, l.index)
			}
		}
		if l := linkOf(n.links, out[i]); l != nil && l.below != 0 && slices.Contains(builtOn, l.kind) && !slices.Contains(out, l.below) {
			out = append(out, l.below)
		}
	}
	return out
}

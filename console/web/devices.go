package web

import (
	"fmt"
	"slices"
	"strings"

	"sekisho/internal/policy"
)

// order is which kind names a device that shows several: what can carry files first.
var order = []policy.Kind{
	policy.KindStorage, policy.KindCard, policy.KindPortable, policy.KindOptical, policy.KindDisk,
	policy.KindNetwork, policy.KindWireless, policy.KindVendor, policy.KindPrinter, policy.KindSerial,
	policy.KindUnknown, policy.KindVideo, policy.KindAudio, policy.KindSmartCard, policy.KindKeyboard,
	policy.KindMouse, policy.KindHID, policy.KindHub, policy.KindSystem, policy.KindOther,
}

// mainKind is the kind people call the device by.
func mainKind(d policy.Device) policy.Kind {
	for _, k := range order {
		if d.Has(k) {
			return k
		}
	}
	return policy.KindUnknown
}

// kinds names every kind, the telling one first.
func (p *pages) kinds(list []policy.Kind) string {
	var names []string
	for _, k := range order {
		if slices.Contains(list, k) {
			names = append(names, p.words.word("kind", k))
		}
	}
	return strings.Join(names, p.words.say("list.comma"))
}

// device describes a device in one line: kind, size, the device's own name.
func (p *pages) device(d policy.Device) string {
	return strings.Join(append([]string{p.words.word("kind", mainKind(d))}, p.particulars(d)...), p.words.say("list.comma"))
}

// facts is what the title does not say yet: size, the device's own name, serial number.
func (p *pages) facts(d policy.Device) string {
	parts := p.particulars(d)
	if d.Serial != "" {
		parts = append(parts, p.words.say("serial")+" "+d.Serial)
	}
	if len(parts) == 0 {
		return p.kinds(d.Kinds)
	}
	return strings.Join(parts, p.words.say("list.comma"))
}

func (p *pages) particulars(d policy.Device) (parts []string) {
	if d.Capacity > 0 {
		parts = append(parts, size(d.Capacity))
	}
	if own := strings.TrimSpace(d.Manufacturer + " " + d.Name); own != "" {
		parts = append(parts, p.words.say("device.own", own))
	}
	return parts
}

// iface says in words what an interface's numbers mean, as far as USB-IF names them.
func (p *pages) iface(i policy.Interface) string {
	for _, key := range []string{
		fmt.Sprintf("iface.%02x/%02x/%02x", i.Class, i.Subclass, i.Protocol),
		fmt.Sprintf("iface.%02x/%02x", i.Class, i.Subclass),
		fmt.Sprintf("iface.%02x", i.Class),
	} {
		if text, ok := p.words[key]; ok {
			return text
		}
	}
	return p.words.say("iface.unknown")
}

func (p *pages) bus(list []string) string { return p.wordsOf("bus", list) }

func (p *pages) wordsOf(family string, list []string) string {
	var names []string
	for _, v := range list {
		names = append(names, p.words.word(family, v))
	}
	return strings.Join(names, p.words.say("list.comma"))
}

// matches says in one sentence which devices a rule is for.
func (p *pages) matches(m policy.Match) string {
	say := p.words.say
	var parts []string
	add := func(key, value string) {
		if value != "" {
			parts = append(parts, say("match."+key, value))
		}
	}
	if m.Composite {
		parts = append(parts, say("match.composite"))
	}
	add("kind", p.kinds(m.Kind))
	add("bus", p.bus(m.Bus))
	add("class", strings.Join(m.Class, say("list.comma")))
	add("vendor", m.Vendor)
	add("product", m.Product)
	add("serial", m.Serial)
	add("port", m.Port)
	add("group", strings.Join(m.Group, say("list.comma")))
	if m.MinCapacity > 0 {
		add("min_capacity", size(m.MinCapacity))
	}
	if m.MaxCapacity > 0 {
		add("max_capacity", size(m.MaxCapacity))
	}
	if len(parts) == 0 {
		return say("match.everything")
	}
	return strings.Join(parts, say("list.and"))
}

package policy

import (
	"slices"
	"strings"
)

// matches says whether a device on a terminal of the group is one that the rule describes.
func (m *Match) matches(group string, dev Device) bool {
	return among(m.Bus, dev.Bus) &&
		among(m.Group, group) &&
		(len(m.Kind) == 0 || hasAny(dev.Kinds, m.Kind)) &&
		(!m.Composite || Composite(dev.Kinds)) &&
		m.matchesClass(dev.Interfaces) &&
		same(m.Vendor, dev.Vendor) && same(m.Product, dev.Product) && same(m.Serial, dev.Serial) && same(m.Port, dev.Port) &&
		m.matchesCapacity(dev.Capacity)
}

// everything says whether the match is the one of a default rule.
func (m *Match) everything() bool {
	return len(m.Bus)+len(m.Kind)+len(m.Class)+len(m.Group) == 0 && !m.Composite &&
		m.Vendor+m.Product+m.Serial+m.Port == "" && m.MinCapacity == 0 && m.MaxCapacity == 0
}

func (m *Match) matchesClass(interfaces []Interface) bool {
	if len(m.Class) == 0 {
		return true
	}
	for _, i := range interfaces {
		triplet := i.String()
		if slices.ContainsFunc(m.Class, func(c string) bool { return classPrefix(triplet, c) }) {
			return true
		}
	}
	return false
}

// classPrefix says whether a triplet begins with whole numbers of a class, so that "0" is not a prefix of "08/06/50".
func classPrefix(triplet, class string) bool {
	return class != "" && len(class)%3 == 2 && strings.HasPrefix(triplet, class)
}

// matchesCapacity never lets a device of unknown capacity match a bound.
func (m *Match) matchesCapacity(bytes int64) bool {
	if m.MinCapacity == 0 && m.MaxCapacity == 0 {
		return true
	}
	return bytes > 0 && bytes >= m.MinCapacity && (m.MaxCapacity == 0 || bytes <= m.MaxCapacity)
}

func among(wanted []string, have string) bool {
	return len(wanted) == 0 || slices.Contains(wanted, have)
}

func same(wanted, have string) bool { return wanted == "" || wanted == have }

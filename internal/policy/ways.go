package policy

import (
	"slices"
	"strings"
)

// Ways of describing a program so that a rule or a permission names it.
const (
	WayHash      = "hash"      // this file and no other
	WayVersion   = "version"   // this version of the product
	WaySigner    = "signer"    // the product, as its checked signature says
	WayPublisher = "publisher" // the product, as it says of itself
	WayPackage   = "package"   // the package, from this kind of source
	WayPath      = "path"      // whatever stands there
)

// Way is one description of a program.
type Way struct {
	Key   string       `json:"way"`
	Match ProgramMatch `json:"match"`
}

// Ways gives the descriptions that fit a program, the one that fits its kind best first. A word with a star in it is not
// used: in a pattern it would stand for more than the program.
func Ways(p Program) []Way {
	var ways []Way
	add := func(key string, m ProgramMatch) { ways = append(ways, Way{key, m}) }
	single := slices.Contains([]ProgramKind{ProgramFile, ProgramScript, ProgramAppImage}, p.Kind)
	if single && p.Hash != "" {
		add(WayHash, ProgramMatch{Hash: []string{p.Hash}})
	}
	if name := word(p.Name); name != nil && !single {
		if signer := word(p.Signer); signer != nil {
			add(WaySigner, ProgramMatch{Name: name, Signer: signer})
		}
		if p.Source == SourceRepository || p.Source == SourceStore {
			add(WayPackage, ProgramMatch{Kind: []ProgramKind{p.Kind}, Name: name, Source: []string{p.Source}})
		}
		if publisher := word(p.Publisher); publisher != nil {
			add(WayPublisher, ProgramMatch{Name: name, Publisher: publisher})
		}
		if len(ways) == 0 && p.Kind != "" {
			m := ProgramMatch{Kind: []ProgramKind{p.Kind}, Name: name}
			if p.Source != "" {
				m.Source = []string{p.Source}
			}
			add(WayPackage, m)
		}
	}
	if path := word(p.Path); path != nil {
		add(WayPath, ProgramMatch{Path: path})
	}
	return slices.DeleteFunc(ways, func(w Way) bool { return !w.Match.describes(p) })
}

// PermitWays gives what a software permission can name: one file, or one version of one product.
func PermitWays(p Program) []Way {
	var ways []Way
	if p.Hash != "" {
		ways = append(ways, Way{WayHash, ProgramMatch{Hash: []string{p.Hash}}})
	}
	if name := word(p.Name); name != nil && p.Version != "" {
		m := ProgramMatch{Name: name, MinVersion: p.Version, MaxVersion: p.Version}
		if p.Publisher != "" {
			m.Publisher = word(p.Publisher)
		}
		if p.Kind != "" {
			m.Kind = []ProgramKind{p.Kind}
		}
		ways = append(ways, Way{WayVersion, m})
	}
	return slices.DeleteFunc(ways, func(w Way) bool { return !w.Match.describes(p) })
}

// describes says whether the match names the program and would stand in a policy.
func (m *ProgramMatch) describes(p Program) bool {
	c := &check{}
	c.programMatch("", m)
	return len(c.problems) == 0 && m.matches("", p)
}

func word(s string) []string {
	if s == "" || strings.Contains(s, "*") {
		return nil
	}
	return []string{s}
}

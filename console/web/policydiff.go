package web

import (
	"reflect"
	"slices"
	"strconv"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// change is one difference between two versions, in words.
type change struct {
	Word string `json:"word"` // changed, added, removed, moved
	What string `json:"what"`
	Was  string `json:"was,omitempty"`
	Is   string `json:"is,omitempty"`
}

// changes says what differs; rules are told apart by their id.
func (p *pages) changes(have, want store.GroupPolicy) []change {
	list := []change{}
	text := func(key, was, is string) {
		if was != is {
			list = append(list, change{"changed", p.words.say("diff." + key), was, is})
		}
	}
	text("mode", p.words.word("mode", have.Control.Mode), p.words.word("mode", want.Control.Mode))
	text("contact", have.Contact.Name, want.Contact.Name)
	text("phone", have.Contact.Phone, want.Contact.Phone)
	list = append(list, p.ruleChanges(have.Control.Rules, want.Control.Rules)...)
	list = append(list, p.softwareChanges(have.Software, want.Software)...)
	return append(list, p.healthChanges(have.Health, want.Health)...)
}

func (p *pages) ruleChanges(have, want []policy.Rule) []change {
	var list []change
	was, is := ids(have), ids(want)
	for i, rule := range want {
		at := slices.Index(was, rule.ID)
		name := rule.Name.In(p.cal.lang)
		switch {
		case at < 0:
			list = append(list, change{Word: "added", What: name, Is: p.sentence(rule)})
			continue
		case !sameRule(have[at], rule):
			list = append(list, change{"changed", name, p.sentence(have[at]), p.sentence(rule)})
		}
		if overtook(was, is, rule.ID) {
			list = append(list, change{"moved", name, strconv.Itoa(at + 1), strconv.Itoa(i + 1)})
		}
	}
	for _, rule := range have {
		if !slices.Contains(is, rule.ID) {
			list = append(list, change{Word: "removed", What: rule.Name.In(p.cal.lang), Was: p.sentence(rule)})
		}
	}
	return list
}

func ids(rules []policy.Rule) []string {
	list := make([]string, 0, len(rules))
	for _, r := range rules {
		list = append(list, r.ID)
	}
	return list
}

// overtook says whether a rule stands differently among those that both lists hold:
// a rule added above moves nothing.
func overtook(was, is []string, id string) bool {
	place := func(list, other []string) int {
		n := 0
		for _, one := range list {
			if one == id {
				return n
			}
			if slices.Contains(other, one) {
				n++
			}
		}
		return -1
	}
	return place(was, is) != place(is, was)
}

// sameRule compares by meaning: an empty list is no list.
func sameRule(a, b policy.Rule) bool {
	return reflect.DeepEqual(ruleFormOf(a), ruleFormOf(normal(b))) || reflect.DeepEqual(ruleFormOf(normal(a)), ruleFormOf(normal(b)))
}

func normal(r policy.Rule) policy.Rule {
	r.Match.Kind = sortKinds(r.Match.Kind)
	if len(r.Match.Bus) == 0 {
		r.Match.Bus = nil
	}
	if len(r.Match.Class) == 0 {
		r.Match.Class = nil
	}
	if len(r.Match.Group) == 0 {
		r.Match.Group = nil
	}
	return r
}

func sortKinds(kinds []policy.Kind) []policy.Kind {
	var list []policy.Kind
	for _, k := range order {
		for _, have := range kinds {
			if have == k {
				list = append(list, k)
			}
		}
	}
	return list
}

// sentence is a whole rule in words: name, whom it is for, what it does.
func (p *pages) sentence(r policy.Rule) string {
	s := p.words.say("diff.rule", r.Name.In(p.cal.lang), p.matches(r.Match), p.words.word("action", r.Action))
	if r.Clause != "" {
		s += p.words.say("list.comma") + p.clause(r.Clause).Title.In(p.cal.lang)
	}
	if r.Alarm {
		s += p.words.say("list.comma") + p.words.say("diff.alarm")
	}
	return s
}

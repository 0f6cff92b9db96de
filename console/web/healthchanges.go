package web

import (
	"cmp"
	"fmt"
	"strings"

	"sekisho/internal/policy"
)

// healthChanges says what differs between two controls.
func (p *pages) healthChanges(have, want *policy.Health) []change {
	list, say := []change{}, p.words.say
	switch {
	case want == nil && have == nil:
		return list
	case want == nil:
		return append(list, change{Word: "removed", What: say("health.title")})
	case have == nil:
		return append(list, change{Word: "added", What: say("health.title"), Is: p.words.word("health.mode", want.Mode) + say("list.comma") + say("health.diff.checks", onChecks(want))})
	}
	text := func(what, was, is string) {
		if was != is {
			list = append(list, change{"changed", what, was, is})
		}
	}
	text(say("diff.mode"), p.words.word("health.mode", have.Mode), p.words.word("health.mode", want.Mode))
	text(say("health.edit.settle"), p.spanOf(have.Settle), p.spanOf(want.Settle))
	text(say("health.edit.calendar"), p.days(have.Calendar), p.days(want.Calendar))
	was, is := formOfHealth(have), formOfHealth(want)
	for _, info := range policy.Catalogue() {
		text(info.Name.In(p.cal.lang), p.checkWords(info, was), p.checkWords(info, is))
	}
	list = append(list, differences(have.Waivers, want.Waivers, func(w policy.Waiver) string { return w.ID }, p.waiverWords)...)
	return append(list, differences(have.Probes, want.Probes, func(b policy.Probe) string { return b.ID }, func(b policy.Probe) string { return p.probeWords(b) })...)
}

func onChecks(h *policy.Health) int {
	n := 0
	for _, c := range h.Checks {
		if !c.Off {
			n++
		}
	}
	return n
}

func (p *pages) days(c policy.Calendar) string {
	if len(c.Closed) == 0 {
		return p.words.say("health.edit.no_closed")
	}
	return strings.TrimSpace(c.Name + " " + p.words.say("health.edit.closed_n", len(c.Closed), c.Closed[0], c.Closed[len(c.Closed)-1]))
}

// checkWords is one check of a control in a line.
func (p *pages) checkWords(info policy.CheckInfo, f map[string]string) string {
	if f["on."+info.ID] == "" {
		return p.words.say("health.off")
	}
	span := func(at string) string { return p.wanted(f[at+".count"] + " " + f[at+".unit"]) }
	parts := []string{p.words.say("health.diff.grace", span("grace."+info.ID+".warning"), span("grace."+info.ID+".violation"))}
	for _, name := range sortedNames(info.Limits) {
		parts = append(parts, p.words.say("health.limit."+name)+" "+span("limit."+info.ID+"."+name))
	}
	if m := f["mode."+info.ID]; m != "" {
		parts = append(parts, p.words.word("health.mode", m))
	}
	if f["separate."+info.ID] == policy.SeparateDisable {
		parts = append(parts, p.words.say("separate.diff."+cmp.Or(f["mode."+info.ID], f["mode"])))
	}
	if a := f["allowed."+info.ID]; a != "" {
		parts = append(parts, p.words.say("health.edit.allowed")+": "+strings.ReplaceAll(a, "\n", p.words.say("list.comma")))
	}
	return strings.Join(parts, p.words.say("list.comma"))
}

// differences compares two lists of things with ids.
func differences[T any](was, is []T, id func(T) string, words func(T) string) []change {
	var list []change
	find := func(in []T, want string) (T, bool) {
		for _, one := range in {
			if id(one) == want {
				return one, true
			}
		}
		var none T
		return none, false
	}
	for _, one := range is {
		old, ok := find(was, id(one))
		switch {
		case !ok:
			list = append(list, change{Word: "added", What: id(one), Is: words(one)})
		case fmt.Sprintf("%+v", old) != fmt.Sprintf("%+v", one):
			list = append(list, change{"changed", id(one), words(old), words(one)})
		}
	}
	for _, one := range was {
		if _, ok := find(is, id(one)); !ok {
			list = append(list, change{Word: "removed", What: id(one), Was: words(one)})
		}
	}
	return list
}

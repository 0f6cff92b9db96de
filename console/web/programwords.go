package web

import (
	"slices"
	"strconv"
	"strings"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// program names a program in one line: name and version.
func (p *pages) program(prog policy.Program) string {
	if prog.Version == "" {
		return prog.Name
	}
	return prog.Name + " " + prog.Version
}

// programTitle says in a sentence what happened with a program.
func (p *pages) programTitle(rec wire.Record) string {
	ev := rec.Software
	act := p.words.word("program.what", orNone(ev.What))
	return p.words.say("program.title."+programResult(rec), p.program(ev.Program), act)
}

// programResult is the outcome as titles tell them apart.
func programResult(rec wire.Record) string {
	switch {
	case rec.Software.What == policy.ProgramRemoved:
		return "removed"
	case rec.Outcome == policy.OutcomeBlocked && rec.Software.What == policy.ProgramRun:
		return "denied"
	case rec.Outcome == policy.OutcomeRemoved, rec.Outcome == policy.OutcomePending, rec.Outcome == "":
		return "none"
	}
	return string(rec.Outcome)
}

// programDetail is the small line: kind, publisher, where from.
func (p *pages) programDetail(rec wire.Record) string {
	prog := rec.Software.Program
	parts := []string{p.words.word("program.kind", orNone(string(prog.Kind)))}
	for _, word := range []string{prog.Publisher, prog.Path} {
		if word != "" {
			parts = append(parts, word)
		}
	}
	if prog.Source != "" && prog.Source != policy.SourceNone {
		parts = append(parts, p.words.word("source", prog.Source))
	}
	if rec.Outcome == policy.OutcomeAudit {
		parts = append(parts, p.words.say("detail."+string(resultOf(rec.Outcome, modeOf(rec)))))
	}
	return strings.Join(parts, p.words.say("list.comma"))
}

// programDone says what was done about it: before it was unpacked, when it should run, after it ran, or nothing.
func (p *pages) programDone(rec wire.Record) string {
	what := rec.Software.What
	switch rec.Outcome {
	case policy.OutcomeBlocked:
		if what == policy.ProgramWanted {
			return p.words.say("program.done.vetoed")
		}
		return p.words.say("program.done.denied")
	case policy.OutcomeEnded, policy.OutcomeQuarantined:
		key := "program.done." + string(rec.Outcome)
		if ms, ok := lived(rec.Steps); ok {
			return p.words.say(key+".after", ms)
		}
		return p.words.say(key)
	case policy.OutcomeBlockFailed:
		return p.words.say("program.done.failed")
	case policy.OutcomeLearnt:
		return p.words.say("program.done.learnt")
	case policy.OutcomeAllowed:
		return p.words.say("program.done.allowed")
	case policy.OutcomeDetected, policy.OutcomeAudit:
		return p.words.say("program.done.detected")
	}
	return p.words.say("program.done.none")
}

// lived is how many milliseconds passed from the first step to the one that ended the program.
func lived(steps []wire.Step) (ms string, ok bool) {
	i := slices.IndexFunc(steps, func(s wire.Step) bool {
		return s.OK && (s.Code == "ended" || s.Code == "killed" || s.Code == "terminated")
	})
	if i < 1 {
		return "", false
	}
	d := steps[i].At.Sub(steps[0].At)
	return strconv.FormatInt(d.Milliseconds(), 10), d >= 0
}

// programMatches says in one sentence which programs a rule is for.
func (p *pages) programMatches(m policy.ProgramMatch) string {
	var parts []string
	add := func(key string, values ...string) {
		if len(values) > 0 && values[0] != "" {
			parts = append(parts, p.words.say("match.program."+key, strings.Join(values, p.words.say("list.or"))))
		}
	}
	kinds := make([]string, len(m.Kind))
	for i, k := range m.Kind {
		kinds[i] = p.words.word("program.kind", k)
	}
	add("kind", kinds...)
	add("name", m.Name...)
	add("publisher", m.Publisher...)
	add("signer", m.Signer...)
	sources := make([]string, len(m.Source))
	for i, one := range m.Source {
		sources[i] = p.words.word("source", one)
	}
	add("source", sources...)
	add("origin", m.Origin...)
	add("path", m.Path...)
	add("hash", shortHashes(m.Hash)...)
	if m.MinVersion != "" && m.MinVersion == m.MaxVersion {
		add("version", m.MinVersion)
	} else {
		add("min_version", m.MinVersion)
		add("max_version", m.MaxVersion)
	}
	add("group", m.Group...)
	if len(parts) == 0 {
		return p.words.say("match.program.everything")
	}
	return strings.Join(parts, p.words.say("list.and"))
}

// shortHashes are enough to tell one from another in a sentence.
func shortHashes(hashes []string) []string {
	list := make([]string, len(hashes))
	for i, h := range hashes {
		list[i] = cut(h, 12) + "…"
	}
	return list
}

// softwareChanges says what differs between two controls.
func (p *pages) softwareChanges(have, want *policy.Software) []change {
	list := []change{}
	text := func(key, was, is string) {
		if was != is {
			list = append(list, change{"changed", p.words.say("diff." + key), was, is})
		}
	}
	text("software", p.covered(have), p.covered(want))
	if have == nil {
		have = &policy.Software{}
	}
	if want == nil {
		return list
	}
	text("software.mode", p.softwareMode(have.Mode), p.softwareMode(want.Mode))
	text("software.undecided", p.actionWord(have.Undecided), p.actionWord(want.Undecided))
	text("software.stall", p.actionWord(have.Stall), p.actionWord(want.Stall))
	text("software.learn_until", p.cal.moment(have.LearnUntil), p.cal.moment(want.LearnUntil))
	return append(list, p.programRuleChanges(have.Rules, want.Rules)...)
}

func (p *pages) covered(s *policy.Software) string {
	if s == nil {
		return p.words.say("software.off")
	}
	return p.words.say("software.on")
}

func (p *pages) softwareMode(m policy.Mode) string {
	if m == "" {
		return "—"
	}
	return p.words.word("software.mode", m)
}

func (p *pages) actionWord(a policy.Action) string {
	if a == "" {
		return "—"
	}
	return p.words.word("action", a)
}

func (p *pages) programRuleChanges(have, want []policy.ProgramRule) []change {
	var list []change
	was, is := programIDs(have), programIDs(want)
	at := map[string]int{}
	for i, id := range was {
		at[id] = i
	}
	for _, rule := range want {
		i, known := at[rule.ID]
		name := rule.Name.In(p.cal.lang)
		switch {
		case !known:
			list = append(list, change{Word: "added", What: name, Is: p.programSentence(rule)})
		case p.programSentence(have[i]) != p.programSentence(rule) || have[i].Name != rule.Name || !sameMatch(have[i].Match, rule.Match):
			list = append(list, change{"changed", name, p.programSentence(have[i]), p.programSentence(rule)})
		}
	}
	kept := map[string]bool{}
	for _, id := range is {
		kept[id] = true
	}
	for _, rule := range have {
		if !kept[rule.ID] {
			list = append(list, change{Word: "removed", What: rule.Name.In(p.cal.lang), Was: p.programSentence(rule)})
		}
	}
	return append(list, p.movedRules(have, want, kept)...)
}

// movedRules names those that stand in another order among the rules that both have.
func (p *pages) movedRules(have, want []policy.ProgramRule, kept map[string]bool) []change {
	var list []change
	known := map[string]bool{}
	for _, r := range have {
		known[r.ID] = true
	}
	before := slices.DeleteFunc(programIDs(have), func(id string) bool { return !kept[id] })
	after := slices.DeleteFunc(programIDs(want), func(id string) bool { return !known[id] })
	for i, id := range after {
		if i < len(before) && before[i] != id {
			was := slices.Index(before, id)
			rule := want[slices.IndexFunc(want, func(r policy.ProgramRule) bool { return r.ID == id })]
			list = append(list, change{"moved", rule.Name.In(p.cal.lang), strconv.Itoa(was + 1), strconv.Itoa(i + 1)})
		}
	}
	return list
}

func programIDs(rules []policy.ProgramRule) []string {
	list := make([]string, 0, len(rules))
	for _, r := range rules {
		list = append(list, r.ID)
	}
	return list
}

// sameMatch compares by meaning, which the form's fields hold.
func sameMatch(a, b policy.ProgramMatch) bool {
	x, y := programRuleFormOf(policy.ProgramRule{Match: a}), programRuleFormOf(policy.ProgramRule{Match: b})
	x.Match, y.Match = policy.ProgramMatch{}, policy.ProgramMatch{}
	return x.same(y)
}

// programSentence is a whole rule in words.
func (p *pages) programSentence(r policy.ProgramRule) string {
	comma := p.words.say("list.comma")
	s := p.words.say("diff.rule", r.Name.In(p.cal.lang), p.programMatches(r.Match), p.words.word("action", r.Action))
	if r.Clause != "" {
		s += comma + p.clause(r.Clause).Title.In(p.cal.lang)
	}
	if r.Alarm {
		s += comma + p.words.say("diff.alarm")
	}
	for _, one := range []struct{ key, value string }{{"rule.reason_is", p.said(r.Reason)}, {"rule.owner_is", r.Owner}, {"rule.review_is", p.reviewed(r.Review)}} {
		if one.value != "" {
			s += comma + p.words.say(one.key, one.value)
		}
	}
	return s
}

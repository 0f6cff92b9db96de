package web

import (
	"crypto/rand"
	"encoding/hex"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sekisho/internal/policy"
)

// softwareForm is a control of software as its form's fields hold it, text as typed.
type softwareForm struct {
	Mode       string            `json:"mode"`
	Undecided  string            `json:"undecided"`
	Stall      string            `json:"stall"`
	LearnUntil string            `json:"learn_until"`
	Reason     string            `json:"reason"`
	Rules      []programRuleForm `json:"rules"`
	unread     map[string]string
}

// programRuleForm is one rule's fields. Lists have a value in each line: names hold commas and blanks.
type programRuleForm struct {
	ID, NameJA, NameEN, Action, Clause            string
	Alarm                                         bool
	Reason, Owner, Review                         string
	Kinds, Sources                                map[string]bool
	Names, Publishers, Signers, Origins           string
	Paths, Hashes, Groups, MinVersion, MaxVersion string
	Match                                         policy.ProgramMatch `json:"-"` // as read, for the summary
}

func (f programRuleForm) same(g programRuleForm) bool {
	return maps.Equal(f.Kinds, g.Kinds) && maps.Equal(f.Sources, g.Sources) && f.Names == g.Names && f.Publishers == g.Publishers &&
		f.Signers == g.Signers && f.Origins == g.Origins && f.Paths == g.Paths && f.Hashes == g.Hashes && f.Groups == g.Groups &&
		f.MinVersion == g.MinVersion && f.MaxVersion == g.MaxVersion
}

func softwareFormOf(s *policy.Software, cal calendar) softwareForm {
	f := softwareForm{Mode: string(s.Mode), Undecided: string(s.Undecided), Stall: string(s.Stall)}
	if !s.LearnUntil.IsZero() {
		f.LearnUntil = cal.moment(s.LearnUntil)
	}
	for _, rule := range s.Rules {
		f.Rules = append(f.Rules, programRuleFormOf(rule))
	}
	return f
}

func programRuleFormOf(r policy.ProgramRule) programRuleForm {
	m := r.Match
	f := programRuleForm{
		ID: r.ID, NameJA: r.Name.JA, NameEN: r.Name.EN, Action: string(r.Action), Clause: r.Clause, Alarm: r.Alarm, Reason: r.Reason, Owner: r.Owner, Review: r.Review,
		Kinds: map[string]bool{}, Sources: map[string]bool{}, Names: inLines(m.Name), Publishers: inLines(m.Publisher), Signers: inLines(m.Signer), Origins: inLines(m.Origin),
		Paths: inLines(m.Path), Hashes: inLines(m.Hash), Groups: inLines(m.Group), MinVersion: m.MinVersion, MaxVersion: m.MaxVersion, Match: m,
	}
	for _, k := range m.Kind {
		f.Kinds[string(k)] = true
	}
	for _, one := range m.Source {
		f.Sources[one] = true
	}
	return f
}

func inLines(list []string) string { return strings.Join(list, "\n") }

func lines(text string) []string {
	var list []string
	for one := range strings.Lines(text) {
		if one = strings.TrimSpace(one); one != "" {
			list = append(list, one)
		}
	}
	return list
}

// readSoftwareForm reads the fields; rules are numbered from 0 without holes.
func readSoftwareForm(v url.Values, cal calendar) softwareForm {
	f := softwareForm{
		Mode: v.Get("mode"), Undecided: v.Get("undecided"), Stall: v.Get("stall"), LearnUntil: strings.TrimSpace(v.Get("learn_until")),
		Reason: strings.TrimSpace(v.Get("reason")), unread: map[string]string{},
	}
	if f.LearnUntil != "" {
		if _, err := cal.parse(f.LearnUntil); err != nil {
			f.unread["learn_until"] = "form.bad_date"
		}
	}
	for i := 0; i <= policy.MaxProgramRules && v.Has("r"+strconv.Itoa(i)+".id"); i++ {
		f.Rules = append(f.Rules, readProgramRule(v, "r"+strconv.Itoa(i)+"."))
	}
	return f
}

func readProgramRule(v url.Values, at string) programRuleForm {
	get := func(name string) string { return strings.TrimSpace(v.Get(at + name)) }
	f := programRuleForm{
		ID: get("id"), NameJA: get("name.ja"), NameEN: get("name.en"), Action: get("action"), Clause: get("clause"), Alarm: get("alarm") != "",
		Reason: get("reason"), Owner: get("owner"), Review: reviewDay(get("review")), Kinds: ticked(v[at+"match.kind"]), Sources: ticked(v[at+"match.source"]),
		Names: get("match.name"), Publishers: get("match.publisher"), Signers: get("match.signer"), Origins: get("match.origin"), Paths: get("match.path"),
		Hashes: strings.ToLower(get("match.hash")), Groups: get("match.group"), MinVersion: get("match.min_version"), MaxVersion: get("match.max_version"),
	}
	f.Match = f.match()
	return f
}

func ticked(values []string) map[string]bool {
	m := map[string]bool{}
	for _, v := range values {
		m[v] = true
	}
	return m
}

var programSources = []string{policy.SourceRepository, policy.SourceStore, policy.SourceLocal, policy.SourceNone, policy.SourceUnknown}

func (f programRuleForm) match() policy.ProgramMatch {
	m := policy.ProgramMatch{
		Name: lines(f.Names), Publisher: lines(f.Publishers), Signer: lines(f.Signers), Origin: lines(f.Origins), Path: lines(f.Paths), Hash: lines(f.Hashes),
		MinVersion: f.MinVersion, MaxVersion: f.MaxVersion, Group: lines(f.Groups),
	}
	for _, k := range policy.ProgramKinds() {
		if f.Kinds[string(k)] {
			m.Kind = append(m.Kind, k)
		}
	}
	for _, one := range programSources {
		if f.Sources[one] {
			m.Source = append(m.Source, one)
		}
	}
	return m
}

// software is the control that the form describes.
func (f *softwareForm) software(cal calendar) *policy.Software {
	s := &policy.Software{Mode: policy.Mode(f.Mode), Undecided: policy.Action(f.Undecided), Stall: policy.Action(f.Stall)}
	if f.LearnUntil != "" {
		s.LearnUntil, _ = cal.parse(f.LearnUntil) // what cannot be read is refused beside its field
	}
	for _, r := range f.Rules {
		s.Rules = append(s.Rules, policy.ProgramRule{
			ID: r.ID, Name: policy.Text{JA: r.NameJA, EN: r.NameEN}, Match: r.Match, Action: policy.Action(r.Action), Clause: r.Clause, Alarm: r.Alarm,
			Reason: r.Reason, Owner: r.Owner, Review: r.Review,
		})
	}
	return s
}

// step edits the list of rules and says which rule to show open.
func (f *softwareForm) step(do string, n int, owner string) int {
	in := n >= 0 && n < len(f.Rules)
	switch {
	case do == "add":
		f.Rules = append([]programRuleForm{{ID: newRuleID(), Action: string(policy.ActionAllow), Owner: owner}}, f.Rules...)
		return 0
	case !in:
	case do == "up" && n > 0:
		f.Rules[n-1], f.Rules[n] = f.Rules[n], f.Rules[n-1]
		return n - 1
	case do == "down" && n < len(f.Rules)-1:
		f.Rules[n+1], f.Rules[n] = f.Rules[n], f.Rules[n+1]
		return n + 1
	case do == "delete":
		f.Rules = slices.Delete(f.Rules, n, n+1)
		return -1
	}
	return n
}

func newRuleID() string {
	b := make([]byte, 4)
	rand.Read(b)
	return "sw-" + hex.EncodeToString(b)
}

// overdue says that a rule's review day has passed.
func overdue(review string, now time.Time, zone *time.Location) bool {
	day, err := time.ParseInLocation(time.DateOnly, review, zone)
	return err == nil && now.After(day.AddDate(0, 0, 1))
}

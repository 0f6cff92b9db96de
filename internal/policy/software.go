package policy

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"sekisho/internal/version"
)

// ModeLearn records what is in use and judges nothing: what it saw becomes a proposal. Only software can be learnt.
const ModeLearn Mode = "learn"

// Software is the control of programs: what may be installed and run. Its three lists are 許可 (rules that allow), 禁止
// (rules that block) and 未判定: what no rule names.
type Software struct {
	Mode       Mode          `json:"mode"`
	Rules      []ProgramRule `json:"rules,omitempty"` // first match wins
	Undecided  Action        `json:"undecided"`       // what is done with a program that no rule names
	Stall      Action        `json:"stall"`           // allow or block: the answer where the gate has none in time
	LearnUntil time.Time     `json:"learn_until,omitzero"`
	Permits    []Permit      `json:"permits,omitempty"`
}

// ProgramRule puts the programs that Match describes on a list.
type ProgramRule struct {
	ID     string       `json:"id"`
	Name   Text         `json:"name"`
	Match  ProgramMatch `json:"match"`
	Action Action       `json:"action"` // allow, block, report
	Clause string       `json:"clause,omitempty"`
	Alarm  bool         `json:"alarm,omitempty"`
	Reason string       `json:"reason,omitempty"` // why it stands on this list
	Owner  string       `json:"owner,omitempty"`  // who answers for that
	Review string       `json:"review,omitempty"` // day on which it is looked at again, 2027-03-31; it goes on to count after that
}

// ProgramMatch describes programs; an empty field matches everything, a list matches any of its values, all fields given
// must match. Patterns compare without regard to case, and * stands for any characters.
type ProgramMatch struct {
	Kind       []ProgramKind `json:"kind,omitempty"`
	Name       []string      `json:"name,omitempty"`        // patterns
	Publisher  []string      `json:"publisher,omitempty"`   // patterns; a program says itself who made it
	Signer     []string      `json:"signer,omitempty"`      // patterns; only a checked signature matches
	Source     []string      `json:"source,omitempty"`      // Source… constants
	Origin     []string      `json:"origin,omitempty"`      // patterns
	Path       []string      `json:"path,omitempty"`        // patterns
	Hash       []string      `json:"hash,omitempty"`        // SHA-256 in hex
	MinVersion string        `json:"min_version,omitempty"` // inclusive, as version.Compare sorts
	MaxVersion string        `json:"max_version,omitempty"` // inclusive
	Group      []string      `json:"group,omitempty"`       // terminal groups
}

// Permit is a software permission: what it describes may be installed and run on this terminal within its window.
type Permit struct {
	ID       string       `json:"id"`
	Match    ProgramMatch `json:"match"`
	From     time.Time    `json:"from"`  // inclusive
	Until    time.Time    `json:"until"` // exclusive
	Approver string       `json:"approver,omitempty"`
}

// Rule ids of what a policy cannot change about programs.
const (
	RuleEssential = "built-in essential" // without it the terminal does not start
	RulePermit    = "built-in permit"    // a software permission is running
	RuleUndecided = "built-in undecided" // no rule names it
	RuleUncovered = "built-in uncovered" // this policy does not govern programs
)

var (
	nameEssential = Text{JA: "常に許可するソフトウェア(端末の起動に必要なもの)", EN: "Always allowed: what the terminal needs to start"}
	namePermit    = Text{JA: "ソフトウェア使用許可", EN: "Software permission"}
	nameUndecided = Text{JA: "未判定ソフトウェア(許可にも禁止にも載っていない)", EN: "Software not yet judged (on neither list)"}
	nameUncovered = Text{JA: "ソフトウェアの制御なし", EN: "Software is not controlled here"}
)

// DecideProgram judges a program. Like Decide it is total and has no clock: the same three values, always the same answer.
//
// The order is the meaning: what the terminal cannot be without; what a permission covers; the rules, first match wins;
// and what is done with the undecided.
func DecideProgram(p *Policy, prog Program, now time.Time) Decision {
	if p == nil || p.Software == nil {
		return Decision{Action: ActionAllow, Mode: ModeAudit, Rule: RuleUncovered, RuleName: nameUncovered, Revision: revision(p)}
	}
	s := p.Software
	if prog.Essential {
		return p.answerProgram(Decision{Action: ActionAllow, Rule: RuleEssential, RuleName: nameEssential})
	}
	for i := range s.Permits {
		if t := &s.Permits[i]; t.running(now) && !t.Match.everything() && t.Match.matches(p.Group, prog) {
			return p.answerProgram(Decision{Action: ActionAllow, Rule: RulePermit, RuleName: namePermit, Grant: t.ID, Until: t.Until})
		}
	}
	for i := range s.Rules {
		if r := &s.Rules[i]; r.Match.matches(p.Group, prog) {
			return p.answerProgram(Decision{Action: known(r.Action), Rule: r.ID, RuleName: r.Name, Clause: r.Clause, Alarm: r.Alarm})
		}
	}
	return p.answerProgram(Decision{Action: known(s.Undecided), Rule: RuleUndecided, RuleName: nameUndecided, Clause: p.softwareClause()})
}

func (p *Policy) answerProgram(d Decision) Decision {
	d.Revision, d.Mode = p.Revision, p.Software.Mode
	if !slices.Contains(programModes, d.Mode) {
		d.Mode = ModeAudit // unlike a device, a program that is stopped by mistake can stop the office
	}
	return d
}

// known gives the action; a word we do not know is no permission, but it stops nothing either.
func known(a Action) Action {
	if slices.Contains(actions, a) {
		return a
	}
	return ActionReport
}

func (p *Policy) softwareClause() string {
	if _, ok := p.Clauses[ClauseSoftware]; ok {
		return ClauseSoftware
	}
	return ""
}

func revision(p *Policy) int64 {
	if p == nil {
		return 0
	}
	return p.Revision
}

func (t *Permit) running(now time.Time) bool { return !now.Before(t.From) && now.Before(t.Until) }

// Matches says whether the program on a terminal of the group is one that m describes.
func (m *ProgramMatch) Matches(group string, prog Program) bool { return m.matches(group, prog) }

func (m *ProgramMatch) matches(group string, prog Program) bool {
	return among(m.Group, group) && (len(m.Kind) == 0 || slices.Contains(m.Kind, prog.Kind)) && among(m.Source, prog.Source) &&
		fits(m.Name, prog.Name) && fits(m.Publisher, prog.Publisher) && fits(m.Signer, prog.Signer) && fits(m.Origin, prog.Origin) &&
		fits(m.Path, prog.Path) && fits(m.Hash, prog.Hash) && m.matchesVersion(prog.Version)
}

// matchesVersion never lets a program of unknown version match a bound.
func (m *ProgramMatch) matchesVersion(v string) bool {
	if m.MinVersion == "" && m.MaxVersion == "" {
		return true
	}
	return v != "" && (m.MinVersion == "" || version.Compare(v, m.MinVersion) >= 0) &&
		(m.MaxVersion == "" || version.Compare(v, m.MaxVersion) <= 0)
}

// everything says whether there is no condition but the group.
func (m *ProgramMatch) everything() bool {
	return len(m.Kind)+len(m.Name)+len(m.Publisher)+len(m.Signer)+len(m.Source)+len(m.Origin)+len(m.Path)+len(m.Hash) == 0 &&
		m.MinVersion+m.MaxVersion == ""
}

// fits says whether a word fits one of the patterns. What is not known fits none, not even *.
func fits(patterns []string, word string) bool {
	if len(patterns) == 0 {
		return true
	}
	word = strings.ToLower(word)
	return word != "" && slices.ContainsFunc(patterns, func(p string) bool { return !misses(p, word) && like(strings.ToLower(p), word) })
}

// misses says that a word in small letters surely does not fit a pattern, by how both begin: of hundreds of names that were
// learnt all but one do not, and nothing more need be done about them. What is not ASCII it leaves to like.
func misses(pattern, word string) bool {
	for i := range len(pattern) {
		c := pattern[i]
		switch {
		case c == '*' || c >= utf8.RuneSelf:
			return false
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		if i >= len(word) || word[i] != c {
			return true
		}
	}
	return len(word) != len(pattern)
}

// like compares with * for any characters, in time that is bounded by the product of both lengths.
func like(pattern, word string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == word
	}
	if !strings.HasPrefix(word, head) {
		return false
	}
	word = word[len(head):]
	for {
		part, after, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(word, part)
		}
		i := strings.Index(word, part)
		if i < 0 {
			return false
		}
		word, rest = word[i+len(part):], after
	}
}

var programModes = []Mode{ModeLearn, ModeAudit, ModeWarn, ModeEnforce}

// LearnFor is how long a new group learns.
const LearnFor = 14 * 24 * time.Hour

// FirstSoftware is what a new group's policy begins with: what is there already is learnt, and no violation of anybody's.
func FirstSoftware(now time.Time) *Software {
	s := DefaultSoftware()
	s.Mode, s.LearnUntil = ModeLearn, now.Add(LearnFor).Truncate(time.Minute)
	return s
}

// DefaultSoftware judges without stopping anything: what a signed source does not offer is reported.
func DefaultSoftware() *Software {
	return &Software{Mode: ModeAudit, Undecided: ActionReport, Stall: ActionAllow, Rules: []ProgramRule{{
		ID: "default-allow-repository", Action: ActionAllow,
		Name:   Text{JA: "既定: 署名を確認した配布元のパッケージは許可", EN: "Default: allow packages of a distribution source whose signature was checked"},
		Match:  ProgramMatch{Source: []string{SourceRepository}},
		Reason: "端末の管理者が登録した配布元から入れたもの",
	}}}
}

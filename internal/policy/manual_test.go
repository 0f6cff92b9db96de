package policy

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The files in testdata are the policy manual: one situation each, in sentences that an auditor can read.
//
//	mode audit|warn|enforce               without it: enforce
//	group NAME   revision N               of the terminal's policy
//	policy seed                           the rules a new group starts with
//	policy none                           none has arrived
//	rule ID ACTION [condition …] [clause C] [alarm]
//	default ACTION [storage]              a last rule for everything, or for all that stores
//	grant ID [VVVV:PPPP] [serial S] [digest D] [port P] [bus B] from HH:MM until HH:MM
//	clock set back
//	at HH:MM attach WHAT VVVV:PPPP [serial S] [port P] … => ACTION REASON [remark …]
//	after HH:MM the answers change at HH:MM|never
//
// WHAT is kinds (storage+keyboard) or interfaces (08/06/50+03/01/01). REASON is a rule id, "grant ID" or "built-in …".
func TestThePolicyManualIsTrue(t *testing.T) {
	pages, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(pages) < 15 {
		t.Fatalf("the manual has %d pages (%v)", len(pages), err)
	}
	for _, page := range pages {
		t.Run(strings.TrimSuffix(filepath.Base(page), ".txt"), func(t *testing.T) { readPage(t, page) })
	}
}

func readPage(t *testing.T, path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(text), "# ") {
		t.Errorf("%s:1: a page begins with a sentence that says what it shows", path)
	}
	s := newSituation()
	for n, line := range strings.Split(string(text), "\n") {
		if err := s.sentence(line); err != nil {
			t.Errorf("%s:%d: %v", path, n+1, err)
		}
	}
	if s.asked == 0 {
		t.Errorf("%s: asks nothing", path)
	}
}

// TestTheManualsReaderNoticesWhatIsNotTrue: a manual whose reader accepts everything proves nothing.
func TestTheManualsReaderNoticesWhatIsNotTrue(t *testing.T) {
	for _, lie := range []string{
		"at 10:00 attach storage 0781:5583 => allow default-block-storage",
		"at 10:00 attach storage 0781:5583 => block default-allow",
		"at 10:00 attach storage 0781:5583 => block default-block-storage alarm",
		"at 10:00 attach storage 0781:5583 => block default-block-storage clause II2-1",
		"at 10:00 attach storage 0781:5583 => block default-block-storage let-through",
		"at 10:00 attach storage 0781:5583",
		"at 25:00 attach storage 0781:5583 => block default-block-storage",
		"at 10:00 attach spoon 0781:5583 => block default-block-storage",
		"after 10:00 the answers change at 11:00",
		"rule x allow colour red",
		"anything else",
	} {
		s := newSituation()
		if err := s.sentence("policy seed"); err != nil {
			t.Fatal(err)
		}
		if s.sentence(lie) == nil {
			t.Errorf("believed %q", lie)
		}
	}
}

// situation is what a page has said so far.
type situation struct {
	policy *Policy
	asked  int
}

func newSituation() *situation {
	return &situation{policy: &Policy{Schema: Schema, Clauses: DefaultClauses(), RemovableMedia: Control{Mode: ModeEnforce}}}
}

func (s *situation) sentence(line string) error {
	words, err := split(line)
	if err != nil || len(words) == 0 {
		return err
	}
	head, rest := words[0], words[1:]
	switch {
	case head == "mode" && len(rest) == 1:
		s.policy.RemovableMedia.Mode = Mode(rest[0])
	case head == "group" && len(rest) == 1:
		s.policy.Group = rest[0]
	case head == "revision" && len(rest) == 1:
		s.policy.Revision, err = strconv.ParseInt(rest[0], 10, 64)
	case line == "policy seed":
		s.policy.RemovableMedia.Rules = DefaultControl(ModeEnforce).Rules
	case line == "policy none":
		s.policy = nil
	case line == "clock set back":
		s.policy = s.policy.WithoutGrants()
	case head == "rule" && len(rest) >= 2:
		err = s.rule(rest)
	case head == "default":
		err = s.lastRule(rest)
	case head == "grant" && len(rest) >= 1:
		err = s.grant(rest)
	case head == "at":
		err = s.ask(rest)
	case head == "after":
		err = s.askNext(rest)
	default:
		err = fmt.Errorf("cannot understand %q", line)
	}
	return err
}

// split cuts a line into words; "quoted words" may hold anything Go can quote. A word # begins a comment.
func split(line string) ([]string, error) {
	var words []string
	for rest := strings.TrimSpace(line); rest != "" && rest[0] != '#'; rest = strings.TrimSpace(rest) {
		if rest[0] != '"' {
			word, after, _ := strings.Cut(rest, " ")
			words, rest = append(words, word), after
			continue
		}
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			return nil, fmt.Errorf("cannot read quoted word in %q", rest)
		}
		word, _ := strconv.Unquote(quoted)
		words, rest = append(words, word), rest[len(quoted):]
	}
	return words, nil
}

func (s *situation) rule(words []string) error {
	r := Rule{ID: words[0], Action: Action(words[1])}
	for i := 2; i < len(words); i++ {
		switch words[i] {
		case "alarm":
			r.Alarm = true
			continue
		case "composite":
			r.Match.Composite = true
			continue
		}
		if i+1 == len(words) {
			return fmt.Errorf("%q needs a value", words[i])
		}
		if err := r.condition(words[i], words[i+1]); err != nil {
			return err
		}
		i++
	}
	s.policy.RemovableMedia.Rules = append(s.policy.RemovableMedia.Rules, r)
	return nil
}

func (r *Rule) condition(name, value string) (err error) {
	m := &r.Match
	switch name {
	case "clause":
		r.Clause = value
	case "kind":
		m.Kind, err = kindWords(value)
	case "class":
		m.Class = strings.Split(value, "+")
	case "bus":
		m.Bus = []string{value}
	case "group":
		m.Group = []string{value}
	case "vendor":
		m.Vendor = value
	case "product":
		m.Product = value
	case "serial":
		m.Serial = value
	case "port":
		m.Port = value
	case "from":
		m.MinCapacity, err = gigabytes(value)
	case "upto":
		m.MaxCapacity, err = gigabytes(value)
	default:
		err = fmt.Errorf("cannot understand condition %q", name)
	}
	return err
}

func (s *situation) lastRule(words []string) error {
	if len(words) == 0 || len(words) > 2 || (len(words) == 2 && words[1] != "storage") {
		return fmt.Errorf("cannot understand this default")
	}
	r := Rule{ID: "default", Action: Action(words[0])}
	if len(words) == 2 {
		r.Match.Kind = carriers
	}
	s.policy.RemovableMedia.Rules = append(s.policy.RemovableMedia.Rules, r)
	return nil
}

func kindWords(text string) ([]Kind, error) {
	var kinds []Kind
	for word := range strings.SplitSeq(text, "+") {
		if !slices.Contains(all, Kind(word)) {
			return nil, fmt.Errorf("cannot find kind %q", word)
		}
		kinds = append(kinds, Kind(word))
	}
	return kinds, nil
}

func gigabytes(text string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSuffix(text, "GB"), 10, 64)
	return n * 1e9, err
}

// clock reads HH:MM of the day on which the manual plays.
func clock(text string) (time.Time, error) {
	t, err := time.Parse("15:04", text)
	if err != nil {
		return t, fmt.Errorf("cannot read time %q", text)
	}
	return time.Date(2026, 11, 24, t.Hour(), t.Minute(), 0, 0, time.FixedZone("JST", 9*3600)), nil
}

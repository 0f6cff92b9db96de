package policy

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The files in testdata/software are the manual's part about programs.
//
//	mode learn|audit|warn|enforce         without it: enforce
//	group NAME
//	software none                         the policy says nothing about programs
//	undecided ACTION                      without it: block
//	allow|block|report ID [condition …] [clause C] [alarm]
//	permit ID [condition …] from HH:MM until HH:MM
//	clock set back
//	at HH:MM KIND NAME [fact …] [essential] => ACTION REASON [remark …]
//	after HH:MM the answers change at HH:MM|never
//
// Conditions and facts are pairs: version, publisher, signer, source, origin, path, hash; of conditions also kind, name, group,
// from-version, upto-version.
func TestTheSoftwareManualIsTrue(t *testing.T) {
	pages, err := filepath.Glob("testdata/software/*.txt")
	if err != nil || len(pages) < 8 {
		t.Fatalf("the manual has %d pages about programs (%v)", len(pages), err)
	}
	for _, page := range pages {
		t.Run(strings.TrimSuffix(filepath.Base(page), ".txt"), func(t *testing.T) { readProgramPage(t, page) })
	}
}

func readProgramPage(t *testing.T, path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(text), "# ") {
		t.Errorf("%s:1: a page begins with a sentence that says what it shows", path)
	}
	o := newOffice()
	for n, line := range strings.Split(string(text), "\n") {
		if err := o.sentence(line); err != nil {
			t.Errorf("%s:%d: %v", path, n+1, err)
		}
	}
	if o.asked == 0 {
		t.Errorf("%s: asks nothing", path)
	}
	if o.policy.Software != nil {
		o.policy.RemovableMedia = DefaultControl(ModeAudit)
		nameRules(o.policy.Software.Rules)
		if problems := o.policy.Validate(); len(problems) > 0 {
			t.Errorf("%s: no console would publish this: %+v", path, problems)
		}
	}
}

func nameRules(rules []ProgramRule) {
	for i := range rules {
		rules[i].Name = Text{JA: rules[i].ID}
	}
}

func TestTheSoftwareManualsReaderNoticesWhatIsNotTrue(t *testing.T) {
	for _, lie := range []string{
		"at 10:00 deb curl => allow built-in undecided",
		"at 10:00 deb curl => block built-in permit",
		"at 10:00 deb curl => block built-in undecided let-through",
		"at 10:00 deb curl",
		"at 10:00 spoon curl => block built-in undecided",
		"allow x colour red",
		"permit x name curl",
		"anything else",
	} {
		if newOffice().sentence(lie) == nil {
			t.Errorf("believed %q", lie)
		}
	}
}

// office is a situation in which programs are judged.
type office struct{ situation }

func newOffice() *office {
	o := &office{*newSituation()}
	o.policy.Software = &Software{Mode: ModeEnforce, Undecided: ActionBlock, Stall: ActionAllow}
	return o
}

func (o *office) sentence(line string) error {
	words, err := split(line)
	if err != nil || len(words) == 0 {
		return err
	}
	head, rest := words[0], words[1:]
	switch {
	case line == "software none":
		o.policy.Software = nil
	case head == "mode" && len(rest) == 1:
		o.policy.Software.Mode = Mode(rest[0])
	case head == "undecided" && len(rest) == 1:
		o.policy.Software.Undecided = Action(rest[0])
	case slices.Contains(actions, Action(head)) && len(rest) >= 1:
		return o.rule(Action(head), rest)
	case head == "permit" && len(rest) >= 1:
		return o.permit(rest)
	case head == "at":
		return o.ask(rest)
	default:
		return o.situation.sentence(line)
	}
	return nil
}

func (o *office) rule(action Action, words []string) error {
	r := ProgramRule{ID: words[0], Action: action}
	err := pairs(words[1:], func(name, value string) error {
		switch name {
		case "alarm":
			r.Alarm = true
		case "clause":
			r.Clause = value
		default:
			return r.Match.condition(name, value)
		}
		return nil
	})
	o.policy.Software.Rules = append(o.policy.Software.Rules, r)
	return err
}

func (o *office) permit(words []string) error {
	p := Permit{ID: words[0]}
	err := pairs(words[1:], func(name, value string) (err error) {
		switch name {
		case "from":
			p.From, err = clock(value)
		case "until":
			p.Until, err = clock(value)
		default:
			err = p.Match.condition(name, value)
		}
		return err
	})
	o.policy.Software.Permits = append(o.policy.Software.Permits, p)
	if err == nil && p.Until.IsZero() {
		err = fmt.Errorf("a permission has an end")
	}
	return err
}

func (m *ProgramMatch) condition(name, value string) error {
	lists := map[string]*[]string{"name": &m.Name, "publisher": &m.Publisher, "signer": &m.Signer, "source": &m.Source,
		"origin": &m.Origin, "path": &m.Path, "hash": &m.Hash, "group": &m.Group}
	switch list := lists[name]; {
	case name == "kind":
		m.Kind = append(m.Kind, ProgramKind(value))
	case name == "from-version":
		m.MinVersion = value
	case name == "upto-version":
		m.MaxVersion = value
	case list == nil:
		return fmt.Errorf("cannot understand condition %q", name)
	default:
		*list = append(*list, value)
	}
	return nil
}

// pairs takes words two by two; essential and alarm stand alone.
func pairs(words []string, take func(name, value string) error) error {
	for i := 0; i < len(words); i++ {
		name, value := words[i], ""
		if name != "alarm" && name != "essential" {
			if i++; i == len(words) {
				return fmt.Errorf("%q needs a value", name)
			}
			value = words[i]
		}
		if err := take(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (o *office) ask(words []string) error {
	arrow := slices.Index(words, "=>")
	if arrow < 3 || len(words) < arrow+3 {
		return fmt.Errorf("write: at HH:MM KIND NAME => ACTION REASON")
	}
	now, err := clock(words[0])
	if err != nil {
		return err
	}
	prog, err := programWords(words[1:arrow])
	if err != nil {
		return err
	}
	o.asked++
	return compare(DecideProgram(o.policy, prog, now), words[arrow+1:])
}

func programWords(words []string) (Program, error) {
	p := Program{Kind: ProgramKind(words[0]), Name: words[1]}
	if !slices.Contains(programKinds, p.Kind) {
		return p, fmt.Errorf("cannot find kind %q", p.Kind)
	}
	facts := map[string]*string{"version": &p.Version, "publisher": &p.Publisher, "signer": &p.Signer, "source": &p.Source,
		"origin": &p.Origin, "path": &p.Path, "hash": &p.Hash}
	return p, pairs(words[2:], func(name, value string) error {
		if name == "essential" {
			p.Essential = true
			return nil
		}
		if facts[name] == nil {
			return fmt.Errorf("cannot understand %q of a program", name)
		}
		*facts[name] = value
		return nil
	})
}

package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// whole is a policy with everything in it and no fault.
func whole() *Policy {
	p := Builtin(ModeEnforce)
	p.Terminal, p.Group, p.GroupName, p.Revision, p.IssuedAt = "t-1", "counter", "窓口端末", 42, day
	p.Contact, p.Language = Contact{Name: "総務課 情報係", Phone: "2300"}, "ja"
	p.Grants = []Grant{
		{ID: "7", Vendor: "0781", Product: "5583", Serial: "4C53", From: day, Until: day.Add(time.Hour)},
		{ID: "8", Bus: BusMMC, Serial: "0x1a2b", From: day, Until: day.Add(time.Hour)},
	}
	return p
}

func TestTheSeedPoliciesHaveNoFaultAndExplainThemselvesInBothLanguages(t *testing.T) {
	for _, mode := range []Mode{ModeAudit, ModeWarn, ModeEnforce} {
		p := Builtin(mode)
		if problems := p.Validate(); len(problems) > 0 {
			t.Errorf("%s: %+v", mode, problems)
		}
		for _, r := range p.RemovableMedia.Rules {
			if r.Name.JA == "" || r.Name.EN == "" {
				t.Errorf("rule %s has no name in one language", r.ID)
			}
		}
	}
	if problems := whole().Validate(); len(problems) > 0 {
		t.Errorf("%+v", problems)
	}
}

// guarded is whole with a control of software.
func guarded() *Policy {
	p := whole()
	p.Software = DefaultSoftware()
	p.Software.Rules = append(p.Software.Rules, ProgramRule{
		ID: "games", Name: Text{JA: "遊び"}, Action: ActionBlock, Clause: ClauseSoftware, Match: ProgramMatch{Name: []string{"*game*"}},
		Reason: "業務に使わない", Owner: "佐藤", Review: "2027-03-31",
	})
	p.Software.Permits = []Permit{{ID: "S-1", Match: ProgramMatch{Name: []string{"Survey"}}, From: day, Until: day.Add(time.Hour)}}
	return p
}

func TestEveryFaultOfTheSoftwareControlIsNamedByItsField(t *testing.T) {
	for path, spoil := range map[string]func(p *Policy, s *Software, r *ProgramRule){
		"software":                            func(p *Policy, _ *Software, _ *ProgramRule) { p.Schema = SchemaUpdate },
		"software.mode":                       func(_ *Policy, s *Software, _ *ProgramRule) { s.Mode = "strict" },
		"software.undecided":                  func(_ *Policy, s *Software, _ *ProgramRule) { s.Undecided = ActionReadOnly },
		"software.stall":                      func(_ *Policy, s *Software, _ *ProgramRule) { s.Stall = ActionReport },
		"software.rules":                      func(_ *Policy, s *Software, _ *ProgramRule) { s.Rules = make([]ProgramRule, MaxProgramRules+1) },
		"software.rules[1].id":                func(_ *Policy, _ *Software, r *ProgramRule) { r.ID = "built-in essential" },
		"software.rules[1].name.ja":           func(_ *Policy, _ *Software, r *ProgramRule) { r.Name.JA = "" },
		"software.rules[1].action":            func(_ *Policy, _ *Software, r *ProgramRule) { r.Action = "" },
		"software.rules[1].clause":            func(_ *Policy, _ *Software, r *ProgramRule) { r.Clause = "P9" },
		"software.rules[1].reason":            func(_ *Policy, _ *Software, r *ProgramRule) { r.Reason = strings.Repeat("長", 1001) },
		"software.rules[1].owner":             func(_ *Policy, _ *Software, r *ProgramRule) { r.Owner = "a\x1b" },
		"software.rules[1].review":            func(_ *Policy, _ *Software, r *ProgramRule) { r.Review = "2027-02-30" },
		"software.rules[1].match":             func(_ *Policy, _ *Software, r *ProgramRule) { r.Match = ProgramMatch{Group: []string{"a"}} },
		"software.rules[1].match.name[0]":     func(_ *Policy, _ *Software, r *ProgramRule) { r.Match.Name = []string{"**"} },
		"software.rules[1].match.kind[0]":     func(_ *Policy, _ *Software, r *ProgramRule) { r.Match.Kind = []ProgramKind{"spoon"} },
		"software.rules[1].match.source[0]":   func(_ *Policy, _ *Software, r *ProgramRule) { r.Match.Source = []string{"friend"} },
		"software.rules[1].match.hash[0]":     func(_ *Policy, _ *Software, r *ProgramRule) { r.Match.Hash = []string{"AB"} },
		"software.rules[1].match.group[0]":    func(_ *Policy, _ *Software, r *ProgramRule) { r.Match.Group = []string{""} },
		"software.rules[1].match.min_version": func(_ *Policy, _ *Software, r *ProgramRule) { r.Match.MinVersion = "1\n" },
		"software.permits":                    func(_ *Policy, s *Software, _ *ProgramRule) { s.Permits = make([]Permit, MaxPermits+1) },
		"software.permits[0].id":              func(_ *Policy, s *Software, _ *ProgramRule) { s.Permits[0].ID = "" },
		"software.permits[0].from":            func(_ *Policy, s *Software, _ *ProgramRule) { s.Permits[0].From = time.Time{} },
		"software.permits[0].until":           func(_ *Policy, s *Software, _ *ProgramRule) { s.Permits[0].Until = s.Permits[0].From },
		"software.permits[0].match":           func(_ *Policy, s *Software, _ *ProgramRule) { s.Permits[0].Match = ProgramMatch{} },
	} {
		p := guarded()
		spoil(p, p.Software, &p.Software.Rules[1])
		problems := p.Validate()
		if len(problems) != 1 || problems[0].Path != path || problems[0].Text.JA == "" || problems[0].Text.EN == "" {
			t.Errorf("%s: %+v", path, problems)
		}
	}
	if problems := guarded().Validate(); len(problems) > 0 {
		t.Errorf("%+v", problems)
	}
}

func offer() *Update {
	return &Update{Offer: 1, Version: "1.2.3", Key: "k", Manifest: []byte("{}"), Signature: []byte("s")}
}

func TestEveryFaultIsNamedByItsField(t *testing.T) {
	last := len(DefaultControl(ModeAudit).Rules) - 1
	for path, spoil := range map[string]func(*Policy){
		"schema":                                  func(p *Policy) { p.Schema = Schema + 1 },
		"update":                                  func(p *Policy) { p.Schema, p.Update = SchemaFirst, offer() },
		"update.offer":                            func(p *Policy) { p.Update = offer(); p.Update.Offer = 0 },
		"update.spread":                           func(p *Policy) { p.Update = offer(); p.Update.Spread = 3601 },
		"update.manifest":                         func(p *Policy) { p.Update = offer(); p.Update.Signature = nil },
		"update.version":                          func(p *Policy) { p.Update = offer(); p.Update.Version = "1\n2" },
		"revision":                                func(p *Policy) { p.Revision = -1 },
		"language":                                func(p *Policy) { p.Language = "fr" },
		"contact.name":                            func(p *Policy) { p.Contact.Name = "a\nb" },
		"contact.phone":                           func(p *Policy) { p.Contact.Phone = strings.Repeat("9", 65) },
		"removable_media.mode":                    func(p *Policy) { p.RemovableMedia.Mode = "strict" },
		"removable_media.rules":                   func(p *Policy) { p.RemovableMedia.Rules = nil },
		"removable_media.rules[6].match":          func(p *Policy) { p.RemovableMedia.Rules[last].Match.Kind = []Kind{KindAudio} },
		"removable_media.rules[0].match":          func(p *Policy) { p.RemovableMedia.Rules[0].Match = Match{} },
		"removable_media.rules[1].id":             func(p *Policy) { p.RemovableMedia.Rules[1].ID = p.RemovableMedia.Rules[0].ID },
		"removable_media.rules[2].id":             func(p *Policy) { p.RemovableMedia.Rules[2].ID = "built-in-safe" },
		"removable_media.rules[3].id":             func(p *Policy) { p.RemovableMedia.Rules[3].ID = "Upper" },
		"removable_media.rules[0].name.ja":        func(p *Policy) { p.RemovableMedia.Rules[0].Name.JA = " " },
		"removable_media.rules[1].name.en":        func(p *Policy) { p.RemovableMedia.Rules[1].Name.EN = strings.Repeat("x", 501) },
		"removable_media.rules[0].action":         func(p *Policy) { p.RemovableMedia.Rules[0].Action = ActionReadOnly },
		"removable_media.rules[0].clause":         func(p *Policy) { p.RemovableMedia.Rules[0].Clause = "P9" },
		"removable_media.rules[0].match.kind[0]":  func(p *Policy) { p.RemovableMedia.Rules[0].Match.Kind = []Kind{"spoon"} },
		"removable_media.rules[0].match.class[1]": func(p *Policy) { p.RemovableMedia.Rules[0].Match.Class = []string{"08", "8/6"} },
		"removable_media.rules[0].match.bus[0]":   func(p *Policy) { p.RemovableMedia.Rules[0].Match.Bus = []string{"pci"} },
		"removable_media.rules[0].match.group[0]": func(p *Policy) { p.RemovableMedia.Rules[0].Match.Group = []string{""} },
		"removable_media.rules[0].match.vendor":   func(p *Policy) { p.RemovableMedia.Rules[0].Match.Vendor = "0x0781" },
		"removable_media.rules[0].match.product":  func(p *Policy) { p.RemovableMedia.Rules[0].Match.Product = "ABCD" },
		"removable_media.rules[0].match.serial":   func(p *Policy) { p.RemovableMedia.Rules[0].Match.Serial = strings.Repeat("s", 257) },
		"removable_media.rules[0].match.port":     func(p *Policy) { p.RemovableMedia.Rules[0].Match.Port = "\x00" },
		"removable_media.rules[0].match.max_capacity": func(p *Policy) {
			p.RemovableMedia.Rules[0].Match.MinCapacity, p.RemovableMedia.Rules[0].Match.MaxCapacity = 2, 1
		},
		"removable_media.rules[0].match.min_capacity": func(p *Policy) { p.RemovableMedia.Rules[0].Match.MinCapacity = -1 },
		"grants[1].id":            func(p *Policy) { p.Grants[1].ID = "7" },
		"grants[0].vendor":        func(p *Policy) { p.Grants[0].Vendor = "" },
		"grants[0].product":       func(p *Policy) { p.Grants[0].Product = "55" },
		"grants[0].serial":        func(p *Policy) { p.Grants[0].Serial = "" },
		"grants[0].digest":        func(p *Policy) { p.Grants[0].Digest = "d1" },
		"grants[0].bus":           func(p *Policy) { p.Grants[0].Bus = "pci" },
		"grants[0].from":          func(p *Policy) { p.Grants[0].From = time.Time{} },
		"grants[0].until":         func(p *Policy) { p.Grants[0].Until = p.Grants[0].From },
		"grants":                  func(p *Policy) { p.Grants = make([]Grant, MaxGrants+1) },
		"clauses[P2-4a].title.ja": func(p *Policy) { p.Clauses["P2-4a"] = Clause{} },
		"clauses[P2-4a].quote": func(p *Policy) {
			p.Clauses["P2-4a"] = Clause{Title: Text{JA: "x"}, Quote: strings.Repeat("条", 4001)}
		},
	} {
		p := whole()
		spoil(p)
		problems := p.Validate()
		if len(problems) != 1 || problems[0].Path != path {
			t.Errorf("%s: %+v", path, problems)
			continue
		}
		if problems[0].Text.JA == "" || problems[0].Text.EN == "" {
			t.Errorf("%s is not explained in both languages", path)
		}
	}
}

func TestAListThatIsTooLongIsOneFaultAndNotThousands(t *testing.T) {
	for path, spoil := range map[string]func(*Policy){
		"removable_media.rules": func(p *Policy) { p.RemovableMedia.Rules = make([]Rule, MaxRules+1) },
		"clauses": func(p *Policy) {
			for i := range MaxClauses {
				p.Clauses[fmt.Sprint(i)] = Clause{}
			}
		},
		"removable_media.rules[1].match.kind": func(p *Policy) { p.RemovableMedia.Rules[1].Match.Kind = make([]Kind, maxList+1) },
	} {
		p := whole()
		spoil(p)
		if problems := p.Validate(); len(problems) != 1 || problems[0].Path != path {
			t.Errorf("%s: %d problems, first %+v", path, len(problems), problems[:min(1, len(problems))])
		}
	}
}

func TestAWordThatIsNoActionOrModeKeepsTheGateShut(t *testing.T) {
	p := whole()
	p.RemovableMedia = Control{Mode: "strict", Rules: []Rule{{ID: "x", Action: ActionReadOnly}}}
	if d := Decide(p, Event{Device: Device{Kinds: []Kind{KindPrinter}}}, day); d.Do() != ActionBlock || d.Rule != "x" {
		t.Errorf("%+v", d)
	}
}

func TestATextFallsBackToJapanese(t *testing.T) {
	both, one := Text{JA: "禁止", EN: "deny"}, Text{JA: "禁止"}
	if both.In("en") != "deny" || both.In("ja") != "禁止" || both.In("") != "禁止" || one.In("en") != "禁止" {
		t.Errorf("%q %q", both, one)
	}
}

func TestAMissingPolicyIsAFaultAndNotAPanic(t *testing.T) {
	if problems := (*Policy)(nil).Validate(); len(problems) != 1 {
		t.Errorf("%+v", problems)
	}
}

func TestAPolicySurvivesTheJourneyAsJSON(t *testing.T) {
	sent, err := json.Marshal(whole())
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(sent)
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(got)
	if err != nil || string(again) != string(sent) {
		t.Errorf("%v\nsent %s\ngot  %s", err, sent, again)
	}
}

func TestParseRefusesWithAReason(t *testing.T) {
	good, err := json.Marshal(whole())
	if err != nil {
		t.Fatal(err)
	}
	text := string(good)
	for what, c := range map[string]struct{ doc, says string }{
		"nothing":               {"", "cannot read policy"},
		"null":                  {"null", "schema"},
		"a list":                {"[]", "cannot read policy"},
		"half a document":       {text[:len(text)/2], "cannot read policy"},
		"two documents":         {text + text, "cannot read policy"},
		"an unknown field":      {strings.Replace(text, `"schema":`, `"fancy":true,"schema":`, 1), `unknown field "fancy"`},
		"an unknown condition":  {strings.Replace(text, `"composite":true`, `"composite":true,"moon":"full"`, 1), `unknown field "moon"`},
		"no rules":              {`{"schema":1,"removable_media":{"mode":"audit","rules":[]}}`, "there are no rules"},
		"a number as a name":    {`{"schema":1,"group":7}`, "cannot read policy"},
		"more than it may hold": {strings.Repeat(" ", MaxSize+1), "more than"},
	} {
		p, err := Parse([]byte(c.doc))
		if err == nil || p != nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestANewerConsolesPolicyIsCalledNewerAndNotWrong(t *testing.T) {
	_, err := Parse([]byte(`{"schema":99,"removable_media":{"moon":"full"}}`))
	if !errors.Is(err, ErrNewer) {
		t.Errorf("%v", err)
	}
}

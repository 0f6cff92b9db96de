package applocker

import (
	"encoding/json"
	"encoding/xml"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sekisho/internal/policy"
)

const (
	acme = "O=ACME 株式会社, L=千代田区, S=東京都, C=JP"
	hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

var noon = time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)

func allow(id string, m policy.ProgramMatch) policy.ProgramRule {
	return policy.ProgramRule{ID: id, Name: policy.Text{JA: "許可 <" + id + "> & \"引用\""}, Match: m, Action: policy.ActionAllow}
}

func block(id string, m policy.ProgramMatch) policy.ProgramRule {
	return policy.ProgramRule{ID: id, Name: policy.Text{JA: "禁止 " + id}, Match: m, Action: policy.ActionBlock}
}

func with(undecided policy.Action, rules ...policy.ProgramRule) *policy.Policy {
	p := policy.Builtin(policy.ModeEnforce)
	p.Schema, p.Group = policy.SchemaSoftware, "office"
	p.Software = &policy.Software{Mode: policy.ModeEnforce, Undecided: undecided, Stall: policy.ActionAllow, Rules: rules}
	return p
}

func seen(h string) (FileHash, bool) {
	return FileHash{Authenticode: strings.Repeat("ab", 32), Name: "悪い.exe", Size: 4096}, h == hash
}

func from(t *testing.T, p *policy.Policy) Policy {
	t.Helper()
	out := From(p, Options{Now: noon, Seen: seen})
	ids := map[string]bool{}
	for _, r := range out.Rules {
		if said := complaints(r.XML); len(said) > 0 {
			t.Errorf("%s\n%q", r.XML, said)
		}
		if !strings.Contains(r.XML, `Id="`+r.ID+`"`) || ids[r.ID] {
			t.Errorf("the number %s is not the rule's own: %s", r.ID, r.XML)
		}
		ids[r.ID] = true
	}
	return out
}

func (p Policy) texts(c Collection) string {
	var out []string
	for _, r := range p.Rules {
		if r.Collection == c {
			out = append(out, r.XML)
		}
	}
	return strings.Join(out, "\n")
}

func (p Policy) why(rule string, c Collection) string {
	for _, u := range p.Unsaid {
		if u.Rule == rule && u.Collection == c {
			return u.Why
		}
	}
	return ""
}

func TestWithoutAnythingToStopAppLockerIsLeftAlone(t *testing.T) {
	for name, p := range map[string]*policy.Policy{
		"no policy": nil, "no control": policy.Builtin(policy.ModeEnforce),
		"nothing is stopped": with(policy.ActionReport, allow("a", policy.ProgramMatch{Signer: []string{acme}})),
		"other systems only": with(policy.ActionReport, block("b", policy.ProgramMatch{Kind: []policy.ProgramKind{policy.ProgramDeb}, Name: []string{"curl"}})),
		"another group":      with(policy.ActionReport, block("b", policy.ProgramMatch{Group: []string{"servers"}, Name: []string{"curl.exe"}})),
		"paths of Linux":     with(policy.ActionReport, block("b", policy.ProgramMatch{Path: []string{"/opt/*"}})),
	} {
		if got := from(t, p); len(got.Rules) > 0 {
			t.Errorf("%s: %v", name, got.Rules)
		}
	}
}

func TestWhatIsForbiddenIsDeniedAndEverythingElseGoesOn(t *testing.T) {
	got := from(t, with(policy.ActionReport,
		block("name", policy.ProgramMatch{Name: []string{"winny.exe"}}),
		block("path", policy.ProgramMatch{Path: []string{`C:\Users\*\Downloads\*`}}),
		block("signer", policy.ProgramMatch{Signer: []string{acme}, MinVersion: "1.2", MaxVersion: "2.0.0.5"}),
		block("hash", policy.ProgramMatch{Hash: []string{hash}}),
	))
	exe := got.texts(Exe)
	for _, want := range []string{
		`Path="*\winny.exe"`, `Path="C:\Users\*\Downloads\*"`, `PublisherName="O=ACME 株式会社, L=千代田区, S=東京都, C=JP"`,
		`LowSection="1.2.0.0" HighSection="2.0.0.5"`, `Data="0x` + strings.Repeat("AB", 32) + `" SourceFileName="悪い.exe" SourceFileLength="4096"`,
		`Path="%SYSTEM32%\*"`, `Path="%WINDIR%\explorer.exe"`,
	} {
		if !strings.Contains(exe, want) {
			t.Errorf("%s is not in\n%s", want, exe)
		}
	}
	if !got.Enforce || strings.Count(exe, `Action="Deny"`) != 4 || !strings.Contains(exe, `Action="Allow"><Conditions><FilePathCondition Path="*">`) {
		t.Errorf("%v\n%s", got.Enforce, exe)
	}
	if appx := got.texts(Appx); strings.Count(appx, "Allow") != 1 || !strings.Contains(appx, `PublisherName="*" ProductName="*"`) {
		t.Errorf("packaged apps: %s", appx)
	}
	if got.texts(Dll) != "" || got.texts(Msi) == "" || got.texts(Script) == "" {
		t.Error("the collections are not as they should be")
	}
}

func TestWhatNoRuleNamesIsStoppedOnlyWhereEveryPermissionCanBeSaid(t *testing.T) {
	p := with(policy.ActionBlock, allow("signer", policy.ProgramMatch{Signer: []string{acme}}))
	got := from(t, p)
	exe := got.texts(Exe)
	if strings.Contains(exe, `UserOrGroupSid="S-1-1-0" Action="Allow"><Conditions><FilePathCondition Path="*"`) {
		t.Errorf("everything is let through:\n%s", exe)
	}
	for _, want := range []string{`S-1-5-32-544`, `S-1-5-18`, `Path="%WINDIR%\*"`, `Path="%PROGRAMFILES%\*"`, `Path="%WINDIR%\Temp\*"`, "ACME"} {
		if !strings.Contains(exe, want) {
			t.Errorf("%s is not in\n%s", want, exe)
		}
	}
	if !strings.Contains(got.texts(Msi), `Path="%WINDIR%\Installer\*"`) {
		t.Error("what is installed cannot be repaired")
	}

	p.Software.Rules = append(p.Software.Rules, allow("maker", policy.ProgramMatch{Publisher: []string{"Acme*"}}))
	got = from(t, p)
	if got.why("maker", Exe) == "" || !strings.Contains(got.why(policy.RuleUndecided, Exe), "maker cannot be said") {
		t.Errorf("unsaid: %v", got.Unsaid)
	}
	if len(got.Rules) > 0 {
		t.Errorf("nothing can be stopped, but there are rules: %v", got.Rules)
	}
}

func TestADenialDoesNotReachWhatARuleBeforeItLetsThrough(t *testing.T) {
	got := from(t, with(policy.ActionReport,
		allow("good", policy.ProgramMatch{Signer: []string{acme}}),
		block("folder", policy.ProgramMatch{Path: []string{`C:\Users\*`}}),
		block("file", policy.ProgramMatch{Hash: []string{hash}}),
	))
	if exe := got.texts(Exe); !strings.Contains(exe, `<Exceptions><FilePublisherCondition PublisherName="O=ACME`) || strings.Contains(exe, "FileHash") {
		t.Errorf("%s", exe)
	}
	if !strings.Contains(got.why("file", Exe), "no exceptions") {
		t.Errorf("%v", got.Unsaid)
	}
	got = from(t, with(policy.ActionReport, allow("maker", policy.ProgramMatch{Publisher: []string{"Acme*"}}), block("folder", policy.ProgramMatch{Path: []string{`C:\Users\*`}})))
	if len(got.Rules) > 0 || !strings.Contains(got.why("folder", Exe), "behind maker") {
		t.Errorf("%v %v", got.Rules, got.Unsaid)
	}
}

func TestWhatCannotBeSaidIsListedWithItsReason(t *testing.T) {
	for _, c := range []struct {
		match policy.ProgramMatch
		in    Collection
		why   string
	}{
		{policy.ProgramMatch{Publisher: []string{"Acme*"}}, Exe, "maker"},
		{policy.ProgramMatch{Signer: []string{"*Acme*"}}, Exe, "whole name"},
		{policy.ProgramMatch{Signer: []string{acme}, MaxVersion: "2.0"}, Exe, "four numbers"},
		{policy.ProgramMatch{Signer: []string{acme}, MinVersion: "70000.0.0.0"}, Exe, "four numbers"},
		{policy.ProgramMatch{Signer: []string{acme}, Name: []string{"x.exe"}}, Exe, "join"},
		{policy.ProgramMatch{Name: []string{"tor*.exe"}}, Exe, "more than the rule"},
		{policy.ProgramMatch{Name: []string{"100%.exe"}}, Exe, "part of a path"},
		{policy.ProgramMatch{Name: []string{"x.exe"}, MinVersion: "1"}, Exe, "signed programs only"},
		{policy.ProgramMatch{Path: []string{`E:\*`}}, Exe, "drives other"},
		{policy.ProgramMatch{Hash: []string{strings.Repeat("0", 64)}}, Exe, "was seen here"},
		{policy.ProgramMatch{Hash: []string{hash}}, Script, "all bytes"},
		{policy.ProgramMatch{Kind: []policy.ProgramKind{policy.ProgramFile}}, Exe, "kind alone"},
		{policy.ProgramMatch{Name: []string{"7-Zip"}}, Msi, "not the product"},
		{policy.ProgramMatch{Source: []string{policy.SourceLocal}}, Msi, "where a package comes from"},
		{policy.ProgramMatch{Name: []string{"king.*"}}, Appx, "whole name"},
		{policy.ProgramMatch{Hash: []string{hash}}, Appx, "by name and publisher"},
	} {
		got := From(with(policy.ActionReport, block("r", c.match)), Options{Now: noon, Seen: seen})
		if why := got.why("r", c.in); !strings.Contains(why, c.why) {
			t.Errorf("%+v in %s: %q does not say %q", c.match, c.in, why, c.why)
		}
	}
}

func TestAPermissionCountsWhileItRuns(t *testing.T) {
	p := with(policy.ActionBlock)
	p.Software.Permits = []policy.Permit{{ID: "g-1", Match: policy.ProgramMatch{Signer: []string{acme}}, From: noon, Until: noon.Add(time.Hour)}}
	during, after := From(p, Options{Now: noon}), From(p, Options{Now: noon.Add(time.Hour)})
	if !strings.Contains(during.texts(Exe), "ACME") || strings.Contains(after.texts(Exe), "ACME") {
		t.Error("the permission does not follow its window")
	}
}

func TestPackagedAppsCanBeDeniedByName(t *testing.T) {
	got := from(t, with(policy.ActionReport, block("game", policy.ProgramMatch{Kind: []policy.ProgramKind{policy.ProgramMSIX}, Name: []string{"king.com.CandyCrush"}})))
	if x := got.texts(Appx); !strings.Contains(x, `ProductName="king.com.CandyCrush"`) || !strings.Contains(x, "Deny") || strings.Contains(got.texts(Exe), "Deny") {
		t.Errorf("%s", x)
	}
}

func TestTheSamePolicyGivesTheSameNumbers(t *testing.T) {
	p := with(policy.ActionBlock, block("b", policy.ProgramMatch{Name: []string{"a.exe", "a.exe", "b.exe"}}), allow("a", policy.ProgramMatch{Signer: []string{acme}}))
	one, two := from(t, p), from(t, p)
	if !reflect.DeepEqual(one, two) {
		t.Error("the same policy gives other rules")
	}
	p.Software.Mode = policy.ModeAudit
	if three := from(t, p); three.Enforce || !reflect.DeepEqual(three.Rules, one.Rules) {
		t.Error("another mode gives other rules")
	}
}

// FuzzEveryRuleFitsTheSchema: whatever a policy says, what comes out can be read by AppLocker.
func FuzzEveryRuleFitsTheSchema(f *testing.F) {
	f.Add(`{"mode":"enforce","undecided":"block","rules":[{"id":"a","name":{"ja":"x"},"match":{"name":["*.exe"],"signer":["O=x"]},"action":"block"}]}`)
	f.Add(`{"mode":"enforce","undecided":"block","rules":[{"id":"a","name":{"ja":"\u0001<"},"match":{"signer":["O=\"&<>\u0000"],"min_version":"1.2.3.4"},"action":"allow"}]}`)
	f.Add(`{"mode":"audit","undecided":"allow","rules":[{"id":"a","match":{"hash":["0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"]},"action":"block"},{"match":{"path":["C:\\\\x*"]},"action":"block"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		p := with(policy.ActionBlock)
		if json.Unmarshal([]byte(text), p.Software) != nil || p.Validate() != nil {
			return
		}
		from(t, p)
	})
}

func TestEveryWrittenCollectionIsOneOfAll(t *testing.T) {
	for _, c := range Written() {
		if !slices.Contains(Collections(), c) {
			t.Errorf("%s", c)
		}
	}
}

func TestTheWholePolicyIsOneDocument(t *testing.T) {
	p := from(t, with(policy.ActionBlock, block("b", policy.ProgramMatch{Name: []string{"a.exe"}})))
	d := xml.NewDecoder(strings.NewReader(p.Document()))
	var whole struct {
		XMLName     xml.Name `xml:"AppLockerPolicy"`
		Version     string   `xml:"Version,attr"`
		Collections []struct {
			Type  string `xml:"Type,attr"`
			Mode  string `xml:"EnforcementMode,attr"`
			Rules []node `xml:",any"`
		} `xml:"RuleCollection"`
	}
	if err := d.Decode(&whole); err != nil || whole.Version != "1" || len(whole.Collections) != len(Written()) {
		t.Fatalf("%+v %v", whole, err)
	}
	rules := 0
	for _, c := range whole.Collections {
		if c.Mode != "Enabled" || len(c.Rules) == 0 {
			t.Errorf("%+v", c)
		}
		rules += len(c.Rules)
	}
	if rules != len(p.Rules) {
		t.Errorf("%d of %d rules are in it", rules, len(p.Rules))
	}
	p.Enforce = false
	if !strings.Contains(p.Document(), `EnforcementMode="AuditOnly"`) {
		t.Error("it would stop something")
	}
}

package applocker

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sekisho/internal/policy"
	"sekisho/internal/version"
)

// rule is one as AppLocker reads it.
type rule struct {
	Action     string        `xml:"Action,attr"`
	For        string        `xml:"UserOrGroupSid,attr"`
	Conditions conditionsXML `xml:"Conditions"`
	Exceptions conditionsXML `xml:"Exceptions"`
}

// reaches says whether a condition is about a user's program.
func (c conditionsXML) reaches(p policy.Program, authenticode string) bool {
	for _, one := range c.Path {
		if star(strings.ToLower(one.Path), strings.ToLower(p.Path)) {
			return true
		}
	}
	for _, one := range c.Publisher {
		if p.Signer != "" && (one.Publisher == "*" || strings.EqualFold(one.Publisher, p.Signer)) &&
			(one.Versions.Low == "*" || version.Compare(p.Version, one.Versions.Low) >= 0) &&
			(one.Versions.High == "*" || version.Compare(p.Version, one.Versions.High) <= 0) {
			return true
		}
	}
	for _, one := range c.Hash {
		if strings.EqualFold(one.File.Data, "0x"+authenticode) {
			return true
		}
	}
	return false
}

func star(pattern, word string) bool {
	head, rest, found := strings.Cut(pattern, "*")
	if !found {
		return pattern == word
	}
	if !strings.HasPrefix(word, head) {
		return false
	}
	for i := len(head); i <= len(word); i++ {
		if star(rest, word[i:]) {
			return true
		}
	}
	return false
}

// lets is what AppLocker does with a program of a user who is no administrator: a denial wins, and what nothing allows is stopped.
func lets(t *rapid.T, p Policy, prog policy.Program, authenticode string) bool {
	allowed, any := false, false
	for _, r := range p.Rules {
		if r.Collection != Exe {
			continue
		}
		any = true
		var x rule
		if err := xml.Unmarshal([]byte(r.XML), &x); err != nil {
			t.Fatal(err)
		}
		if x.For != everyone || !x.Conditions.reaches(prog, authenticode) || x.Exceptions.reaches(prog, authenticode) {
			continue
		}
		if x.Action == "Deny" {
			return false
		}
		allowed = true
	}
	return allowed || !any
}

func someOf(t *rapid.T, name string, words ...string) []string {
	if !rapid.Bool().Draw(t, name+"?") {
		return nil
	}
	return []string{rapid.SampledFrom(words).Draw(t, name)}
}

// drawMatch gives mostly what AppLocker can say: one condition.
func drawMatch(t *rapid.T) policy.ProgramMatch {
	switch rapid.IntRange(0, 7).Draw(t, "form") {
	case 0, 1:
		return policy.ProgramMatch{Path: []string{rapid.SampledFrom([]string{`C:\Users\*`, `*\a.exe`, `C:\*`, `C:\Users\taro\a.exe`}).Draw(t, "path")}}
	case 2:
		return policy.ProgramMatch{Signer: []string{rapid.SampledFrom([]string{"O=ACME", "o=acme", "O=EVIL"}).Draw(t, "signer")}}
	case 3:
		return policy.ProgramMatch{Hash: []string{hash}}
	case 4, 5:
		return policy.ProgramMatch{Name: []string{rapid.SampledFrom([]string{"a.exe", "a*.exe", "*b.exe"}).Draw(t, "name")}}
	case 6:
		return policy.ProgramMatch{Publisher: []string{"Acme*"}} // cannot be said
	}
	return drawMixed(t)
}

func drawMixed(t *rapid.T) policy.ProgramMatch {
	m := policy.ProgramMatch{
		Name:      someOf(t, "name", "a.exe", "b.exe", "*.exe", "a*", "*b.exe", "a*.exe"),
		Signer:    someOf(t, "signer", "O=ACME", "O=EVIL", "*ACME*", "o=acme"),
		Path:      someOf(t, "path", `C:\Users\*`, `*\a.exe`, `C:\Users\taro\a.exe`, `D:\*`, "/opt/*"),
		Hash:      someOf(t, "hash", hash, strings.Repeat("1", 64)),
		Publisher: someOf(t, "publisher", "Acme*", "Evil"),
		Source:    someOf(t, "source", policy.SourceNone, policy.SourceLocal),
		Group:     someOf(t, "group", "office", "servers"),
	}
	if rapid.Bool().Draw(t, "kind?") {
		m.Kind = []policy.ProgramKind{rapid.SampledFrom(policy.ProgramKinds()).Draw(t, "kind")}
	}
	bound := rapid.SampledFrom([]string{"", "", "1.0.0.0", "2.0", "2.0.0.0", "1.5.0.1"})
	m.MinVersion, m.MaxVersion = bound.Draw(t, "min"), bound.Draw(t, "max")
	return m
}

// TestAppLockerNeverStopsWhatThePolicyLetsThrough draws policies and programs: whatever AppLocker is told, it is never the stricter of the two.
func TestAppLockerNeverStopsWhatThePolicyLetsThrough(t *testing.T) {
	stopped := 0
	for range 10 { // hundreds of draws find what one hundred may miss
		rapid.Check(t, func(t *rapid.T) { drawn(t, &stopped) })
	}
	if stopped == 0 {
		t.Error("AppLocker stopped nothing at all: the test shows nothing")
	}
}

func drawn(t *rapid.T, stopped *int) {
	p := with(rapid.SampledFrom([]policy.Action{policy.ActionAllow, policy.ActionReport, policy.ActionBlock}).Draw(t, "undecided"))
	for i := range rapid.IntRange(0, 5).Draw(t, "rules") {
		action := rapid.SampledFrom([]policy.Action{policy.ActionAllow, policy.ActionBlock, policy.ActionReport}).Draw(t, "action")
		p.Software.Rules = append(p.Software.Rules, policy.ProgramRule{ID: fmt.Sprint("r", i), Name: policy.Text{JA: "規則"}, Action: action, Match: drawMatch(t)})
	}
	if len(p.Validate()) > 0 {
		return
	}
	name := rapid.SampledFrom([]string{"a.exe", "b.exe", "ab.exe"}).Draw(t, "program")
	prog := policy.Program{
		ID: "file:x", Kind: policy.ProgramFile, Name: name, Source: policy.SourceNone,
		Path:      rapid.SampledFrom([]string{`C:\Users\taro\`, `C:\Users\taro\a\`, `C:\tools\`}).Draw(t, "folder") + name,
		Signer:    rapid.SampledFrom([]string{"", "O=ACME", "O=EVIL"}).Draw(t, "signed by"),
		Publisher: rapid.SampledFrom([]string{"", "Acme Inc", "Evil"}).Draw(t, "made by"),
		Version:   rapid.SampledFrom([]string{"0.9.0.0", "1.0.0.0", "1.5.0.1", "2.0.0.0", "3.0.0.0"}).Draw(t, "version"),
		Hash:      rapid.SampledFrom([]string{hash, strings.Repeat("2", 64)}).Draw(t, "bytes"),
	}
	authenticode := map[bool]string{true: strings.Repeat("ab", 32), false: strings.Repeat("cd", 32)}[prog.Hash == hash]
	rules := From(p, Options{Now: noon, Seen: seen})
	d := policy.DecideProgram(p, prog, noon)
	through := lets(t, rules, prog, authenticode)
	if d.Action != policy.ActionBlock && !through {
		t.Fatalf("the policy lets %+v through by %s, AppLocker does not:\n%s", prog, d.Rule, rules.Document())
	}
	if !through {
		*stopped++
	}
}

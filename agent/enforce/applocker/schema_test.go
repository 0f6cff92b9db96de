package applocker

import (
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// element is what the published schema says of one (https://learn.microsoft.com/windows/client-management/mdm/applocker-xsd):
// its attributes with the form of each, those that may be absent, and what may stand in it how often.
type element struct {
	attributes map[string]func(string) bool
	optional   []string
	children   map[string][2]int // least, most; most 0 is unbounded
}

func form(pattern string) func(string) bool {
	return regexp.MustCompile("^(?:" + pattern + ")$").MatchString
}

func length(least, most int) func(string) bool {
	return func(s string) bool { n := utf8.RuneCountInString(s); return n >= least && (most == 0 || n <= most) }
}

func oneOf(words ...string) func(string) bool {
	return func(s string) bool { return slices.Contains(words, s) }
}

// sid is SidType, at least seven characters.
func sid(s string) bool { return len(s) >= 7 && form(`S-1(-[0-9a-fA-F]+)+`)(s) }

func schema() map[string]element {
	rule := map[string]func(string) bool{
		"Id": form(`[0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}`), "Name": length(1, 1024), "Description": length(0, 1024),
		"UserOrGroupSid": sid, "Action": oneOf("Allow", "Deny"),
	}
	version := form(`([0-9]{1,5}.){3}[0-9]{1,5}|\*`)
	return map[string]element{
		"FilePublisherRule": {attributes: rule, children: map[string][2]int{"Conditions": {1, 1}, "Exceptions": {0, 1}}},
		"FilePathRule":      {attributes: rule, children: map[string][2]int{"Conditions": {1, 1}, "Exceptions": {0, 1}}},
		"FileHashRule":      {attributes: rule, children: map[string][2]int{"Conditions": {1, 1}}},
		"FilePublisherCondition": {attributes: map[string]func(string) bool{
			"PublisherName": length(1, 0), "ProductName": length(0, 0), "BinaryName": length(0, 0)}, children: map[string][2]int{"BinaryVersionRange": {1, 1}}},
		"BinaryVersionRange": {attributes: map[string]func(string) bool{"LowSection": version, "HighSection": version}},
		"FilePathCondition":  {attributes: map[string]func(string) bool{"Path": length(1, 32767)}},
		"FileHashCondition":  {children: map[string][2]int{"FileHash": {1, 0}}},
		"FileHash": {attributes: map[string]func(string) bool{
			"Type": oneOf("SHA256", "SHA256Flat", "SHA1"), "Data": form(`0x([0-9A-Fa-f]{64})|0x([0-9A-Fa-f]{40})`),
			"SourceFileName": length(0, 0), "SourceFileLength": form(`-?[0-9]+`)}, optional: []string{"SourceFileName", "SourceFileLength"}},
	}
}

// conditionsOf are FilePathRuleConditionsType and its siblings: one condition of the rule's own kind.
func conditionsOf(rule string) element {
	return element{children: map[string][2]int{strings.TrimSuffix(rule, "Rule") + "Condition": {1, 1}}}
}

// exceptions are FilePathRuleExceptionsType and its sibling: any conditions in any order.
var exceptions = element{children: map[string][2]int{"FilePublisherCondition": {0, 0}, "FilePathCondition": {0, 0}, "FileHashCondition": {0, 0}}}

type node struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Children []node     `xml:",any"`
	Text     string     `xml:",chardata"`
}

// complaints says what the schema does not allow in one rule.
func complaints(text string) []string {
	d := xml.NewDecoder(strings.NewReader(text))
	var n node
	if err := d.Decode(&n); err != nil {
		return []string{err.Error()}
	}
	if _, err := d.Token(); err != io.EOF {
		return []string{"there is something behind the rule"}
	}
	if !strings.HasSuffix(n.XMLName.Local, "Rule") {
		return []string{n.XMLName.Local + " is no rule"}
	}
	return n.check(n.XMLName.Local)
}

func (n node) check(rule string) []string {
	name := n.XMLName.Local
	e, known := schema()[name]
	switch name {
	case "Conditions":
		e, known = conditionsOf(rule), true
	case "Exceptions":
		e, known = exceptions, true
	}
	if !known || n.XMLName.Space != "" {
		return []string{name + " is not in the schema"}
	}
	out := n.checkAttributes(e)
	counts := map[string]int{}
	for _, child := range n.Children {
		counts[child.XMLName.Local]++
		if _, ok := e.children[child.XMLName.Local]; !ok {
			out = append(out, child.XMLName.Local+" may not stand in "+name)
			continue
		}
		out = append(out, child.check(rule)...)
	}
	for child, times := range e.children {
		if counts[child] < times[0] || times[1] > 0 && counts[child] > times[1] {
			out = append(out, fmt.Sprintf("%s stands %d times in %s", child, counts[child], name))
		}
	}
	if strings.TrimSpace(n.Text) != "" {
		out = append(out, "there is text in "+name)
	}
	return out
}

func (n node) checkAttributes(e element) []string {
	var out []string
	seen := map[string]bool{}
	for _, a := range n.Attrs {
		seen[a.Name.Local] = true
		if fits := e.attributes[a.Name.Local]; fits == nil || !fits(a.Value) {
			out = append(out, fmt.Sprintf("%s=%q may not stand in %s", a.Name.Local, a.Value, n.XMLName.Local))
		}
	}
	for name := range e.attributes {
		if !seen[name] && !slices.Contains(e.optional, name) {
			out = append(out, name+" is missing in "+n.XMLName.Local)
		}
	}
	return out
}

func TestTheCheckerKnowsWhatTheSchemaForbids(t *testing.T) {
	const good = `<FilePathRule Id="a61c8b2c-a319-4cd0-9690-d2177cad7b51" Name="n" Description="" UserOrGroupSid="S-1-1-0" Action="Deny">` +
		`<Conditions><FilePathCondition Path="*"/></Conditions><Exceptions><FilePathCondition Path="C:\x"/></Exceptions></FilePathRule>`
	if said := complaints(good); len(said) > 0 {
		t.Fatalf("a good rule: %q", said)
	}
	for _, change := range [][2]string{
		{`"Deny"`, `"Block"`}, {` Description=""`, ``}, {`S-1-1-0`, `Everyone`}, {`Id="a`, `Id="{a`}, {`Name="n"`, `Name=""`},
		{`Path="*"`, `Path=""`}, {`<Conditions><FilePathCondition Path="*"/></Conditions>`, ``}, {`<FilePathCondition Path="*"/>`, `<FilePathCondition Path="*"/><FilePathCondition Path="x"/>`},
		{`FilePathRule`, `FileHashRule`}, {`<Exceptions>`, `<Exceptions>text`}, {` Action=`, ` Mode="1" Action=`}, {`</FilePathRule>`, `</FilePathRule><x/>`},
	} {
		if said := complaints(strings.ReplaceAll(good, change[0], change[1])); len(said) == 0 {
			t.Errorf("%q for %q is taken", change[1], change[0])
		}
	}
}

package applocker

import (
	"crypto/sha1"
	"encoding/xml"
	"fmt"
	"unicode/utf8"
)

// Who a rule is for (https://learn.microsoft.com/windows/win32/secauthz/well-known-sids).
const (
	everyone       = "S-1-1-0"
	localSystem    = "S-1-5-18"
	administrators = "S-1-5-32-544"
)

// vital is what no rule may stop: without it nobody signs in, or the agent cannot be asked. The words between % are AppLocker's own
// (https://learn.microsoft.com/windows/security/application-security/application-control/app-control-for-business/applocker/understanding-the-path-rule-condition-in-applocker).
func vital() []string {
	return []string{`%SYSTEM32%\*`, `%WINDIR%\explorer.exe`, `%WINDIR%\SystemApps\*`, `%WINDIR%\ImmersiveControlPanel\*`,
		`%WINDIR%\servicing\*`, `%WINDIR%\WinSxS\*`, `%PROGRAMFILES%\Sekisho\*`}
}

// writable is where users may write below Windows' own folder
// (https://learn.microsoft.com/windows/security/application-security/application-control/app-control-for-business/applocker/security-considerations-for-applocker
// asks to look for such folders; access of users was read off a fresh installation).
func writable() []string {
	return []string{`%WINDIR%\Temp\*`, `%WINDIR%\Tasks\*`, `%WINDIR%\tracing\*`, `%WINDIR%\Registration\CRMLog\*`,
		`%SYSTEM32%\Tasks\*`, `%SYSTEM32%\spool\drivers\color\*`, `%SYSTEM32%\spool\PRINTERS\*`, `%SYSTEM32%\spool\SERVERS\*`,
		`%SYSTEM32%\Microsoft\Crypto\RSA\MachineKeys\*`, `%SYSTEM32%\Com\dmp\*`, `%SYSTEM32%\FxsTmp\*`}
}

// The rules as the published schema wants them
// (https://learn.microsoft.com/windows/client-management/mdm/applocker-xsd).
type ruleXML struct {
	XMLName     xml.Name
	ID          string         `xml:"Id,attr"`
	Name        string         `xml:"Name,attr"`
	Description string         `xml:"Description,attr"`
	For         string         `xml:"UserOrGroupSid,attr"`
	Action      string         `xml:"Action,attr"`
	Conditions  conditionsXML  `xml:"Conditions"`
	Exceptions  *conditionsXML `xml:"Exceptions"`
}

type conditionsXML struct {
	Publisher []publisherXML `xml:"FilePublisherCondition"`
	Path      []pathXML      `xml:"FilePathCondition"`
	Hash      []hashXML      `xml:"FileHashCondition"`
}

type publisherXML struct {
	Publisher string `xml:"PublisherName,attr"`
	Product   string `xml:"ProductName,attr"`
	Binary    string `xml:"BinaryName,attr"`
	Versions  struct {
		Low  string `xml:"LowSection,attr"`
		High string `xml:"HighSection,attr"`
	} `xml:"BinaryVersionRange"`
}

type pathXML struct {
	Path string `xml:"Path,attr"`
}

type hashXML struct {
	File struct {
		Kind string `xml:"Type,attr"`
		Data string `xml:"Data,attr"`
		Name string `xml:"SourceFileName,attr"`
		Size int64  `xml:"SourceFileLength,attr"`
	} `xml:"FileHash"`
}

func (c *conditionsXML) add(list ...condition) {
	for _, one := range list {
		switch {
		case one.publisher != nil:
			c.Publisher = append(c.Publisher, *one.publisher)
		case one.path != nil:
			c.Path = append(c.Path, *one.path)
		case one.file != nil:
			c.Hash = append(c.Hash, *one.file)
		}
	}
}

func (c condition) element() string {
	switch {
	case c.publisher != nil:
		return "FilePublisherRule"
	case c.path != nil:
		return "FilePathRule"
	}
	return "FileHashRule"
}

// rules gives the whole collection.
func (b *book) rules() []Rule {
	out := b.defaults()
	for _, d := range b.denied {
		out = append(out, b.rule("Deny", everyone, d.step.name, d.step.id, d.is, d.but...))
	}
	if b.closed() {
		for _, p := range b.passed {
			out = append(out, b.rule("Allow", everyone, p.step.name, p.step.id, p.is))
		}
	}
	return unique(out)
}

// defaults keep Windows going: without them a closed collection stops signing in.
func (b *book) defaults() []Rule {
	allow := func(who, id string, is condition, but ...condition) Rule {
		return b.rule("Allow", who, "Sekisho: "+id, "default "+id, is, but...)
	}
	all := pathConditions("*")[0]
	switch {
	case b.collection == Appx:
		return []Rule{allow(everyone, "all signed packaged apps", publisher("*", "*", "0.0.0.0", "*"))}
	case !b.closed():
		return []Rule{allow(everyone, "everything that no rule stops", all)}
	}
	out := []Rule{allow(administrators, "administrators", all), allow(localSystem, "the system itself", all)}
	if b.collection == Msi {
		return append(out, allow(everyone, "what is installed already", pathConditions(`%WINDIR%\Installer\*`)[0]))
	}
	return append(out,
		allow(everyone, "Windows", pathConditions(`%WINDIR%\*`)[0], pathConditions(writable()...)...),
		allow(everyone, "programs that an administrator installed", pathConditions(`%PROGRAMFILES%\*`)[0]))
}

// rule makes one. What it consists of makes its number.
func (b *book) rule(action, who, name, id string, is condition, but ...condition) Rule {
	x := ruleXML{XMLName: xml.Name{Local: is.element()}, Name: cut(name, id), Description: "Sekisho " + id, For: who, Action: action}
	x.Conditions.add(is)
	if len(but) > 0 {
		x.Exceptions = &conditionsXML{}
		x.Exceptions.add(but...)
	}
	x.ID = number(string(b.collection) + "\x00" + marshal(x))
	return Rule{ID: x.ID, Collection: b.collection, XML: marshal(x)}
}

// marshal of texts and numbers cannot fail.
func marshal(x ruleXML) string {
	raw, err := xml.Marshal(x)
	if err != nil {
		return ""
	}
	return string(raw)
}

// maxName is the schema's bound of a name, in characters.
const maxName = 1024

func cut(name, id string) string {
	if name == "" {
		name = id
	}
	for utf8.RuneCountInString(name) > maxName {
		_, n := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-n]
	}
	return name
}

// number is a name-based GUID (https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-5) in a space of our own.
func number(name string) string {
	space := [16]byte{0x5e, 0x15, 0x50, 0x0a, 0x91, 0x17, 0x4c, 0x3e, 0x8d, 0x62, 0x1f, 0x27, 0xa0, 0x44, 0xb9, 0x6c}
	sum := sha1.Sum(append(space[:], name...))
	sum[6], sum[8] = sum[6]&0x0f|0x50, sum[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

func unique(rules []Rule) []Rule {
	seen := map[string]bool{}
	out := rules[:0]
	for _, r := range rules {
		if !seen[r.ID] {
			seen[r.ID] = true
			out = append(out, r)
		}
	}
	return out
}

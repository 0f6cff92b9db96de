// Package applog reads what AppLocker writes into its logs: what it stopped or would have stopped, and whether it has taken its rules. It never
// judges and never writes.
package applog

import (
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// What an event says
// (https://learn.microsoft.com/windows/security/application-security/application-control/app-control-for-business/applocker/using-event-viewer-with-applocker).
const (
	Applied     = 8001 // the rules are in force
	Unavailable = 8008 // this edition of Windows has no AppLocker
	NoAppRules  = 8027 // packaged apps are stopped for want of rules
)

// stopped are the events of something that was not let through, by collection.
func stopped() map[int]bool {
	return map[int]bool{8004: true, 8007: true, 8022: true, 8025: true}
}

// audited are the events of something that ran and would not have been let through if the rules were enforced.
func audited() map[int]bool {
	return map[int]bool{8003: true, 8006: true, 8021: true, 8024: true}
}

// wanted are the events that are asked for.
func wanted() []int {
	return []int{Applied, 8003, 8004, 8006, 8007, Unavailable, 8021, 8022, 8024, 8025, NoAppRules}
}

// Event is one line of a log.
type Event struct {
	ID         int
	Stopped    bool   // something was kept from running
	Audited    bool   // something ran that would have been kept from it
	Collection string // EXE, DLL, MSI, SCRIPT, APPX as AppLocker calls it, in capitals
	Path       string // of the file; a packaged app has none
	Package    string // of a packaged app
	Rule       string // GUID, lower case without braces; "" when no rule allowed it
	Signer     string // as AppLocker writes it; "" none
	UserSID    string
}

// maxText bounds an event and maxWord a word of it, in bytes.
const (
	maxText = 64 << 10
	maxWord = 1024
)

type eventXML struct {
	System struct {
		ID int `xml:"EventID"`
	} `xml:"System"`
	Data struct {
		File struct {
			Policy   string `xml:"PolicyName"`
			Rule     string `xml:"RuleId"`
			User     string `xml:"TargetUser"`
			Path     string `xml:"FilePath"`
			FullPath string `xml:"FullFilePath"`
			Package  string `xml:"Package"`
			Fqbn     string `xml:"Fqbn"`
		} `xml:",any"`
	} `xml:"UserData"`
}

// Parse reads one event. Places are what the words between % stand for on this machine.
func Parse(text string, places map[string]string) (Event, error) {
	if len(text) > maxText {
		return Event{}, fmt.Errorf("cannot read an event of %d bytes: too long", len(text))
	}
	var x eventXML
	if err := xml.Unmarshal([]byte(text), &x); err != nil {
		return Event{}, fmt.Errorf("cannot read an event: %w", err)
	}
	if !slices.Contains(wanted(), x.System.ID) {
		return Event{}, fmt.Errorf("cannot read event %d: %w", x.System.ID, errUnknown)
	}
	e := Event{ID: x.System.ID, Stopped: stopped()[x.System.ID], Audited: audited()[x.System.ID]}
	f := x.Data.File
	e.Collection, e.UserSID, e.Package = strings.ToUpper(word(f.Policy)), word(f.User), word(f.Package)
	if e.Path = word(f.FullPath); e.Path == "" {
		e.Path = expand(word(f.Path), places)
	}
	e.Rule = strings.ToLower(strings.Trim(word(f.Rule), "{}"))
	if e.Rule == "00000000-0000-0000-0000-000000000000" {
		e.Rule = ""
	}
	if e.Signer, _, _ = strings.Cut(word(f.Fqbn), `\`); e.Signer == "-" {
		e.Signer = ""
	}
	return e, nil
}

var errUnknown = errors.New("it is none that was asked for")

// word takes control characters out and cuts what is too long to be a name.
func word(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s))
	if len(s) > maxWord {
		return strings.ToValidUTF8(s[:maxWord], "")
	}
	return s
}

// expand writes AppLocker's own words for places out. What it does not know stays.
func expand(path string, places map[string]string) string {
	name, rest, ok := strings.Cut(strings.TrimPrefix(path, "%"), "%")
	if place := places[strings.ToUpper(name)]; ok && strings.HasPrefix(path, "%") && place != "" {
		return place + rest
	}
	return path
}

// query is what the logs are asked for, in the form of the event viewer
// (https://learn.microsoft.com/windows/win32/wes/consuming-events).
func query() string {
	var ids []string
	for _, id := range wanted() {
		ids = append(ids, fmt.Sprintf("EventID=%d", id))
	}
	out := `<QueryList><Query Id="0">`
	for _, log := range []string{"EXE and DLL", "MSI and Script", "Packaged app-Deployment", "Packaged app-Execution"} {
		out += fmt.Sprintf(`<Select Path="Microsoft-Windows-AppLocker/%s">*[System[(%s)]]</Select>`, log, strings.Join(ids, " or "))
	}
	return out + `</Query></QueryList>`
}

package software

import (
	"encoding/hex"
	"encoding/xml"
	"errors"
	"strings"

	"sekisho/internal/policy"
)

// msiInstalled asks the Application log for what Windows Installer wrote of products that it installed, whatever became of it
// (https://learn.microsoft.com/windows/win32/msi/event-logging: event 1033).
const msiInstalled = `*[System[Provider[@Name='MsiInstaller'] and (EventID=1033)]]`

// Bounds of what is read of the log.
const (
	maxMSIEvents = 500 // newest first
	maxMSIEvent  = 64 << 10
	msiTries     = 3 // the line may come after the registry's key: how often a product is looked for
)

// installation is one line of Windows Installer's: who had what installed.
type installation struct {
	code, name, version string // code is the product's GUID, lower case, "" where the line does not say it
	sid                 string
}

type msiXML struct {
	System struct {
		ID       int `xml:"EventID"`
		Security struct {
			SID string `xml:"UserID,attr"`
		} `xml:"Security"`
	} `xml:"System"`
	Data struct {
		Data   []string `xml:"Data"`
		Binary string   `xml:"Binary"`
	} `xml:"EventData"`
}

// parseInstallation reads one event: name, version, language, result, maker; the product's code stands in the binary part, as letters.
// Its text is of the system's language and is not looked at.
func parseInstallation(text string) (installation, error) {
	if len(text) > maxMSIEvent {
		return installation{}, errors.New("cannot read an event: too long")
	}
	var x msiXML
	if err := xml.Unmarshal([]byte(text), &x); err != nil {
		return installation{}, err
	}
	d := x.Data.Data
	if x.System.ID != 1033 || len(d) < 4 || strings.TrimSpace(d[3]) != "0" || x.System.Security.SID == "" {
		return installation{}, errors.New("cannot use an event: it tells of no installation that came about, or not whose")
	}
	i := installation{sid: strings.TrimSpace(x.System.Security.SID)}
	i.name, _ = clean(d[0], maxWord)
	i.version, _ = clean(d[1], maxWord)
	if raw, err := hex.DecodeString(strings.TrimSpace(x.Data.Binary)); err == nil && len(raw) >= 38 && isGUID(string(raw[:38])) {
		i.code = strings.ToLower(string(raw[:38]))
	}
	return i, nil
}

// is says whether the line is about this product: by its code, where the line says it, else by name and version.
func (i installation) is(p policy.Program) bool {
	if i.code != "" {
		return strings.HasSuffix(p.ID, i.code)
	}
	return i.name != "" && i.name == p.Name && i.version == p.Version
}

// credit says by whom the products of Windows Installer were installed. What was found out before stays; a product that no line is
// about is asked for a few times only. Read gives the lines, newest first; it is called when there is something to ask.
func credit(programs []policy.Program, before map[string]policy.Program, tried map[string]int, read func() []installation, name func(sid string) string) {
	var lines []installation
	for i := range programs {
		p := &programs[i]
		if p.Kind != policy.ProgramMSI || p.InstalledBy != "" {
			continue
		}
		if b, had := before[p.ID]; had && b.Version == p.Version && b.InstalledBy != "" {
			p.InstalledBy = b.InstalledBy
			continue
		}
		key := p.ID + "\x00" + p.Version
		if tried[key] >= msiTries {
			continue
		}
		if tried[key]++; lines == nil {
			if lines = read(); lines == nil {
				lines = []installation{}
			}
		}
		for _, line := range lines {
			if line.is(*p) {
				p.InstalledBy = name(line.sid)
				break
			}
		}
	}
}

package software

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"sekisho/internal/policy"
)

const sevenZip = "{23170F69-40C1-2702-1900-000001000000}"

// msiEvent is a line of Windows Installer's as EvtRender gives it.
func msiEvent(id int, sid, name, version, result, binary string) string {
	return fmt.Sprintf(`<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='MsiInstaller'/><EventID Qualifiers='0'>%d</EventID>`+
		`<TimeCreated SystemTime='2026-11-26T03:00:00.0000000Z'/><Channel>Application</Channel><Security UserID='%s'/></System>`+
		`<EventData><Data>%s</Data><Data>%s</Data><Data>1041</Data><Data>%s</Data><Data>Igor Pavlov</Data><Data>(NULL)</Data><Data></Data><Binary>%s</Binary></EventData></Event>`,
		id, sid, name, version, result, binary)
}

func TestALineOfWindowsInstallerSaysWhoInstalledWhat(t *testing.T) {
	code := hex.EncodeToString([]byte(sevenZip + "0000abcd"))
	for what, c := range map[string]struct {
		text, want string
	}{
		"with its code":           {msiEvent(1033, "S-1-5-21-1-2-3-1001", "7-Zip 19.00", "19.00.00.0", "0", code), "{23170f69-40c1-2702-1900-000001000000} 7-Zip 19.00 19.00.00.0 S-1-5-21-1-2-3-1001"},
		"without":                 {msiEvent(1033, "S-1-5-18", "帳票", "1.0", "0", ""), " 帳票 1.0 S-1-5-18"},
		"a code that is none":     {msiEvent(1033, "S-1-5-18", "x", "1", "0", "7b7b"), " x 1 S-1-5-18"},
		"it failed":               {msiEvent(1033, "S-1-5-18", "x", "1", "1603", code), "!"},
		"another event":           {msiEvent(1034, "S-1-5-18", "x", "1", "0", code), "!"},
		"nobody's":                {msiEvent(1033, "", "x", "1", "0", code), "!"},
		"cut short":               {msiEvent(1033, "S-1-5-18", "x", "1", "0", code)[:200], "!"},
		"longer than any of them": {strings.Repeat(" ", maxMSIEvent+1), "!"},
	} {
		i, err := parseInstallation(c.text)
		got := strings.Join([]string{i.code, i.name, i.version, i.sid}, " ")
		if err != nil {
			got = "!"
		}
		if got != c.want {
			t.Errorf("%s: %q (%v)", what, got, err)
		}
	}
}

func TestWhoInstalledAProductIsAskedForAFewTimesAndRemembered(t *testing.T) {
	reads, line := 0, []installation{}
	tried := map[string]int{}
	product := policy.Program{Kind: policy.ProgramMSI, ID: "msi:" + strings.ToLower(sevenZip), Name: "7-Zip", Version: "19.00"}
	look := func(before map[string]policy.Program, p policy.Program) string {
		programs := []policy.Program{p, {Kind: policy.ProgramApp, ID: "app:64:x", Name: "7-Zip", Version: "19.00"}, {Kind: policy.ProgramMSI, ID: "msi:S-1-5-21-1:y", InstalledBy: `PC\hanako`}}
		credit(programs, before, tried, func() []installation { reads++; return line }, func(sid string) string { return `PC\` + sid })
		if programs[1].InstalledBy != "" || programs[2].InstalledBy != `PC\hanako` {
			t.Errorf("%+v", programs[1:])
		}
		return programs[0].InstalledBy
	}
	for range 10 {
		if who := look(nil, product); who != "" {
			t.Errorf("installed by %q", who)
		}
	}
	if reads != msiTries {
		t.Errorf("the log was read %d times for what it does not say", reads)
	}
	clear(tried)
	line = []installation{{code: strings.ToLower(sevenZip), sid: "S-1"}, {name: "7-Zip", version: "19.00", sid: "S-2"}}
	if who := look(nil, product); who != `PC\S-1` {
		t.Errorf("by its code: %q", who)
	}
	clear(tried)
	line = line[1:]
	if who := look(nil, product); who != `PC\S-2` {
		t.Errorf("by its name: %q", who)
	}
	n := reads
	known := product
	known.InstalledBy = `PC\taro`
	if who := look(map[string]policy.Program{known.ID: known}, product); who != `PC\taro` || reads != n {
		t.Errorf("known before: %q after %d reads", who, reads-n)
	}
	product.Version = "22.01"
	if who := look(map[string]policy.Program{known.ID: known}, product); who != "" {
		t.Errorf("another version is another installation: %q", who)
	}
}

func FuzzInstallation(f *testing.F) {
	f.Add(msiEvent(1033, "S-1-5-18", "x", "1", "0", hex.EncodeToString([]byte(sevenZip))))
	f.Add("<Event/>")
	f.Fuzz(func(t *testing.T, text string) {
		i, err := parseInstallation(text)
		if err == nil && (i.sid == "" || len(i.name) > maxWord || i.code != "" && !isGUID(i.code)) {
			t.Errorf("%+v", i)
		}
	})
}

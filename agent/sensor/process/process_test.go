package process

import (
	"fmt"
	"testing"
)

func TestEachProgramIsToldOnceWhileItRuns(t *testing.T) {
	k := known{}
	for i, step := range []struct{ list, want []entry }{
		{[]entry{{4, 0, "System"}, {8, 4, "a.exe"}}, []entry{{4, 0, "System"}, {8, 4, "a.exe"}}},
		{[]entry{{4, 0, "System"}, {8, 4, "a.exe"}}, nil},
		{[]entry{{4, 0, "System"}, {8, 4, "b.exe"}}, []entry{{8, 4, "b.exe"}}}, // the number was given again
		{[]entry{{4, 0, "System"}}, nil},
		{[]entry{{4, 0, "System"}, {8, 4, "b.exe"}}, []entry{{8, 4, "b.exe"}}},
	} {
		if got := k.news(step.list); fmt.Sprint(got) != fmt.Sprint(step.want) {
			t.Errorf("look %d: %v, not %v", i, got, step.want)
		}
	}
}

func TestWindowsOwnFilesAreSparedAndWhereUsersWriteIsNot(t *testing.T) {
	p := Places{Windows: `C:\Windows`, Programs: []string{`C:\Program Files`, `C:\Program Files (x86)`}, Own: `C:\Program Files\Sekisho\sekisho-agent.exe`}
	for path, want := range map[string]bool{
		`C:\Windows\explorer.exe`: true, `c:\WINDOWS\System32\lsass.exe`: true, `C:\Windows\System32\spool\drivers\x64\3\x.exe`: true,
		`C:\Windows\Temp\x.exe`: false, `C:\Windows\System32\spool\drivers\COLOR\x.exe`: false, `C:\WindowsX\lsass.exe`: false,
		`D:\Windows\System32\lsass.exe`: false, `C:\Users\lsass.exe`: false, `C:\Program Files\Sekisho\Sekisho-Agent.exe`: true,
		`C:\Program Files\Acme\acme.exe`: false, `C:\Windows\System32\..\..\Users\x.exe`: false, "": true,
	} {
		if got := p.Vital(path) != ""; got != want {
			t.Errorf("%q: vital %v", path, got)
		}
	}
	if !p.Installed(`c:\program files (X86)\a\b.exe`) || p.Installed(`C:\Program Files2\x.exe`) || p.Installed(`C:\ProgramData\x.exe`) {
		t.Error("what is installed is not told from what is not")
	}
	if !p.InWindows(`C:\Windows\Temp\x.exe`) || p.Settled(`C:\Windows\Temp\x.exe`) || (Places{}).Installed(`C:\x`) {
		t.Error("places are mixed up")
	}
	for _, lost := range []Places{{Own: p.Own}, {Windows: p.Windows}} {
		if lost.Vital(`C:\Users\taro\x.exe`) == "" {
			t.Errorf("%+v: what may be Windows' own is not spared", lost)
		}
	}
}

func TestWindowsOwnAccountsAreKnown(t *testing.T) {
	for sid, want := range map[string]bool{"": true, "S-1-5-18": true, "S-1-5-19": true, "S-1-5-20": true, "S-1-5-80-1-2": true, "S-1-5-90-0-1": true,
		"S-1-5-96-0-0": true, "S-1-5-21-1-2-3-1001": false, "S-1-5-180": false, "S-1-5-32-544": false} {
		if got := ofSystem(sid); got != want {
			t.Errorf("%q: %v", sid, got)
		}
	}
}

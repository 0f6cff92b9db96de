package applog

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
)

// stop is an event of the shape that Windows 11 writes.
const stop = `<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-AppLocker' Guid='{cbda4dbf-8d5d-4f69-9578-be14aa540d22}'/><EventID>8004</EventID><Version>0</Version><Level>2</Level><TimeCreated SystemTime='2026-04-01T00:12:31.6189560Z'/><EventRecordID>24</EventRecordID><Channel>Microsoft-Windows-AppLocker/EXE and DLL</Channel><Computer>PC-1</Computer><Security UserID='S-1-5-21-1-2-3-1001'/></System><UserData><RuleAndFileData xmlns='http://schemas.microsoft.com/schemas/event/Microsoft.Windows/1.0.0.0'><PolicyNameLength>3</PolicyNameLength><PolicyName>Exe</PolicyName><RuleId>{5C1D6A2E-0000-5000-8000-00000000ABCD}</RuleId><RuleNameLength>2</RuleNameLength><RuleName>禁止</RuleName><TargetUser>S-1-5-21-1-2-3-1001</TargetUser><TargetProcessId>7092</TargetProcessId><FilePathLength>35</FilePathLength><FilePath>%OSDRIVE%\USERS\TARO\悪い.EXE</FilePath><FileHashLength>32</FileHashLength><FileHash>00</FileHash><FqbnLength>60</FqbnLength><Fqbn>O=ACME, L=TOKYO, S=TOKYO, C=JP\ACME® TOOL\TOOL.EXE\1.0.0.0</Fqbn><FullFilePathLength>20</FullFilePathLength><FullFilePath>C:\Users\taro\悪い.exe</FullFilePath></RuleAndFileData></UserData></Event>`

func places() map[string]string {
	return map[string]string{"OSDRIVE": "C:", "WINDIR": `C:\Windows`, "SYSTEM32": `C:\Windows\System32`}
}

func TestWhatAppLockerStoppedIsRead(t *testing.T) {
	e, err := Parse(stop, places())
	want := Event{ID: 8004, Stopped: true, Collection: "EXE", Path: `C:\Users\taro\悪い.exe`,
		Rule: "5c1d6a2e-0000-5000-8000-00000000abcd", Signer: "O=ACME, L=TOKYO, S=TOKYO, C=JP", UserSID: "S-1-5-21-1-2-3-1001"}
	if err != nil || e != want {
		t.Errorf("%+v\n%+v\n%v", e, want, err)
	}
	older := strings.Replace(stop, `<FullFilePathLength>20</FullFilePathLength><FullFilePath>C:\Users\taro\悪い.exe</FullFilePath>`, "", 1)
	older = strings.Replace(older, "{5C1D6A2E-0000-5000-8000-00000000ABCD}", "{00000000-0000-0000-0000-000000000000}", 1)
	older = strings.Replace(older, `O=ACME, L=TOKYO, S=TOKYO, C=JP\ACME® TOOL\TOOL.EXE\1.0.0.0`, "-", 1)
	if e, err := Parse(older, places()); err != nil || e.Path != `C:\USERS\TARO\悪い.EXE` || e.Rule != "" || e.Signer != "" {
		t.Errorf("%+v %v", e, err)
	}
}

// would is an event of the shape that Windows writes for a script while the rules are only audited: no signer, no full path.
const would = `<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-AppLocker'/><EventID>8006</EventID><Version>0</Version><Level>3</Level><TimeCreated SystemTime='2026-11-26T01:02:03.0000000Z'/><EventRecordID>7</EventRecordID><Channel>Microsoft-Windows-AppLocker/MSI and Script</Channel><Computer>PC-1</Computer><Security UserID='S-1-5-21-1-2-3-1001'/></System><UserData><RuleAndFileData xmlns='http://schemas.microsoft.com/schemas/event/Microsoft.Windows/1.0.0.0'><PolicyNameLength>6</PolicyNameLength><PolicyName>SCRIPT</PolicyName><RuleId>{00000000-0000-0000-0000-000000000000}</RuleId><RuleNameLength>1</RuleNameLength><RuleName>-</RuleName><TargetUser>S-1-5-21-1-2-3-1001</TargetUser><TargetProcessId>4242</TargetProcessId><FilePathLength>30</FilePathLength><FilePath>%OSDRIVE%\USERS\TARO\集計.PS1</FilePath><FileHashLength>0</FileHashLength><FileHash></FileHash><FqbnLength>1</FqbnLength><Fqbn>-</Fqbn></RuleAndFileData></UserData></Event>`

func TestWhatAppLockerWouldHaveStoppedIsRead(t *testing.T) {
	e, err := Parse(would, places())
	want := Event{ID: 8006, Audited: true, Collection: "SCRIPT", Path: `C:\USERS\TARO\集計.PS1`, UserSID: "S-1-5-21-1-2-3-1001"}
	if err != nil || e != want {
		t.Errorf("%+v\n%+v\n%v", e, want, err)
	}
	for _, part := range []string{"<FilePath>", "<PolicyName>", "<Fqbn>", "</UserData>"} { // cut short, or with something else in it
		if e, err := Parse(strings.Replace(would, part, "<x>", 1), places()); err == nil {
			t.Errorf("without %s: %+v", part, e)
		}
	}
}

func TestOtherEventsAreKnownByTheirNumbers(t *testing.T) {
	for id, want := range map[string]string{"8001": "", "8003": "audited", "8006": "audited", "8007": "stopped", "8008": "", "8021": "audited", "8022": "stopped", "8024": "audited", "8025": "stopped", "8027": ""} {
		e, err := Parse(strings.Replace(stop, "8004", id, 1), places())
		if err != nil || e.Stopped != (want == "stopped") || e.Audited != (want == "audited") {
			t.Errorf("%s: %+v %v", id, e, err)
		}
		if !strings.Contains(query(), "EventID="+id+" ") && !strings.Contains(query(), "EventID="+id+")") {
			t.Errorf("nobody asks for %s", id)
		}
	}
	for _, bad := range []string{"", "<Event>", "<Event/>", strings.Replace(stop, "8004", "8002", 1), strings.Replace(stop, "8004", "x", 1), strings.Repeat("x", maxText+1)} {
		if e, err := Parse(bad, nil); err == nil {
			t.Errorf("%.30q is %+v", bad, e)
		}
	}
}

func TestWordsOfPlacesAreWrittenOut(t *testing.T) {
	for path, want := range map[string]string{
		`%SYSTEM32%\CSCRIPT.EXE`: `C:\Windows\System32\CSCRIPT.EXE`, `%HOT%\x.exe`: `%HOT%\x.exe`, `C:\%a%`: `C:\%a%`, `%`: `%`, "": "", `100%\x`: `100%\x`,
	} {
		if got := expand(path, places()); got != want {
			t.Errorf("%q: %q", path, got)
		}
	}
}

func TestTheQueryIsWellFormed(t *testing.T) {
	d := xml.NewDecoder(strings.NewReader(query()))
	for {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzAnyEventIsReadWithoutHarm(f *testing.F) {
	f.Add(stop)
	f.Add(would)
	f.Add("<Event><System><EventID>8007</EventID></System><UserData><a><Package>\x00</Package></a></UserData></Event>")
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text, places())
		if err == nil && (len(e.Path) > 2*maxWord || strings.ContainsAny(e.Path+e.Package+e.Signer, "\n\r\x00")) {
			t.Errorf("%+v", e)
		}
	})
}

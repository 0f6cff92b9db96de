package winstate

import (
	"encoding/binary"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"sekisho/internal/policy"
)

// look reads every product as the agent's engine does: what detects it, then its facts, then the second witness.
func (b *box) look(t testing.TB) []policy.Reading {
	e := b.eyes()
	var out []policy.Reading
	for _, p := range policy.DefaultProbes() {
		if p.OS != "windows" {
			continue
		}
		at := policy.Origin{Fact: policy.FactInstalled, Product: p.ID, Label: p.Product, At: noon}
		there := at.Bool(false)
		for _, place := range p.Detect {
			for _, raw := range b.fetch(t, e, place) {
				if raw.Code == "" && raw.Text != "false" && raw.Text != "absent" {
					there = at.Bool(true)
				} else if raw.Code != "" && raw.Code != policy.CodeMissing && !there.IsYes() {
					there = at.Unread(raw.Code, raw.Fault)
				}
			}
		}
		if out = append(out, there); there.IsYes() {
			out = append(out, b.facts(t, e, &p)...)
		}
	}
	return e.Witness(t.Context(), out, policy.DefaultProbes())
}

func (b *box) facts(t testing.TB, e *Eyes, p *policy.Probe) []policy.Reading {
	best := map[string]policy.Reading{}
	for _, f := range p.Facts {
		for _, place := range f.Place {
			for _, raw := range b.fetch(t, e, place) {
				o := policy.Origin{Fact: f.Fact, Product: p.ID, Label: p.Product, Source: raw.Source, At: noon}
				if r := f.Form.Read(o, raw.Raw); best[f.Fact].Fact() == "" || better(r, best[f.Fact]) {
					best[f.Fact] = r
				}
			}
		}
	}
	var out []policy.Reading
	for _, r := range best {
		out = append(out, r)
	}
	return out
}

// better is the engine's rule: a value more than none, the newer of two dates, a yes, a reason more than mere absence.
func better(r, than policy.Reading) bool {
	a, isTime := r.Moment()
	b, both := than.Moment()
	code, _ := than.Why()
	other, _ := r.Why()
	switch {
	case r.Read() != than.Read():
		return r.Read()
	case !r.Read():
		return code == policy.CodeMissing && other != policy.CodeMissing
	case isTime && both:
		return a.After(b)
	}
	return r.IsYes() && !than.IsYes()
}

func (b *box) fetch(t testing.TB, e *Eyes, p policy.Place) []Found {
	if found, ok := e.Fetch(t.Context(), p); ok {
		return found
	}
	name := p.Path + p.Command
	text, ok := b.texts[name]
	switch {
	case p.Kind == policy.PlaceExists:
		return []Found{{policy.Raw{Text: fmt.Sprint(ok)}, name}}
	case !ok:
		return []Found{{policy.Raw{Code: policy.CodeMissing}, name}}
	}
	m := regexp.MustCompile(p.Match).FindStringSubmatch(text)
	if m == nil {
		return []Found{{policy.Raw{Code: policy.CodeMissing}, name}}
	}
	return []Found{{policy.Raw{Text: m[1]}, name}}
}

// judge gives the results of a Windows by check, each as result and code.
func judge(t testing.TB, readings []policy.Reading) map[string]string {
	p := policy.Builtin(policy.ModeAudit)
	p.Health = policy.DefaultHealth()
	out := map[string]string{}
	for _, r := range policy.Judge(p, &policy.Survey{OS: "windows", Up: 10 * time.Hour, Readings: readings}, nil, noon) {
		if out[r.Check] = string(r.Result); r.Code != "" {
			out[r.Check] += " " + r.Code
		}
	}
	return out
}

// put writes one value of a key that the capture has.
func (b *box) put(key, name string, kind uint32, data []byte) {
	at := strings.ToLower(key)
	if b.hive[at] == nil {
		b.hive[at] = map[string]regValue{}
	}
	b.hive[at][strings.ToLower(name)] = regValue{name, kind, data}
}

func (b *box) drop(key string, names ...string) {
	for _, n := range names {
		delete(b.hive[strings.ToLower(key)], strings.ToLower(n))
	}
}

func filetimeOf(at time.Time) []byte {
	if at.IsZero() {
		return make([]byte, 8)
	}
	return binary.LittleEndian.AppendUint64(nil, uint64(at.Unix()+11644473600)*10_000_000)
}

// sold is a product that tells how old its patterns are: its names, and how a day is written there.
type sold struct {
	id, center string
	services   []string
	day        func(b *box, at time.Time) // a zero day is what the product writes where there is none
	none       func(b *box)               // the values are not there
	broken     func(b *box)               // something else stands there
	alone      string                     // what the product itself says of its real-time scan, without a second witness
}

const (
	wow      = `HKLM\SOFTWARE\WOW6432Node\`
	soft     = `HKLM\SOFTWARE\`
	pcCillin = wow + `TrendMicro\PC-cillinNTCorp\CurrentVersion\Misc.`
	symantec = soft + `Symantec\Symantec Endpoint Protection`
)

func text(format string) func(time.Time) []byte {
	return func(at time.Time) []byte {
		if at.IsZero() {
			return wide("0")
		}
		return wide(at.Format(format))
	}
}

func sellers() []sold {
	one := func(key, name string, kind uint32, form func(time.Time) []byte) (day func(*box, time.Time), none, broken func(*box)) {
		return func(b *box, at time.Time) { b.put(key, name, kind, form(at)) }, func(b *box) { b.drop(key, name) },
			func(b *box) { b.put(key, name, regBinary, []byte{1, 2}) }
	}
	list := []sold{
		{id: "defender", center: "Windows Defender", services: []string{"WinDefend"}, alone: "pass"},
		{id: "apex-one", center: "ウイルスバスター Corp.クライアント", services: []string{"ntrtscan"}, alone: "pass"},
		{id: "symantec", center: "Symantec Endpoint Protection", services: []string{"SepMasterService"}, alone: "pass"},
		{id: "eset-windows", center: "ESET Endpoint Security", services: []string{"ekrn"}, alone: "unknown"},
		{id: "mcafee-vse", center: "McAfee VirusScan Enterprise", services: []string{"McShield"}, alone: "unknown"},
		{id: "trellix-ens", center: "McAfee Endpoint Security", services: []string{"mfetp"}, alone: "pass"},
		{id: "withsecure", center: "WithSecure(TM) Elements", services: []string{"fsulhoster"}, alone: "unknown"},
	}
	list[0].day, list[0].none, list[0].broken = one(soft+`Microsoft\Windows Defender\Signature Updates`, "AVSignatureApplied", regBinary, filetimeOf)
	list[1].day = func(b *box, at time.Time) {
		b.put(pcCillin, "PatternDate", regSZ, text("20060102")(at))
		b.put(pcCillin, "NonCrcPatternDate", regSZ, text("20060102")(at))
	}
	list[1].none = func(b *box) { b.drop(pcCillin, "PatternDate", "NonCrcPatternDate") }
	list[1].broken = func(b *box) {
		b.put(pcCillin, "PatternDate", regSZ, wide("25.11.2026"))
		b.put(pcCillin, "NonCrcPatternDate", regMultiSZ, wide("n/a"))
	}
	list[2].day = func(b *box, at time.Time) {
		b.put(symantec+`\CurrentVersion\public-opstate`, "LatestVirusDefsDate", regSZ, text("2006-01-02")(at))
		packed, bytes := uint32(0), []byte{0, 0, 0, 0}
		if !at.IsZero() {
			packed = uint32(at.Year()-1998)<<18 | uint32(at.Month())<<14 | uint32(at.Day())<<9 | 7
			bytes = []byte{byte(at.Year() - 1970), byte(at.Month() - 1), byte(at.Day())}
		}
		b.put(symantec+`\AV`, "UsingPattern", regDWORD, binary.LittleEndian.AppendUint32(nil, packed))
		b.put(symantec+`\AV`, "PatternFileDate", regBinary, bytes)
	}
	list[2].none = func(b *box) {
		b.drop(symantec+`\CurrentVersion\public-opstate`, "LatestVirusDefsDate")
		b.drop(symantec+`\AV`, "UsingPattern", "PatternFileDate")
	}
	list[2].broken = func(b *box) {
		b.put(symantec+`\CurrentVersion\public-opstate`, "LatestVirusDefsDate", regSZ, wide("Nov 25"))
		b.put(symantec+`\AV`, "UsingPattern", regSZ, wide("yes"))
		b.put(symantec+`\AV`, "PatternFileDate", regBinary, []byte{56})
	}
	list[3].day, list[3].none, list[3].broken = one(soft+`ESET\ESET Security\CurrentVersion\Info`, "ScannerVersion", regSZ, text("30412 (20060102)"))
	list[4].day, list[4].none, list[4].broken = one(wow+`McAfee\AVEngine`, "AVDatDate", regSZ, text("2006/01/02"))
	list[5].day, list[5].none, list[5].broken = one(wow+`McAfee\AVSolution\DS\DS`, "szContentCreationDate", regSZ, text("2006-01-02"))
	aquarius := wow + `F-Secure\Ultralight\Updates\aquarius\`
	list[6].day = func(b *box, at time.Time) {
		b.put(aquarius+"1764028800", "file_set_visible_version", regSZ, text("2006-01-02_01")(at))
		b.put(aquarius+"1764115200", "file_set_visible_version", regSZ, text("2006-01-02_02")(at))
	}
	list[6].none = func(b *box) {
		b.drop(aquarius+"1764028800", "file_set_visible_version")
		b.drop(aquarius+"1764115200", "file_set_visible_version")
	}
	list[6].broken = func(b *box) {
		b.put(aquarius+"1764028800", "file_set_visible_version", regSZ, wide("latest"))
		b.put(aquarius+"1764115200", "file_set_visible_version", regBinary, []byte{1})
	}
	return list
}

// terminal is a client with one product, which Security Center knows as on.
func (s sold) terminal(t testing.TB) *box {
	b := boxed(t, "client", s.id)
	for _, name := range s.services {
		b.services[name] = "running"
	}
	b.wmi[`wmi root\SecurityCenter2 AntiVirusProduct`] = reply{Instances: []instance{{"displayName": s.center, "productState": 0x041000}}}
	b.wmi[`wmi root\Microsoft\Windows\Defender MSFT_MpComputerStatus`] = reply{Instances: []instance{{"RealTimeProtectionEnabled": true, "AMRunningMode": "Normal",
		"QuickScanEndTime": "20261125120000.000000+000", "FullScanEndTime": "20261121120000.000000+000", "AMProductVersion": "4.18.26100.7"}}}
	return b
}

func TestEveryProductIsJudgedInEveryState(t *testing.T) {
	yesterday := noon.AddDate(0, 0, -1)
	for _, s := range sellers() {
		for _, c := range []struct {
			state                       string
			change                      func(*box)
			present, realtime, patterns string
		}{
			{"fresh as captured", func(*box) {}, "pass", "pass", "pass"},
			{"fresh", func(b *box) { s.day(b, yesterday) }, "pass", "pass", "pass"},
			{"old", func(b *box) { s.day(b, noon.AddDate(0, -3, 0)) }, "pass", "pass", "fail old"},
			{"stopped", func(b *box) { b.services[s.services[0]] = "stopped" }, "fail stopped", "fail stopped", "pass"},
			{"no value", s.none, "pass", "pass", "unknown missing"},
			{"something else", s.broken, "pass", "pass", "unknown wrong_type"},
			{"zero", func(b *box) { s.day(b, time.Time{}) }, "pass", "pass", "unknown"},
			{"to come", func(b *box) { s.day(b, noon.AddDate(0, 0, 40)) }, "pass", "pass", "unknown future"},
			{"Security Center says off", func(b *box) {
				b.wmi[`wmi root\SecurityCenter2 AntiVirusProduct`] = reply{Instances: []instance{{"displayName": s.center, "productState": 0x040000}}}
			}, "pass", "not pass", "pass"},
			{"Security Center hangs", func(b *box) { b.wmi[`wmi root\SecurityCenter2 AntiVirusProduct`] = reply{Fault: "hangs"} }, "pass", "unknown", "pass"},
			{"Security Center is empty", func(b *box) { b.wmi[`wmi root\SecurityCenter2 AntiVirusProduct`] = reply{} }, "pass", s.alone, "pass"},
		} {
			b := s.terminal(t)
			c.change(b)
			got := judge(t, b.look(t))
			for check, want := range map[string]string{"antivirus.present": c.present, "antivirus.realtime": c.realtime, "antivirus.patterns": c.patterns} {
				is := got[check]
				if want == "not pass" && is != "pass" || strings.HasPrefix(is, want) {
					continue
				}
				t.Errorf("%s, %s: %s is %q, should be %q", s.id, c.state, check, is, want)
			}
		}
	}
}

func TestWhatAnUninstallerLeftBehindIsNoProduct(t *testing.T) {
	for _, s := range sellers() {
		if s.id == "mcafee-vse" || s.id == "trellix-ens" { // found by their values: what is left of them is not running
			continue
		}
		b := s.terminal(t)
		b.services = map[string]string{}
		if got := judge(t, b.look(t)); !strings.HasPrefix(got["antivirus.present"], "unknown disagree") {
			t.Errorf("%s: Security Center still lists it: %q", s.id, got["antivirus.present"])
		}
		b.wmi = map[string]reply{`wmi root\SecurityCenter2 AntiVirusProduct`: {}}
		if got := judge(t, b.look(t)); got["antivirus.present"] != "fail no_product" || got["antivirus.realtime"] != "fail no_product" {
			t.Errorf("%s: %q", s.id, got)
		}
	}
}

func TestAServerIsJudgedWithoutSecurityCenter(t *testing.T) {
	for _, s := range sellers() {
		b := s.terminal(t)
		b.add(t, capture(t, "server"))
		b.wmi[`wmi root\SecurityCenter2 AntiVirusProduct`] = reply{Fault: "hangs"}
		if got := judge(t, b.look(t)); got["antivirus.present"] != "pass" || !strings.HasPrefix(got["antivirus.realtime"], s.alone) || got["antivirus.patterns"] != "pass" {
			t.Errorf("%s: %q", s.id, got)
		}
	}
}

func TestProductsWithoutPatternsAreJudgedByWhetherTheyWork(t *testing.T) {
	for id, services := range map[string][]string{"falcon-windows": {"CSFalconService", "CSAgent"}, "cybereason": {"CybereasonActiveProbe"}, "cortex-xdr": {"cyserver"},
		"sentinelone-windows": {"SentinelAgent", "SentinelMonitor"}, "yarai": {"ScanEngine"}} {
		b := boxed(t, "server", "cybereason")
		for _, s := range services {
			b.services[s] = "running"
		}
		got := judge(t, b.look(t))
		if got["antivirus.present"] != "pass" || got["antivirus.realtime"] != "pass" || got["antivirus.patterns"] != "not_applicable patternless" {
			t.Errorf("%s: %q", id, got)
		}
		b.services[services[len(services)-1]] = "stopped"
		if got := judge(t, b.look(t)); got["antivirus.realtime"] != "fail off" {
			t.Errorf("%s with its driver stopped: %q", id, got)
		}
	}
}

func TestProductsThatTellNoDateStayUnknown(t *testing.T) {
	for id, set := range map[string]func(*box){
		"business-security": func(b *box) { b.services["Amsp"] = "running" },
		"kaspersky": func(b *box) {
			b.programs["avp.exe"] = true
			b.texts = map[string]string{`C:\Program Files (x86)\Kaspersky Lab\*\avp.exe`: ""}
		},
		"sophos": func(b *box) { b.services["Sophos Endpoint Defense Service"] = "running" },
		"bitdefender": func(b *box) {
			b.services["EPSecurityService"] = "running"
			b.texts = map[string]string{"bitdefender-update": `{"lastAttemptedTime":1795608000,"lastSucceededTime":1795651200}`, "bitdefender-version": "7.98234"}
		},
		"deep-security-windows": func(b *box) {
			b.services["ds_agent"] = "running"
			b.texts = map[string]string{"ds-agent-components": "Component.AM.mode: on\nComponent.AM.driverOffline: false\n"}
		},
	} {
		b := boxed(t, "client")
		if id != "bitdefender" && id != "deep-security-windows" {
			b.add(t, capture(t, id))
		}
		set(b)
		b.wmi[`wmi root\SecurityCenter2 AntiVirusProduct`] = reply{}
		readings := b.look(t)
		got, read := judge(t, readings), byFact(readings)
		if got["antivirus.present"] != "pass" || !strings.HasPrefix(got["antivirus.patterns"], "unknown") || !read[policy.FactInstalled+" "+id].IsYes() {
			t.Errorf("%s: %q", id, got)
		}
		if applied := read[policy.FactPatternApplied+" "+id]; id != "deep-security-windows" && said(applied) != "2026-11-26" {
			t.Errorf("%s: the last update is %s", id, said(applied))
		}
	}
}

func TestAnUpdateThatNeverCameIsNone(t *testing.T) {
	b := boxed(t, "client", "kaspersky")
	b.programs["avp.exe"] = true
	b.texts = map[string]string{`C:\Program Files (x86)\Kaspersky Lab\*\avp.exe`: ""}
	b.put(wow+`KasperskyLab\protected\KES.21.18\Data`, "LastSuccessfulUpdate", regDWORD, []byte{0xff, 0xff, 0xff, 0xff})
	if r := byFact(b.look(t))[policy.FactPatternApplied+" kaspersky"]; r.Value() != policy.CodeNever {
		t.Errorf("%q", r.Value())
	}
}

func TestDefenderBesideAnotherProductIsNoSecondOne(t *testing.T) {
	s := sellers()[1]
	b := s.terminal(t)
	b.add(t, capture(t, "defender"))
	b.services["WinDefend"] = "stopped"
	b.wmi[`wmi root\Microsoft\Windows\Defender MSFT_MpComputerStatus`] = reply{Code: policy.CodeFailed, Fault: "0x800106ba"}
	if got := judge(t, b.look(t)); got["antivirus.present"] != "pass" || got["antivirus.realtime"] != "pass" {
		t.Errorf("%q", got)
	}
	b.services["WinDefend"] = "running"
	if got := judge(t, b.look(t)); got["antivirus.present"] != "pass two_products" {
		t.Errorf("%q", got)
	}
}

func TestDefenderThatSomebodySwitchedOffDoesNotPass(t *testing.T) {
	const rules = `HKLM\SOFTWARE\Policies\Microsoft\Windows Defender\Real-Time Protection`
	s := sellers()[0]
	for name, change := range map[string]func(*box){
		"WMI says off": func(b *box) { b.wmi["wmi"] = reply{Instances: []instance{{"RealTimeProtectionEnabled": false}}} },
		"passive": func(b *box) {
			b.wmi["wmi"] = reply{Instances: []instance{{"RealTimeProtectionEnabled": true, "AMRunningMode": "Passive Mode"}}}
		},
		"WMI hangs":    func(b *box) { b.wmi["wmi"] = reply{Fault: "hangs"} },
		"WMI is empty": func(b *box) { b.wmi["wmi"] = reply{} },
		"WMI dies":     func(b *box) { b.wmi["wmi"] = reply{Fault: "dies"} },
		"WMI fails":    func(b *box) { b.wmi["wmi"] = reply{Fault: "fails"} },
		"WMI answers twice": func(b *box) {
			b.wmi["wmi"] = reply{Instances: []instance{{"RealTimeProtectionEnabled": true}, {"RealTimeProtectionEnabled": false}}}
		},
		"policy and no WMI": func(b *box) {
			b.put(rules, "DisableRealtimeMonitoring", regDWORD, []byte{1, 0, 0, 0})
			b.wmi["wmi"] = reply{Fault: "hangs"}
		},
	} {
		b := s.terminal(t)
		b.add(t, capture(t, "server"))
		delete(b.wmi, `wmi root\Microsoft\Windows\Defender MSFT_MpComputerStatus`)
		change(b)
		got := judge(t, b.look(t))
		if strings.HasPrefix(got["antivirus.realtime"], "pass") || !strings.HasPrefix(got["antivirus.patterns"], "pass") {
			t.Errorf("%s: %q, patterns %q", name, got["antivirus.realtime"], got["antivirus.patterns"])
		}
	}
}

func TestSymantecsFileIsReadToo(t *testing.T) {
	s := sellers()[2]
	b := s.terminal(t)
	s.none(b)
	b.texts = map[string]string{`C:\ProgramData\Symantec\Symantec Endpoint Protection\CurrentVersion\Data\Definitions\SDSDefs\definfo.dat`: "[DefDates]\r\nCurDefs=20261125.003\r\nLastDefs=20261124.021\r\n"}
	if r := byFact(b.look(t))[policy.FactPatternDate+" symantec"]; said(r) != "2026-11-25" {
		t.Errorf("%s", said(r))
	}
}

func TestAScanThatNeverWasIsNever(t *testing.T) {
	s := sellers()[0]
	b := s.terminal(t)
	b.wmi[`wmi root\Microsoft\Windows\Defender MSFT_MpComputerStatus`] = reply{Instances: []instance{{"RealTimeProtectionEnabled": true, "FullScanEndTime": "16010101000000.000000+000"}}}
	if got := judge(t, b.look(t)); got["antivirus.scan_full"] != "fail never" {
		t.Errorf("%q", got["antivirus.scan_full"])
	}
}

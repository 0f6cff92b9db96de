// Package winstate_test holds the whole of the eyes against one Windows: what stands in its registry, what runs on it, and what the
// checks make of it. The tables are plain; who plays them is a Windows (files named _windows) and the reader of docs/checks.md.
package winstate_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"
)

var noon = time.Date(2026, 11, 26, 3, 0, 0, 0, time.UTC) // a Thursday, noon in Japan

// Types of registry values.
const (
	sz        = 1
	regBinary = 3
	dword     = 4
)

// cell is what stands at a place; gone is that nothing does.
type cell struct {
	kind uint32
	data []byte
	gone bool
}

func words(s string) cell {
	var b []byte
	for _, u := range append(utf16.Encode([]rune(s)), 0) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return cell{kind: sz, data: b}
}

func number(n uint32) cell { return cell{kind: dword, data: binary.LittleEndian.AppendUint32(nil, n)} }

func bytes(b ...byte) cell { return cell{kind: regBinary, data: b} }

// value is a cell at its place: a registry value, or a file (what a product's program says is a file beside it).
type value struct {
	key, name string // of the registry
	file      string // else
	cell
}

// when is a moment as a product may have it: a day, or one of the ways in which there is none.
type when struct {
	at    time.Time
	how   string // "", gone, zero, wrong
	words string // a date in somebody else's way
}

// form is how a product writes a moment.
type form func(when) cell

// asText is a text around a date.
func asText(layout, around string) form {
	return func(w when) cell {
		switch {
		case w.words != "":
			return words(fmt.Sprintf(around, w.words))
		case w.how == "wrong":
			return bytes(1, 2)
		case w.how == "zero":
			return words(fmt.Sprintf(around, "0"))
		}
		return words(fmt.Sprintf(around, w.at.Format(layout)))
	}
}

// asNumber is a number made of a date.
func asNumber(of func(time.Time) uint32) form {
	return func(w when) cell {
		switch {
		case w.words != "":
			return words(w.words)
		case w.how == "wrong":
			return bytes(1, 2)
		case w.how == "zero":
			return number(0)
		}
		return number(of(w.at))
	}
}

func unix(t time.Time) uint32 { return uint32(t.Unix()) }

// packed is a date as Broadcom KB 152404 has it.
func packed(t time.Time) uint32 {
	return uint32(t.Year()-1998)<<18 | uint32(t.Month())<<14 | uint32(t.Day())<<9 | 7
}

// asBytes is bytes made of a date; where something else stands, there are too few of them.
func asBytes(size int, of func(time.Time) []byte) form {
	return func(w when) cell {
		switch {
		case w.words != "":
			return words(w.words)
		case w.how == "wrong":
			return bytes(1)
		case w.how == "zero":
			return bytes(make([]byte, size)...)
		}
		return bytes(of(w.at)...)
	}
}

func filetime(t time.Time) []byte {
	return binary.LittleEndian.AppendUint64(nil, uint64(t.Unix()+11644473600)*10_000_000)
}

func ymdBytes(t time.Time) []byte {
	return []byte{byte(t.Year() - 1970), byte(t.Month() - 1), byte(t.Day()), 0}
}

// dated is a place where a product writes a moment.
type dated struct {
	value
	form form
}

// at is the place with a moment in it. A file has plain text.
func (d dated) at(w when) value {
	v := d.value
	v.cell = cell{gone: true}
	if w.how != "gone" {
		v.cell = d.form(w)
	}
	return v
}

// asSaid is a text in a file around a moment.
func asSaid(of func(time.Time) string, around string) form {
	return func(w when) cell {
		word := w.words
		switch {
		case word != "":
		case w.how == "wrong":
			word = "latest"
		case w.how == "zero":
			word = "0"
		default:
			word = of(w.at)
		}
		return cell{data: []byte(fmt.Sprintf(around, word))}
	}
}

func compact(t time.Time) string { return t.Format("20060102") }

func seconds(t time.Time) string { return fmt.Sprint(t.Unix()) }

// product is one antivirus product: what makes it be there, and where it writes what it knows of itself.
type product struct {
	id       string   // of its probe
	capture  string   // in testdata; "" has nothing in the registry that is read
	services []string // the last one is its scanner or driver
	program  string   // a process instead of a service
	says     []value  // programs and files of its own
	center   string   // its name in Security Center; "" is none
	on, off  []value  // how it says itself that its real-time scan is on or off; none: it does not say, or its driver does
	wmi      bool     // it says so by WMI
	dates    []dated  // of its patterns
	updates  []dated  // of its last update, which is no date of patterns
	without  bool     // it has no patterns
	leaves   bool     // it is found by values that an uninstaller may leave behind
}

// silent says whether only Security Center knows if it is on.
func (p product) silent() bool { return len(p.off) == 0 && !p.wmi && !p.without }

// trial is how the product is tried, in the words of docs/checks.md.
func (p product) trial() string {
	real := []string{}
	add := func(yes bool, word string) {
		if yes {
			real = append(real, word)
		}
	}
	add(p.capture != "", "registry")
	add(len(p.services) > 0, "service")
	add(p.program != "", "process")
	file, command := p.files()
	add(file, "file")
	add(command, "command")
	out := "Wine: " + strings.Join(real, ", ")
	switch {
	case p.wmi:
		out += "; made up: WMI, Security Center"
	case p.center != "":
		out += "; made up: Security Center"
	}
	return out
}

// states is which of the tables' states it is tried in, in the words of docs/checks.md.
func (p product) states() string {
	switch {
	case p.without:
		return "W"
	case len(p.dates) > 0:
		return "W, D"
	case len(p.updates) > 0:
		return "W, U"
	}
	return "W"
}

func (p product) files() (file, command bool) {
	list := append([]value{}, p.says...)
	for _, d := range append(append([]dated{}, p.dates...), p.updates...) {
		list = append(list, d.value)
	}
	for _, v := range list {
		command = command || strings.HasSuffix(v.file, said)
		file = file || strings.HasSuffix(v.file, ".dat")
	}
	return file, command
}

// said ends the name of the file that holds what a program says.
const said = ".says"

const (
	soft     = `HKLM\SOFTWARE\`
	soft32   = `HKLM\SOFTWARE\WOW6432Node\`
	misc     = soft32 + `TrendMicro\PC-cillinNTCorp\CurrentVersion\Misc.`
	symantec = soft + `Symantec\Symantec Endpoint Protection`
	aquarius = soft32 + `F-Secure\Ultralight\Updates\aquarius\`
	dsaQuery = `C:\Program Files\Trend Micro\Deep Security Agent\dsa_query.cmd`
	bdTool   = `C:\Program Files\Bitdefender\Endpoint Security\product.console.exe`
	cytool   = `C:\Program Files\Palo Alto Networks\Traps\cytool.exe`
	definfo  = `C:\ProgramData\Symantec\Symantec Endpoint Protection\CurrentVersion\Data\Definitions\SDSDefs\definfo.dat`
)

func in(key, name string) value { return value{key: key, name: name} }

func (v value) is(c cell) value { v.cell = c; return v }

func file(path, text string) value { return value{file: path, cell: cell{data: []byte(text)}} }

// products are all that docs/checks.md names.
func products() []product {
	return []product{
		{id: "defender", capture: "defender", services: []string{"WinDefend"}, center: "Windows Defender", wmi: true,
			dates: []dated{{in(soft+`Microsoft\Windows Defender\Signature Updates`, "AVSignatureApplied"), asBytes(8, filetime)}}},
		{id: "apex-one", capture: "apex-one", services: []string{"ntrtscan"}, center: "ウイルスバスター Corp.クライアント",
			off:   []value{in(soft32+`TrendMicro\PC-cillinNTCorp\CurrentVersion\Real Time Scan Configuration`, "Enable").is(number(0))},
			dates: []dated{{in(misc, "PatternDate"), asText("20060102", "%s")}, {in(misc, "NonCrcPatternDate"), asText("20060102", "%s")}}},
		{id: "business-security", capture: "business-security", services: []string{"Amsp"}, center: "Trend Micro Security Agent", leaves: true,
			off:     []value{in(soft32+`TrendMicro\UniClient\1600\Scan\Real Time`, "Enable").is(number(0))},
			updates: []dated{{in(soft32+`TrendMicro\UniClient\1600\Update`, "LastUpdateTime"), asNumber(unix)}}},
		{id: "deep-security-windows", services: []string{"ds_agent"}, // a product of servers, which have no Security Center
			says: []value{file(dsaQuery, "@type \"%~dp0dsa_query.cmd.says\"\r\n"), file(dsaQuery+said, "Component.AM.mode: on\r\nComponent.AM.driverOffline: false\r\n")},
			off:  []value{file(dsaQuery+said, "Component.AM.mode: off\r\nComponent.AM.driverOffline: false\r\n")}},
		{id: "symantec", capture: "symantec", services: []string{"SepMasterService"}, center: "Symantec Endpoint Protection",
			off: []value{in(symantec+`\AV\Storages\Filesystem\RealTimeScan`, "OnOff").is(number(0))},
			dates: []dated{{value{file: definfo}, asSaid(compact, "[DefDates]\r\nCurDefs=%s.003\r\n")}, {in(symantec+`\CurrentVersion\public-opstate`, "LatestVirusDefsDate"), asText("2006-01-02", "%s")},
				{in(symantec+`\AV`, "PatternFileDate"), asBytes(4, ymdBytes)}, {in(symantec+`\AV`, "UsingPattern"), asNumber(packed)}}},
		{id: "eset-windows", capture: "eset-windows", services: []string{"ekrn"}, center: "ESET Endpoint Security",
			dates: []dated{{in(soft+`ESET\ESET Security\CurrentVersion\Info`, "ScannerVersion"), asText("20060102", "30412 (%s)")}}},
		{id: "mcafee-vse", capture: "mcafee-vse", services: []string{"McShield"}, center: "McAfee VirusScan Enterprise", leaves: true,
			dates: []dated{{in(soft32+`McAfee\AVEngine`, "AVDatDate"), asText("2006/01/02", "%s")}}},
		{id: "trellix-ens", capture: "trellix-ens", services: []string{"mfetp"}, center: "McAfee Endpoint Security", leaves: true,
			off:   []value{in(soft32+`McAfee\AVSolution\MCSHIELDGLOBAL\GLOBAL`, "enableoas").is(number(0))},
			dates: []dated{{in(soft32+`McAfee\AVSolution\DS\DS`, "szContentCreationDate"), asText("2006-01-02", "%s")}}},
		{id: "kaspersky", capture: "kaspersky", program: `C:\Program Files (x86)\Kaspersky Lab\KES.12\avp.exe`, center: "Kaspersky Endpoint Security",
			updates: []dated{{in(soft32+`KasperskyLab\protected\KES.21.18\Data`, "LastSuccessfulUpdate"), asNumber(unix)}}},
		{id: "sophos", capture: "sophos", services: []string{"Sophos Endpoint Defense Service"}, center: "Sophos Anti-Virus",
			updates: []dated{{in(soft32+`Sophos\AutoUpdate\UpdateStatus`, "LastUpdateTime"), asNumber(unix)}}},
		{id: "withsecure", capture: "withsecure", services: []string{"fsulhoster"}, center: "WithSecure(TM) Elements",
			dates: []dated{{in(aquarius+"1764028800", "file_set_visible_version"), asText("2006-01-02", "%s_01")}, {in(aquarius+"1764115200", "file_set_visible_version"), asText("2006-01-02", "%s_02")}}},
		{id: "bitdefender", services: []string{"EPSecurityService"}, center: "Bitdefender Endpoint Security Tools", says: []value{file(bdTool, "")},
			updates: []dated{{value{file: bdTool + said}, asSaid(seconds, `{"lastAttemptedTime":1795608000,"lastSucceededTime":%s}`)}}},
		{id: "falcon-windows", capture: "falcon", services: []string{"CSFalconService", "CSAgent"}, center: "CrowdStrike Falcon Sensor", without: true},
		{id: "cybereason", capture: "cybereason", services: []string{"CybereasonActiveProbe"}, center: "Cybereason ActiveProbe", without: true},
		{id: "sentinelone-windows", services: []string{"SentinelAgent", "SentinelMonitor"}, center: "Sentinel Agent", without: true},
		{id: "cortex-xdr", services: []string{"cyserver"}, center: "Cortex XDR", without: true, says: []value{file(cytool, ""), file(cytool+said, "Content Type: 1920\r\nContent Version: 1920-99999\r\n")}},
		{id: "yarai", capture: "yarai", services: []string{"ScanEngine"}, center: "FFRI yarai", without: true},
	}
}

// verdicts is what the three checks say.
type verdicts struct {
	present  string
	realtime string // of a product that says itself whether it is on
	silent   string // of one that does not
	patterns string
}

// state is one way in which a product may be.
type state struct {
	name string
	verdicts
}

// Ways in which a product may work (W in docs/checks.md).
const (
	works        = "works"
	scanOff      = "its real-time scan is off"
	stopped      = "stopped, although its settings say that it is on"
	centerOff    = "Security Center says off"
	centerHangs  = "Security Center does not answer"
	centerEmpty  = "Security Center lists nothing"
	onServer     = "on a server"
	leftOver     = "just uninstalled"
	leftListed   = "just uninstalled, Security Center still lists it"
	twoProducts  = "beside Defender (Defender: beside Apex One)"
	otherScanOff = "beside Defender, its own scan off"
)

func workStates() []state {
	return []state{
		{works, verdicts{"pass", "pass", "pass", "pass"}},
		{scanOff, verdicts{"pass", "fail off", "fail off", "pass"}},
		{centerOff, verdicts{"pass", "unknown disagree", "fail off", "pass"}},
		{centerHangs, verdicts{"pass", "unknown timeout", "unknown no_source", "pass"}},
		{centerEmpty, verdicts{"pass", "pass", "unknown no_source", "pass"}},
		{onServer, verdicts{"pass", "pass", "unknown unread", "pass"}},
		{twoProducts, verdicts{"pass two_products", "pass", "pass", "pass"}},
		{otherScanOff, verdicts{"pass two_products", "pass", "pass", "pass"}},
		{stopped, verdicts{"fail stopped", "fail stopped", "fail stopped", "pass"}},
		{leftListed, verdicts{"unknown disagree", "unknown disagree", "unknown disagree", "unknown disagree"}},
		{leftOver, verdicts{"fail no_product", "fail no_product", "fail no_product", "fail no_product"}},
	}
}

// wants is what the table says of one product: what it has no patterns or no date for, nobody judges.
func (p product) wants(s state) verdicts {
	v := s.verdicts
	gone := s.name == leftOver || s.name == leftListed
	switch {
	case gone && p.leaves: // what is left behind does not run
		v = verdicts{"fail stopped", "fail stopped", "fail stopped", "pass"}
		gone = false
	case s.name == stopped && p.without: // its driver is what it says
		v.realtime = "fail off"
	}
	switch {
	case gone || s.name == twoProducts && !p.without || s.name == otherScanOff && !p.without: // the other one is judged
	case p.without && s.name != twoProducts && s.name != otherScanOff:
		v.patterns = "not_applicable patternless"
	case len(p.dates) == 0 && !p.without:
		v.patterns = "unknown unread"
	}
	if p.silent() {
		v.realtime = v.silent
	}
	if s.name == leftOver && p.leaves && p.silent() {
		v.realtime = "unknown no_source"
	}
	return v
}

// dateState is one way in which a date may stand there (D and U in docs/checks.md).
type dateState struct {
	name     string
	when     when
	patterns string // the verdict on patterns
	update   string // what is read of the last update: a day, or (code)
}

// unreadable is any reason for which no day was read.
const unreadable = "(any)"

func dateStates() []dateState {
	yesterday, long := noon.AddDate(0, 0, -1), noon.AddDate(0, -3, 0)
	return []dateState{
		{"fresh", when{at: yesterday}, "pass", yesterday.Format(time.DateOnly)},
		{"old", when{at: long}, "fail old", long.Format(time.DateOnly)},
		{"absent", when{how: "gone"}, "unknown missing", "(missing)"},
		{"zero", when{how: "zero"}, "unknown", "(missing)"},
		{"to come", when{at: noon.AddDate(0, 0, 40)}, "unknown future", "2027-01-05"},
		{"of another type", when{how: "wrong"}, "unknown wrong_type", unreadable},
		{"in Reiwa", when{words: "令和8年11月25日"}, "unknown wrong_type", unreadable},
		{"day first", when{words: "25.11.2026"}, "unknown wrong_type", unreadable},
		{"month first", when{words: "11/25/2026"}, "unknown wrong_type", unreadable},
	}
}

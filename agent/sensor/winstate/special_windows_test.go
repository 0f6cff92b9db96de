package winstate_test

import (
	"strings"
	"testing"

	"sekisho/internal/policy"
)

// odd is a state that only some products have.
type odd struct {
	id, name    string
	check, want string
	change      func(*patient)
}

func says(from, to string) func(*patient) {
	return func(p *patient) { p.defender = strings.Replace(defenderOn, from, to, 1) }
}

func writes(key, name string, c cell) func(*patient) {
	return func(p *patient) { p.put(in(key, name).is(c)) }
}

func odds() []odd {
	const (
		fullScan = `"20261121120000.000000+000"`
		live     = soft + `Microsoft\Windows Defender\Real-Time Protection`
		forced   = soft + `Policies\Microsoft\Windows Defender\Real-Time Protection`
		scans    = soft + `McAfee\Endpoint\AV\ODS`
		offline  = "Component.AM.mode: on\r\nComponent.AM.driverOffline: true\r\n"
		realtime = "antivirus.realtime"
		scanned  = "antivirus.scan_full"
	)
	unheard := func(p *patient) { p.defender = ""; p.lists(0) }
	return []odd{
		{"defender", "passive", realtime, "fail reduced", says("Normal", "Passive Mode")},
		{"defender", "blocking for EDR alone", realtime, "fail reduced", says("Normal", "EDR Block Mode")},
		{"defender", "passive beside another", realtime, "fail reduced", says("Normal", "SxS Passive Mode")},
		{"defender", "not running", realtime, "fail reduced", says("Normal", "Not running")},
		{"defender", "nobody answers", realtime, "unknown no_source", unheard},
		{"defender", "answers twice, and not the same", realtime, "unknown disagree", func(p *patient) {
			p.defender = `[{"RealTimeProtectionEnabled":true},{"RealTimeProtectionEnabled":false}]`
			p.lists(0)
		}},
		{"defender", "switched off by group policy, nobody answers", realtime, "fail off", func(p *patient) {
			unheard(p)
			writes(forced, "DisableRealtimeMonitoring", number(1))(p)
		}},
		{"defender", "switched off by somebody, nobody answers", realtime, "fail off", func(p *patient) {
			unheard(p)
			writes(live, "DisableRealtimeMonitoring", number(1))(p)
		}},
		{"defender", "never scanned", scanned, "fail never", says(fullScan, `"16010101000000.000000+000"`)},
		{"defender", "scanned long ago", scanned, "fail old", says(fullScan, `"20260801120000.000000+000"`)},
		{"defender", "scanned in the future", scanned, "unknown future", says(fullScan, `"20271121120000.000000+000"`)},
		{"defender", "scanned in Reiwa", scanned, "unknown wrong_type", says(fullScan, `"令和8年11月21日"`)},
		{"defender", "no word of a scan", scanned, "unknown missing", says(`,"FullScanEndTime":`+fullScan, "")},
		{"trellix-ens", "scanned", scanned, "pass", func(*patient) {}},
		{"trellix-ens", "scanned long ago", scanned, "fail old", writes(scans, "LastFullScanOdsRunTime", words("2026-08-01 12:00:00"))},
		{"trellix-ens", "scanned month first", scanned, "unknown wrong_type", writes(scans, "LastFullScanOdsRunTime", words("11/21/2026 12:00:00"))},
		{"trellix-ens", "no word of a scan", scanned, "unknown missing", writes(scans, "LastFullScanOdsRunTime", gone)},
		{"deep-security-windows", "its driver is offline", realtime, "fail reduced", func(p *patient) { p.put(file(dsaQuery+said, offline)) }},
		{"deep-security-windows", "its command says nothing", realtime, "unknown missing", func(p *patient) { p.put(file(dsaQuery+said, "")) }},
		{"deep-security-windows", "its command is not there", realtime, "unknown missing", func(p *patient) { p.put(value{file: dsaQuery, cell: gone}) }},
		{"falcon-windows", "its driver is stopped", realtime, "fail off", func(p *patient) { p.run("CSFalconService") }},
		{"falcon-windows", "its driver is not there", realtime, "fail off", func(p *patient) { p.remove("CSAgent") }},
		{"kaspersky", "its registry hides from everybody", "antivirus.patterns", "unknown unread", writes(soft32+`KasperskyLab\protected\KES.21.18\Data`, "LastSuccessfulUpdate", gone)},
	}
}

// TestWhatOnlySomeProductsSayIsJudgedOnThisWindows: passive, offline, never scanned.
func TestWhatOnlySomeProductsSayIsJudgedOnThisWindows(t *testing.T) {
	for _, s := range products() {
		list := oddsOf(s.id)
		if len(list) == 0 {
			continue
		}
		t.Run(s.id, func(t *testing.T) {
			p := newPatient(t, s)
			for _, o := range list {
				p.lives()
				o.change(p)
				if got, _ := p.judged(); got[o.check] != o.want {
					t.Errorf("%s, %s: %s is %q, should be %q", o.id, o.name, o.check, got[o.check], o.want)
				}
			}
		})
	}
}

func oddsOf(id string) (out []odd) {
	for _, o := range odds() {
		if o.id == id {
			out = append(out, o)
		}
	}
	return out
}

func TestAnUpdateThatNeverCameIsNoneOnThisWindows(t *testing.T) {
	for _, s := range products() {
		if s.id != "kaspersky" {
			continue
		}
		p := newPatient(t, s)
		p.lives()
		p.put(s.updates[0].is(number(0xffffffff)))
		_, readings := p.judged()
		for _, r := range readings {
			if r.Fact() == policy.FactPatternApplied && r.Product() == s.id && r.Value() != policy.CodeNever {
				t.Errorf("%q", r.Value())
			}
		}
	}
}

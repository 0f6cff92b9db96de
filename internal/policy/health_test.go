package policy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 26, 3, 0, 0, 0, time.UTC) // a Thursday, noon in Japan

// checked is a policy that checks everything, with what every check needs.
func checked() *Policy {
	p := Builtin(ModeAudit)
	p.Terminal, p.Group, p.Health = "t-1", "counter", DefaultHealth()
	for id, c := range HealthClauses() {
		p.Clauses[id] = c
	}
	for i := range p.Health.Checks {
		c := &p.Health.Checks[i]
		c.Off = false
		if c.ID == "network.gateway" || c.ID == "settings.admins" {
			c.Allowed = []string{"52:54:00:*", "sysadmin"}
		}
	}
	p.Health.References = []Reference{{Name: "庁内の最新", Kind: ReferencePatterns, Product: "clamav", MadeAt: noon.Add(-20 * time.Hour)}}
	return p
}

// wellKept is a terminal on which nothing is wrong.
func wellKept() *Survey {
	s := &Survey{OS: "linux", Up: 10 * time.Hour}
	at := func(fact, product string) Origin {
		return Origin{Fact: fact, Product: product, Source: "test", At: noon.Add(-time.Minute)}
	}
	add := func(r Reading) { s.Readings = append(s.Readings, r) }
	for _, fact := range []string{FactInstalled, FactRunning, FactRealtime} {
		add(at(fact, "clamav").Bool(true))
	}
	add(at(FactPatternDate, "clamav").Time(noon.Add(-20 * time.Hour)))
	add(at(FactScanFull, "clamav").Time(noon.AddDate(0, 0, -3)))
	add(at(FactUpdatesAsOf, "lists").Time(noon.AddDate(0, 0, -2)))
	add(at(FactSupportEnd, "debian").Time(noon.AddDate(2, 0, 0)))
	for _, fact := range []string{FactFirewall, FactEncrypted, FactBootPassword, FactSecureBoot} {
		add(at(fact, "").Bool(true))
	}
	add(at(FactAutorun, "").Bool(false))
	add(at(FactLockIdle, "").Number(10))
	add(at(FactMinLength, "").Number(12))
	add(at(FactOffset, "").Number(-3))
	add(at(FactAdmins, "").List([]Entry{{Word: "sysadmin"}}))
	add(at(FactAccounts, "").List([]Entry{{Word: "hanako", At: noon.AddDate(0, 0, -1)}}))
	add(at(FactCards, "").List([]Entry{{Word: "eth0 52:54:00:00:00:01"}}))
	add(at(FactRoutes, "").List([]Entry{{Word: "eth0 192.0.2.1"}}))
	add(at(FactGateways, "").List([]Entry{{Word: "52:54:00:00:00:fe"}}))
	for _, fact := range []string{FactUpdates, FactReboots, FactAutologin, FactGuests, FactWeak, FactRemote, FactHardware, FactWifi, FactTethers, FactModems, FactVPNs, FactProxies} {
		add(at(fact, "").List(nil))
	}
	return s
}

func TestAWellKeptTerminalPassesEveryCheck(t *testing.T) {
	p := checked()
	if problems := p.Validate(); len(problems) > 0 {
		t.Fatalf("%+v", problems)
	}
	results := Judge(p, wellKept(), nil, noon)
	if len(results) != len(Catalogue()) {
		t.Fatalf("%d results for %d checks", len(results), len(Catalogue()))
	}
	for _, r := range results {
		if r.Result != ResultPass {
			t.Errorf("%+v", r)
		}
	}
}

func TestChecksThatNeedAListAreOffUntilSomebodyFillsIt(t *testing.T) {
	for _, c := range DefaultHealth().Checks {
		if off := c.ID == "settings.admins" || c.ID == "network.gateway"; c.Off != off {
			t.Errorf("%s: off is %v", c.ID, c.Off)
		}
	}
}

func TestEveryCheckExplainsItselfInBothLanguages(t *testing.T) {
	clauses := HealthClauses()
	for id, c := range DefaultClauses() {
		clauses[id] = c
	}
	for _, c := range Catalogue() {
		if c.Name.JA == "" || c.Name.EN == "" || c.Todo.JA == "" || c.Todo.EN == "" {
			t.Errorf("%s: a word is missing: %+v", c.ID, c)
		}
		if _, ok := clauses[c.Clause]; !ok {
			t.Errorf("%s stands on %q, which is not in the catalogue", c.ID, c.Clause)
		}
		if !strings.HasPrefix(c.ID, c.Area+".") {
			t.Errorf("%s is not of the area %s", c.ID, c.Area)
		}
	}
}

// spoilers are all the ways in which a source can go wrong.
var spoilers = map[string]func(Reading) []Reading{
	"removed": func(Reading) []Reading { return nil },
	"zero":    func(r Reading) []Reading { return []Reading{{origin: r.origin}} },
	"broken": func(r Reading) []Reading {
		return []Reading{r.origin.Unread(CodeFailed, "cannot read: input/output error")}
	},
	"denied":  func(r Reading) []Reading { return []Reading{r.origin.Unread(CodeDenied, "")} },
	"hanging": func(r Reading) []Reading { return []Reading{r.origin.Unread(CodeTimeout, "")} },
	"delayed": func(r Reading) []Reading { r.origin.At = noon.AddDate(0, 0, -3); return []Reading{r} },
	"undated": func(r Reading) []Reading { r.origin.At = time.Time{}; return []Reading{r} },
	"ahead":   func(r Reading) []Reading { r.origin.At = noon.AddDate(3, 0, 0); return []Reading{r} },
	"another type": func(r Reading) []Reading {
		if r.is == TypeText {
			return []Reading{r.origin.Number(1)}
		}
		return []Reading{r.origin.Text("true")}
	},
	"a date to come": func(r Reading) []Reading {
		if r.is != TypeTime || mayLieAhead[r.Fact()] {
			return nil
		}
		return []Reading{r.origin.Time(noon.AddDate(0, 0, 30))}
	},
	"a date of 1601": func(r Reading) []Reading {
		if r.is != TypeTime {
			return nil
		}
		return []Reading{r.origin.Time(time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC))}
	},
}

// needs says which facts each check cannot do without.
func needs(check string) []string {
	return map[string][]string{
		"antivirus.present": {FactInstalled, FactRunning}, "antivirus.realtime": {FactInstalled, FactRealtime},
		"antivirus.patterns": {FactInstalled, FactPatternDate}, "antivirus.source": {FactInstalled, FactPatternDate},
		"antivirus.scan_full": {FactInstalled, FactScanFull}, "patch.level": {FactUpdates, FactUpdatesAsOf},
		"patch.baseline_age": {FactUpdatesAsOf}, "patch.reboot": {FactReboots}, "patch.support": {FactSupportEnd},
		"settings.firewall": {FactFirewall}, "settings.disk_encryption": {FactEncrypted}, "settings.boot_password": {FactBootPassword},
		"settings.secure_boot": {FactSecureBoot}, "settings.screen_lock": {FactLockIdle}, "settings.autologin": {FactAutologin},
		"settings.guest": {FactGuests}, "settings.admins": {FactAdmins}, "settings.unused_accounts": {FactAccounts},
		"settings.password_policy": {FactMinLength, FactWeak}, "settings.autorun": {FactAutorun}, "settings.remote": {FactRemote},
		"settings.clock": {FactOffset}, "settings.hardware": {FactHardware}, "network.second_card": {FactCards}, "network.wifi": {FactWifi},
		"network.tether": {FactTethers}, "network.modem": {FactModems}, "network.second_route": {FactRoutes}, "network.gateway": {FactGateways},
		"network.vpn": {FactVPNs}, "network.proxy": {FactProxies},
	}[check]
}

func TestNoCheckPassesWhileASourceItNeedsIsRemovedBrokenOrDelayed(t *testing.T) {
	p := checked()
	p.Health.References = nil // the source's age must then be proved by the terminal itself
	for _, c := range Catalogue() {
		if len(needs(c.ID)) == 0 {
			t.Errorf("%s: nobody said what it needs", c.ID)
		}
		for _, fact := range needs(c.ID) {
			for how, spoil := range spoilers {
				s, was := wellKept(), 0
				var left []Reading
				for _, r := range s.Readings {
					if r.Fact() == fact {
						was++
						left = append(left, spoil(r)...)
					} else {
						left = append(left, r)
					}
				}
				s.Readings = left
				r := find(Judge(p, s, nil, noon), c.ID)
				if was == 0 || r == nil || r.Result == ResultPass || r.Result == ResultNotApplicable {
					t.Errorf("%s with %s %s: %+v", c.ID, fact, how, r)
				} else if r.Result == ResultUnknown && r.Code == "" {
					t.Errorf("%s with %s %s: no reason", c.ID, fact, how)
				}
			}
		}
	}
}

// TestWhateverIsSpoiltNoCheckPassesWithoutAllItNeeds spoils any sources in any combination: what passes then passes only on facts that are whole.
func TestWhateverIsSpoiltNoCheckPassesWithoutAllItNeeds(t *testing.T) {
	p := checked()
	p.Health.References = nil
	var ways []string
	for how := range spoilers {
		ways = append(ways, how)
	}
	rapid.Check(t, func(t *rapid.T) {
		s, spoilt := wellKept(), map[string]bool{}
		var left []Reading
		for i, r := range s.Readings {
			if rapid.Bool().Draw(t, fmt.Sprint(i)) {
				left = append(left, r)
				continue
			}
			left = append(left, spoilers[rapid.SampledFrom(ways).Draw(t, "how")](r)...)
			spoilt[r.Fact()] = true
		}
		s.Readings = left
		s.Doubt = rapid.Bool().Draw(t, "doubt")
		for _, r := range Judge(p, s, nil, noon) {
			for _, fact := range needs(r.Check) {
				if spoilt[fact] && r.Result == ResultPass {
					t.Fatalf("%s passes although %s is spoilt: %+v", r.Check, fact, r)
				}
			}
			if info, _ := CheckOf(r.Check); s.Doubt && info.Dated && r.Result == ResultPass {
				t.Fatalf("%s passes by a clock nobody trusts", r.Check)
			}
		}
	})
}

func TestAnEmptyReadingSaysNothing(t *testing.T) {
	for _, s := range []*Survey{{}, {OS: "linux"}, {OS: "windows", Readings: make([]Reading, 50)}} {
		for _, r := range Judge(checked(), s, nil, noon) {
			if r.Result != ResultUnknown || r.Code == "" {
				t.Errorf("%+v", r)
			}
		}
	}
	if v := (sound{}).pass(""); v.result == ResultPass {
		t.Error("a reading nobody vouched for passed")
	}
}

// judged gives one check's result after one reading was put in the place of its like.
func judged(t *testing.T, p *Policy, check string, instead ...Reading) CheckResult {
	t.Helper()
	s := wellKept()
	var left []Reading
	for _, r := range s.Readings {
		replaced := false
		for _, n := range instead {
			replaced = replaced || n.Fact() == r.Fact() && n.Product() == r.Product()
		}
		if !replaced {
			left = append(left, r)
		}
	}
	s.Readings = append(left, instead...)
	r := find(Judge(p, s, nil, noon), check)
	if r == nil {
		t.Fatalf("no result of %s", check)
	}
	return *r
}

func from(fact, product string) Origin {
	return Origin{Fact: fact, Product: product, Source: "test", At: noon}
}

func TestATerminalBehindItsSourceAndAnOldSourceAreTwoFindings(t *testing.T) {
	p := checked()
	pattern := func(at time.Time) Reading { return from(FactPatternDate, "clamav").Time(at) }
	source := func(at time.Time) { p.Health.References[0].MadeAt = at }
	thursday, week, month := noon, noon.AddDate(0, 0, -9), noon.AddDate(0, -1, 0)
	for _, c := range []struct {
		name             string
		own, source      time.Time
		patterns, origin Result
	}{
		{"both new", thursday.Add(-time.Hour), thursday.Add(-time.Hour), ResultPass, ResultPass},
		{"behind a new source", week, thursday.Add(-time.Hour), ResultFail, ResultPass},
		{"not behind an old source", month, month, ResultPass, ResultFail},
		{"behind an old source", month, week, ResultFail, ResultFail},
	} {
		source(c.source)
		if r := judged(t, p, "antivirus.patterns", pattern(c.own)); r.Result != c.patterns || r.Against != "庁内の最新" {
			t.Errorf("%s: terminal %+v", c.name, r)
		}
		if r := judged(t, p, "antivirus.source", pattern(c.own)); r.Result != c.origin {
			t.Errorf("%s: source %+v", c.name, r)
		}
	}
}

func TestWithoutAReferenceAnOldPatternIsNotExcusedAndNotGuessedAt(t *testing.T) {
	p := checked()
	p.Health.References = nil
	for days, want := range map[int]Result{1: ResultPass, 8: ResultUnknown, 60: ResultFail} {
		if r := judged(t, p, "antivirus.patterns", from(FactPatternDate, "clamav").Time(noon.AddDate(0, 0, -days))); r.Result != want {
			t.Errorf("%d days: %+v", days, r)
		}
	}
}

func TestWorkingDaysLeaveOutWeekendsAndClosedDays(t *testing.T) {
	c := Calendar{Closed: []string{"2026-11-23"}}
	friday := time.Date(2026, 11, 20, 3, 0, 0, 0, time.UTC)
	if n := c.WorkingDays(friday, noon); n != 3 { // Tuesday, Wednesday, Thursday
		t.Errorf("%d working days", n)
	}
	late := time.Date(2026, 11, 25, 15, 30, 0, 0, time.UTC) // already Thursday in Japan
	if n := c.WorkingDays(late, noon); n != 0 {
		t.Errorf("%d working days within one day in Japan", n)
	}
	if n := c.WorkingDays(noon, friday); n != 0 {
		t.Errorf("%d working days backwards", n)
	}
	if !(Span{}).Reached(friday, noon, c) || (Span{3, "moons"}).Reached(friday, noon, c) || !(Span{3, "moons"}).Exceeded(noon, noon, c) {
		t.Error("a span that is none")
	}
}

func TestAFailureGrowsFromNoticeToViolationAndItsBeginningStays(t *testing.T) {
	p, s := checked(), wellKept()
	s.Readings = append(s.Readings, from(FactFirewall, "public").Bool(false))
	first := Judge(p, s, nil, noon)
	r := find(first, "settings.firewall")
	if r.Result != ResultFail || r.Stage != StageNotice || r.Code != CodeOff || r.Product != "public" {
		t.Fatalf("%+v", r)
	}
	for days, stage := range map[int]string{1: StageWarning, 4: StageWarning, 5: StageViolation} { // Friday; Monday; Tuesday
		later := noon.AddDate(0, 0, days)
		for i := range s.Readings {
			s.Readings[i].origin.At = later
		}
		if r := find(Judge(p, s, first, later), "settings.firewall"); r.Stage != stage || !r.Since.Equal(noon) {
			t.Errorf("after %d days: %+v", days, r)
		}
	}
}

func TestAWaiverIsShownAndEnds(t *testing.T) {
	p, s := checked(), wellKept()
	p.Health.Mode = ModeWarn
	s.Readings = append(s.Readings, from(FactTethers, "").List([]Entry{{Word: "usb0"}}))
	p.Health.Waivers = []Waiver{{ID: "W-1", Check: "network.tether", Terminals: []string{"t-1"}, From: noon.Add(-time.Hour), Until: noon.Add(time.Hour)}}
	r := find(Judge(p, s, nil, noon), "network.tether")
	if r.Result != ResultFail || r.Waiver != "W-1" || r.Stage != StageViolation || p.Health.TellCheck(*r) {
		t.Errorf("%+v", r)
	}
	p.Health.Waivers[0].Until = noon
	if r := find(Judge(p, s, nil, noon), "network.tether"); r.Waiver != "" || !p.Health.TellCheck(*r) {
		t.Errorf("a waiver that ended: %+v", r)
	}
	p.Health.Waivers[0].Terminals, p.Health.Waivers[0].Until = nil, noon.Add(time.Hour)
	if r := find(Judge(p, s, nil, noon), "network.tether"); r.Waiver != "" {
		t.Errorf("a waiver for nobody covers everybody: %+v", r)
	}
}

func TestATerminalThatWasOffGetsTimeToCatchUp(t *testing.T) {
	p, s := checked(), wellKept()
	old := from(FactPatternDate, "clamav").Time(noon.AddDate(0, -2, 0))
	for i, r := range s.Readings {
		if r.Fact() == FactPatternDate {
			s.Readings[i] = old
		}
	}
	s.Up = time.Minute
	if r := find(Judge(p, s, nil, noon), "antivirus.patterns"); r.Result != ResultUnknown || r.Code != CodeSettling {
		t.Errorf("%+v", r)
	}
	s.Up = 5 * time.Hour
	failed := Judge(p, s, nil, noon)
	if r := find(failed, "antivirus.patterns"); r.Result != ResultFail {
		t.Errorf("%+v", r)
	}
	s.Up = time.Minute
	if r := find(Judge(p, s, failed, noon), "antivirus.patterns"); r.Result != ResultFail {
		t.Errorf("a restart wipes a failure off: %+v", r)
	}
}

func TestTwoProductsAndOneThatIsGone(t *testing.T) {
	p := checked()
	yes := func(fact, product string, v bool) Reading { return from(fact, product).Bool(v) }
	if r := judged(t, p, "antivirus.realtime", yes(FactInstalled, "mdatp", true), yes(FactRealtime, "mdatp", false)); r.Result != ResultPass {
		t.Errorf("one of two is on: %+v", r)
	}
	if r := judged(t, p, "antivirus.present", yes(FactInstalled, "mdatp", true), yes(FactRunning, "mdatp", true)); r.Code != CodeTwoProducts {
		t.Errorf("%+v", r)
	}
	if r := judged(t, p, "antivirus.present", yes(FactInstalled, "clamav", false)); r.Result != ResultFail || r.Code != CodeNoProduct {
		t.Errorf("just uninstalled: %+v", r)
	}
	if r := judged(t, p, "antivirus.present", yes(FactRunning, "clamav", false)); r.Result != ResultFail || r.Code != CodeStopped {
		t.Errorf("stopped: %+v", r)
	}
	if r := judged(t, p, "antivirus.present", yes(FactInstalled, "clamav", false), from(FactInstalled, "mdatp").Unread(CodeDenied, "")); r.Result != ResultUnknown {
		t.Errorf("nobody knows whether the other is there: %+v", r)
	}
	if r := judged(t, p, "antivirus.patterns", yes(FactInstalled, "clamav", false), yes(FactInstalled, "falcon", true), yes(FactRealtime, "falcon", true)); r.Result != ResultNotApplicable || r.Code != CodePatternless {
		t.Errorf("a product without patterns: %+v", r)
	}
}

func TestNothingIsMissingInListsThatNobodyRenews(t *testing.T) {
	p := checked()
	if r := judged(t, p, "patch.level", from(FactUpdatesAsOf, "lists").Time(noon.AddDate(0, 0, -40))); r.Result != ResultUnknown || r.Code != CodeSourceOld {
		t.Errorf("%+v", r)
	}
	if r := judged(t, p, "patch.baseline_age", from(FactUpdatesAsOf, "lists").Time(noon.AddDate(0, 0, -40))); r.Result != ResultFail {
		t.Errorf("%+v", r)
	}
	missing := func(days int) Reading {
		return from(FactUpdates, "").List([]Entry{{Word: "openssl 3.0.1", At: noon.AddDate(0, 0, -days)}})
	}
	if r := judged(t, p, "patch.level", missing(3)); r.Result != ResultPass {
		t.Errorf("within its time: %+v", r)
	}
	if r := judged(t, p, "patch.level", missing(20)); r.Result != ResultFail || r.Value != "openssl 3.0.1" {
		t.Errorf("%+v", r)
	}
}

func TestEachSettingIsHeldAgainstItsLimit(t *testing.T) {
	p := checked()
	list := func(fact string, words ...string) Reading {
		var l []Entry
		for _, w := range words {
			l = append(l, Entry{Word: w})
		}
		return from(fact, "").List(l)
	}
	for check, c := range map[string]struct {
		r    Reading
		code string
	}{
		"settings.screen_lock":     {from(FactLockIdle, "").Number(0), CodeOff},
		"settings.password_policy": {from(FactMinLength, "").Number(8), CodeTooLow},
		"settings.clock":           {from(FactOffset, "").Number(-400), CodeTooHigh},
		"settings.admins":          {list(FactAdmins, "sysadmin", "hanako"), CodeFound},
		"settings.unused_accounts": {list(FactAccounts, "taro"), CodeFound},
		"settings.autorun":         {from(FactAutorun, "").Bool(true), CodeFound},
		"settings.remote":          {list(FactRemote, "x11vnc"), CodeFound},
		"network.second_card":      {list(FactCards, "eth0 a", "eth1 b"), CodeFound},
		"network.second_route":     {list(FactRoutes, "eth0 a", "wwan0 b"), CodeFound},
		"network.gateway":          {list(FactGateways, "00:11:22:33:44:55"), CodeFound},
		"patch.reboot":             {list(FactReboots, "linux-image"), CodeWaiting},
		"patch.support":            {from(FactSupportEnd, "debian").Time(noon.AddDate(0, -1, 0)), CodeEnded},
	} {
		if r := judged(t, p, check, c.r); r.Result != ResultFail || r.Code != c.code {
			t.Errorf("%+v", r)
		}
	}
	for i := range p.Health.Checks {
		p.Health.Checks[i].Allowed = nil
	}
	if r := judged(t, p, "network.gateway"); r.Result != ResultUnknown || r.Code != CodeNoList {
		t.Errorf("without a list: %+v", r)
	}
}

func TestAPartThatIsNotThereIsNotApplicable(t *testing.T) {
	if r := judged(t, checked(), "network.wifi", from(FactWifi, "").None(CodeAbsent)); r.Result != ResultNotApplicable || r.Code != CodeAbsent {
		t.Errorf("%+v", r)
	}
}

func TestAResultIsTheSameAsLongAsNothingChanges(t *testing.T) {
	p := checked()
	first := Judge(p, wellKept(), nil, noon)
	s := wellKept()
	for i := range s.Readings {
		s.Readings[i].origin.At = noon.Add(50 * time.Second)
	}
	a, _ := json.Marshal(first)
	b, _ := json.Marshal(Judge(p, s, first, noon.Add(time.Minute)))
	if string(a) != string(b) {
		t.Errorf("a minute later other words\n%s\n%s", a, b)
	}
}

func TestEveryFaultOfHealthIsNamedByItsField(t *testing.T) {
	waiver := Waiver{ID: "1", Check: "patch.level", Group: []string{"g"}, Reason: "r", Measure: "m", Approver: "a", From: noon, Until: noon.Add(time.Hour)}
	probe := func(change func(*Probe)) func(*Health) {
		return func(h *Health) {
			p := Probe{ID: "x", Product: "X", OS: "linux", Detect: []Place{{Kind: PlaceExists, Path: "/opt/x"}},
				Facts: []ProbeFact{{Fact: FactPatternDate, Form: Form{Type: TypeTime, Date: DateYMD}, Place: []Place{{Kind: PlaceFile, Path: "/opt/x/v", Match: `(\d+)`}}}}}
			change(&p)
			h.Probes = []Probe{p}
		}
	}
	for path, spoil := range map[string]func(*Health){
		"health.mode":                             func(h *Health) { h.Mode = ModeLearn },
		"health.settle.unit":                      func(h *Health) { h.Settle.Unit = UnitCharacters },
		"health.checks[0].id":                     func(h *Health) { h.Checks[0].ID = "antivirus.luck" },
		"health.checks[1].id":                     func(h *Health) { h.Checks[1].ID = h.Checks[0].ID },
		"health.checks[2].limits[behind].unit":    func(h *Health) { h.Checks[2].Limits = map[string]Span{"behind": {3, UnitCharacters}} },
		"health.checks[2].limits[behind].count":   func(h *Health) { h.Checks[2].Limits = map[string]Span{"behind": {-1, UnitDays}} },
		"health.checks[2].limits[luck]":           func(h *Health) { h.Checks[2].Limits = map[string]Span{"luck": {1, UnitDays}} },
		"health.checks[0].clause":                 func(h *Health) { h.Checks[0].Clause = "P9" },
		"health.checks[0].allowed":                func(h *Health) { h.Checks[0].Allowed = []string{"x"} },
		"health.checks[5].os[0]":                  func(h *Health) { h.Checks[5].OS = []string{"os2"} },
		"health.checks[5].grace.violation":        func(h *Health) { h.Checks[5].Grace = &Grace{Warning: days(3), Violation: days(1)} },
		"health.probes[0].id":                     probe(func(p *Probe) { p.ID = "X" }),
		"health.probes[0].detect":                 probe(func(p *Probe) { p.Detect = nil }),
		"health.probes[0].facts[0].fact":          probe(func(p *Probe) { p.Facts[0].Fact = FactInstalled }),
		"health.probes[0].facts[0].form.type":     probe(func(p *Probe) { p.Facts[0].Form.Type = TypeBool }),
		"health.probes[0].facts[0].form.date":     probe(func(p *Probe) { p.Facts[0].Form.Date = "moon" }),
		"health.probes[0].facts[0].place":         probe(func(p *Probe) { p.Facts[0].Place = nil }),
		"health.probes[0].facts[0].place[0].path": probe(func(p *Probe) { p.Facts[0].Place[0].Path = "/etc/shadow" }),
		"health.probes[0].detect[0].path":         probe(func(p *Probe) { p.Detect[0].Path = "/opt/../etc/passwd" }),
		"health.probes[0].facts[0].place[0].match": probe(func(p *Probe) {
			p.Facts[0].Place[0].Match = strings.Repeat("(a?", 60) + strings.Repeat(")", 59)
		}),
		"health.probes[0].facts[0].place[0].command": probe(func(p *Probe) {
			p.Facts[0].Place[0] = Place{Kind: PlaceCommand, Command: "rm", Match: "(x)"}
		}),
		"health.probes[0].facts[0].place[0].kind": probe(func(p *Probe) { p.Facts[0].Place[0] = Place{Kind: "run", Path: "/bin/sh"} }),
		"health.waivers[0].until":                 func(h *Health) { w := waiver; w.Until = time.Time{}; h.Waivers = []Waiver{w} },
		"health.waivers[0].measure":               func(h *Health) { w := waiver; w.Measure = ""; h.Waivers = []Waiver{w} },
		"health.waivers[0].terminals":             func(h *Health) { w := waiver; w.Group = nil; h.Waivers = []Waiver{w} },
		"health.calendar.closed[0]":               func(h *Health) { h.Calendar.Closed = []string{"元日"} },
		"health.calendar.zone":                    func(h *Health) { h.Calendar.Zone = "JST" },
		"health.references[0].sha256":             func(h *Health) { h.References = []Reference{{Name: "b", Kind: ReferenceBaseline, MadeAt: noon}} },
		"health.references[0].made_at":            func(h *Health) { h.References[0].MadeAt = time.Time{} },
	} {
		p := checked()
		spoil(p.Health)
		found := false
		for _, problem := range p.Validate() {
			found = found || problem.Path == path && problem.Text.JA != "" && problem.Text.EN != ""
		}
		if !found {
			t.Errorf("%s is not named: %+v", path, p.Validate())
		}
	}
	p := checked()
	p.Schema = SchemaSoftware
	if problems := p.Validate(); len(problems) != 1 || problems[0].Path != "health" {
		t.Errorf("%+v", problems)
	}
}

func TestHealthComesThroughTheDocumentWhole(t *testing.T) {
	p := checked()
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	q, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := json.Marshal(q); string(again) != string(raw) {
		t.Error("the document changed on its way")
	}
}

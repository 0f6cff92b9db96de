package winstate_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"sekisho/agent/sensor/winstate"
	"sekisho/internal/policy"
)

// defenderOn is what MSFT_MpComputerStatus says of a Defender with which all is well.
const defenderOn = `[{"RealTimeProtectionEnabled":true,"AMRunningMode":"Normal","IsTamperProtected":true,"AMProductVersion":"4.18.26100.7",
"QuickScanEndTime":"20261125120000.000000+000","FullScanEndTime":"20261121120000.000000+000"}]`

// TestEveryProductInEveryStateIsJudgedOnThisWindows plays the table of docs/checks.md: each product is made to be there, and then to be
// otherwise, one way after the other.
func TestEveryProductInEveryStateIsJudgedOnThisWindows(t *testing.T) {
	list := products()
	play(t, list[:1], list[1])
	play(t, list[1:], list[0])
}

// play tries products beside another one, which runs all the while and is only looked at where it matters: to start a service is what
// takes longest here.
func play(t *testing.T, list []product, beside product) {
	t.Helper()
	second := newPatient(t, beside)
	second.lives()
	for _, s := range list {
		t.Run(s.id, func(t *testing.T) {
			p := newPatient(t, s)
			p.second = beside
			p.alone()
			p.dated()
			p.work()
		})
	}
	second.buried()
}

// patient is a Windows with one product.
type patient struct {
	*pc
	is     product
	second product  // what runs beside it
	both   bool     // both are looked at
	dies   func()   // of one that is a program and runs
	end    []func() // what takes it away
}

// newPatient is a client on which the product works, until the test ends.
func newPatient(t *testing.T, s product) *patient {
	t.Helper()
	captures := []string{"client"}
	if s.capture != "" {
		captures = append(captures, s.capture)
	}
	p := &patient{pc: newPC(t, captures...), is: s}
	t.Cleanup(p.buried)
	p.born()
	return p
}

// born makes the product be there: its files, and dates of yesterday.
func (p *patient) born() {
	p.t.Helper()
	p.put(p.is.says...)
	for _, d := range append(p.is.dates, p.is.updates...) {
		p.put(d.at(when{at: noon.AddDate(0, 0, -1)}))
	}
	p.end, p.undo = p.undo, nil
}

// lives makes the product work: this is where every state begins, and what it comes back to.
func (p *patient) lives() {
	p.t.Helper()
	p.back()
	if p.is.program != "" && p.dies == nil {
		p.dies = p.start(p.is.program)
	}
	p.defender = ""
	if p.is.wmi {
		p.defender = defenderOn
	}
	p.both = false
	p.lists(0x041000, p.seen()...)
	p.run(p.is.services...)
}

// buried leaves nothing behind.
func (p *patient) buried() {
	p.back()
	p.kill()
	for _, name := range slices.Collect(maps.Keys(p.services)) {
		p.remove(name)
	}
	p.undo, p.end = p.end, nil
	p.back()
}

func (p *patient) seen() []string {
	if p.is.center == "" {
		return nil
	}
	return []string{p.is.center}
}

// judged looks at the product and at those that may stand beside it: each look at all of them is a hundred questions.
func (p *patient) judged() (map[string]string, []policy.Reading) {
	names := []string{p.is.id}
	if p.both {
		names = append(names, p.second.id)
	}
	words, _, readings := p.look(policy.AreaAntivirus, winstate.Options{Ask: p.ask}, probesOf(names...)...)
	return words, readings
}

// probesOf gives the probes of some products; of none, all.
func probesOf(names ...string) (out []policy.Probe) {
	for _, p := range policy.DefaultProbes() {
		if len(names) == 0 || slices.Contains(names, p.ID) {
			out = append(out, p)
		}
	}
	return out
}

// alone: no other product takes what this one leaves there for its own.
func (p *patient) alone() {
	p.lives()
	words, _, readings := p.look(policy.AreaAntivirus, winstate.Options{Ask: p.ask}, probesOf()...)
	for _, r := range readings {
		if is := r.Product() == p.is.id || r.Product() == p.second.id; r.Fact() == policy.FactInstalled && r.IsYes() != is {
			code, fault := r.Why()
			p.t.Errorf("with %s there, %s is %q (%s %s)", p.is.id, r.Product(), r.Value(), code, fault)
		}
	}
	if is := words["antivirus.present"]; is != "pass two_products" {
		p.t.Errorf("%s among all: %q", p.is.id, is)
	}
}

func (p *patient) dated() {
	for _, s := range dateStates() {
		if len(p.is.dates)+len(p.is.updates) == 0 {
			return
		}
		p.lives()
		for _, d := range append(p.is.dates, p.is.updates...) {
			p.put(d.at(s.when))
		}
		got, readings := p.judged()
		if p.is.leaves && len(p.is.updates) > 0 && s.when.how == "gone" { // it is found by this very value
			if is := got["antivirus.present"]; is != "unknown disagree" {
				p.t.Errorf("%s without the value that it is found by: %q", p.is.id, is)
			}
			continue
		}
		want := s.patterns
		if len(p.is.dates) == 0 {
			want = "unknown unread" // that it was updated says nothing of its patterns
			if is := update(readings, p.is.id); is != s.update && !(s.update == unreadable && strings.HasPrefix(is, "(")) {
				p.t.Errorf("%s, its last update %s: %q, should be %q", p.is.id, s.name, is, s.update)
			}
		}
		if is := got["antivirus.patterns"]; !strings.HasPrefix(is, want) || got["antivirus.present"] != "pass" {
			p.t.Errorf("%s, its date %s: %q, should be %q (present: %s)", p.is.id, s.name, is, want, got["antivirus.present"])
		}
	}
	p.newest()
}

// newest: of several places the newest date counts, and one that cannot be read hides no other.
func (p *patient) newest() {
	for i := range p.is.dates {
		for _, how := range []string{"gone", "wrong"} {
			p.lives()
			for j, d := range p.is.dates {
				if w := (when{how: how}); j == i {
					p.put(d.at(when{at: noon.AddDate(0, 0, -1)}))
				} else {
					p.put(d.at(w))
				}
			}
			if got, _ := p.judged(); got["antivirus.patterns"] != "pass" {
				p.t.Errorf("%s, only place %d has a date, the others %s: %q", p.is.id, i, how, got["antivirus.patterns"])
			}
		}
	}
}

func update(readings []policy.Reading, id string) string {
	for _, r := range readings {
		if r.Fact() == policy.FactPatternApplied && r.Product() == id {
			if at, ok := r.Moment(); ok {
				return at.UTC().Format(time.DateOnly)
			}
			code, _ := r.Why()
			return "(" + code + ")"
		}
	}
	return "nobody asked"
}

func (p *patient) work() {
	for _, s := range workStates() {
		if p.back(); s.name != leftListed && s.name != leftOver { // what is stopped need not run before it is taken away
			p.lives()
		}
		if !p.becomes(s.name) {
			continue
		}
		got, _ := p.judged()
		want := p.is.wants(s)
		for check, w := range map[string]string{"present": want.present, "realtime": want.realtime, "patterns": want.patterns} {
			if is := got["antivirus."+check]; is != w {
				p.t.Errorf("%s, %s: %s is %q, should be %q", p.is.id, s.name, check, is, w)
			}
		}
	}
	p.lives()
	if got, _ := p.judged(); got["antivirus.present"] != "pass" {
		p.t.Errorf("%s, back from all of it: %q", p.is.id, got["antivirus.present"])
	}
}

// becomes makes the product be so; false is that it cannot be.
func (p *patient) becomes(state string) bool {
	switch oneService := p.is.without && len(p.is.services) == 1; {
	case p.is.center == "" && strings.Contains(state, "Security Center"), oneService && (state == scanOff || state == otherScanOff):
		return false
	}
	switch state {
	case scanOff:
		p.scanOff()
	case stopped:
		p.stop()
	case centerOff:
		p.lists(0x040000, p.is.center)
	case centerHangs:
		p.center = ""
	case centerEmpty:
		p.lists(0)
	case onServer:
		p.put(in(`HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion`, "InstallationType").is(words("Server")))
		p.center = ""
	case twoProducts, otherScanOff:
		if state == otherScanOff {
			p.scanOff()
		}
		p.beside()
	case leftOver:
		p.uninstall()
		p.lists(0)
	case leftListed:
		p.uninstall()
		p.lists(0x041000, p.seen()...)
	}
	return true
}

// scanOff: the product says it itself, by its driver, or only Security Center knows.
func (p *patient) scanOff() {
	p.put(p.is.off...)
	switch {
	case p.is.wmi:
		p.defender = strings.Replace(defenderOn, "true", "false", 1)
	case p.is.without:
		p.run(p.is.services[:len(p.is.services)-1]...)
	case p.is.silent():
		p.lists(0x040000, p.is.center)
	}
}

// stop ends what the product is, and nothing that it has written down.
func (p *patient) stop() {
	if p.is.program != "" {
		p.kill()
		p.put(file(p.is.program, "")) // its file stays
	}
	p.run()
}

// kill ends a product that is a program.
func (p *patient) kill() {
	if p.dies != nil {
		p.dies()
		p.dies = nil
	}
}

// uninstall takes away what runs; what stands in the registry stays.
func (p *patient) uninstall() {
	for _, name := range p.is.services {
		if p.services[name] != nil {
			p.remove(name)
		}
	}
	p.kill()
}

// beside has a second product there that works. Of one that does not say itself whether it is on, only the other is listed.
func (p *patient) beside() {
	p.both = true
	if p.second.wmi {
		p.defender = defenderOn
	}
	p.lists(0x041000, append(p.seen(), p.second.center)...)
	if p.is.silent() {
		p.lists(0x041000, p.second.center)
	}
}

package policy

import (
	"strings"
	"testing"
)

func TestWhatSecurityCenterSaysIsReadByItsBits(t *testing.T) {
	for _, c := range []struct {
		n     uint64
		state CenterState
		old   bool
		known bool
	}{
		{397568, CenterOn, false, true}, {397312, CenterOn, false, true}, {397328, CenterOn, true, true},
		{393472, CenterOff, false, true}, {393216, CenterOff, false, true},
		{266240, CenterOn, false, true}, {266256, CenterOn, true, true},
		{262144, CenterOff, false, true}, {262160, CenterOff, true, true},
		{270336, CenterSnoozed, false, true}, {0x063010, CenterExpired, true, true},
		{0, "", false, false}, {0x1000, "", false, false}, {0x064000, "", false, false}, {0x061001, "", false, false},
		{0x01061000, "", false, false}, {1 << 63, "", false, false},
	} {
		state, old, known := DecodeProductState(c.n)
		if state != c.state || old != c.old || known != c.known {
			t.Errorf("0x%x: %q old %v known %v", c.n, state, old, known)
		}
	}
}

// scene is a terminal with one product, and what Security Center says.
func scene(realtime Reading, rows ...CenterRow) map[string]Reading {
	at := func(fact string) Origin {
		return Origin{Fact: fact, Product: "apex-one", Label: "Apex One", Source: "registry", At: noon}
	}
	in := []Reading{at(FactInstalled).Bool(true), at(FactRunning).Bool(true)}
	if realtime.Fact() != "" {
		in = append(in, realtime)
	}
	out := map[string]Reading{}
	for _, r := range Witness(in, DefaultProbes(), Testimony{Rows: rows}, Origin{Source: "Security Center", At: noon}) {
		out[r.Product()+" "+r.Fact()] = r
	}
	return out
}

func TestTheSecondWitnessConfirmsOrDoubtsAndNeverOverrulesANo(t *testing.T) {
	o := Origin{Fact: FactRealtime, Product: "apex-one", Source: "registry", At: noon}
	on, off := CenterRow{Name: "ウイルスバスター Corp.クライアント", State: 0x041000}, CenterRow{Name: "Trend Micro Apex One", State: 0x040000}
	key := "apex-one " + FactRealtime
	if r := scene(o.Bool(true), on)[key]; !r.IsYes() {
		t.Errorf("both say on: %+v", r)
	}
	if code, _ := scene(o.Bool(true), off)[key].Why(); code != CodeDisagree {
		t.Errorf("they disagree: %q", code)
	}
	if r := scene(o.Bool(false), on)[key]; r.IsYes() || !r.Read() {
		t.Errorf("a no stays a no: %+v", r)
	}
	if r := scene(o.Unread(CodeMissing, ""), on)[key]; !r.IsYes() {
		t.Errorf("the witness alone says on: %+v", r)
	}
	if r := scene(Reading{}, off)[key]; r.IsYes() || !r.Read() {
		t.Errorf("the witness alone says off: %+v", r)
	}
	if r := scene(Reading{}, CenterRow{Name: "Trend Micro", State: 0x045555})[key]; r.Read() {
		t.Errorf("nobody knows these bits: %+v", r)
	}
	if r := scene(Reading{}, CenterRow{Name: on.Name, State: on.State, Gone: true})[key]; r.Read() {
		t.Errorf("the row is left over: %+v", r)
	}
	if r := scene(o.Bool(true))[key]; !r.IsYes() {
		t.Errorf("a product that is not registered stands by itself: %+v", r)
	}
}

func TestAWitnessThatDoesNotAnswerTakesTheYesAway(t *testing.T) {
	o := Origin{Product: "apex-one", Source: "registry", At: noon}
	read := func(fact string) Reading { o.Fact = fact; return o.Bool(true) }
	in := []Reading{read(FactInstalled), read(FactRunning), read(FactRealtime)}
	out := Witness(in, DefaultProbes(), Testimony{Code: CodeTimeout, Fault: "no answer in 20 s"}, Origin{})
	if code, fault := out[2].Why(); code != CodeTimeout || !strings.Contains(fault, "20 s") {
		t.Errorf("%q %q", code, fault)
	}
	if out := Witness(in, DefaultProbes(), Testimony{None: true}, Origin{}); !out[2].IsYes() {
		t.Error("a server has no Security Center, and its products stand by themselves")
	}
}

func TestAProductThatNobodyKnowsIsShownWithoutADate(t *testing.T) {
	out := scene(Reading{}, CenterRow{Name: "未知のウイルス対策", State: 0x041000}, CenterRow{Name: "Old thing", State: 0x040000})
	if !out["security-center-未知のウイルス対策 "+FactInstalled].IsYes() {
		t.Errorf("%+v", out)
	}
	if code, _ := out["security-center-未知のウイルス対策 "+FactPatternDate].Why(); code != CodeNoSource {
		t.Errorf("a date from nowhere: %q", code)
	}
	if _, there := out["security-center-Old thing "+FactInstalled]; there {
		t.Error("what is off is no product")
	}
}

func TestAProductThatWasJustRemovedIsNotTakenForThere(t *testing.T) {
	o := Origin{Fact: FactInstalled, Product: "eset-windows", At: noon}
	row := CenterRow{Name: "ESET Endpoint Antivirus", State: 0x041000}
	out := Witness([]Reading{o.Bool(false)}, DefaultProbes(), Testimony{Rows: []CenterRow{row}}, Origin{At: noon})
	if code, _ := out[0].Why(); len(out) != 1 || code != CodeDisagree {
		t.Errorf("%+v", out)
	}
	row.Gone = true
	if out := Witness([]Reading{o.Bool(false)}, DefaultProbes(), Testimony{Rows: []CenterRow{row}}, Origin{At: noon}); len(out) != 1 || !out[0].Read() {
		t.Errorf("%+v", out)
	}
}

package policy

import (
	"encoding/json"
	"testing"
	"time"
)

// FuzzParse: whatever arrives, Parse either refuses it or gives a policy that can be applied, written down and read again.
func FuzzParse(f *testing.F) {
	for _, p := range []*Policy{whole(), guarded(), Builtin(ModeAudit), {}} {
		doc, err := json.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(doc)
		f.Add(doc[:len(doc)/2])
	}
	f.Add([]byte(`{"schema":9}`))
	f.Add([]byte(`{"schema":1,"removable_media":{"mode":"enforce","rules":[{"id":"x","name":{"ja":"x"},"action":"block","match":{}}]}}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		p, err := Parse(doc)
		if err != nil {
			return
		}
		ev := Event{Device: Device{Kinds: []Kind{KindStorage}, Interfaces: []Interface{{8, 6, 0x50}}}}
		if d := Decide(p, ev, day); d.Rule == "" {
			t.Fatalf("no rule in %+v", d)
		}
		if d := DecideProgram(p, Program{Kind: ProgramFile, Name: "x", Path: "/x"}, day); d.Rule == "" {
			t.Fatalf("no rule in %+v", d)
		}
		NextChange(p, time.Time{})
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(again); err != nil {
			t.Fatalf("accepted %q, refused what it became: %v", doc, err)
		}
	})
}

// BenchmarkDecide judges a stick that only the last of 100 rules and none of 100 grants matches.
func BenchmarkDecide(b *testing.B) {
	p := whole()
	p.RemovableMedia.Rules = nil
	for range 99 {
		p.RemovableMedia.Rules = append(p.RemovableMedia.Rules, Rule{ID: "x", Action: ActionAllow, Match: Match{Class: []string{"0e/01"}, Kind: []Kind{KindStorage}}})
		p.Grants = append(p.Grants, Grant{ID: "g", Vendor: "0781", Product: "5583", Serial: "other", From: day, Until: day.Add(time.Hour)})
	}
	p.RemovableMedia.Rules = append(p.RemovableMedia.Rules, Rule{ID: "default", Action: ActionBlock})
	p.Grants = p.Grants[1:]
	ev := Event{What: EventAttach, Device: Device{Bus: BusUSB, Kinds: []Kind{KindStorage}, Vendor: "0781", Product: "5583", Serial: "4C53", Interfaces: []Interface{{8, 6, 0x50}, {8, 6, 0x62}}}}
	b.ReportAllocs()
	for b.Loop() {
		if d := Decide(p, ev, day); d.Rule != "default" {
			b.Fatal(d)
		}
	}
}

// BenchmarkDecideProgram judges a program that only the last of 500 rules matches.
func BenchmarkDecideProgram(b *testing.B) {
	p := guarded()
	p.Software.Rules = nil
	for range 499 {
		p.Software.Rules = append(p.Software.Rules, ProgramRule{ID: "x", Action: ActionAllow, Match: ProgramMatch{Publisher: []string{"Example * KK"}, Name: []string{"form*"}}})
	}
	p.Software.Rules = append(p.Software.Rules, ProgramRule{ID: "last", Action: ActionBlock, Match: ProgramMatch{Name: []string{"*game*"}}})
	prog := Program{Kind: ProgramDeb, Name: "supergame", Version: "1.0-1", Publisher: "Example Games KK", Source: SourceRepository}
	b.ReportAllocs()
	for b.Loop() {
		if d := DecideProgram(p, prog, day); d.Rule != "last" {
			b.Fatal(d)
		}
	}
}

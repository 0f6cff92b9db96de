package policy

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Small alphabets, so that rules, grants and devices really meet.
var (
	day       = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	moments   = rapid.Map(rapid.IntRange(0, 48), func(n int) time.Time { return day.Add(time.Duration(n) * 30 * time.Minute) })
	words     = rapid.OneOf(rapid.SampledFrom([]string{"", "", "a", "b"}), rapid.String())
	hex4      = rapid.SampledFrom([]string{"", "0781", "5583"})
	someKinds = rapid.SliceOfN(rapid.SampledFrom(append([]Kind{"", "spoon", "storage", "storage", "storage"}, all...)), 0, 3)
	triplets  = rapid.Custom(func(t *rapid.T) Interface {
		return Interface{rapid.Uint8().Draw(t, "class"), rapid.Uint8().Draw(t, "subclass"), rapid.Uint8().Draw(t, "protocol")}
	})
)

var devices = rapid.Custom(func(t *rapid.T) Device {
	return Device{
		Bus: rapid.SampledFrom(append([]string{"", "spoon"}, buses...)).Draw(t, "bus"), Kinds: someKinds.Draw(t, "kinds"),
		Vendor: hex4.Draw(t, "vendor"), Product: hex4.Draw(t, "product"), Serial: words.Draw(t, "serial"),
		Port: words.Draw(t, "port"), Digest: words.Draw(t, "digest"), Capacity: rapid.Int64().Draw(t, "capacity"),
		Interfaces: rapid.SliceOfN(triplets, 0, 3).Draw(t, "interfaces"),
	}
})

var grantsDrawn = rapid.Custom(func(t *rapid.T) Grant {
	return Grant{
		ID: rapid.StringMatching(`[a-z]{1,3}`).Draw(t, "id"), Bus: rapid.SampledFrom([]string{"", "", BusUSB, BusMMC}).Draw(t, "bus"),
		Vendor: hex4.Draw(t, "vendor"), Product: hex4.Draw(t, "product"), Serial: words.Draw(t, "serial"),
		Port: words.Draw(t, "port"), Digest: words.Draw(t, "digest"),
		From: moments.Draw(t, "from"), Until: rapid.OneOf(moments, rapid.Just(time.Time{})).Draw(t, "until"),
	}
})

var rulesDrawn = rapid.Custom(func(t *rapid.T) Rule {
	return Rule{
		ID: words.Draw(t, "id"), Clause: words.Draw(t, "clause"), Alarm: rapid.Bool().Draw(t, "alarm"),
		Action: rapid.SampledFrom([]Action{ActionAllow, ActionBlock, ActionReport, ActionReadOnly, "", "spoon"}).Draw(t, "action"),
		Match: Match{
			Kind: someKinds.Draw(t, "kind"), Composite: rapid.Bool().Draw(t, "composite"), Serial: words.Draw(t, "serial"),
			Class:  rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom([]string{"08", "08/06"}), rapid.String()), 0, 2).Draw(t, "class"),
			Vendor: hex4.Draw(t, "vendor"), MinCapacity: rapid.Int64().Draw(t, "min"), MaxCapacity: rapid.Int64().Draw(t, "max"),
		},
	}
})

var policies = rapid.Custom(func(t *rapid.T) *Policy {
	if rapid.IntRange(0, 20).Draw(t, "none") == 0 {
		return nil
	}
	return &Policy{
		Schema: rapid.Int().Draw(t, "schema"), Revision: rapid.Int64().Draw(t, "revision"), Group: words.Draw(t, "group"),
		RemovableMedia: Control{
			Mode:  rapid.SampledFrom([]Mode{ModeAudit, ModeWarn, ModeEnforce, "", "spoon"}).Draw(t, "mode"),
			Rules: rapid.SliceOfN(rulesDrawn, 0, 4).Draw(t, "rules"),
		},
		Grants: rapid.SliceOfN(grantsDrawn, 0, 4).Draw(t, "grants"),
	}
})

func events(t *rapid.T) Event { return Event{What: EventAttach, Device: devices.Draw(t, "device")} }

// aimed draws a device that the policy's first grant names; as often as not the grant is a whole one for a stick,
// so that properties of grants are not proved on policies in which none can apply.
func aimed(t *rapid.T, p *Policy) Event {
	ev := events(t)
	if p == nil || len(p.Grants) == 0 {
		return ev
	}
	g, d := &p.Grants[0], &ev.Device
	if rapid.Bool().Draw(t, "whole") {
		g.Vendor, g.Product, g.Serial, g.Until = "0781", "5583", "4C53", g.From.Add(12*time.Hour)
		d.Kinds = []Kind{KindStorage}
	}
	d.Bus, d.Vendor, d.Product, d.Serial, d.Port, d.Digest = g.Bus, g.Vendor, g.Product, g.Serial, g.Port, g.Digest
	return ev
}

func TestDecideAlwaysAnswersAndAlwaysTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, ev, now := policies.Draw(t, "policy"), events(t), moments.Draw(t, "now")
		first, second := Decide(p, ev, now), Decide(p, ev, now)
		if !reflect.DeepEqual(first, second) {
			t.Fatalf("first %+v, then %+v", first, second)
		}
		if first.Action != ActionAllow && first.Action != ActionBlock && first.Action != ActionReport {
			t.Fatalf("action %q", first.Action)
		}
		if first.Mode != ModeAudit && first.Mode != ModeWarn && first.Mode != ModeEnforce {
			t.Fatalf("mode %q", first.Mode)
		}
	})
}

func TestNoPolicyTakesAwayKeyboardMouseHubOrCardReader(t *testing.T) {
	parts := rapid.SliceOfN(rapid.SampledFrom([]Kind{KindKeyboard, KindMouse, KindHID, KindHub, KindSmartCard}), 1, 5)
	rapid.Check(t, func(t *rapid.T) {
		ev := events(t)
		ev.Device.Kinds = parts.Draw(t, "parts")
		if d := Decide(policies.Draw(t, "policy"), ev, moments.Draw(t, "now")); d.Action != ActionAllow || d.Rule != RuleSafe || d.Violation() {
			t.Fatalf("%+v", d)
		}
	})
}

func TestAGrantIsNamedOnlyInsideItsWindowAndOnlyForAMediumThatDoesNothingElse(t *testing.T) {
	met := 0
	rapid.Check(t, func(t *rapid.T) {
		p, now := policies.Draw(t, "policy"), moments.Draw(t, "now")
		ev := aimed(t, p)
		d := Decide(p, ev, now)
		if d.Grant == "" {
			return
		}
		met++
		if !now.Before(d.Until) || d.Action != ActionAllow || Composite(ev.Device.Kinds) || !StorageCapable(ev.Device.Kinds) {
			t.Fatalf("at %s: %+v", now, d)
		}
		for _, g := range p.Grants {
			if g.ID == d.Grant && g.Until.Equal(d.Until) && !now.Before(g.From) && now.Before(g.Until) {
				return
			}
		}
		t.Fatalf("no such grant at %s: %+v", now, d)
	})
	if met == 0 {
		t.Error("no grant ever applied: nothing was proved")
	}
}

func TestUntilTheNextChangeTheAnswerStaysTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, now := policies.Draw(t, "policy"), moments.Draw(t, "now")
		ev := aimed(t, p)
		next := NextChange(p, now)
		if !next.IsZero() && !next.After(now) {
			t.Fatalf("next change %s is not after %s", next, now)
		}
		for later := now; later.Before(day.Add(25*time.Hour)) && (next.IsZero() || later.Before(next)); later = later.Add(15 * time.Minute) {
			if a, b := Decide(p, ev, now), Decide(p, ev, later); !reflect.DeepEqual(a, b) {
				t.Fatalf("at %s %+v, at %s %+v, next change %s", now, a, later, b, next)
			}
		}
	})
}

func TestWithoutGrantsNothingChangesAndThePolicyItselfIsUntouched(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, now := policies.Draw(t, "policy"), moments.Draw(t, "now")
		if d := Decide(p.WithoutGrants(), events(t), now); d.Grant != "" {
			t.Fatalf("%+v", d)
		}
		if next := NextChange(p.WithoutGrants(), now); !next.IsZero() {
			t.Fatalf("next change %s", next)
		}
		before := 0
		if p != nil {
			before = len(p.Grants)
		}
		if p.WithoutGrants(); p != nil && len(p.Grants) != before {
			t.Fatal("the policy lost its grants")
		}
	})
}

func TestKindsAreSortedKnownAndNeverNone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kinds := KindsOf(triplets.Draw(t, "device"), rapid.SliceOfN(triplets, 0, 6).Draw(t, "interfaces"))
		if !only(kinds, all) {
			t.Fatalf("%v", kinds)
		}
		for i := 1; i < len(kinds); i++ {
			if kinds[i-1] >= kinds[i] {
				t.Fatalf("%v", kinds)
			}
		}
	})
}

// TestNothingIsHiddenByMoreInterfaces: a device cannot make itself look safer by adding parts.
func TestNothingIsHiddenByMoreInterfaces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.SliceOfN(triplets, 1, 4).Draw(t, "interfaces")
		more := append(append([]Interface{}, some...), triplets.Draw(t, "one more"))
		for _, k := range KindsOf(Interface{}, some) {
			if have := (Device{Kinds: KindsOf(Interface{}, more)}); k != KindUnknown && !have.Has(k) {
				t.Fatalf("%s is gone from %v", k, have.Kinds)
			}
		}
	})
}

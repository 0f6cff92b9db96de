package main

import (
	"testing"
	"testing/synctest"
	"time"

	"sekisho/internal/policy"
)

func TestATunnelAndAStickOfTheSameNameAreTwoDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.on()
		defer s.off()
		s.publish(func() { s.console.RemovableMedia.Mode = policy.ModeEnforce })
		stick := policy.Device{ID: "1-1", Bus: policy.BusUSB, Kinds: []policy.Kind{policy.KindStorage}, Vendor: "0781", Product: "5583", Serial: "4C53"}
		tunnel := policy.Device{ID: "1-1", Bus: policy.BusThunderbolt, Kinds: []policy.Kind{policy.KindDisk}, Serial: "T"}
		say := func(what string, d policy.Device) {
			s.events <- policy.Event{What: what, Device: d, SeenAt: time.Now()}
			synctest.Wait()
		}
		say(policy.EventAttach, stick)
		say(policy.EventAttach, tunnel)
		if got := s.outcomes("1-1"); len(got) != 2 || got[0] != "blocked" || got[1] != "blocked" {
			t.Errorf("the records say %v: one took the other's place", got)
		}
		if n := len(s.guard.status().Devices); n != 2 {
			t.Errorf("%d devices are shown", n)
		}
		say(policy.EventDetach, tunnel)
		if d := s.guard.status().Devices; len(d) != 1 || d[0].Device.Bus != policy.BusUSB || d[0].Outcome != policy.OutcomeBlocked {
			t.Errorf("after the tunnel went: %+v", d)
		}
	})
}

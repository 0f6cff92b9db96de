package sensor

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/policy"
)

// scene is a machine whose devices a test moves.
type scene struct {
	mu     sync.Mutex
	seen   []sighting
	err    error
	words  chan struct{}
	again  chan struct{}
	events <-chan policy.Event
}

func (s *scene) look() ([]sighting, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen, s.err
}

func (s *scene) set(err error, seen ...sighting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen, s.err = seen, err
}

func watchScene(t *testing.T, s *scene, system []string) {
	ctx, cancel := context.WithCancel(context.Background())
	out := make(chan policy.Event, 64)
	s.words, s.events = make(chan struct{}, 1), out
	s.again = make(chan struct{}, 1)
	o := Options{System: system, Log: zerolog.Nop(), Now: time.Now, Again: s.again}
	done := make(chan struct{})
	go func() {
		defer close(done)
		newSurveyor(o, s.look, func() string { return "tanaka" }, heedful).run(ctx, s.words, out)
	}()
	t.Cleanup(func() { cancel(); <-done })
}

func (s *scene) expect(t *testing.T, what string, kind policy.Kind) policy.Event {
	t.Helper()
	select {
	case ev := <-s.events:
		if ev.What != what || !ev.Device.Has(kind) {
			t.Fatalf("%s %v instead of %s %s", ev.What, ev.Device.Kinds, what, kind)
		}
		return ev
	case <-time.After(time.Hour):
		t.Fatalf("no %s of %s", what, kind)
	}
	return policy.Event{}
}

func stick() sighting {
	return sighting{settled: true, device: policy.Device{
		ID: `USB\VID_0781&PID_5583\4C53`, Bus: policy.BusUSB, Kinds: []policy.Kind{policy.KindStorage},
		Interfaces: []policy.Interface{{Class: 8, Subclass: 6, Protocol: 0x50}}, Serial: "4C53",
	}}
}

func ssd() sighting {
	return sighting{settled: true, system: true, device: policy.Device{
		ID: `SCSI\Disk&Ven_NVMe\1`, Bus: policy.BusNVMe, Kinds: []policy.Kind{policy.KindDisk}, Serial: "S64A",
	}}
}

func TestWhatIsThereIsPresentAndWhatComesIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scene{seen: []sighting{ssd()}}
		watchScene(t, s, nil)
		if ev := s.expect(t, policy.EventAttach, policy.KindSystem); !ev.Present || ev.User != "tanaka" {
			t.Errorf("%+v", ev)
		}
		s.set(nil, ssd(), stick())
		s.words <- struct{}{}
		if ev := s.expect(t, policy.EventAttach, policy.KindStorage); ev.Present {
			t.Errorf("%+v", ev)
		}
		s.set(nil, ssd())
		s.words <- struct{}{}
		s.expect(t, policy.EventDetach, policy.KindStorage)
	})
}

func TestALostWordIsMadeUpForWithinAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scene{}
		watchScene(t, s, []string{})
		synctest.Wait()
		s.set(nil, stick())
		begin := time.Now()
		s.expect(t, policy.EventAttach, policy.KindStorage)
		if d := time.Since(begin); d > heedful {
			t.Errorf("after %v", d)
		}
	})
}

func TestADeviceIsToldWhenItsFunctionsAreThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		half := stick()
		half.settled, half.device.Kinds, half.device.Interfaces = false, []policy.Kind{policy.KindUnknown}, nil
		s := &scene{seen: []sighting{half}}
		watchScene(t, s, []string{})
		time.Sleep(time.Second)
		if len(s.events) != 0 {
			t.Fatalf("told too early: %+v", <-s.events)
		}
		s.set(nil, stick())
		s.expect(t, policy.EventAttach, policy.KindStorage)
	})
}

func TestADeviceThatNeverShowsItsFunctionsIsToldAsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		half := stick()
		half.settled, half.device.Kinds, half.device.Interfaces = false, []policy.Kind{policy.KindUnknown}, nil
		s := &scene{seen: []sighting{half}}
		watchScene(t, s, []string{})
		begin := time.Now()
		s.expect(t, policy.EventAttach, policy.KindUnknown)
		if d := time.Since(begin); d < slowly || d > slowly+time.Second {
			t.Errorf("after %v", d)
		}
	})
}

func TestALookThatFailsTakesNothingAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scene{seen: []sighting{stick()}}
		watchScene(t, s, []string{})
		s.expect(t, policy.EventAttach, policy.KindStorage)
		s.set(errors.New("cannot look"))
		s.words <- struct{}{}
		time.Sleep(2 * heedful)
		if len(s.events) != 0 {
			t.Errorf("%+v", <-s.events)
		}
	})
}

func TestADiskAddedLaterInTheBootIsNotTheMachinesOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scene{seen: []sighting{ssd()}}
		watchScene(t, s, []string{})
		s.expect(t, policy.EventAttach, policy.KindDisk)
	})
}

func TestWhatAHandSwitchedOffKeepsItsFacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scene{seen: []sighting{stick()}}
		watchScene(t, s, []string{})
		s.expect(t, policy.EventAttach, policy.KindStorage)
		off := stick()
		off.device.Interfaces, off.device.Kinds = nil, []policy.Kind{policy.KindUnknown}
		s.set(nil, off)
		s.words <- struct{}{}
		time.Sleep(time.Hour)
		if len(s.events) != 0 {
			t.Errorf("%+v", <-s.events)
		}
	})
}

func TestWhoIsAskedToLookAgainDoesSoAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scene{}
		watchScene(t, s, []string{})
		synctest.Wait()
		s.set(nil, stick()) // plugged in while the machine slept, and nobody said a word
		begin := time.Now()
		s.again <- struct{}{}
		s.expect(t, policy.EventAttach, policy.KindStorage)
		if d := time.Since(begin); d > time.Second {
			t.Errorf("after %s", d)
		}
	})
}

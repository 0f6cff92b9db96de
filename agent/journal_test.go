package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// paper is an outbox that can be full, and keeps what it took.
type paper struct {
	full atomic.Bool
	took []wire.Record
	all  []int // records in each append
}

func (p *paper) append(bodies ...[]byte) (uint64, error) {
	if p.full.Load() {
		return 0, errors.New("no space left on device")
	}
	for _, b := range bodies {
		var r wire.Record
		if err := json.Unmarshal(b, &r); err != nil {
			return 0, err
		}
		p.took = append(p.took, r)
	}
	p.all = append(p.all, len(bodies))
	return uint64(len(p.took)), nil
}

func TestAFullDiskKeepsAThousandAndCountsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &paper{}
		var faults []error
		j := newJournal(p.append, func(err error) { faults = append(faults, err) }, time.Now, "b", zerolog.Nop())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { j.run(ctx); close(done) }()
		p.full.Store(true)
		j.put(wire.Record{Kind: wire.RecordAgent})
		synctest.Wait()
		for range 1500 {
			j.put(wire.Record{Kind: wire.RecordAgent})
		}
		time.Sleep(30 * time.Minute)
		p.full.Store(false)
		time.Sleep(20 * time.Minute)
		cancel()
		<-done
		if n := len(p.took); n != keepWhileFull+1 || p.took[n-1].Kind != wire.RecordGap || p.took[n-1].Lost != 501 {
			t.Errorf("%d records, the last is %+v", n, p.took[n-1])
		}
		if len(faults) != 2 || faults[0] == nil || faults[1] != nil {
			t.Errorf("the faults were %v", faults)
		}
	})
}

func TestARecordLeftAtTheEndIsStillWritten(t *testing.T) {
	p := &paper{}
	j := newJournal(p.append, func(error) {}, time.Now, "b", zerolog.Nop())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	j.put(wire.Record{Kind: wire.RecordAgent, Code: "stopped"})
	j.run(ctx)
	if len(p.took) != 1 || p.took[0].Boot != "b" || p.took[0].At.IsZero() {
		t.Errorf("%+v", p.took)
	}
}

func TestWhatComesTogetherIsWrittenTogether(t *testing.T) {
	p := &paper{}
	j := newJournal(p.append, func(error) {}, time.Now, "b", zerolog.Nop())
	for range 1200 {
		j.put(wire.Record{Kind: wire.RecordAgent})
	}
	if err := j.flush(); err != nil || len(p.all) != 3 || len(p.took) != 1200 {
		t.Errorf("%v, %v", p.all, err)
	}
}

func TestARecordIsNeverLongerThanTheWireTakes(t *testing.T) {
	dev := policy.Device{ID: strings.Repeat("i", 128), Name: strings.Repeat("\u2028", 85), Interfaces: make([]policy.Interface, 8000)}
	var steps []wire.Step
	for range 64 {
		steps = append(steps, wire.Step{Code: "failed", Detail: strings.Repeat("<", 256)})
	}
	body, err := encode(wire.Record{Kind: wire.RecordDevice, Event: &policy.Event{Device: dev}, Steps: steps, Note: strings.Repeat("x", 1<<20)})
	if err != nil || len(body) > wire.MaxRecord || !strings.Contains(string(body), "facts were cut") {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	if len(dev.Interfaces) != 8000 {
		t.Error("the device itself was cut")
	}
}

func TestARecordThatCannotBeCutIsCountedAndKeepsNoOtherOut(t *testing.T) {
	p := &paper{}
	j := newJournal(p.append, func(error) {}, time.Now, "b", zerolog.Nop())
	endless := &policy.Decision{Rule: strings.Repeat("x", wire.MaxRecord)}
	j.put(wire.Record{Kind: wire.RecordDevice, Decision: endless})
	j.put(wire.Record{Kind: wire.RecordAgent, At: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}) // no JSON has this year
	j.put(wire.Record{Kind: wire.RecordAgent, Code: "started"})
	if err := j.flush(); err != nil {
		t.Fatal(err)
	}
	if len(p.took) != 2 || p.took[0].Code != "started" || p.took[1].Kind != wire.RecordGap || p.took[1].Lost != 2 {
		t.Errorf("the journal took %+v", p.took)
	}
}

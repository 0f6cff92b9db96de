package load

import (
	"encoding/json"
	"fmt"
	"time"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// Batch is one prepared request: records First to Last of a terminal's journal.
type Batch struct {
	First, Last uint64
	Body        []byte
}

// Batches prepares a journal's first records in batches, so that making them costs nothing while something is measured.
func Batches(outbox string, batches, each int, at time.Time) ([]Batch, error) {
	out := make([]Batch, 0, batches)
	prev, seq := wire.Hash{}, uint64(1)
	for range batches {
		req := wire.EventsRequest{Version: wire.Version, Outbox: outbox, First: seq, Prev: prev}
		for range each {
			body, err := Record(outbox, seq, at.Add(time.Duration(seq)*time.Millisecond))
			if err != nil {
				return nil, err
			}
			prev = wire.Chain(prev, seq, body)
			req.Entries = append(req.Entries, wire.Entry{Hash: prev, Body: body})
			seq++
		}
		text, err := json.Marshal(req)
		if err != nil {
			return nil, fmt.Errorf("cannot prepare a batch: %w", err)
		}
		out = append(out, Batch{First: req.First, Last: seq - 1, Body: text})
	}
	return out, nil
}

// Record is a stick that was blocked, with everything an agent writes down about one; no two are alike.
func Record(outbox string, seq uint64, at time.Time) ([]byte, error) {
	return json.Marshal(wire.Record{
		Kind: wire.RecordDevice, At: at,
		Event: &policy.Event{What: policy.EventAttach, SeenAt: at, User: "taro", Device: policy.Device{
			ID: "1-2", Bus: policy.BusUSB, Kinds: []policy.Kind{policy.KindStorage}, Vendor: "0781", Product: "5583",
			Serial: fmt.Sprintf("4C53%012d", seq), Manufacturer: "SanDisk", Name: "Ultra Fit", Port: "1-2", Class: "00/00/00",
			Interfaces: []policy.Interface{{Class: 8, Subclass: 6, Protocol: 0x50}, {Class: 8, Subclass: 6, Protocol: 0x62}},
			Digest:     "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		}},
		Decision: &policy.Decision{
			Action: policy.ActionBlock, Mode: policy.ModeEnforce, Rule: "default-block-storage", Clause: policy.ClauseMedia, Revision: 42,
			RuleName: policy.Text{JA: "既定: 記憶する装置は禁止", EN: "Default: deny every device that stores"},
		},
		Outcome: policy.OutcomeBlocked,
		Steps: []wire.Step{
			{At: at, Code: "deauthorized", Detail: "1-2:1.0", OK: true},
			{At: at.Add(2 * time.Millisecond), Code: "verified", Detail: "no driver, no block device", OK: true},
		},
		Request: fmt.Sprintf("%04d-%04d", seq/10000%10000, seq%10000), Told: 1,
		Note: fmt.Sprintf("%s/%d", outbox, seq), Boot: "3c2f1f4e-8f6a-4f43-9f0c-2a5d0f6f7f10",
	})
}

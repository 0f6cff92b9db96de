package main

import (
	"context"
	"encoding/json"
	"time"

	"sekisho/agent/sensor/health"
	"sekisho/agent/sensor/winstate"
	"sekisho/internal/policy"
)

// askHealth is the question for scripts/prove-windows.ps1 and for whoever writes a probe: what do the eyes read here?
const askHealth = "health"

// fact is one reading as it is shown.
type fact struct {
	Fact    string `json:"fact"`
	Product string `json:"product,omitempty"`
	Value   string `json:"value,omitempty"`
	Code    string `json:"code,omitempty"`
	Fault   string `json:"fault,omitempty"`
}

// askCommand is no word for people: it is the child that asks what may hang, and tells what the eyes read.
func askCommand(ctx context.Context, s streams, words []string) error {
	if len(words) != 1 || words[0] != askHealth {
		return winstate.Answer(ctx, s.out, words)
	}
	eyes := health.New(health.Options{Root: "/", Now: time.Now})
	out := json.NewEncoder(s.out)
	for _, area := range health.Areas() {
		for _, r := range eyes.Look(ctx, area, policy.DefaultProbes()) {
			code, fault := r.Why()
			if err := out.Encode(fact{r.Fact(), r.Product(), r.Value(), code, fault}); err != nil {
				return err
			}
		}
	}
	return nil
}

package main

import (
	"bytes"
	"encoding/json"
	"testing"
)

// TestWhatTheEyesReadIsToldLineByLine is what the proof on a real PC stands on: a fact has a value, or says why it has none.
func TestWhatTheEyesReadIsToldLineByLine(t *testing.T) {
	var out, complaints bytes.Buffer
	if code := dispatch(t.Context(), streams{&out, &complaints, func(string) string { return "" }}, []string{"ask", "health"}); code != exitOK {
		t.Fatalf("%d: %s", code, complaints.String())
	}
	facts := map[string]bool{}
	for lines := json.NewDecoder(&out); lines.More(); {
		var f fact
		if err := lines.Decode(&f); err != nil {
			t.Fatal(err)
		}
		facts[f.Fact] = true
		if f.Code == "failed" && f.Fault == "" {
			t.Errorf("%+v says nothing", f)
		}
	}
	for _, want := range []string{"antivirus.installed", "patch.updates", "settings.firewall", "network.cards"} {
		if !facts[want] {
			t.Errorf("%s is not told: %v", want, facts)
		}
	}
	if code := dispatch(t.Context(), streams{&out, &complaints, func(string) string { return "" }}, []string{"ask", "anything"}); code != exitFailed {
		t.Errorf("another question: %d", code)
	}
}

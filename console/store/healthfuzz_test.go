package store

import (
	"encoding/json"
	"testing"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// FuzzReadCheck holds that a line passes only when it says so itself, of its own check, and that a terminal's one line gives back
// what it was made of.
func FuzzReadCheck(f *testing.F) {
	for _, body := range []string{`{"check":"patch.level","result":"pass","since":"2026-11-24T03:00:00Z"}`, `{"check":"x","result":"pass"}`, `{}`, `[]`, `{"check":"patch.level","result":"fail","code":"a\tb\nc","waiver":"\u0000"}`} {
		f.Add("patch.level", body)
	}
	f.Fuzz(func(t *testing.T, id, body string) {
		row := readCheck(wire.Item{ID: id, Body: []byte(body)})
		if !isResult(policy.Result(row.result)) {
			t.Fatalf("the result is %q", row.result)
		}
		var said policy.CheckResult
		if row.result == string(policy.ResultPass) && (json.Unmarshal([]byte(body), &said) != nil || said.Result != policy.ResultPass || said.Check != id) {
			t.Fatalf("%q of %q passes", body, id)
		}
		made := []Cell{{Check: clean(id), Result: policy.Result(row.result), Stage: row.stage, Code: row.code, Waiver: row.waiver, Since: moment(row.since)}}
		back := readLineOf(spellLine(made), nil)
		if len(back) != 1 || back[0] != made[0] {
			t.Fatalf("%+v came back as %+v", made, back)
		}
	})
}

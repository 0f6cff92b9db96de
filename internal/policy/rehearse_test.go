package policy

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

var rehearsed = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// past is the JSON of a record, as a terminal's journal holds it.
func past(t testing.TB, what string, p Program) []byte {
	t.Helper()
	b, err := json.Marshal(map[string]any{"kind": "program", "software": ProgramEvent{What: what, Program: p, SeenAt: rehearsed, Command: `say "program":{`}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func forbidding(name string) *Policy {
	return &Policy{Software: &Software{Mode: ModeAudit, Undecided: ActionReport, Rules: []ProgramRule{
		{ID: "no", Action: ActionBlock, Match: ProgramMatch{Name: []string{name}}}}}}
}

func TestARehearsalSaysWhatWouldHaveBeenStoppedAndWhere(t *testing.T) {
	r := Rehearse(forbidding("tool*"), rehearsed)
	tool := Program{ID: "file:/x", Kind: ProgramFile, Name: "tool", Version: "1", Path: `/home/"u"{/tool`}
	newer := tool
	newer.Version = "2"
	fine := Program{ID: "deb:curl", Name: "curl"}
	for i, p := range []Program{tool, tool, newer, fine, tool} {
		r.Event(fmt.Sprint("t", i%2), fmt.Sprint("PC-", i%2), rehearsed.Add(time.Duration(i)*time.Hour), past(t, ProgramRun, p))
	}
	r.Event("t9", "PC-9", rehearsed, past(t, ProgramRemoved, tool))
	r.Event("t9", "PC-9", rehearsed, []byte(`{"kind":"program"`))
	if r.WouldStop(fine) || !r.WouldStop(tool) {
		t.Error("it judges otherwise than the policy")
	}
	r.Installed(newer, "t7", "PC-7")
	a := r.Answer()
	if a.Events != 7 || a.Unread != 1 || a.Terminals != 3 || len(a.Stopped) != 2 || a.Cut {
		t.Fatalf("%+v", a)
	}
	first, second := a.Stopped[0], a.Stopped[1]
	if first.Program.Version != "1" || first.Events != 3 || len(first.Terminals) != 2 || !first.Last.Equal(rehearsed.Add(4*time.Hour)) || first.Rule != "no" {
		t.Errorf("%+v", first)
	}
	if second.Program.Version != "2" || second.Events != 1 || second.Installed != 1 || second.Terminals["t7"] != "PC-7" {
		t.Errorf("%+v", second)
	}
}

func TestARehearsalsMemoryIsBounded(t *testing.T) {
	r := Rehearse(forbidding("*x"), rehearsed)
	for i := range rehearsePrograms + 10 {
		r.Installed(Program{Name: fmt.Sprint(i, "x")}, "t1", "PC-1")
	}
	if a := r.Answer(); len(a.Stopped) != rehearsePrograms || !a.Cut {
		t.Errorf("%d, cut %v", len(a.Stopped), a.Cut)
	}
}

// FuzzProgramIn: what is cut out of a record is what a reader of JSON finds there.
func FuzzProgramIn(f *testing.F) {
	f.Add(`{"software":{"what":"run","program":{"id":"a","name":"\"}{"}}}`)
	f.Add(`"program":{`)
	f.Fuzz(func(t *testing.T, record string) {
		raw := ProgramIn([]byte(record))
		if json.Valid([]byte(record)) && raw != nil && !json.Valid(raw) {
			t.Errorf("%q is not JSON", raw)
		}
	})
}

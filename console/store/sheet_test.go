package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

func item(t testing.TB, p policy.Program) wire.Item {
	t.Helper()
	body, err := json.Marshal(p)
	must(t, err)
	return wire.Item{ID: p.ID, Body: body}
}

func curl(version string) policy.Program {
	return policy.Program{ID: "deb:curl:amd64", Kind: policy.ProgramDeb, Name: "curl", Version: version, Publisher: "Debian",
		Source: policy.SourceRepository, Origin: "deb.debian.org"}
}

func tool(path string) policy.Program {
	return policy.Program{ID: "file:" + path, Kind: policy.ProgramFile, Name: "tool", Path: path, Hash: strings.Repeat("ab", 32), Source: policy.SourceNone, User: "suzuki"}
}

// listOf is a terminal's own side of a sheet.
type listOf struct {
	name string
	tag  wire.Hash
	have map[string]wire.Item
}

// step makes one that sets and takes away, from where the list stands or anew.
func (l *listOf) step(anew, more bool, gone []string, set ...wire.Item) wire.Sheet {
	if anew || l.have == nil {
		l.tag, l.have = wire.Hash{}, map[string]wire.Item{}
	}
	sh := wire.Sheet{Name: l.name, From: l.tag, Set: set, Gone: gone, More: more}
	for _, it := range set {
		if old, ok := l.have[it.ID]; ok {
			l.tag = l.tag.Mix(old)
		}
		l.tag, l.have[it.ID] = l.tag.Mix(it), it
	}
	for _, id := range gone {
		if old, ok := l.have[id]; ok {
			l.tag = l.tag.Mix(old)
			delete(l.have, id)
		}
	}
	sh.To = l.tag
	return sh
}

func bring(t testing.TB, db *DB, terminal string, now time.Time, sheets ...wire.Sheet) wire.Hash {
	t.Helper()
	answer, err := db.AddEvents(t.Context(), terminal, wire.EventsRequest{Version: wire.Version, Sheets: sheets}, now)
	must(t, err)
	return answer.Sheets[wire.SheetSoftware]
}

func names(t testing.TB, db *DB, terminal string) string {
	t.Helper()
	list, _, err := db.TerminalSoftware(t.Context(), terminal)
	must(t, err)
	var all []string
	for _, i := range list {
		all = append(all, i.Program.Name+" "+i.Program.Version)
	}
	return strings.Join(all, ", ")
}

func TestASheetIsKeptInStepByDifferencesAndKnowsSinceWhen(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	l := &listOf{name: wire.SheetSoftware}
	later := noon.Add(time.Hour)
	if got := bring(t, db, "t1", noon, l.step(true, true, nil, item(t, curl("7.1"))), l.step(false, false, nil, item(t, tool("/opt/x")))); got != l.tag {
		t.Fatalf("it stands at %s instead of %s", got, l.tag)
	}
	if got := bring(t, db, "t1", later, l.step(false, false, []string{"file:/opt/x"}, item(t, curl("7.2")))); got != l.tag {
		t.Fatalf("after the difference: %s instead of %s", got, l.tag)
	}
	list, at, err := db.TerminalSoftware(t.Context(), "t1")
	must(t, err)
	if len(list) != 1 || list[0].Program.Version != "7.2" || !list[0].FirstSeen.Equal(noon) || !list[0].ChangedAt.Equal(later) || !at.Whole || at.Items != 1 {
		t.Errorf("%+v %+v", list, at)
	}
	var programs int
	must(t, db.reader.QueryRow(`SELECT COUNT(*) FROM programs`).Scan(&programs))
	if programs != 1 {
		t.Errorf("%d programs are kept that only one terminal had", programs)
	}
}

func TestAListThatBeginsAnewKeepsWhatIsKnownUntilItIsWholeAndSinceWhenItWasThere(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	l := &listOf{name: wire.SheetSoftware}
	bring(t, db, "t1", noon, l.step(true, false, nil, item(t, curl("7.1")), item(t, tool("/opt/x"))))
	bring(t, db, "t1", noon.Add(time.Hour), l.step(true, true, nil, item(t, curl("7.1"))))
	if got := names(t, db, "t1"); got != "curl 7.1, tool " {
		t.Errorf("while it is on its way there is %q", got)
	}
	bring(t, db, "t1", noon.Add(time.Hour), l.step(false, false, nil, item(t, policy.Program{ID: "deb:vim", Kind: policy.ProgramDeb, Name: "vim", Version: "9"})))
	list, _, err := db.TerminalSoftware(t.Context(), "t1")
	must(t, err)
	if got := names(t, db, "t1"); got != "curl 7.1, vim 9" || !list[0].FirstSeen.Equal(noon) {
		t.Errorf("afterwards there is %q, curl since %s", got, list[0].FirstSeen)
	}
}

func TestAQuestionIsAnsweredAndChangesNothing(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	l := &listOf{name: wire.SheetSoftware}
	bring(t, db, "t1", noon, l.step(true, false, nil, item(t, curl("7.1")), item(t, tool("/opt/x"))))
	bring(t, db, "t1", noon, l.step(true, true, nil, item(t, curl("7.1")))) // half of it again
	if got := bring(t, db, "t1", noon, wire.Sheet{Name: wire.SheetSoftware, From: l.tag, To: l.tag}); got != l.tag {
		t.Errorf("it stands at %s", got)
	}
	if got := names(t, db, "t1"); got != "curl 7.1, tool " {
		t.Errorf("a question made the list whole: %q", got)
	}
	if got := bring(t, db, "t1", noon, wire.Sheet{Name: wire.SheetSoftware, From: wire.Hash{5}, To: wire.Hash{5}}); got != l.tag {
		t.Errorf("who is elsewhere is told %s", got)
	}
}

func TestAStepThatDoesNotFollowChangesNothingAndCostsNoRecord(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	l := &listOf{name: wire.SheetSoftware}
	bring(t, db, "t1", noon, l.step(true, false, nil, item(t, curl("7.1"))))
	stands := l.tag
	good := item(t, tool("/opt/y"))
	to := stands.Mix(good)
	many := make([]wire.Item, wire.MaxSheetStep+1)
	for i := range many {
		many[i] = item(t, tool(fmt.Sprint("/opt/", i)))
	}
	long := wire.Item{ID: "x", Body: json.RawMessage(`"` + strings.Repeat("a", wire.MaxItem) + `"`)}
	j := &journalOf{outbox: "outbox-1"}
	for name, sh := range map[string]wire.Sheet{
		"from elsewhere":         {From: wire.Hash{9}, To: to, Set: []wire.Item{good}},
		"wrong tag":              {From: stands, To: wire.Hash{7}, Set: []wire.Item{good}},
		"anew with wrong tag":    {To: wire.Hash{7}, Set: []wire.Item{good}},
		"named twice":            {From: stands, To: stands, Set: []wire.Item{good, good}},
		"set and gone":           {From: stands, To: to, Set: []wire.Item{good}, Gone: []string{good.ID}},
		"gone that never was":    {From: stands, To: to, Gone: []string{"deb:nothing"}},
		"no id":                  {From: stands, To: to, Set: []wire.Item{{Body: good.Body}}},
		"an id that breaks":      {From: stands, To: to, Set: []wire.Item{{ID: "a\x00b", Body: good.Body}}},
		"an id beyond bounds":    {From: stands, To: to, Set: []wire.Item{{ID: strings.Repeat("i", wire.MaxItemID+1), Body: good.Body}}},
		"an id that is no text":  {From: stands, To: to, Set: []wire.Item{{ID: "a\xff", Body: good.Body}}},
		"a body that is no text": {From: stands, To: to, Set: []wire.Item{{ID: "a", Body: json.RawMessage("\"\xff\"")}}},
		"no body":                {From: stands, To: to, Set: []wire.Item{{ID: "a"}}},
		"a long body":            {From: stands, To: stands.Mix(long), Set: []wire.Item{long}},
		"too many":               {From: stands, To: to, Set: many},
	} {
		sh.Name = wire.SheetSoftware
		req := j.batch(t, stick(name))
		req.Sheets = []wire.Sheet{sh, {Name: "from the future", To: wire.Hash{1}}}
		answer, err := db.AddEvents(t.Context(), "t1", req, noon)
		if err != nil || answer.Acked != j.seq {
			t.Errorf("%s: the record was lost: acked %d of %d, %v", name, answer.Acked, j.seq, err)
		}
		if answer.Sheets[wire.SheetSoftware] != stands || len(answer.Sheets) != 1 {
			t.Errorf("%s: it stands at %v", name, answer.Sheets)
		}
	}
	if got := names(t, db, "t1"); got != "curl 7.1" {
		t.Errorf("there is %q now", got)
	}
}

// TestAListHasNoMoreLinesThanTheProtocolAllowsHoweverOftenItBegins copies a terminal's lines within the database, where
// the wire would take minutes.
func TestAListHasNoMoreLinesThanTheProtocolAllowsHoweverOftenItBegins(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	l := &listOf{name: wire.SheetSoftware}
	bring(t, db, "t1", noon, l.step(true, true, nil, item(t, curl("7.1"))))
	_, err := db.writer.Exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
		INSERT INTO software (terminal, item, turn, program, username, installed_at, first_seen, changed_at, body)
		SELECT 't1', 'copy ' || n.i, turn, program, '', 0, 1, 1, body FROM software, n WHERE item = 'deb:curl:amd64'`, wire.MaxSheetItems-1)
	must(t, err)
	_, err = db.writer.Exec(`UPDATE sheets SET items = $1`, wire.MaxSheetItems)
	must(t, err)
	before := l.tag
	if got := bring(t, db, "t1", noon, l.step(false, true, nil, item(t, tool("/opt/one/more")))); got != before {
		t.Error("one line more than the protocol allows was taken")
	}
	_, err = db.writer.Exec(`INSERT INTO software (terminal, item, turn, program, username, installed_at, first_seen, changed_at, body)
		SELECT 't1', 'again ' || item, turn, program, '', 0, 1, 1, body FROM software`)
	must(t, err)
	bring(t, db, "t1", noon, (&listOf{name: wire.SheetSoftware}).step(true, true, nil, item(t, curl("7.1"))))
	if n := lines(t, db); n != 2*wire.MaxSheetItems {
		t.Errorf("a list that began twice has %d lines", n)
	}
	_, err = db.writer.Exec(`INSERT INTO software (terminal, item, turn, program, username, installed_at, first_seen, changed_at, body)
		VALUES ('t1', 'one too many', 1, 1, '', 0, 1, 1, '{}')`)
	must(t, err)
	bring(t, db, "t1", noon, (&listOf{name: wire.SheetSoftware}).step(true, true, nil, item(t, curl("7.2"))))
	if n := lines(t, db); n != 1 {
		t.Errorf("of a terminal that begins without an end %d lines are kept", n)
	}
}

func lines(t testing.TB, db *DB) (n int) {
	t.Helper()
	must(t, db.reader.QueryRow(`SELECT COUNT(*) FROM software`).Scan(&n))
	return n
}

func TestALineThatNobodyCanReadIsShownUnderItsId(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	l := &listOf{name: wire.SheetSoftware}
	bring(t, db, "t1", noon, l.step(true, false, nil, wire.Item{ID: "odd", Body: json.RawMessage(`{"name":7}`)},
		wire.Item{ID: "empty", Body: json.RawMessage(`[]`)}, wire.Item{ID: "early", Body: json.RawMessage(`{"name":"early","installed_at":"0000-01-01T00:00:00Z"}`)}))
	if got := names(t, db, "t1"); got != "early , empty , odd " {
		t.Errorf("there is %q", got)
	}
	list, cut, err := db.Fleet(t.Context(), "")
	must(t, err)
	if len(list) != 3 || cut || list[0].Terminals != 1 {
		t.Errorf("%+v", list)
	}
}

func TestRecordsOfProgramsAreViolationsByDecisionAndOutcome(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	j := &journalOf{outbox: "outbox-1"}
	program := func(what string, a policy.Action, m policy.Mode, o policy.Outcome, alarm bool) wire.Record {
		return wire.Record{Kind: wire.RecordProgram, At: noon, Outcome: o, Request: "1234-5678",
			Software: &policy.ProgramEvent{What: what, Program: tool("/home/suzuki/x"), User: "suzuki"},
			Decision: &policy.Decision{Action: a, Mode: m, Rule: "r", Alarm: alarm}}
	}
	_, err := db.AddEvents(t.Context(), "t1", j.batch(t,
		program(policy.ProgramRun, policy.ActionBlock, policy.ModeEnforce, policy.OutcomeBlocked, false),
		program(policy.ProgramRun, policy.ActionBlock, policy.ModeAudit, policy.OutcomeAudit, false),
		program(policy.ProgramRun, policy.ActionReport, policy.ModeEnforce, policy.OutcomeDetected, false),
		program(policy.ProgramRun, policy.ActionBlock, policy.ModeEnforce, policy.OutcomeBlockFailed, false),
		program(policy.ProgramRun, policy.ActionBlock, policy.ModeEnforce, policy.OutcomeQuarantined, true),
		program(policy.ProgramRun, policy.ActionBlock, policy.ModeLearn, policy.OutcomeLearnt, false),
		program(policy.ProgramInstalled, policy.ActionAllow, policy.ModeEnforce, policy.OutcomeAllowed, false),
		program(policy.ProgramRemoved, policy.ActionBlock, policy.ModeEnforce, policy.OutcomeRemoved, false),
	), noon)
	must(t, err)
	list, err := db.Events(t.Context(), EventFilter{Kind: wire.RecordProgram})
	must(t, err)
	want := []string{"info false", "info false", "info false", "alarm true", "alarm true", "warning true", "notice true", "warning true"}
	for i, e := range list {
		if got := fmt.Sprint(e.Severity, " ", e.Violation); got != want[i] {
			t.Errorf("%s %s: %s instead of %s", e.Record.Software.What, e.Record.Outcome, got, want[i])
		}
	}
	for name, f := range map[string]EventFilter{"user": {User: "suzuki"}, "name": {Text: "TOOL"}, "its id": {Serial: "file:/home/suzuki/x"}, "request": {Request: "1234-5678"}} {
		if c, err := db.CountEvents(t.Context(), f); err != nil || c.Total != len(want) {
			t.Errorf("by %s there are %d, %v", name, c.Total, err)
		}
	}
}

func TestASoftwarePermissionGoesTheWayOfEveryPermission(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	before := revisionOf(t, db, "t1")
	g, err := db.PutGrant(t.Context(), Grant{Grant: policy.Grant{From: noon, Until: noon.Add(time.Hour), Approver: "1012"}, Terminal: "t1", Reason: "更新", By: "1012",
		DeviceName: "tool", Permit: &policy.Permit{Match: policy.ProgramMatch{Hash: []string{strings.Repeat("ab", 32)}}}}, noon)
	must(t, err)
	if g.Permit == nil || g.Permit.ID != g.ID || !g.Permit.Until.Equal(noon.Add(time.Hour)) || g.Approver != "1012" || revisionOf(t, db, "t1") != before+1 {
		t.Fatalf("%+v %+v", g, g.Permit)
	}
	p, err := db.TerminalPolicy(t.Context(), "t1")
	must(t, err)
	if len(p.Grants) != 1 || p.Grants[0].Permit == nil {
		t.Errorf("the terminal gets %+v", p.Grants)
	}
	must(t, db.RevokeGrant(t.Context(), g.ID, "1012", noon))
	if p, err = db.TerminalPolicy(t.Context(), "t1"); err != nil || len(p.Grants) != 0 {
		t.Errorf("after revoking %+v, %v", p.Grants, err)
	}
}

func TestADryRunIsFollowedAndCancelledByAnyReplica(t *testing.T) {
	db := open(t)
	id, err := db.BeginDryRun(t.Context(), DryRun{Group: "default", Total: 9, Body: "{}", By: "1007"}, noon)
	must(t, err)
	must(t, db.MoveDryRun(t.Context(), DryRun{ID: id, State: RunRunning, Done: 4, Total: 9}, noon))
	must(t, db.MoveDryRun(t.Context(), DryRun{ID: id, State: RunCancelled, Done: 4, Total: 9}, noon))
	if err := db.MoveDryRun(t.Context(), DryRun{ID: id, State: RunDone, Done: 9, Total: 9}, noon); !errors.Is(err, ErrConflict) {
		t.Errorf("who was cancelled went on: %v", err)
	}
}

func TestANewDryRunStopsTheOlderOneOfItsGroupOnly(t *testing.T) {
	db := open(t)
	must(t, db.PutGroup(t.Context(), "office", "事務端末", "1007", noon))
	begin := func(group string) int64 {
		id, err := db.BeginDryRun(t.Context(), DryRun{Group: group, Total: 9, Body: "{}", By: "1007"}, noon)
		must(t, err)
		return id
	}
	ended, older, other := begin("default"), begin("default"), begin("office")
	must(t, db.MoveDryRun(t.Context(), DryRun{ID: older, State: RunDone, Done: 9, Total: 9}, noon))
	older, newer := begin("default"), begin("default")
	for id, want := range map[int64]string{ended: RunCancelled, older: RunCancelled, other: RunRunning, newer: RunRunning} {
		if run, err := db.DryRun(t.Context(), id); err != nil || run.State != want {
			t.Errorf("run %d is %s, not %s: %v", id, run.State, want, err)
		}
	}
	if err := db.MoveDryRun(t.Context(), DryRun{ID: older, State: RunRunning, Done: 4, Total: 9}, noon); !errors.Is(err, ErrConflict) {
		t.Errorf("who runs the older one goes on: %v", err)
	}
}

// TestADatabaseBeforeSoftwareKeepsItsPermissions begins with rows as the schema before wrote them.
func TestADatabaseBeforeSoftwareKeepsItsPermissions(t *testing.T) {
	db := atVersion(t, 3, `INSERT INTO groups (id, name, created_at) VALUES ('default', '既定', 1);
		INSERT INTO group_policies (group_id, version, body, reason, changed_by, changed_at) VALUES ('default', 1, '{"removable_media":{"mode":"audit","rules":null},"contact":{}}', 'x', 'x', 1);
		INSERT INTO terminals (id, name, group_id, enrolled_at, os, arch, agent, revision, revised_at) VALUES ('t1', 'PC-1', 'default', 5, 'linux', 'amd64', '0.1', 1, 5);
		INSERT INTO grants (n, id, terminal, body, from_at, until_at, event, reason, given_by, created_at, revision, device_name)
			VALUES (1, 'G-0001', 't1', '{"id":"G-0001","vendor":"0781","product":"5583","serial":"4C53"}', 5, 1999000000000, 0, 'r', '1012', 5, 2, 'SanDisk')`)
	g, err := db.Grant(t.Context(), "G-0001")
	must(t, err)
	if g.Permit != nil || g.Serial != "4C53" {
		t.Errorf("%+v", g)
	}
	l := &listOf{name: wire.SheetSoftware}
	if got := bring(t, db, "t1", noon, l.step(true, false, nil, item(t, curl("7.1")))); got != l.tag {
		t.Errorf("a sheet of the new schema stands at %s", got)
	}
}

package store

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

func permission(terminal string) Grant {
	return Grant{Terminal: terminal, Reason: "受領", By: "tanaka", DeviceName: "SanDisk Ultra Fit", Grant: policy.Grant{
		Bus: policy.BusUSB, Vendor: "0781", Product: "5583", Serial: "A", From: noon, Until: noon.Add(time.Hour), Approver: "tanaka"}}
}

func TestAGrantRaisesTheRevisionWakesTheTerminalAndIsAudited(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	enrol(t, db, "t2")
	wake, end := db.Watch("t1")
	defer end()
	other, endOther := db.Watch("t2")
	defer endOther()
	g, err := db.PutGrant(t.Context(), permission("t1"), noon)
	must(t, err)
	if g.ID != "G-0001" || g.Revision != 2 || g.TerminalName != "PC-t1" || !g.Until.Equal(noon.Add(time.Hour)) {
		t.Fatalf("got %+v", g)
	}
	if len(wake) != 1 || len(other) != 0 {
		t.Fatal("only the grant's terminal is woken")
	}
	p, err := db.TerminalPolicy(t.Context(), "t1")
	must(t, err)
	if p.Terminal.Revision != 2 || len(p.Grants) != 1 || p.Policy.Version != 1 {
		t.Fatalf("policy: %+v", p)
	}
	acts, err := db.Audits(t.Context(), 0, 10)
	must(t, err)
	if acts[0].Act != "grant" || acts[0].Object != "G-0001" || acts[0].By != "tanaka" {
		t.Fatalf("audit: %+v", acts[0])
	}
}

func TestGrantsAreRunningComingOrOver(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	coming, revoked := permission("t1"), permission("t1")
	coming.From, coming.Until = noon.Add(time.Hour), noon.Add(2*time.Hour)
	for _, g := range []Grant{permission("t1"), coming, revoked} {
		_, err := db.PutGrant(t.Context(), g, noon)
		must(t, err)
	}
	must(t, db.RevokeGrant(t.Context(), "G-0003", "tanaka", noon))
	for _, again := range []struct {
		id   string
		want error
	}{{"G-0003", ErrConflict}, {"G-9999", ErrNotFound}} {
		if err := db.RevokeGrant(t.Context(), again.id, "tanaka", noon); !errors.Is(err, again.want) {
			t.Errorf("revoking %s: %v", again.id, err)
		}
	}
	for state, want := range map[string]string{"running": "G-0001", "coming": "G-0002", "over": "G-0003"} {
		list, err := db.Grants(t.Context(), GrantFilter{State: state, Now: noon})
		must(t, err)
		if len(list) != 1 || list[0].ID != want {
			t.Errorf("%s: %+v", state, list)
		}
	}
	list, err := db.Grants(t.Context(), GrantFilter{State: "over", Now: noon.Add(3 * time.Hour), Terminal: "t1"})
	must(t, err)
	if len(list) != 3 {
		t.Errorf("three hours later %d are over", len(list))
	}
}

func TestAGrantKnowsWhenItWasLastUsed(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	_, err := db.PutGrant(t.Context(), permission("t1"), noon)
	must(t, err)
	used := stick("A")
	used.Decision.Action, used.Decision.Grant, used.Outcome = policy.ActionAllow, "G-0001", policy.OutcomeAllowed
	j := journalOf{outbox: "journal-1"}
	_, err = db.AddEvents(t.Context(), "t1", j.batch(t, used), noon)
	must(t, err)
	g, err := db.Grant(t.Context(), "G-0001")
	must(t, err)
	if !g.LastUse.Equal(noon) {
		t.Fatalf("last use %s", g.LastUse)
	}
	list, err := db.Events(t.Context(), EventFilter{Violations: true})
	must(t, err)
	if len(list) != 0 {
		t.Fatalf("a permitted use is no violation: %+v", list)
	}
}

func TestAPolicyChangeNeedsTheNewestVersionAndReachesTheWholeGroup(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	p := GroupPolicy{Group: "default", By: "admin", Reason: "試行を終える", Control: policy.Control{Mode: policy.ModeEnforce}}
	got, err := db.PutGroupPolicy(t.Context(), p, 1, noon)
	must(t, err)
	if got.Version != 2 {
		t.Fatalf("version %d", got.Version)
	}
	if _, err := db.PutGroupPolicy(t.Context(), p, 1, noon); !errors.Is(err, ErrConflict) {
		t.Fatalf("a change on an old version: %v", err)
	}
	if n, err := db.Revision(t.Context(), "t1"); err != nil || n != 2 {
		t.Fatalf("revision %d, %v", n, err)
	}
	groups, err := db.Groups(t.Context())
	must(t, err)
	if len(groups) != 1 || groups[0].Mode != policy.ModeEnforce || groups[0].Version != 2 || groups[0].Terminals != 1 {
		t.Fatalf("groups %+v", groups)
	}
	old, err := db.GroupPolicy(t.Context(), "default", 1)
	must(t, err)
	history, err := db.GroupHistory(t.Context(), "default")
	must(t, err)
	if old.Control.Mode != policy.ModeAudit || len(history) != 2 || history[0].Version != 2 {
		t.Fatalf("history %+v", history)
	}
}

func TestMovingATerminalGivesItTheOtherGroupsPolicy(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	must(t, db.PutGroup(t.Context(), "window", "窓口", "admin", noon))
	must(t, db.MoveTerminal(t.Context(), "t1", "window", "admin", noon))
	if err := db.MoveTerminal(t.Context(), "t1", "nowhere", "admin", noon); !errors.Is(err, ErrConflict) {
		t.Errorf("moved to a group that is not there: %v", err)
	}
	got, err := db.Terminal(t.Context(), "t1")
	must(t, err)
	if got.GroupName != "窓口" || got.Revision != 2 {
		t.Fatalf("got %+v", got)
	}
	list, err := db.Terminals(t.Context(), "window", "pc-T")
	must(t, err)
	if len(list) != 1 {
		t.Fatalf("found %d", len(list))
	}
	if list, err = db.Terminals(t.Context(), "", "100%"); err != nil || len(list) != 0 {
		t.Fatalf("a sign of the pattern is taken literally: %d, %v", len(list), err)
	}
}

func TestAViolationIsWorkedOnAndClosed(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	j := journalOf{outbox: "journal-1"}
	allowed := stick("C")
	allowed.Decision.Action, allowed.Outcome = policy.ActionAllow, policy.OutcomeAllowed
	_, err := db.AddEvents(t.Context(), "t1", j.batch(t, stick("A"), stick("B"), allowed), noon)
	must(t, err)
	list, err := db.Events(t.Context(), EventFilter{Violations: true})
	must(t, err)
	must(t, db.Handle(t.Context(), list[0].ID, Handling{State: StateClosed, Assignee: "sato", Reason: "説明済み"}, "sato", noon))
	must(t, db.Handle(t.Context(), list[1].ID, Handling{State: StateWorking}, "sato", noon))
	if err := db.Handle(t.Context(), 3, Handling{State: StateClosed}, "sato", noon); !errors.Is(err, ErrNotFound) {
		t.Errorf("closed what is no violation: %v", err)
	}
	for _, not := range []string{StateClosed, StateWorking, "nonsense", ""} {
		if err := db.Handle(t.Context(), list[0].ID, Handling{State: not, Reason: "another"}, "ito", noon); !errors.Is(err, ErrConflict) {
			t.Errorf("from closed to %q: %v", not, err)
		}
	}
	e, err := db.Event(t.Context(), list[0].ID)
	must(t, err)
	if e.Handling.Reason != "説明済み" {
		t.Fatalf("why it was closed is now %q", e.Handling.Reason)
	}
	for state, want := range map[string]int{StateOpen: 0, StateWorking: 1, StateClosed: 1, "unclosed": 1} {
		got, err := db.Events(t.Context(), EventFilter{State: state})
		must(t, err)
		if len(got) != want {
			t.Errorf("%s: %d, want %d", state, len(got), want)
		}
	}
	c, err := db.CountEvents(t.Context(), EventFilter{State: StateWorking, Kind: "storage"})
	must(t, err)
	if c.Total != 1 || c.ByState[StateClosed] != 1 || c.ByState[StateWorking] != 1 || c.ByKind["storage"] != 1 || c.ByOutcome["blocked"] != 1 {
		t.Fatalf("counts %+v", c)
	}
	tm, err := db.Terminal(t.Context(), "t1")
	must(t, err)
	if tm.Open != 1 {
		t.Fatalf("open %d", tm.Open)
	}
	must(t, db.Handle(t.Context(), list[0].ID, Handling{State: StateOpen}, "sato", noon))
	must(t, db.Handle(t.Context(), list[0].ID, Handling{State: StateWorking, Assignee: "ito"}, "ito", noon))
	must(t, db.Handle(t.Context(), list[0].ID, Handling{State: StateWorking, Assignee: "sato"}, "sato", noon)) // taken over
}

func TestEveryFilterFindsItsOwn(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	enrol(t, db, "t2")
	odd := stick("Z9")
	odd.Event.User, odd.Outcome, odd.Event.Device.Name = "yamada", policy.OutcomeBlockFailed, "写真立て_1"
	odd.Event.Device.Kinds = []policy.Kind{policy.KindKeyboard, policy.KindPortable}
	odd.Request = "4821-7730"
	one, two := journalOf{outbox: "journal-1"}, journalOf{outbox: "journal-2"}
	_, err := db.AddEvents(t.Context(), "t1", one.batch(t, stick("A")), noon)
	must(t, err)
	_, err = db.AddEvents(t.Context(), "t2", two.batch(t, odd, wire.Record{Kind: wire.RecordAgent, At: noon, Code: "started"}), noon)
	must(t, err)
	for name, f := range map[string]EventFilter{
		"terminal": {Terminal: "t2", Violations: true}, "user": {User: "yamada"}, "serial": {Serial: "Z9"}, "outcome": {Outcome: "block_failed"},
		"device kind": {Kind: "portable"}, "record kind": {Kind: wire.RecordAgent}, "name": {Text: "写真立て_"}, "part": {Text: "pc-t2", Kind: "portable"},
		"group": {Group: "default", Serial: "Z9"}, "page": {Before: 2}, "request": {Request: "4821-7730"},
	} {
		list, err := db.Events(t.Context(), f)
		must(t, err)
		if len(list) != 1 {
			t.Errorf("%s finds %d", name, len(list))
		}
	}
	if list, err := db.Events(t.Context(), EventFilter{Group: "elsewhere"}); err != nil || len(list) != 0 {
		t.Errorf("another group has %d, %v", len(list), err)
	}
}

func TestTheOverviewCountsOneMomentInTheOfficesDays(t *testing.T) {
	db := open(t)
	empty, err := db.Overview(t.Context(), noon, time.Hour)
	must(t, err)
	if empty.OldestContact != nil || len(empty.Days) != 14 {
		t.Fatalf("empty: %+v", empty)
	}
	enrol(t, db, "t1")
	enrol(t, db, "t2")
	j := journalOf{outbox: "journal-1"}
	late := stick("A")
	late.At = time.Date(2026, 11, 23, 15, 30, 0, 0, time.UTC) // 0:30 on the 24th in Tokyo
	early := stick("B")
	early.At, early.Outcome = late.At.Add(-time.Hour), policy.OutcomeAudit
	alarm := stick("C")
	alarm.Decision.Alarm = true
	_, err = db.AddEvents(t.Context(), "t1", j.batch(t, late, early, alarm), noon.Add(2*time.Hour))
	must(t, err)
	o, err := db.Overview(t.Context(), noon.Add(2*time.Hour), time.Hour)
	must(t, err)
	today, yesterday := o.Days[13], o.Days[12]
	if today.Day.Day() != 24 || today.Blocked != 2 || yesterday.Audit != 1 || yesterday.Blocked != 0 {
		t.Fatalf("days: %+v %+v", yesterday, today)
	}
	if o.Terminals != 2 || o.Reporting != 1 || o.Silent != 1 || o.OldestContact.ID != "t2" || o.Behind != 2 ||
		o.OpenByKind["storage"] != 3 || len(o.Alarms) != 1 {
		t.Fatalf("overview: %+v", o)
	}
}

func TestTheSetupLinkMakesOneAdministratorOnce(t *testing.T) {
	db := open(t)
	link, other := [32]byte{1}, [32]byte{2}
	a := Account{Name: "admin", Language: "ja", Theme: "auto", Hash: "x"}
	must(t, db.PutSetup(t.Context(), link, noon.Add(time.Hour)))
	for name, try := range map[string]struct {
		hash [32]byte
		at   time.Time
	}{"another link": {other, noon}, "too late": {link, noon.Add(time.Hour)}} {
		if err := db.TakeSetup(t.Context(), try.hash, a, try.at); !errors.Is(err, ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, db.SetupOpen(t.Context(), link, noon))
	must(t, db.TakeSetup(t.Context(), link, a, noon))
	if err := db.TakeSetup(t.Context(), link, a, noon); !errors.Is(err, ErrConflict) {
		t.Errorf("used twice: %v", err)
	}
	if err := db.PutSetup(t.Context(), other, noon.Add(time.Hour)); !errors.Is(err, ErrConflict) {
		t.Errorf("a new link although there is an administrator: %v", err)
	}
	got, err := db.Account(t.Context(), "admin")
	must(t, err)
	if got.Role != RoleAdmin {
		t.Errorf("role %s", got.Role)
	}
}

func TestASessionEndsByTimeBySignOutAndWithItsAccount(t *testing.T) {
	db := open(t)
	must(t, db.PutAccount(t.Context(), Account{Name: "sato", Role: RoleHelpdesk}, "admin", noon))
	a, err := db.Account(t.Context(), "sato")
	must(t, err)
	for n := range byte(3) {
		must(t, db.PutSession(t.Context(), Session{Hash: [32]byte{n}, Account: a, ExpiresAt: noon.Add(time.Hour)}, noon))
	}
	s, err := db.Session(t.Context(), [32]byte{0}, noon.Add(30*time.Minute))
	must(t, err)
	if s.Account.Name != "sato" || !s.LastSeen.Equal(noon.Add(30*time.Minute)) {
		t.Fatalf("got %+v", s)
	}
	if _, err := db.Session(t.Context(), [32]byte{0}, noon.Add(time.Hour)); !errors.Is(err, ErrNotFound) {
		t.Errorf("over: %v", err)
	}
	must(t, db.EndSession(t.Context(), s.ID, "sato", noon))
	list, err := db.Sessions(t.Context(), a.ID)
	must(t, err)
	if len(list) != 2 {
		t.Errorf("%d left", len(list))
	}
	a.Disabled = true
	must(t, db.PutAccount(t.Context(), a, "admin", noon))
	if _, err := db.Session(t.Context(), [32]byte{1}, noon); !errors.Is(err, ErrNotFound) {
		t.Errorf("of a disabled account: %v", err)
	}
}

func TestFailuresCountUntilASuccess(t *testing.T) {
	db := open(t)
	for i, ok := range []bool{false, false, true, false} {
		must(t, db.NoteSignIn(t.Context(), "sato", "192.0.2.1", ok, noon.Add(time.Duration(i)*time.Second)))
	}
	if n, err := db.FailedSignIns(t.Context(), "sato", noon); err != nil || n != 1 {
		t.Fatalf("%d failures, %v", n, err)
	}
}

func TestAnEnrolmentCodeCanBeWithdrawnOnlyUnused(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	tokens, err := db.Tokens(t.Context())
	must(t, err)
	if len(tokens) != 1 || tokens[0].UsedBy != "PC-t1" || tokens[0].UsedAt.IsZero() {
		t.Fatalf("tokens %+v", tokens)
	}
	if err := db.RevokeToken(t.Context(), tokens[0].ID, "admin", noon); !errors.Is(err, ErrConflict) {
		t.Errorf("a used one: %v", err)
	}
	must(t, db.PutToken(t.Context(), Token{Hash: [32]byte{9}, Group: "default", ExpiresAt: noon.Add(time.Hour)}, noon))
	tokens, err = db.Tokens(t.Context())
	must(t, err)
	must(t, db.RevokeToken(t.Context(), tokens[0].ID, "admin", noon))
	if err := db.Enroll(t.Context(), [32]byte{9}, Terminal{ID: "t2"}, Certificate{Serial: "2"}, noon); !errors.Is(err, ErrConflict) {
		t.Errorf("a withdrawn one: %v", err)
	}
}

func TestAChangedAuditRowIsFound(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	if n, err := db.VerifyAudits(t.Context()); err != nil || n != 0 {
		t.Fatalf("broken at %d, %v", n, err)
	}
	_, err := db.writer.Exec(`UPDATE audits SET actor = 'somebody' WHERE id = 2`)
	must(t, err)
	if n, err := db.VerifyAudits(t.Context()); err != nil || n != 2 {
		t.Fatalf("broken at %d, %v", n, err)
	}
}

func TestABackupIsAWholeDatabase(t *testing.T) {
	db := open(t)
	enrol(t, db, "t1")
	path := filepath.Join(t.TempDir(), "it's a copy.db")
	must(t, db.Backup(t.Context(), path))
	if err := db.Backup(t.Context(), path); err == nil {
		t.Error("an existing file was written over")
	}
	copied := reopen(t, path)
	got, err := copied.Terminal(t.Context(), "t1")
	must(t, err)
	if got.Name != "PC-t1" {
		t.Fatalf("got %+v", got)
	}
}

func TestADatabaseOfALaterVersionOrADamagedOneIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.db")
	db := reopen(t, path)
	_, err := db.writer.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	must(t, err)
	must(t, db.Close())
	if _, err := Open(t.Context(), path, tokyo(t)); !errors.Is(err, ErrNewer) {
		t.Errorf("later version: %v", err)
	}
	broken := filepath.Join(t.TempDir(), "console.db")
	must(t, os.WriteFile(broken, []byte("this is no database, and it is long enough to have a header of one hundred bytes, which is what is looked at first"), 0o600))
	if _, err := Open(t.Context(), broken, tokyo(t)); !errors.Is(err, ErrDamaged) {
		t.Errorf("damaged: %v", err)
	}
}

// TestEveryListStandsOnAnIndex asks the engine how it would answer: nothing may read all events or sort them.
func TestEveryListStandsOnAnIndex(t *testing.T) {
	db := open(t)
	for name, f := range map[string]EventFilter{
		"all": {}, "violations": {Violations: true}, "terminal": {Terminal: "t1"}, "kind": {Violations: true, Kind: "storage"},
		"gaps": {Kind: wire.RecordGap}, "a terminal's violations": {Violations: true, Terminal: "t1"}, "request": {Violations: true, Request: "4821-7730"},
	} {
		w := f.where()
		rows, err := db.reader.Query(`EXPLAIN QUERY PLAN SELECT `+eventColumns+eventTables+w.text()+` ORDER BY e.id DESC LIMIT 50`, w.args...)
		plan, err := collect(rows, err, func(s scanner) (string, error) {
			var a, b, c sql.RawBytes
			var text string
			err := s.Scan(&a, &b, &c, &text)
			return text, err
		})
		must(t, err)
		if f.Request != "" && !strings.Contains(strings.Join(plan, " "), "events_request") {
			t.Errorf("%s reads more than its index: %q", name, plan)
		}
		for _, step := range plan {
			if step == "USE TEMP B-TREE FOR ORDER BY" {
				t.Errorf("%s is sorted: %q", name, plan)
			}
		}
	}
}

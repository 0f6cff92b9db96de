package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"sekisho/agent/local"
	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// checked is a terminal whose firewall can be switched off, and the checkup that looks at it.
type checked struct {
	t       *testing.T
	dir     string
	policy  *policy.Policy
	mu      sync.Mutex
	on      bool
	hang    bool
	looks   int
	changes []policy.CheckResult
	told    []string
	empty   bool // nobody is logged in
	items   []wire.Item
	checkup *checkup
	release chan struct{}
	stop    func()
}

func newPatient(t *testing.T) *checked {
	p := policy.Builtin(policy.ModeAudit)
	p.Terminal, p.Health = "t1", &policy.Health{Mode: policy.ModeWarn, Checks: []policy.Check{{ID: "settings.firewall"}}}
	return &checked{t: t, dir: t.TempDir(), policy: p, on: true, release: make(chan struct{})}
}

func (p *checked) look(ctx context.Context, _ []policy.Probe) []policy.Reading {
	p.mu.Lock()
	on, hang := p.on, p.hang
	p.looks++
	p.mu.Unlock()
	if hang {
		<-p.release
	}
	return []policy.Reading{policy.Origin{Fact: policy.FactFirewall, Source: "test", At: time.Now()}.Bool(on)}
}

func (p *checked) set(on bool) {
	p.mu.Lock()
	p.on = on
	p.mu.Unlock()
}

func (p *checked) govern(to *policy.Policy) {
	p.mu.Lock()
	p.policy = to
	p.mu.Unlock()
}

// start begins a checkup the way an agent does.
func (p *checked) start() {
	notes, err := openCheckNotes(p.dir, time.Now, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	p.checkup = newCheckup(checkupOptions{
		Look:   map[string]func(context.Context, []policy.Probe) []policy.Reading{policy.AreaSettings: p.look},
		Policy: func() *policy.Policy { p.mu.Lock(); defer p.mu.Unlock(); return p.policy }, Now: time.Now, Doubted: func() bool { return false },
		Up: func() time.Duration { return 24 * time.Hour }, Notes: notes, Log: zerolog.Nop(),
		Changed: func(r policy.CheckResult, tell bool) {
			p.changes = append(p.changes, r)
			if tell {
				p.tell(r, notes)
			}
		},
		People: func() int { p.mu.Lock(); defer p.mu.Unlock(); return map[bool]int{false: 1}[p.empty] },
		Remind: func(r policy.CheckResult) { p.tell(r, notes) },
		Put:    func(items []wire.Item) { p.items = items },
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { p.checkup.run(ctx); close(done) }()
	p.stop = func() { cancel(); <-done }
	synctest.Wait()
}

// tell tells whoever is there.
func (p *checked) tell(r policy.CheckResult, notes *checkNotes) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.empty {
		notes.missed(r)
		return
	}
	p.told = append(p.told, r.Stage)
}

func (p *checked) firewall() policy.CheckResult {
	p.t.Helper()
	synctest.Wait()
	results := p.checkup.results()
	if len(results) != 1 {
		p.t.Fatalf("%+v", results)
	}
	return results[0]
}

func TestALookThatIsAskedForDuringAnotherIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient(t)
		p.hang = true
		p.start()
		defer func() { p.stop() }()
		time.Sleep(time.Second)
		p.mu.Lock()
		p.on, p.hang = false, false
		p.mu.Unlock()
		p.checkup.again()
		synctest.Wait()
		close(p.release) // what was under way saw the firewall on
		time.Sleep(time.Second)
		if r := p.firewall(); r.Result != policy.ResultFail {
			t.Errorf("%+v", r)
		}
	})
}

func TestWhoWasNotThereIsToldWhenSomebodyIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient(t)
		p.start()
		defer func() { p.stop() }()
		p.set(false)
		p.mu.Lock()
		p.empty = true
		p.mu.Unlock()
		time.Sleep(7 * 24 * time.Hour)
		if r := p.firewall(); r.Stage != policy.StageViolation || len(p.told) != 0 {
			t.Fatalf("%+v, told of %q with nobody there", r, p.told)
		}
		p.stop() // what is owed outlives a restart
		p.start()
		p.mu.Lock()
		p.empty = false
		p.mu.Unlock()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if records := len(p.changes); strings.Join(p.told, " ") != "violation" || records != 3 {
			t.Errorf("who came was told of %q, with %d records", p.told, records)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if len(p.told) != 1 {
			t.Errorf("told again and again: %q", p.told)
		}
	})
}

func TestAFailureIsSeenRecordedToldByStagesAndItsRepairIsSeenWithinAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is Saturday, 2000-01-01
		p := newPatient(t)
		p.start()
		defer func() { p.stop() }()
		if r := p.firewall(); r.Result != policy.ResultPass || len(p.changes) != 0 || len(p.items) != 1 {
			t.Fatalf("%+v %+v", r, p.changes)
		}
		p.set(false)
		time.Sleep(6 * time.Minute)
		r := p.firewall()
		if r.Result != policy.ResultFail || r.Stage != policy.StageNotice || len(p.changes) != 1 || len(p.told) != 0 {
			t.Fatalf("%+v %+v", r, p.changes)
		}
		time.Sleep(7 * 24 * time.Hour)
		if r := p.firewall(); r.Stage != policy.StageViolation || len(p.changes) != 3 {
			t.Errorf("%+v after %d records", r, len(p.changes))
		}
		if strings.Join(p.told, " ") != "warning violation" {
			t.Errorf("the user was told of %q", p.told)
		}
		p.set(true)
		time.Sleep(time.Minute)
		if r := p.firewall(); r.Result != policy.ResultPass || len(p.changes) != 4 || r.Stage != "" {
			t.Errorf("a minute after the repair: %+v", r)
		}
	})
}

func TestTheBeginningOfAFailureOutlivesTheAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient(t)
		p.set(false)
		p.start()
		since := p.firewall().Since
		p.stop()
		time.Sleep(3 * time.Hour)
		p.start()
		defer func() { p.stop() }()
		if r := p.firewall(); !r.Since.Equal(since) || r.Result != policy.ResultFail || len(p.changes) != 1 {
			t.Errorf("%+v, records %+v", r, p.changes)
		}
	})
}

func TestWhatIsKeptIsNotForgottenBeforeThereIsAPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient(t)
		p.set(false)
		p.start()
		since := p.firewall().Since
		p.stop()
		with := p.policy
		time.Sleep(time.Hour)
		p.govern(nil)
		p.start()
		defer func() { p.stop() }()
		time.Sleep(time.Second)
		if r := p.firewall(); !r.Since.Equal(since) {
			t.Errorf("%+v", r)
		}
		p.govern(with)
		time.Sleep(2 * time.Second)
		if r := p.firewall(); !r.Since.Equal(since) || p.looks != 2 {
			t.Errorf("%+v after %d looks", r, p.looks)
		}
	})
}

func TestALookThatHangsCannotBeConfirmedAndTheCheckupGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient(t)
		p.start()
		if r := p.firewall(); r.Result != policy.ResultPass {
			t.Fatalf("%+v", r)
		}
		p.mu.Lock()
		p.hang = true
		p.mu.Unlock()
		time.Sleep(12 * time.Minute)
		if r := p.firewall(); r.Result != policy.ResultUnknown || r.Code != policy.CodeUnread {
			t.Errorf("%+v", r)
		}
		close(p.release)
		if r := p.firewall(); r.Result != policy.ResultPass {
			t.Errorf("once it is over: %+v", r)
		}
		p.stop()
	})
}

func TestWithoutChecksNothingIsLookedAtAndNothingIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient(t)
		p.start()
		p.firewall()
		before := p.looks
		with := p.policy
		without := *with
		without.Health = nil
		p.govern(&without)
		p.checkup.again()
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(p.checkup.results()) != 0 || len(p.items) != 0 || p.looks > before+1 {
			t.Errorf("%+v after %d looks", p.checkup.results(), p.looks-before)
		}
		p.govern(with)
		p.checkup.again()
		if r := p.firewall(); r.Result != policy.ResultPass {
			t.Errorf("%+v", r)
		}
		p.stop()
	})
}

func TestACheckThatFlapsFillsNoJournalAndItsEndIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient(t)
		p.start()
		defer func() { p.stop() }()
		p.firewall()
		for i := range 200 {
			p.set(i%2 == 1)
			p.checkup.again()
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if len(p.changes) != recordsPerHour {
			t.Errorf("%d records of 200 changes", len(p.changes))
		}
		p.set(false)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if n := len(p.changes); n > recordsPerHour+2 || p.changes[n-1].Result != policy.ResultFail {
			t.Errorf("%d records, the last %+v", n, p.changes[n-1])
		}
	})
}

func TestUnchangedResultsAreSentAndSavedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient(t)
		p.start()
		p.firewall()
		saved, err := os.Stat(filepath.Join(p.dir, checksFile))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if now, err := os.Stat(filepath.Join(p.dir, checksFile)); err != nil || !os.SameFile(saved, now) {
			t.Errorf("nothing changed, and it was written anew: %v", err)
		}
		p.stop()
	})
}

func TestDamagedNotesAreBegunAnewAndSaidSo(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{"{", `{"results":[{"result":7}]}`} {
		if err := os.WriteFile(filepath.Join(dir, checksFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if n, err := openCheckNotes(dir, time.Now, nil); err == nil || n == nil || len(n.results()) != 0 {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestWhatIsMissingIsDatedByItsFirstSight(t *testing.T) {
	dir, now := t.TempDir(), time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	n, err := openCheckNotes(dir, clock, nil)
	if err != nil {
		t.Fatal(err)
	}
	first := n.seen("openssl 1 → 2")
	n.forget(map[string]bool{"openssl 1 → 2": true})
	now = now.AddDate(0, 0, 20)
	if n, err = openCheckNotes(dir, clock, nil); err != nil || !n.seen("openssl 1 → 2").Equal(first) {
		t.Errorf("another date after a restart: %v", err)
	}
	n.forget(map[string]bool{})
	if at := n.seen("openssl 1 → 2"); !at.Equal(now) {
		t.Errorf("%s", at)
	}
}

func TestAReferenceIsKeptOnlyWhenItIsTheOneThatWasNamed(t *testing.T) {
	dir, good := t.TempDir(), []byte(`{"made":"2026-11-01"}`)
	sum := sha256.Sum256(good)
	given := []byte("something else")
	asked := 0
	r := &references{dir: dir, log: zerolog.Nop(), fetch: func(context.Context, string, int64) (io.ReadCloser, error) {
		if asked++; given == nil {
			return nil, errors.New("cannot reach the console")
		}
		return io.NopCloser(bytes.NewReader(given)), nil
	}}
	p := &policy.Policy{Health: &policy.Health{References: []policy.Reference{
		{Name: "ends", Kind: policy.ReferenceSupport, SHA256: hex.EncodeToString(sum[:])}, {Name: "seen", Kind: policy.ReferencePatterns, Product: "clamav"}}}}
	for _, bad := range [][]byte{given, nil, good[:5]} {
		given, r.next = bad, time.Time{}
		if r.renew(t.Context(), p); r.text(p, policy.ReferenceSupport) != nil {
			t.Errorf("%q was kept", bad)
		}
	}
	given, r.next = good, time.Time{}
	r.renew(t.Context(), p)
	r.renew(t.Context(), p)
	if !bytes.Equal(r.text(p, policy.ReferenceSupport), good) || asked != 4 {
		t.Errorf("asked %d times", asked)
	}
	if err := os.WriteFile(r.path(hex.EncodeToString(sum[:])), []byte("altered"), 0o600); err != nil || r.text(p, policy.ReferenceSupport) != nil {
		t.Errorf("an altered reference is believed: %v", err)
	}
	p.Health.References = nil
	r.renew(t.Context(), p)
	if left, _ := os.ReadDir(filepath.Join(dir, referencesDir)); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
}

func TestTheStatusListsTheChecksThatFail(t *testing.T) {
	a := local.Answer{Status: &wire.Status{}, Checks: []policy.CheckResult{
		{Check: "settings.firewall", Result: policy.ResultFail, Value: "IPv4\x1b[2J"}, {Check: "network.wifi", Result: policy.ResultPass},
		{Check: "settings.boot_password", Result: policy.ResultUnknown},
		{Check: "network.tether", Result: policy.ResultFail, Act: policy.Act{Adapter: "usb0\x1b", Outcome: policy.OutcomeBlocked}},
		{Check: "network.modem", Result: policy.ResultFail, Act: policy.Act{Adapter: "wwan0", Outcome: policy.OutcomeBlockFailed}}}}
	for lang, wants := range map[string][]string{"ja": {"を無効化しました", "wwan0 を無効化できませんでした", "不適合の検査", "ファイアウォール", "確認不可の検査: 1件"}, "en": {"was disabled", "wwan0 could not be disabled", "Not compliant", "Firewall", "cannot be confirmed: 1"}} {
		var out bytes.Buffer
		showStatus(&out, wordsOf(lang), a)
		for _, want := range wants {
			if !strings.Contains(out.String(), want) || strings.Contains(out.String(), "\x1b") {
				t.Errorf("%s: %q is not in\n%s", lang, want, out.String())
			}
		}
	}
}

func TestTheGuardRecordsAndTellsOfAFailingCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.on()
		s.guard.onCheck(policy.CheckResult{Check: "settings.firewall", Result: policy.ResultFail, Stage: policy.StageWarning}, true, func(policy.CheckResult) { t.Error("who was told was missed") })
		time.Sleep(time.Second)
		synctest.Wait()
		s.off()
		var recorded []string
		for _, r := range s.records {
			if r.Kind == wire.RecordCheck {
				recorded = append(recorded, r.Check.Check)
			}
		}
		if len(recorded) != 1 || s.told.Load() != 1 {
			t.Errorf("recorded %q, told %d times", recorded, s.told.Load())
		}
	})
}

func TestASheetHoldsOneLineForEachCheck(t *testing.T) {
	items := healthItems([]policy.CheckResult{{Check: "network.vpn", Result: policy.ResultPass}})
	var r policy.CheckResult
	if len(items) != 1 || items[0].ID != "network.vpn" || json.Unmarshal(items[0].Body, &r) != nil || r.Result != policy.ResultPass {
		t.Errorf("%+v", items)
	}
}

// TestATerminalIsCheckedByItsConsolesPolicy runs the real wiring on this very machine, whatever there is to be found on it.
func TestATerminalIsCheckedByItsConsolesPolicy(t *testing.T) {
	o := newOffice(t)
	o.health = policy.DefaultHealth()
	o.open()
	c := o.invite(t.TempDir())
	ask, stop := atWork(t, c)
	wanted := 0
	for _, k := range o.health.Checks {
		if !k.Off {
			wanted++
		}
	}
	until(t, "every check has a result", func() bool { return len(ask().Checks) == wanted })
	failing := map[string]bool{}
	for _, r := range ask().Checks {
		if r.Result == policy.ResultUnknown && r.Code == "" {
			t.Errorf("no reason: %+v", r)
		}
		if r.Result == policy.ResultFail {
			failing[r.Check] = true
		}
	}
	until(t, "the console hears of what fails", func() bool {
		events, err := o.db.Events(t.Context(), store.EventFilter{Limit: 500})
		mustDo(t, err)
		heard := map[string]bool{}
		for _, e := range events {
			if e.Record.Kind == wire.RecordCheck {
				heard[e.Record.Check.Check] = true
			}
		}
		return len(heard) >= len(failing)
	})
	stop()
	if n, err := openCheckNotes(c.State, time.Now, nil); err != nil || len(n.results()) != wanted {
		t.Errorf("%d results are kept: %v", len(n.results()), err)
	}
}

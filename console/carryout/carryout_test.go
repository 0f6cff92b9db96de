package carryout

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/seal"
	"sekisho/internal/wire"
)

var now = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// desk is what an office needs, with one record.
type desk struct {
	device *policy.Device
	given  []store.Grant
	policy store.TerminalPolicy
	tool   *policy.Program
}

func (d *desk) Event(_ context.Context, id int64) (store.Event, error) {
	if id != 7 {
		return store.Event{}, store.ErrNotFound
	}
	e := store.Event{ID: 7, Terminal: "t1"}
	if d.device != nil {
		e.Record.Event = &policy.Event{Device: *d.device}
	}
	if d.tool != nil {
		e.Record.Software = &policy.ProgramEvent{Program: *d.tool}
	}
	return e, nil
}

func (d *desk) InstalledItem(_ context.Context, terminal, item string) (store.Installed, error) {
	if d.tool == nil || terminal != "t1" || item != d.tool.ID {
		return store.Installed{}, store.ErrNotFound
	}
	return store.Installed{Terminal: terminal, Program: *d.tool}, nil
}

func (d *desk) PutGrant(_ context.Context, g store.Grant, now time.Time) (store.Grant, error) {
	g.ID = "G-0001"
	d.given = append(d.given, g)
	return g, nil
}

func (d *desk) TerminalPolicy(context.Context, string) (store.TerminalPolicy, error) {
	return d.policy, nil
}

func stick() *policy.Device {
	return &policy.Device{Bus: policy.BusUSB, Kinds: []policy.Kind{policy.KindStorage}, Vendor: "0781", Product: "5583",
		Serial: "4C530001220812117403", Manufacturer: "SanDisk", Name: "Ultra Fit", Digest: strings.Repeat("ab", 32), Port: "1-2"}
}

func office(t *testing.T, d *desk) *Office {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{DB: d, Key: key, Zone: zone})
}

func asked() store.Grant {
	return store.Grant{Event: 7, Reason: "介護認定データの受領 ", By: "tanaka", Grant: policy.Grant{Until: now.Add(8 * time.Hour)}}
}

func TestAPermissionIsForTheRecordsMediumOnItsTerminal(t *testing.T) {
	d := &desk{device: stick()}
	g := asked()
	g.Vendor, g.Serial = "ffff", "another" // who asks does not name the medium
	got, problems, err := office(t, d).Give(t.Context(), g, now)
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	if got.Terminal != "t1" || got.Vendor != "0781" || got.Serial != stick().Serial || got.Digest != "" || got.Port != "" ||
		!got.From.Equal(now) || got.Approver != "tanaka" || got.DeviceName != "SanDisk Ultra Fit" || got.Reason != "介護認定データの受領" {
		t.Fatalf("got %+v", got)
	}
}

func TestAMediumWithoutASerialOfItsOwnIsHeldToItsPort(t *testing.T) {
	for _, serial := range []string{"", "123", "00000000", "0123456789ABCDEF", "1234567890", "ABABABAB"} {
		dev := stick()
		dev.Serial = serial
		got, problems, err := office(t, &desk{device: dev}).Give(t.Context(), asked(), now)
		if err != nil || len(problems) > 0 || got.Digest != dev.Digest || got.Port != "1-2" {
			t.Errorf("%q: %+v %v %v", serial, got, problems, err)
		}
		dev.Port = ""
		if _, problems, _ := office(t, &desk{device: dev}).Give(t.Context(), asked(), now); len(problems) != 1 || problems[0].Path != "device" {
			t.Errorf("%q without port: %v", serial, problems)
		}
	}
}

func TestWhatCannotBePermittedIsSaidBesideItsField(t *testing.T) {
	with := func(change func(*store.Grant)) store.Grant {
		g := asked()
		change(&g)
		return g
	}
	composite, keyboard, faulty := stick(), stick(), stick()
	composite.Kinds = []policy.Kind{policy.KindKeyboard, policy.KindStorage}
	keyboard.Kinds = []policy.Kind{policy.KindKeyboard}
	faulty.Fault = "cannot read descriptors"
	for _, c := range []struct {
		name, field string
		grant       store.Grant
		device      *policy.Device
	}{
		{"no such record", "device", with(func(g *store.Grant) { g.Event = 8 }), stick()},
		{"a record without device", "device", asked(), nil},
		{"a stick that types", "device", asked(), composite},
		{"a keyboard", "device", asked(), keyboard},
		{"unread facts", "device", asked(), faulty},
		{"another terminal", "terminal", with(func(g *store.Grant) { g.Terminal = "t2" }), stick()},
		{"no end", "until", with(func(g *store.Grant) { g.Until = time.Time{} }), stick()},
		{"an end before the beginning", "until", with(func(g *store.Grant) { g.Until = now.Add(-time.Second) }), stick()},
		{"an end in the past", "until", with(func(g *store.Grant) { g.From, g.Until = now.Add(-2*time.Hour), now.Add(-time.Hour) }), stick()},
		{"beyond the fiscal year", "until", with(func(g *store.Grant) { g.Until = time.Date(2027, 3, 31, 15, 0, 1, 0, time.UTC) }), stick()},
		{"no reason", "reason", with(func(g *store.Grant) { g.Reason = " \n" }), stick()},
		{"a long reason", "reason", with(func(g *store.Grant) { g.Reason = strings.Repeat("長", 1001) }), stick()},
		{"a reason with escape signs", "reason", with(func(g *store.Grant) { g.Reason = "a\x1b[31m" }), stick()},
	} {
		d := &desk{device: c.device}
		_, problems, err := office(t, d).Give(t.Context(), c.grant, now)
		if err != nil || len(problems) != 1 || problems[0].Path != c.field || problems[0].Text.JA == "" || problems[0].Text.EN == "" {
			t.Errorf("%s: %+v %v", c.name, problems, err)
		}
		if len(d.given) > 0 {
			t.Errorf("%s: it was given all the same", c.name)
		}
	}
}

func TestTheFiscalYearEndsAtMidnightInJapan(t *testing.T) {
	zone := office(t, &desk{}).Zone
	end := time.Date(2027, 4, 1, 0, 0, 0, 0, zone)
	for _, at := range []time.Time{now, time.Date(2027, 3, 31, 23, 59, 59, 0, zone), time.Date(2026, 4, 1, 0, 0, 0, 0, zone)} {
		if got := FiscalYearEnd(at, zone); !got.Equal(end) {
			t.Errorf("%s ends %s", at, got)
		}
	}
	g := asked()
	g.Until = end
	if _, problems, err := office(t, &desk{device: stick()}).Give(t.Context(), g, now); err != nil || len(problems) > 0 {
		t.Errorf("the whole of 31 March must be possible: %v %v", problems, err)
	}
}

func TestTheDocumentIsSignedAndLeavesOutWhatHasEnded(t *testing.T) {
	running := store.Grant{Grant: policy.Grant{ID: "G-1", Bus: policy.BusUSB, Vendor: "0781", Product: "5583", Serial: "S1", From: now.Add(-time.Hour), Until: now.Add(time.Hour)}}
	ended, revoked := running, running
	ended.ID, ended.Until = "G-2", now
	revoked.ID, revoked.RevokedAt = "G-3", now
	d := &desk{policy: store.TerminalPolicy{
		RevisedAt: now, Terminal: store.Terminal{ID: "t1", Group: "default", GroupName: "既定", Revision: 42},
		Policy: store.GroupPolicy{Control: policy.DefaultControl(policy.ModeEnforce), Contact: policy.Contact{Name: "情報係", Phone: "内線 1234"}},
		Grants: []store.Grant{running, ended, revoked},
	}}
	o := office(t, d)
	composed, revision, err := o.Document(t.Context(), "t1", wire.Version)
	if err != nil || revision != 42 {
		t.Fatal(revision, err)
	}
	if again, _, err := o.Document(t.Context(), "t1", wire.Version); err != nil || !bytes.Equal(again, composed) {
		t.Fatalf("composed again it is another document: %v", err)
	}
	body, err := o.Seal(composed)
	if err != nil {
		t.Fatal(err)
	}
	var e seal.Envelope
	if err := json.Unmarshal(body, &e); err != nil {
		t.Fatal(err)
	}
	pub := o.Key.Public().(ed25519.PublicKey)
	payload, err := seal.Open(map[string][]byte{seal.KeyID(pub): pub}, e)
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse(payload)
	if err != nil {
		t.Fatal(err)
	}
	if p.Terminal != "t1" || p.Revision != 42 || len(p.Grants) != 1 || p.Grants[0].ID != "G-1" || p.RemovableMedia.Mode != policy.ModeEnforce {
		t.Fatalf("got %+v", p)
	}
}

func TestAPolicyThatATerminalWouldRefuseIsNotSent(t *testing.T) {
	d := &desk{policy: store.TerminalPolicy{Terminal: store.Terminal{ID: "t1"}}} // no rules
	if _, _, err := office(t, d).Document(t.Context(), "t1", wire.Version); err == nil {
		t.Fatal("a policy without rules was signed")
	}
}

func TestAnUpdateIsOfferedToAgentsThatCanReadItAndChangesNothingForOthers(t *testing.T) {
	d := &desk{policy: store.TerminalPolicy{
		RevisedAt: now, Terminal: store.Terminal{ID: "t1", Group: "default", GroupName: "既定", Revision: 42},
		Policy: store.GroupPolicy{Control: policy.DefaultControl(policy.ModeEnforce)},
	}}
	o := office(t, d)
	without := composed(t, o, wire.Version)
	d.policy.Update = &store.Offered{ID: 3, Update: store.Update{Version: "1.1", Envelope: seal.Envelope{Key: "k", Payload: []byte("{}"), Signature: []byte("s")}}}
	if old := composed(t, o, wire.VersionUpdate-1); !bytes.Equal(old, without) || !bytes.Contains(old, []byte(`"schema":1`)) {
		t.Errorf("an agent of the version before would refuse\n%s", old)
	}
	p, err := policy.Parse(composed(t, o, wire.VersionUpdate))
	if err != nil || p.Update == nil || p.Update.Offer != 3 || p.Update.Version != "1.1" {
		t.Fatalf("%+v, %v", p, err)
	}
}

func composed(t *testing.T, o *Office, version int) []byte {
	t.Helper()
	payload, _, err := o.Document(t.Context(), "t1", version)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

func TestChecksGoToAgentsThatCanReadThemWithTheWaiversThatConcernThem(t *testing.T) {
	health := policy.DefaultHealth()
	waiver := func(id string, terminals, groups []string) policy.Waiver {
		return policy.Waiver{ID: id, Check: "patch.level", Terminals: terminals, Group: groups, Reason: "r", Measure: "m", Approver: "a", From: now, Until: now.Add(time.Hour)}
	}
	health.Waivers = []policy.Waiver{waiver("1", []string{"t1", "t2"}, nil), waiver("2", []string{"t2"}, nil), waiver("3", nil, []string{"default"})}
	d := &desk{policy: store.TerminalPolicy{
		RevisedAt: now, Terminal: store.Terminal{ID: "t1", Group: "default", GroupName: "既定", Revision: 42},
		Policy: store.GroupPolicy{Control: policy.DefaultControl(policy.ModeEnforce)},
	}}
	o := office(t, d)
	without := composed(t, o, wire.Version)
	d.policy.Policy.Health = health
	health.Probes = append(health.Probes, policy.Probe{ID: "office-guard", Product: "Office Guard", OS: "windows", Detect: []policy.Place{{Kind: policy.PlaceService, Value: "guard"}}})
	d.policy.References = []policy.Reference{{Name: "ClamAV", Kind: policy.ReferencePatterns, Product: "clamav", MadeAt: now}}
	if old := composed(t, o, wire.VersionHealth-1); !bytes.Equal(old, without) {
		t.Errorf("an agent of the version before would refuse\n%s", old)
	}
	p, err := policy.Parse(composed(t, o, wire.VersionHealth))
	if err != nil || p.Health == nil || len(p.Health.Waivers) != 2 || len(p.Health.Waivers[0].Terminals) != 1 {
		t.Fatalf("%+v, %v", p, err)
	}
	if len(p.Health.References) != 1 || p.Health.Probes[len(p.Health.Probes)-1].ID != "office-guard" {
		t.Errorf("references %+v, last probe %+v", p.Health.References, p.Health.Probes[len(p.Health.Probes)-1])
	}
	if len(health.References) != 0 || len(health.Waivers) != 3 || len(health.Waivers[0].Terminals) != 2 {
		t.Error("the group's own policy was changed")
	}
}

// TestAnAgentOfTheVersionBeforeReportsWhereANewerOneDisables: its document holds the word for it neither as a field nor in its schema.
func TestAnAgentOfTheVersionBeforeReportsWhereANewerOneDisables(t *testing.T) {
	health := policy.DefaultHealth()
	d := &desk{policy: store.TerminalPolicy{
		RevisedAt: now, Terminal: store.Terminal{ID: "t1", Group: "default", GroupName: "既定", Revision: 42},
		Policy: store.GroupPolicy{Control: policy.DefaultControl(policy.ModeEnforce), Health: health},
	}}
	o := office(t, d)
	without := composed(t, o, wire.Version)
	if !bytes.Contains(without, []byte(`"schema":4`)) {
		t.Errorf("a document without the word has a newer schema\n%.200s", without)
	}
	at := slices.IndexFunc(health.Checks, func(c policy.Check) bool { return c.ID == "network.tether" })
	health.Checks[at].Separate = policy.SeparateDisable
	if old := composed(t, o, wire.VersionHealth); !bytes.Equal(old, without) {
		t.Errorf("an agent of the version before would refuse\n%s", old)
	}
	p, err := policy.Parse(composed(t, o, wire.VersionSeparate))
	if err != nil || p.Schema != policy.SchemaSeparate || p.Health.Checks[at].Separate != policy.SeparateDisable {
		t.Fatalf("%+v, %v", p, err)
	}
	if health.Checks[at].Separate != policy.SeparateDisable {
		t.Error("the group's own policy was changed")
	}
}

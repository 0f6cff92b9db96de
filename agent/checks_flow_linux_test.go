package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sekisho/agent/sensor/health"
	"sekisho/console/carryout"
	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// TestAProductThatIsPublishedReachesTheTerminalAndAnswers goes from the console's database through the composed document, the real
// eyes and the judges back to the page's row. Only the line between them is left out: other flows prove that.
func TestAProductThatIsPublishedReachesTheTerminalAndAnswers(t *testing.T) {
	h, now := newHeadOffice(t), time.Now()
	code := sha256.Sum256([]byte("code"))
	must(t, h.db.PutToken(t.Context(), store.Token{Hash: code, Group: "default", By: "1007", ExpiresAt: now.Add(time.Hour)}, now))
	must(t, h.db.Enroll(t.Context(), code, store.Terminal{ID: "t1", Name: "KT-1", OS: "linux"}, store.Certificate{Serial: "1", Expires: now.Add(time.Hour)}, now))
	control := policy.DefaultHealth()
	control.Probes = []policy.Probe{{ID: "office-guard", Product: "Office Guard", OS: "linux", Detect: []policy.Place{{Kind: policy.PlaceExists, Path: "/opt/guard/guardd"}},
		Facts: []policy.ProbeFact{{Fact: policy.FactPatternDate, Place: []policy.Place{{Kind: policy.PlaceFile, Path: "/opt/guard/status", Match: `patterns: (\S+)`}}, Form: policy.Form{Type: policy.TypeTime, Date: policy.DateYMD}}}}}
	_, err := h.db.PutGroupPolicy(t.Context(), store.GroupPolicy{Group: "default", Control: policy.DefaultControl(policy.ModeAudit), Health: control, By: "1007"}, 1, now)
	must(t, err)

	_, key, err := ed25519.GenerateKey(nil)
	must(t, err)
	document, _, err := carryout.New(carryout.Options{DB: h.db, Key: key, Zone: time.UTC}).Document(t.Context(), "t1", wire.Version)
	must(t, err)
	p, err := policy.Parse(document)
	must(t, err)
	root := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(root, "opt/guard"), 0o755))
	must(t, os.WriteFile(filepath.Join(root, "opt/guard/guardd"), nil, 0o755))
	for _, c := range []struct {
		status string
		want   policy.Result
	}{{"patterns: " + now.UTC().Format("2006-01-02"), policy.ResultPass}, {"patterns: 2020-01-01", policy.ResultFail}, {"patterns: 01/02/2020", policy.ResultUnknown}, {"", policy.ResultUnknown}} {
		must(t, os.WriteFile(filepath.Join(root, "opt/guard/status"), []byte(c.status), 0o644))
		eyes := health.New(health.Options{Root: root, Now: func() time.Time { return now }})
		results := policy.Judge(p, &policy.Survey{OS: "linux", Up: 100 * time.Hour, Readings: eyes.Look(t.Context(), policy.AreaAntivirus, p.Health.Probes)}, nil, now)
		sh := wire.Sheet{Name: wire.SheetHealth}
		for _, r := range results {
			body, err := json.Marshal(r)
			must(t, err)
			it := wire.Item{ID: r.Check, Body: body}
			sh.Set, sh.To = append(sh.Set, it), sh.To.Mix(it)
		}
		answer, err := h.db.AddEvents(t.Context(), "t1", wire.EventsRequest{Version: wire.Version, Sheets: []wire.Sheet{sh}}, now)
		must(t, err)
		if answer.Sheets[wire.SheetHealth] != sh.To {
			t.Fatal("the console did not take the list")
		}
		fleet, err := h.db.HealthFleet(t.Context(), "")
		must(t, err)
		if got, ok := fleet[0].Cell("antivirus.patterns"); !ok || got.Result != c.want {
			t.Errorf("with %q the page says %+v", c.status, got)
		}
	}
}

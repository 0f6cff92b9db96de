package web

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

func tetherOf(h *policy.Health) policy.Check {
	return h.Checks[slices.IndexFunc(h.Checks, func(c policy.Check) bool { return c.ID == "network.tether" })]
}

func TestWhoHasAdaptersDisabledSeesWhichTerminalsThatWouldReach(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	s.sheet(f.counter, policy.CheckResult{Check: "network.tether", Result: policy.ResultFail, Code: policy.CodeFound, Value: "usb0 rndis_host", Since: s.now, Stage: policy.StageViolation})
	b, page := s.as("1007"), "/policy/"+f.group+"/health"
	b.get(page).wants(t, `id="separate.network.tether"`, "別のネットワークにつながったとき", "そのアダプターには触れません")
	if a := b.get(page); strings.Contains(a.text, `id="separate.network.gateway"`) || strings.Contains(a.text, `id="separate.settings.firewall"`) {
		t.Error("a check that is about no adapter offers to disable one")
	}
	v := s.healthFields(f.group)
	v.Set("do", "check")
	v.Set("separate.network.tether", policy.SeparateDisable)
	b.post(page, v).wants(t, "テザリング: 動作が「警告と対処」になるまで、無効化は行いません", "(動作が「記録のみ」の間は行わない)")
	v.Set("mode.network.tether", "enforce")
	b.post(page, v).wants(t, "いま別のネットワークにつながっている1台で、そのアダプターを無効化します", "KT-0123", "別のネットワークのアダプターを、つながっている間は無効化")
	b.get("/?lang=en")
	b.post(page, v).wants(t, "Publishing disables the adapter on 1 terminal that is connected", "while it lasts")
	v.Set("separate.network.tether", "destroy")
	if a := b.post(page, v); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.text, `href="#separate.network.tether"`) {
		t.Errorf("status %d", a.StatusCode)
	}
	v.Set("separate.network.tether", policy.SeparateDisable)
	v.Set("do", "publish")
	v.Set("reason", "個人の電話機の接続が続くため")
	if a := b.post(page, v); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("not published: %d", a.StatusCode)
	}
	if c := tetherOf(s.healthNow(f.group)); c.Separate != policy.SeparateDisable || c.Mode != policy.ModeEnforce {
		t.Errorf("%+v", c)
	}
	v = s.healthFields(f.group)
	v.Set("do", "publish")
	v.Set("reason", "やめる")
	v.Set("separate.network.tether", policy.SeparateReport)
	b.post(page, v)
	if c := tetherOf(s.healthNow(f.group)); c.Separate != "" {
		t.Errorf("what only reports is written, and old agents would refuse it: %+v", c)
	}
}

func TestTheSheetSaysWhatWasDoneAndNeverMore(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b := s.as("1007")
	for _, c := range []struct {
		act    policy.Act
		ja, en string
	}{
		{policy.Act{Adapter: "usb0", Outcome: policy.OutcomeBlocked}, "「usb0」を無効化しました(確認済)", "“usb0” was disabled (verified)"},
		{policy.Act{Adapter: "usb0", Outcome: policy.OutcomeBlockFailed}, "「usb0」を無効化できませんでした", "could not be disabled"},
		{policy.Act{Adapter: "usb0", Outcome: policy.OutcomeAudit}, "無効化していません(記録のみ)", "recorded only"},
		{policy.Act{Adapter: "usb0", Outcome: policy.OutcomeDetected}, "無効化していません(検知のみ)", "detected only"},
		{policy.Act{Outcome: policy.OutcomeDetected, Code: policy.UnclearWays}, "コンソールへの経路が", "the way to the console is another"},
		{policy.Act{Adapter: "usb0", Outcome: "made up"}, "「usb0」を無効化できませんでした", "could not be disabled"},
	} {
		s.sheet(f.counter, policy.CheckResult{Check: "network.tether", Result: policy.ResultFail, Code: policy.CodeFound, Value: "usb0 rndis_host", Since: s.now, Stage: policy.StageViolation, Act: c.act})
		for lang, want := range map[string]string{"ja": c.ja, "en": c.en} {
			a := b.get("/terminals/" + f.counter + "/health?lang=" + lang)
			a.wants(t, want)
			if said := strings.Contains(a.text, "無効化しました(確認済)") || strings.Contains(a.text, "was disabled (verified)"); said != (c.act.Outcome == policy.OutcomeBlocked) {
				t.Errorf("%+v in %s: said to be disabled: %t", c.act, lang, said)
			}
		}
	}
	evil := `"><script>alert(1)</script>`
	s.sheet(f.counter, policy.CheckResult{Check: "network.tether", Result: policy.ResultFail, Since: s.now, Act: policy.Act{Adapter: evil, Outcome: policy.OutcomeBlocked, Code: ""}})
	if a := b.get("/terminals/" + f.counter + "/health"); strings.Contains(a.text, "<script>alert") {
		t.Error("the name of an adapter is markup")
	}
}

// TestARecordOfAnAdapterIsShownWithItsOutcome: the failure is one violation; what was done about it is another line.
func TestARecordOfAnAdapterIsShownWithItsOutcome(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	failed := policy.CheckResult{Check: "network.tether", Result: policy.ResultFail, Stage: policy.StageViolation, Since: s.now}
	act := func(code string, o policy.Outcome) wire.Record {
		c := failed
		c.Act = policy.Act{Adapter: "usb0", Outcome: o}
		return wire.Record{Kind: wire.RecordCheck, At: s.now, Check: &c, Outcome: o, Code: code, Note: "usb0", Decision: &policy.Decision{Action: policy.ActionBlock, Mode: policy.ModeEnforce, Rule: "network.tether"},
			Steps: []wire.Step{{At: s.now, Code: "disabled", Detail: "usb0", OK: true}, {At: s.now, Code: "verified", Detail: "usb0 is down", OK: true}}}
	}
	j := newJournal()
	j.add(wire.Record{Kind: wire.RecordCheck, At: s.now, Check: &failed})
	j.add(act(wire.CodeAdapterOff, policy.OutcomeBlocked))
	j.add(act(wire.CodeAdapterOff, policy.OutcomeBlockFailed))
	j.add(act(wire.CodeAdapterOn, policy.OutcomeAllowed))
	j.add(wire.Record{Kind: wire.RecordAgent, At: s.now, Code: wire.CodeAdapterOn, Outcome: policy.OutcomeAllowed, Note: "usb0: the agent began anew"})
	_, err := s.db.AddEvents(context.Background(), f.counter, wire.EventsRequest{Version: wire.Version, Outbox: "adapter-" + f.counter, First: 1, Entries: j.entries}, s.now)
	s.must(err)
	b := s.as("1007")
	b.get("/terminals/"+f.counter+"?lang=ja").wants(t, "別のネットワークのアダプターを無効化しました(確認済)", "別のネットワークのアダプターを無効化できませんでした", "無効化したアダプターを元に戻しました", "無効化したネットワークアダプターを元に戻しました")
	a := b.get("/violations?lang=ja&outcome=block_failed")
	a.wants(t, "テザリング: 別のネットワークのアダプターを無効化できませんでした", "遮断失敗")
	if a := b.get("/violations?lang=ja&outcome=blocked&q=usb0"); strings.Contains(a.text, "アダプターを無効化しました") {
		t.Error("what was disabled is a violation beside the failure itself")
	}
}

package web

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

func TestWhatAnAgentCannotDoIsSaidInWordsAndAnUnknownFaultAsItCame(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b := s.as("1007")
	b.get("/terminals/"+f.desk).wants(t, "装置の接続が見えていません", "cannot watch devices: netlink: permission denied", "<li>cannot tell the user: no desktop session was found</li>")
	b.get("/terminals/"+f.desk+"?lang=en").wants(t, "Devices are not seen")
}

func TestChipsShowNames(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b := s.as("1007")
	b.get("/violations?state=all&group="+f.group+"&terminal="+f.counter).wants(t, "端末区分: 窓口端末", "端末: KT-0123")
	b.get("/violations?group=gone&terminal=none").wants(t, "端末区分: gone", "端末: none")
}

func TestAPreviewCountsOnlyTheGatesThatThereAre(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	s.terminal("t-look", "KT-0140", f.other)
	s.report("t-look", &wire.Status{At: s.now, Agent: "0.1.0", Revision: 1, Mode: "audit", Gate: "none"})
	f.group = f.other
	b := s.as("1007")
	v := b.editForm(f)
	v.Set("mode", "enforce")
	v.Set("do", "check")
	b.post("/policy/"+f.group+"/edit", v).wants(t, "1台の関門を閉じます", "ほかの1台には関門がありません", "KT-0131", "KT-0140", "対象の端末 2台")
}

func TestAMissingReasonIsSaidAtOnceAndThePreviewStays(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	f.group = f.other
	b := s.as("1007")
	v := b.editForm(f)
	v.Set("mode", "warn")
	v.Set("do", "check")
	b.post("/policy/"+f.group+"/edit", v).wants(t, "変更の理由を書いてください", "適用すると変わること")
	v.Set("do", "publish")
	a := b.post("/policy/"+f.group+"/edit", v)
	if a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("published without a reason: %d", a.StatusCode)
	}
	a.wants(t, "変更の理由を書いてください", "適用すると変わること")
	v.Set("reason", "試し")
	v.Set("do", "check")
	if a := b.post("/policy/"+f.group+"/edit", v); strings.Contains(a.text, "理由を書いてください") {
		t.Error("a reason that is there is missed")
	}
}

func TestASpanOfHoursIsNoSpanOfDays(t *testing.T) {
	p := &pages{words: loadKeys(t, "ja")}
	for d, want := range map[time.Duration]string{7 * day: "7日以上", day: "1日以上", 6 * time.Hour: "6時間以上", 36 * time.Hour: "36時間以上", 90 * time.Minute: "90分以上"} {
		if got := p.atLeast(d); got != want {
			t.Errorf("%s is %q", d, got)
		}
	}
}

func TestAnAgentThatOnlyLooksUnderAPolicyThatForbidsHasAWordOfItsOwn(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	j := newJournal()
	j.add(s.record(phone(), policy.OutcomeAudit, policy.ModeEnforce, s.now))
	_, err := s.db.AddEvents(context.Background(), f.counter, wire.EventsRequest{Version: 1, Outbox: "second-outbox", First: 1, Entries: j.entries}, s.now)
	s.must(err)
	b := s.as("1007")
	b.get("/violations?kind=portable&terminal="+f.counter).wants(t, "観察のみ", "観察だけをしているため止めていません")
	list, err := s.db.Events(context.Background(), store.EventFilter{Kind: "portable", Terminal: f.counter})
	s.must(err)
	b.get(fmt.Sprint("/violations/", list[0].ID)).wants(t, "観察のみ", "この端末のエージェントは観察だけ")
	if a := b.get(fmt.Sprint("/violations/", f.audited)); strings.Contains(a.text, "観察のみ") {
		t.Error("record only is called observing")
	}
}

func TestHowFarAClockIsOffIsSaidInMinutes(t *testing.T) {
	p := &pages{words: loadKeys(t, "ja")}
	for raw, want := range map[string]string{"10m0s": "10分", "-1h30m0s": "-90分", "0s": "0分", "10s": "10s", "eth1": "eth1"} {
		if got := p.reading(raw); got != want {
			t.Errorf("%s is read as %s, not %s", raw, got, want)
		}
	}
}

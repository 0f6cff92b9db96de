package web

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
)

func TestTheSummaryOfARefusedFormNamesTheRuleOrTheCheck(t *testing.T) {
	s := newSite(t, nil)
	f := s.full()
	b, page := s.as("1007"), "/policy/"+f.group
	v := s.healthFields(f.group)
	v.Set("limit.patch.level.overdue.count", "many")
	v.Set("do", "check")
	b.post(page+"/health", v).wants(t, `<a href="#limit.patch.level.overdue.count">セキュリティパッチ: `)
	b.post(page+"/software/edit", url.Values{"based_on": {"2"}, "mode": {"enforce"}, "undecided": {"block"}, "stall": {"allow"}, "do": {"check"},
		"r0.id": {"all"}, "r0.name.ja": {"配布元"}, "r0.action": {"allow"}, "r0.match.name": {"*"}}).wants(t, `<a href="#r0.match.name">規則 1: `, `<details class="s-fold" open>`)
	b.post(page+"/health/waivers", url.Values{"from": {"R8.11.24"}}).wants(t, "項目を選んでください")
}

func TestADayOfReviewIsReadAndShownAsTheLanguageWritesIt(t *testing.T) {
	s := newSite(t, nil)
	f := s.full()
	b := s.as("1007")
	_, before := s.softwareOf(f.group)
	a := b.post("/software/decide", url.Values{"group": {f.group}, "program": {fmt.Sprint(f.unknown)}, "action": {"allow"}, "way": {"publisher"},
		"version": {fmt.Sprint(before.Version)}, "reason": {"帳票の作成"}, "review": {"Ｒ９.3.31"}})
	control, _ := s.softwareOf(f.group)
	if a.StatusCode != http.StatusSeeOther || control.Rules[len(control.Rules)-1].Review != "2027-03-31" {
		t.Errorf("%d %+v", a.StatusCode, control.Rules)
	}
	b.get("/policy/"+f.group+"/software").wants(t, "R9.3.31", "R8.10.1")
}

func TestWhoPublishesADraftOverAnothersChangeIsToldSo(t *testing.T) {
	s := newSite(t, nil)
	f := s.full()
	b, at := s.as("1007"), "/policy/"+f.group+"/software"
	a := b.post(at+"/publish", url.Values{"reason": {"x"}, "version": {"1"}})
	if a.StatusCode != http.StatusConflict {
		t.Errorf("%d", a.StatusCode)
	}
	a.wants(t, "先に別の変更がありました", "もう一度押してください")
	b.get(at+"/drop").wants(t, "下書きを捨てますか", "下書きは元に戻せません")
}

func TestAnEmptyConsoleLeadsAnAdministratorToTheFirstTerminal(t *testing.T) {
	s := newSite(t, nil)
	for _, address := range []string{"/health", "/software", "/software/undecided", "/terminals"} {
		s.as("1007").get(address).wants(t, `<a class="btn btn-sm" href="/tokens">`)
	}
}

package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"sekisho/internal/wire"
)

func TestAnAuditorComputesARecordAgainFromOneFileAndWalksTheJournal(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b := s.as("1020")
	at := fmt.Sprint("/violations/", f.blocked)
	page := b.get(at)
	page.wants(t, "記録を書き出す", at+"/record.json", "前の記録")
	a := b.get(at + "/record.json")
	var file proofFile
	if err := json.Unmarshal([]byte(a.text), &file); err != nil {
		t.Fatal(err)
	}
	if file.Before == nil || wire.Chain(*file.Before, file.Seq, []byte(file.Body)) != file.Hash || !strings.Contains(a.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("the file proves nothing: %s", a.text)
	}
	back := regexp.MustCompile(`<a href="(/violations/\d+)">前の記録</a>`).FindStringSubmatch(page.text)
	if back == nil {
		t.Fatal("no way to the record before")
	}
	var before proofFile
	if err := json.Unmarshal([]byte(b.get(back[1]+"/record.json").text), &before); err != nil || before.Hash != *file.Before || before.Seq != file.Seq-1 {
		t.Errorf("%v: the record before is %d, %s", err, before.Seq, before.Hash)
	}
	b.get(back[1]).wants(t, "次の記録", `href="`+at+`"`)
}

func TestAnAPITokenOfAnAuditorReadsAndChangesNothing(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	boss := s.as("1007")
	made := boss.post("/account/tokens", url.Values{"note": {"監査の集計"}, "role": {"auditor"}})
	secret := regexp.MustCompile(`Bearer ([A-Za-z0-9_-]{43})`).FindStringSubmatch(made.text)
	if secret == nil {
		t.Fatalf("no token: %d", made.StatusCode)
	}
	boss.get("/account").wants(t, "監査の集計", "監査担当者")
	b := s.browser()
	b.header = http.Header{"Authorization": {"Bearer " + secret[1]}}
	for address, want := range map[string]int{"/records": 200, "/violations": 200, fmt.Sprintf("/violations/%d/record.json", f.blocked): 200, "/accounts": 403, "/policy/" + f.group + "/edit": 403} {
		if a := b.get(address); a.StatusCode != want {
			t.Errorf("%s: %d, not %d", address, a.StatusCode, want)
		}
	}
	if a := b.post(fmt.Sprint("/violations/", f.blocked), url.Values{"state": {"working"}}); a.StatusCode != http.StatusForbidden {
		t.Errorf("it works on a violation: %d", a.StatusCode)
	}
	if a := boss.post("/account/tokens", url.Values{"note": {"x"}, "role": {"root"}}); a.StatusCode != http.StatusBadRequest {
		t.Errorf("an unknown role: %d", a.StatusCode)
	}
}

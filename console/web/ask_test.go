package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sekisho/internal/wire"
)

func TestMovingATerminalShowsWhatChangesAndAsksOnce(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b := s.as("1007")
	at := "/terminals/" + f.desk + "/move"
	b.get(at+"?group="+f.group).wants(t, "KT-0131 を「窓口端末」へ移しますか", "この端末の関門を閉じます", "事務端末 から 窓口端末 へ", "禁止", "まだ何も変わっていません")
	moved := func() string { tm, err := s.db.Terminal(context.Background(), f.desk); s.must(err); return tm.Group }
	if a := b.post(at, url.Values{"group": {f.group}}); a.StatusCode != http.StatusConflict || moved() != f.other {
		t.Errorf("moved without having been asked: %d, %s", a.StatusCode, moved())
	}
	if a := b.post(at, url.Values{"group": {f.group}, "version": {"1"}}); a.StatusCode != http.StatusSeeOther || moved() != f.group {
		t.Errorf("not moved: %d, %s", a.StatusCode, moved())
	}
	if a := b.get(at + "?group=" + f.group); a.StatusCode != http.StatusSeeOther {
		t.Errorf("asks to move to where it is: %d", a.StatusCode)
	}
	b.get(at+"?group="+f.other).wants(t, "関門を開きます")
	if a := b.get(at + "?group=none"); a.StatusCode != http.StatusNotFound {
		t.Errorf("a category that is not there: %d", a.StatusCode)
	}
}

func TestATerminalWithoutAGateIsMovedWithoutWordsOfOne(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	s.report(f.desk, &wire.Status{At: s.now, Agent: "0.1.0", Revision: 1, Mode: "audit", Gate: "none"})
	a := s.as("1007").get("/terminals/" + f.desk + "/move?group=" + f.group)
	a.wants(t, "へ移しますか")
	if strings.Contains(a.text, "この端末の関門を閉じます") {
		t.Error("a gate that is not there is shut")
	}
}

func TestARevocationIsAskedOnce(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b, at := s.as("1012"), "/carryout/"+f.grant+"/revoke"
	b.get("/carryout/"+f.grant).wants(t, `<a class="btn s-w100" href="`+at+`">`)
	b.get(at).wants(t, "この許可を取り消しますか", "SanDisk Ultra Fit", "KT-0123", `action="`+at+`" method="post"`)
	b.post(at, url.Values{})
	if a := b.get(at); a.StatusCode != http.StatusSeeOther {
		t.Errorf("asks again for what is revoked: %d", a.StatusCode)
	}
}

func TestARetiredTerminalNeedsAReasonAndLeavesRatesAndLists(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b, at := s.as("1007"), "/terminals/"+f.desk+"/retire"
	b.get("/terminals/"+f.desk).wants(t, `href="`+at+`"`)
	b.get(at).wants(t, "KT-0131 を廃止しますか", "通信できなくなります", "未送信の記録")
	if a := b.post(at, url.Values{"reason": {" "}}); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("retired without a reason: %d", a.StatusCode)
	}
	b.post(at, url.Values{"reason": {"更新のため売却"}})
	b.get("/").wants(t, "(1/1台)")
	if a := b.get("/terminals"); strings.Contains(a.text, "KT-0131") {
		t.Error("the list still has it")
	}
	b.get("/terminals?only=retired").wants(t, "KT-0131", "廃止", "1台")
	a := b.get("/terminals/" + f.desk)
	a.wants(t, "廃止", "記録")
	if strings.Contains(a.text, at) || strings.Contains(a.text, "/move") {
		t.Error("it can be moved or retired again")
	}
	b.get("/records").wants(t, "端末の廃止", "更新のため売却", "KT-0131")
	if a := b.post(at, url.Values{"reason": {"もう一度"}}); a.StatusCode != http.StatusNotFound {
		t.Errorf("retired twice: %d", a.StatusCode)
	}
}

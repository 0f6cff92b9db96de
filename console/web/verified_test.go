package web

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"sekisho/console/store"
)

func TestEvidenceIsCalledVerifiedOnlyAfterAFreshLookThatFoundNothing(t *testing.T) {
	s := newSite(t, nil)
	s.fill()
	b := s.as("1007")
	b.get("/").wants(t, "未検証", "まだ検証していません", "届いたとき、すべての記録が前の記録につながっていました", "証跡 未検証")
	found := func(text string) answer {
		s.must(s.db.PutSetting(context.Background(), store.SettingVerified, text, "console", s.now))
		return b.get("/")
	}
	found(`{"at":"2026-11-23T21:00:00Z","records":12345,"known":0,"faults":0,"audits":true}`).
		wants(t, "検証済み", "R8.11.24 06:00 に、すべての記録(12345件)", "証跡 R8.11.24 まで検証済み")
	found(`{"at":"2026-11-20T21:00:00Z","records":12345,"faults":0,"audits":true}`).wants(t, "未検証", "最後の検証は R8.11.21 06:00")
	for _, bad := range []string{
		`{"at":"2026-11-20T21:00:00Z","records":9,"faults":2,"first":"KT-0123 <b>7</b>","audits":true}`,
		`{"at":"2026-11-23T21:00:00Z","records":9,"faults":1,"audits":false}`,
	} {
		found(bad).wants(t, "証跡に改ざんの疑いがあります", "今日、対応が必要です", "不適合")
	}
	if a := found("garbage"); a.StatusCode != http.StatusOK || !strings.Contains(a.text, "未検証") || strings.Contains(a.text, "検証済み") {
		t.Errorf("garbage: %d", a.StatusCode)
	}
}

func FuzzVerification(f *testing.F) {
	for _, seed := range []string{"", "{}", `{"at":"2026-11-23T21:00:00Z","audits":true}`, `{"at":"9999-12-31T23:59:59Z","faults":-1,"audits":true}`, "[]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if v := readVerified(text, noon); v.State == "good" && (v.Faults != 0 || !v.Audits || v.At.IsZero() || noon.Sub(v.At) >= 2*day+time.Second) {
			t.Errorf("%q is %+v", text, v)
		}
	})
}

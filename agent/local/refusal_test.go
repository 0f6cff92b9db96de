package local

import (
	"strings"
	"testing"

	"sekisho/internal/policy"
)

func TestARefusalSaysWhatWhyAndWhomToCall(t *testing.T) {
	p := policy.Program{Name: "games", Version: "1.0", Source: policy.SourceLocal}
	d := policy.Decision{RuleName: policy.Text{JA: "遊戯の禁止", EN: "no games"}}
	n := Notice{Contact: policy.Contact{Name: "情報係", Phone: "内線 1234"}, Request: "4821-7730", Clause: policy.Clause{Title: policy.Text{JA: "導入の禁止", EN: "No installing"}}}
	for lang, wants := range map[string][]string{
		"ja": {"games 1.0", "止めました", "遊戯の禁止", "持ち込まれたファイル", "導入の禁止", "情報係 内線 1234", "4821-7730"},
		"en": {"games 1.0", "was stopped", "no games", "somebody brought", "No installing", "Request number: 4821-7730"},
	} {
		n.Language = lang
		r := Refuse(p, d, n)
		for _, want := range wants {
			if !strings.Contains(r.Words, want) {
				t.Errorf("%s: %q is not in %q", lang, want, r.Words)
			}
		}
	}
}

func TestQuestionsOfAPackageManagerAreBounded(t *testing.T) {
	if _, err := parseRequest([]byte(`{"ask":"packages","files":[` + strings.TrimSuffix(strings.Repeat(`"/a",`, MaxFiles+1), ",") + `]}`)); err == nil {
		t.Error("too many files are taken")
	}
	r, err := parseRequest([]byte(`{"ask":"packages","files":["/a.deb"],"manager":7}`))
	if err != nil || r.limit() != workLimit || r.Files[0] != "/a.deb" || r.Manager != 7 {
		t.Errorf("%+v %v", r, err)
	}
	if r, err := parseRequest([]byte(`{"ask":"status"}`)); err != nil || r.limit() != talkLimit {
		t.Errorf("%+v %v", r, err)
	}
}

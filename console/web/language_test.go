package web

import (
	"context"
	"html"
	"regexp"
	"strings"
	"testing"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// written is what people of these tests wrote or what programs call themselves: it stays as it is, whatever the page's language.
var written = regexp.MustCompile(strings.Join([]string{
	"窓口端末", "事務端末", "帳票作成ツール", "株式会社帳票", "帳票の印刷テスト", `構成市町への統計資料の提供\(\d\)`, "業務に使わない", "出所が分からない",
	"ソフトウェアの制御を始める", "ヘルプデスク", "記録のみの2週間で業務への影響がないことを確認", "暗号化の導入は年度内", "施錠した室内で使う", "情報課長",
	"ウイルスバスター コーポレートエディション", "ビジネスセキュリティ",
	"「[^」]*」",   // a regulation's own words
	"関所", "日本語", // the name, and the way to the other language
	"④", "cannot tell the user: no desktop session was found", // what an agent says that this console does not know
	"the new version did not report to the console within .*",
}, "|"))

var (
	japanese        = regexp.MustCompile(`.{0,30}[\x{3040}-\x{30ff}\x{4e00}-\x{9fff}].{0,30}`)
	oneOfMany       = regexp.MustCompile(`\b1 (?:[a-z]+ )?[a-z]{3,}s\b`)
	sentenceInLatin = regexp.MustCompile(`[A-Za-z]+(?: [a-z]+){3,}`)
	unseen          = regexp.MustCompile(`(?s)<script.*?</script>|<svg.*?</svg>|<head>.*?</head>`)
	tags            = regexp.MustCompile(`<[^>]*>`)
)

func TestNoPageMixesTheLanguagesAndNoneSaysOneOfMany(t *testing.T) {
	full, empty := newSite(t, nil), newSite(t, nil)
	addresses := full.full().addresses()
	for lang, wrong := range map[string][]*regexp.Regexp{"ja": {sentenceInLatin}, "en": {japanese, oneOfMany}} {
		for _, one := range []struct {
			s         *site
			addresses []string
		}{{full, addresses}, {empty, emptyAddresses}} {
			b := one.s.as("1007")
			b.get("/account?lang=" + lang)
			for _, address := range one.addresses {
				text := written.ReplaceAllString(html.UnescapeString(tags.ReplaceAllString(unseen.ReplaceAllString(b.get(address).text, ""), "\n")), "")
				for _, w := range wrong {
					for _, found := range w.FindAllString(text, 2) {
						t.Errorf("%s in %s says %q", address, lang, found)
					}
				}
			}
		}
	}
}

// A number before a word in the plural needs the singular too, unless it is never one.
func TestEveryNumberInEnglishHasItsSingular(t *testing.T) {
	many := regexp.MustCompile(`\{\d\} (?:[a-z]+ )?[a-z]{2,}s\b`)
	never := regexp.MustCompile(`\} (?:was|is|changes|has|as|ms)\b|\{\d\} of |\{1\} of`)
	atLeastTwo := map[string]bool{"csv.cut": true, "import.too_many": true, "tokens.used_of": true}
	for key, text := range loadKeys(t, "en") {
		if found := many.FindString(text); found != "" && !never.MatchString(found) && !atLeastTwo[key] {
			t.Errorf("%s says %q also of one", key, found)
		}
	}
}

func TestTheOperationLogNamesEachFactAndState(t *testing.T) {
	s := newSite(t, nil)
	s.full()
	b := s.as("1020")
	b.get("/records").wants(t, "変更前の状況 未対応", "状況 対応中")
	b.get("/records?lang=en").wants(t, "state before Open", "Update offered")
}

// A form's refusals stand alone, beside the field.
func TestARefusalBeginsWithACapital(t *testing.T) {
	refusal := regexp.MustCompile(`^health\.refs\.refused\..|\.bad_|_missing$|\.no_check$|\.too_long$|\.no_terminal$|\.same_id$`)
	for key, text := range loadKeys(t, "en") {
		if refusal.MatchString(key) && !strings.HasPrefix(key, "health.code.") && sentence(text) != text {
			t.Errorf("%s begins in small letters: %q", key, text)
		}
	}
	var r refusals
	r.refuse("until", "give it an end")
	if r.Problems["until"] != "Give it an end" {
		t.Errorf("%q", r.Problems)
	}
}

func TestWhatTheConsoleWroteItselfIsReadInThePagesLanguage(t *testing.T) {
	s := newSite(t, nil)
	ctx := context.Background()
	s.must(s.db.PutGroup(ctx, "counter", "窓口端末", "1007", s.now))
	_, err := s.db.PutGroupPolicy(ctx, store.GroupPolicy{Group: "counter", Control: policy.DefaultControl(policy.ModeAudit), Software: policy.FirstSoftware(s.now),
		Reason: "初期設定", By: "setup"}, 0, s.now)
	s.must(err)
	b := s.as("1007")
	b.get("/policy/counter?lang=en").wants(t, "First setup")
	b.get("/policy/counter/software").wants(t, "Comes from a distribution source")
	b.get("/policy/counter/software?lang=ja").wants(t, policy.DefaultSoftware().Rules[0].Reason)
}

func TestWhatAPersonWroteStaysAsItWasWritten(t *testing.T) {
	all, err := parsePages(tokyo)
	if err != nil {
		t.Fatal(err)
	}
	for kept, want := range map[string]string{
		"学習中に使われていたもの(1件、2台)": "In use while learning (1 program, 2 terminals)", "免除 W-0001: 初期設定": "Waiver W-0001: 初期設定",
		"免除 の件: 相談済み": "免除 の件: 相談済み", "初期設定の見直し": "初期設定の見直し", "": "",
	} {
		if got := all["en"].said(kept); got != want {
			t.Errorf("%q is shown as %q", kept, got)
		}
	}
	if got := all["ja"].said("In use while learning (1 program, 2 terminals)"); got != "学習中に使われていたもの(1件、2台)" {
		t.Errorf("%q", got)
	}
}

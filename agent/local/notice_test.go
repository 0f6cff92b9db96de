package local

import (
	"strings"
	"testing"

	"sekisho/internal/policy"
)

func example(lang string, outcome policy.Outcome, kinds ...policy.Kind) Notice {
	return Notice{
		Kinds: kinds, Outcome: outcome, Language: lang, Request: "4821-7730",
		Clause:  policy.DefaultClauses()[policy.ClauseMedia],
		Contact: policy.Contact{Name: "総務課 情報管理係", Phone: "内線 210"},
	}
}

func TestTheUserIsToldInPlainWords(t *testing.T) {
	for _, c := range []struct {
		notice      Notice
		title, body string
	}{
		{example("", policy.OutcomeBlocked, policy.KindStorage),
			"外部記憶媒体(USBメモリなど)の接続を止めました",
			"この端末では、許可のない外部記憶媒体(USBメモリなど)は使えません。取り外してください。\n" +
				"根拠: 情報セキュリティ基本方針 2(2)④「USB メモリ等の外部記憶媒体の接続の禁止」\n" +
				"連絡先: 総務課 情報管理係 内線 210\n" +
				"要求番号: 4821-7730(連絡の際にお伝えください)"},
		{example("ja", policy.OutcomeBlockFailed, policy.KindPortable),
			"ポータブルデバイス(スマートフォン、カメラ)の接続を止められませんでした",
			"この端末では使用が禁止されています。ファイルを開いたり写したりせず、ただちに取り外して、下記へ連絡してください。\n" +
				"根拠: 情報セキュリティ基本方針 2(2)④「USB メモリ等の外部記憶媒体の接続の禁止」\n" +
				"連絡先: 総務課 情報管理係 内線 210\n" +
				"要求番号: 4821-7730(連絡の際にお伝えください)"},
		{example("en", policy.OutcomeBlocked, policy.KindKeyboard, policy.KindStorage),
			"Blocked: composite device (storage that also does something else)",
			"Without a permission this cannot be used on this terminal. Please unplug it.\n" +
				"Basis: Basic Policy on Information Security 2(2)④ “USB メモリ等の外部記憶媒体の接続の禁止”\n" +
				"Contact: 総務課 情報管理係 内線 210\n" +
				"Request number: 4821-7730 (please tell it when you call)"},
		{example("en", policy.OutcomeDetected, policy.KindCard),
			"Forbidden: removable storage medium (memory card)",
			"It was not blocked, but recorded. Please unplug it.\n" +
				"Basis: Basic Policy on Information Security 2(2)④ “USB メモリ等の外部記憶媒体の接続の禁止”\n" +
				"Contact: 総務課 情報管理係 内線 210\n" +
				"Request number: 4821-7730 (please tell it when you call)"},
	} {
		if title, body := c.notice.Words(); title != c.title || body != c.body {
			t.Errorf("%s\n%s", title, body)
		}
	}
}

func TestOnlyAVerifiedBlockIsCalledOne(t *testing.T) {
	for _, o := range []policy.Outcome{policy.OutcomeBlockFailed, policy.OutcomeDetected, policy.OutcomePending, policy.OutcomeAudit, "nonsense", ""} {
		title, body := example("ja", o, policy.KindStorage).Words()
		if strings.Contains(title+body, "止めました") || title == "" || body == "" {
			t.Errorf("%s: %s %s", o, title, body)
		}
		title, body = example("en", o, policy.KindStorage).Words()
		if strings.Contains(title+body, "Blocked:") || title == "" {
			t.Errorf("%s: %s %s", o, title, body)
		}
	}
}

func TestBothLanguagesHaveWordsForTheSameThings(t *testing.T) {
	for k := range japanese.kinds {
		if english.kinds[k] == "" {
			t.Errorf("english has no word for %s", k)
		}
	}
	if len(japanese.kinds) != len(english.kinds) || len(japanese.forms) != len(english.forms) {
		t.Error("the languages differ")
	}
	for _, k := range naming {
		if japanese.kinds[k] == "" {
			t.Errorf("japanese has no word for %s", k)
		}
	}
}

func TestWhatIsNotKnownIsLeftOutAndWhoIsNotNamedIsTheHelpdesk(t *testing.T) {
	title, body := Notice{Outcome: policy.OutcomeBlocked}.Words()
	if advice, whom, _ := strings.Cut(body, "\n"); title != "判別できない装置の接続を止めました" || advice == "" || whom != "連絡先: ヘルプデスク" {
		t.Errorf("%s\n%s", title, body)
	}
}

func TestAFailingCheckIsToldWithWhatToDo(t *testing.T) {
	info, _ := policy.CheckOf("patch.reboot")
	n := Notice{Check: &Failing{Name: info.Name, Todo: info.Todo, Stage: policy.StageWarning}, Contact: policy.Contact{Name: "情報係"}}
	title, body := n.Words()
	if title != "端末診断で不適合: 再起動待ち" || body != "作業を保存して、端末を再起動してください。\n連絡先: 情報係" {
		t.Errorf("%s\n%s", title, body)
	}
	n.Language, n.Check.Stage = "en", policy.StageViolation
	if title, _ := n.Words(); title != "This terminal is not compliant, and overdue: Waiting for a restart" {
		t.Error(title)
	}
}

package local

import (
	"strings"
	"testing"

	"sekisho/internal/policy"
)

func program(lang, name, what string, outcome policy.Outcome) Notice {
	return Notice{
		Program: name, What: what, Outcome: outcome, Language: lang, Request: "4821-7730",
		Clause: policy.DefaultClauses()[policy.ClauseSoftware], Contact: policy.Contact{Name: "総務課 情報管理係", Phone: "内線 210"},
	}
}

func TestTheUserIsToldWhichProgramAndWhatCameOfIt(t *testing.T) {
	for _, c := range []struct {
		notice Notice
		first  string
	}{
		{program("", "ゲーム箱", policy.ProgramRun, policy.OutcomeBlocked), "許可されていないソフトウェアのため、起動を停止しました：ゲーム箱"},
		{program("", "gamebox", policy.ProgramWanted, policy.OutcomeBlocked), "許可されていないソフトウェアのため、インストールを停止しました：gamebox"},
		{program("", "gamebox", policy.ProgramInstalled, policy.OutcomeDetected), "許可されていないソフトウェアがインストールされました：gamebox"},
		{program("", "gamebox", policy.ProgramRun, policy.OutcomeAudit), "許可されていないソフトウェアが起動されました：gamebox"},
		{program("", "gamebox", policy.ProgramRun, policy.OutcomeQuarantined), "許可されていないソフトウェアのため、終了させ、起動できない場所へ移しました：gamebox"},
		{program("en", "gamebox", policy.ProgramRun, policy.OutcomeBlockFailed), "It is not permitted and could not be stopped: gamebox"},
	} {
		title, body := c.notice.Words()
		line, rest, _ := strings.Cut(body, "\n")
		if line != c.first || title == "" || !strings.Contains(rest, "4821-7730") || !strings.Contains(rest, "内線 210") || !strings.Contains(rest, c.notice.Clause.Title.In(c.notice.Language)) {
			t.Errorf("%s\n%s", title, body)
		}
	}
}

func TestNothingIsCalledStoppedThatWasNot(t *testing.T) {
	for _, what := range []string{policy.ProgramRun, policy.ProgramWanted, policy.ProgramInstalled, policy.ProgramChanged, ""} {
		for _, o := range []policy.Outcome{policy.OutcomeDetected, policy.OutcomeAudit, policy.OutcomeLearnt, policy.OutcomeBlockFailed, "nonsense", ""} {
			if title, body := program("ja", "x", what, o).Words(); strings.Contains(title+body, "停止しました") || strings.Contains(body, "終了させ") || body == "" {
				t.Errorf("%s %s: %s %s", what, o, title, body)
			}
		}
	}
}

func TestAProgramsNameIsOnlyAName(t *testing.T) {
	for _, name := range []string{"a\nb", "exe.gpj\u202e", "\x1b[2J", strings.Repeat("長", 5000), "\x83\x5c", "%"} {
		_, body := program("ja", name, policy.ProgramRun, policy.OutcomeBlocked).Words()
		line, _, _ := strings.Cut(body, "\n")
		if len([]rune(line)) > 130 || strings.ContainsAny(line, "\u202e\x1b") || !strings.HasPrefix(line, "許可されていない") {
			t.Errorf("%q", line)
		}
	}
}

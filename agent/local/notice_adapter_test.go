package local

import (
	"strings"
	"testing"

	"sekisho/internal/policy"
)

func TestOnlyAnAdapterThatIsDisabledIsCalledCutOff(t *testing.T) {
	notice := func(lang string, o policy.Outcome) Notice {
		info, _ := policy.CheckOf("network.tether")
		return Notice{Check: &Failing{Name: info.Name, Todo: info.Todo, Adapter: "usb0\n\x1b[2J"}, Outcome: o, Language: lang,
			Clause: policy.DefaultClauses()[policy.ClauseNetwork], Contact: policy.Contact{Name: "情報管理係", Phone: "内線 210"}}
	}
	for lang, cut := range map[string]string{"ja": "遮断しました", "en": "was cut off"} {
		for _, o := range []policy.Outcome{policy.OutcomeBlocked, policy.OutcomeBlockFailed, policy.OutcomeDetected, policy.OutcomeAudit, "nonsense"} {
			title, body := notice(lang, o).Words()
			if strings.Contains(title+body, cut) != (o == policy.OutcomeBlocked) {
				t.Errorf("%s %s: %s %s", lang, o, title, body)
			}
			if strings.ContainsAny(title+body, "\x1b%") || !strings.Contains(title, "usb0") || !strings.Contains(body, "内線 210") || !strings.Contains(body, "物理的に遮断する") {
				t.Errorf("%s %s: %q %q", lang, o, title, body)
			}
		}
	}
}

package local

import (
	"strings"

	"sekisho/internal/policy"
)

// Refusal says which package may not be installed, why, and whom to call; in words, for who installs is a person.
type Refusal struct {
	Package string `json:"package"` // name and version
	Words   string `json:"words"`
}

// Refuse words the refusal of a package. n's language, clause, contact and request number are said.
func Refuse(p policy.Program, d policy.Decision, n Notice) Refusal {
	w, r := japanese, refusalJapanese
	if n.Language == "en" {
		w, r = english, refusalEnglish
	}
	name := strings.TrimSpace(p.Name + " " + p.Version)
	lines := []string{strings.ReplaceAll(r.title, "%", name), r.why + d.RuleName.In(n.Language) + r.between + r.source(p)}
	lines = append(lines, n.grounds(w)...)
	return Refusal{Package: name, Words: strings.Join(lines, "\n  ")}
}

type refusalWords struct {
	title, why, between string
	sources             map[string]string
	unknown             string
}

func (r refusalWords) source(p policy.Program) string {
	if s := r.sources[p.Source]; s != "" {
		return s
	}
	return r.unknown
}

var refusalJapanese = refusalWords{
	title: "パッケージ % のインストールを止めました。", why: "理由: ", between: "。入手元: ",
	sources: map[string]string{
		policy.SourceRepository: "署名を確認した配布元", policy.SourceLocal: "持ち込まれたファイル(署名を確認した配布元のものではありません)",
	},
	unknown: "確認できません",
}

var refusalEnglish = refusalWords{
	title: "The installation of package % was stopped.", why: "Why: ", between: ". Source: ",
	sources: map[string]string{
		policy.SourceRepository: "a repository whose signature was checked", policy.SourceLocal: "a file that somebody brought (no repository with a checked signature has it)",
	},
	unknown: "unknown",
}

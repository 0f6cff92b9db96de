package web

import (
	"regexp"
	"strings"
)

// ownKeys are the texts that the console itself writes where a person writes otherwise: into a reason or a name that is kept.
var ownKeys = []string{"policies.setup_reason", "policies.first_reason", "policies.default_reason", "proposal.reason",
	"health.refs.pattern_name", "health.waiver.ended_reason", "health.waiver.reason_of"}

// ownText recognises what the console wrote in one language.
type ownText struct {
	key string
	is  *regexp.Regexp
}

func ownTexts(w words) []ownText {
	list := make([]ownText, 0, len(ownKeys))
	for _, key := range ownKeys {
		list = append(list, ownText{key, recognise(w[key], key)})
	}
	return list
}

// recognise makes the expression of what say writes; the values are its groups, in the order of their numbers in every text here.
func recognise(text, key string) *regexp.Regexp {
	var b strings.Builder
	value := "(.+?)"
	if strings.HasPrefix(key, "health.waiver.") {
		value = `(W-[0-9]+)` // more than that somebody may have written
	}
	at, seen := 0, map[string]bool{}
	for _, m := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		b.WriteString(regexp.QuoteMeta(text[at:m[0]]))
		switch at = m[1]; {
		case m[4] >= 0:
			b.WriteString("(?:" + regexp.QuoteMeta(text[m[4]:m[5]]) + "|" + regexp.QuoteMeta(text[m[6]:m[7]]) + ")")
		case !seen[text[m[2]:m[3]]]:
			seen[text[m[2]:m[3]]] = true
			b.WriteString(value)
			value = "(.+?)"
		}
	}
	return regexp.MustCompile("(?s)^" + b.String() + regexp.QuoteMeta(text[at:]) + "$")
}

// said shows what is kept: what the console wrote in the page's language, what a person wrote as it was written.
func (p *pages) said(kept string) string {
	for _, own := range p.own {
		if m := own.is.FindStringSubmatch(kept); m != nil {
			values := make([]any, 0, len(m))
			for _, v := range m[1:] {
				values = append(values, v)
			}
			return p.words.say(own.key, values...)
		}
	}
	return kept
}

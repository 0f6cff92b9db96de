package web

import (
	"regexp"
	"strings"
	"time"

	"sekisho/internal/policy"
)

var (
	ruleField  = regexp.MustCompile(`^r(\d{1,4})\.`)
	checkField = regexp.MustCompile(`^(?:limit|grace|mode|separate|allowed)\.([a-z]+\.[a-z_]+)`)
)

// place says of a field's name which rule or check it belongs to: a page has many of them, and the summary of what is wrong
// stands far from each.
func (p *pages) place(field string) string {
	if m := ruleField.FindStringSubmatch(field); m != nil {
		return p.words.say("place.rule", number(m[1])+1)
	}
	if m := checkField.FindStringSubmatch(field); m != nil {
		if info, ok := policy.CheckOf(m[1]); ok {
			return p.words.say("place.named", info.Name.In(p.cal.lang))
		}
	}
	return ""
}

// wrongIn tells whether something is wrong below one of the names: a fold that holds it is open.
func wrongIn(problems map[string]string, below ...string) bool {
	for field, text := range problems {
		for _, b := range below {
			if text != "" && strings.HasPrefix(field+".", b) {
				return true
			}
		}
	}
	return false
}

// reviewDay makes a day that was typed in any of the forms into the one that a policy keeps; anything else stays as it was
// typed, for the policy's own check to name.
func reviewDay(typed string) string {
	if t, ok := dayOf(strings.TrimSpace(typed), time.UTC); ok {
		return t.Format("2006-01-02")
	}
	return narrow(strings.TrimSpace(typed))
}

// reviewed shows the day that a policy keeps as the language writes it.
func (p *pages) reviewed(day string) string {
	if t, ok := dayOf(day, p.cal.zone); ok {
		return p.cal.short(t)
	}
	return day
}

package web

import (
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// mark is a state as every page shows it: icon, word, colour.
type mark struct {
	Class, Icon, Word string
	Pill              bool
}

func (p *pages) funcs() template.FuncMap {
	return template.FuncMap{
		"t":        p.words.say,
		"w":        p.words.word,
		"lang":     func() string { return p.cal.lang },
		"icon":     icon,
		"outcome":  p.outcome,
		"pill":     func(m mark) mark { m.Pill = true; return m },
		"handling": p.handling,
		"update":   p.update,
		"mark":     func(class, icon, key string) mark { return mark{Class: class, Icon: icon, Word: p.words.say(key)} },
		"in":       func(t policy.Text) string { return t.In(p.cal.lang) },
		"long":     p.cal.long,
		"short":    p.cal.short,
		"clock":    p.cal.clock,
		"precise":  p.cal.precise,
		"moment":   p.cal.moment,
		"weekday":  func(t time.Time) string { return p.words.say(fmt.Sprintf("weekday.%d", t.In(p.cal.zone).Weekday())) },
		"dayOf":    func(t time.Time) int { return t.In(p.cal.zone).Day() },
		"ago":      p.ago,
		"left":     p.left,
		"size":     size,
		"kinds":    p.kinds,
		"device":   p.device,
		"matches":  p.matches,
		"iface":    p.iface,
		"list":     func(v ...any) []any { return v },
		"join":     strings.Join,
		"sub":      func(a, b int) int { return a - b },
		"add":      func(a, b int) int { return a + b },
		"never":    func(t time.Time) bool { return t.IsZero() },
		"path":     url.PathEscape,
		"query":    url.QueryEscape,
		"program":  p.program,
		"fits":     p.programMatches,
		"onList":   p.list,
		"review":   func(now time.Time) string { return reviewIn(now, p.cal.zone) },
		"str":      func(v any) string { return fmt.Sprint(v) },
		"reviewed": p.reviewed,
		"said":     p.said,
		"place":    p.place,
		"wrongIn":  wrongIn,

		"checked":   func(r any) mark { return p.result(policy.Result(fmt.Sprint(r))) },
		"checkname": p.checkName,
		"stage":     stageWord,
		"why":       p.why,
		"reading":   p.reading,
		"wanted":    p.wanted,
		"span":      p.spanOf,
		"todo":      p.todo,
		"checksOn":  onChecks,
		"facttype":  func(fact string) string { return string(policy.FactType(fact)) },
		"clauseOf": func(id string) policy.Clause {
			info, _ := policy.CheckOf(id)
			return p.clause(info.Clause)
		},
	}
}

// icon is one of the sprite. Names are written in templates and in this package, never taken from data.
func icon(name string) template.HTML {
	return template.HTML(`<svg class="i" aria-hidden="true"><use href="#i-` + template.HTMLEscapeString(name) + `"/></svg>`)
}

var outcomeLooks = map[policy.Outcome][2]string{
	policy.OutcomeBlocked:     {"s-blocked", "blocked"},
	policy.OutcomeBlockFailed: {"s-failed", "failed"},
	policy.OutcomeAllowFailed: {"s-fail", "fail"},
	policy.OutcomeDetected:    {"s-detected", "detected"},
	policy.OutcomeAudit:       {"s-detected", "detected"},
	outcomeObserved:           {"s-detected", "detected"},
	"check_pass":              {"s-pass", "pass"},
	"check_fail":              {"s-fail", "fail"},
	"check_unknown":           {"s-unknown", "unknown"},
	"check_not_applicable":    {"s-na", "na"},
	policy.OutcomePending:     {"s-unknown", "clock"},
	policy.OutcomeAllowed:     {"s-pass", "pass"},
	policy.OutcomeRemoved:     {"s-na", "unplug"},
	policy.OutcomeLearnt:      {"s-na", "soft"},
	policy.OutcomeQuarantined: {"s-blocked", "blocked"},
	policy.OutcomeEnded:       {"s-blocked", "blocked"},
}

func (p *pages) outcome(o policy.Outcome) mark {
	look, ok := outcomeLooks[o]
	if !ok {
		look = [2]string{"s-na", "na"}
	}
	return mark{Class: look[0], Icon: look[1], Word: p.words.word("outcome", orNone(string(o)))}
}

var listLooks = map[string][2]string{
	listAllowed: {"s-pass", "pass"}, listForbidden: {"s-blocked", "blocked"}, listUndecided: {"s-unknown", "unknown"}, listReported: {"s-detected", "detected"},
}

// list is the list that software stands on.
func (p *pages) list(list string) mark {
	look, ok := listLooks[list]
	if !ok {
		look = [2]string{"s-na", "na"}
	}
	return mark{Class: look[0], Icon: look[1], Word: p.words.word("list", list)}
}

var updateLooks = map[string][2]string{
	wire.UpdateInstalled:   {"s-pass", "pass"},
	wire.UpdateRolledBack:  {"s-failed", "failed"},
	wire.UpdateRefused:     {"s-fail", "fail"},
	wire.UpdateFailed:      {"s-fail", "fail"},
	wire.UpdateWaiting:     {"s-unknown", "clock"},
	wire.UpdateDownloading: {"s-unknown", "csv"},
	wire.UpdateInstalling:  {"s-unknown", "clock"},
	updateOffered:          {"s-unknown", "s0"},
	updateManual:           {"s-detected", "detected"},
}

// update is how far a terminal is with an update.
func (p *pages) update(state string) mark {
	look, ok := updateLooks[state]
	if !ok {
		look = [2]string{"s-na", "na"}
	}
	return mark{Class: look[0], Icon: look[1], Word: p.words.word("update", state)}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// outcomeIcon is the icon of an outcome on a chip.
func (p *pages) outcomeIcon(code string) string { return p.outcome(policy.Outcome(code)).Icon }

func (p *pages) handling(state string) mark {
	icons := map[string]string{store.StateWorking: "s1", store.StateClosed: "pass"}
	m := mark{Icon: "s0", Word: p.words.word("state", orOpen(state))}
	if i, ok := icons[state]; ok {
		m.Icon = i
	}
	return m
}

func orOpen(state string) string {
	if state == "" {
		return store.StateOpen
	}
	return state
}

// ago says how long before now something was, in the largest unit that tells it.
func (p *pages) ago(now, t time.Time) string {
	if t.IsZero() {
		return p.words.say("time.never")
	}
	return p.span("ago", now.Sub(t))
}

// left says how long until t.
func (p *pages) left(now, t time.Time) string {
	if d := t.Sub(now); d > 0 {
		return p.span("left", d)
	}
	return p.words.say("time.over")
}

func (p *pages) span(family string, d time.Duration) string {
	switch {
	case d < time.Minute:
		return p.words.say(family + ".now")
	case d < time.Hour:
		return p.words.say(family+".minutes", int(d.Minutes()))
	case d < 24*time.Hour || family == "left" && d < 48*time.Hour:
		return p.words.say(family+".hours", int(d.Hours()), int(d.Minutes())%60)
	}
	return p.words.say(family+".days", int(d.Hours())/24)
}

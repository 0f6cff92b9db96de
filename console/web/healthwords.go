package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// unreported is the state of a terminal that stands in the ledger and says nothing: it is none of the four results, and never one of them.
const unreported policy.Result = "unreported"

// unchecked is the state of a check that the terminal's category does not have.
const unchecked policy.Result = "unchecked"

var resultLooks = map[policy.Result][2]string{
	policy.ResultPass:          {"s-pass", "pass"},
	policy.ResultFail:          {"s-fail", "fail"},
	policy.ResultUnknown:       {"s-unknown", "unknown"},
	policy.ResultNotApplicable: {"s-na", "na"},
	unreported:                 {"s-na", "clock"},
	unchecked:                  {"s-na", "na"},
}

// result is one of the four, or unreported, as every page shows it. A word that is none of them is not known to be good.
func (p *pages) result(r policy.Result) mark {
	look, ok := resultLooks[r]
	if !ok {
		r, look = policy.ResultUnknown, resultLooks[policy.ResultUnknown]
	}
	return mark{Class: look[0], Icon: look[1], Word: p.words.say("health.result." + string(r))}
}

// checkName is what people call a check; one that this console does not know is called by its id.
func (p *pages) checkName(id string) string {
	if info, ok := policy.CheckOf(id); ok {
		return info.Name.In(p.cal.lang)
	}
	return id
}

// todo is what is done about a failure.
func (p *pages) todo(id string) string {
	info, _ := policy.CheckOf(id)
	return info.Todo.In(p.cal.lang)
}

// why is the reason of a result in words.
func (p *pages) why(code string) string {
	if code == "" {
		return ""
	}
	return p.words.word("health.code", code)
}

// reading writes a value as people read it, and says whether that is other than what the terminal wrote.
func (p *pages) reading(raw string) string {
	if at, err := time.Parse(time.RFC3339, raw); err == nil {
		return p.cal.moment(at)
	}
	if text, ok := p.words["health.value."+raw]; ok {
		return text
	}
	if d, err := time.ParseDuration(raw); err == nil && d%time.Minute == 0 {
		return p.wanted(fmt.Sprintf("%d minutes", int64(d/time.Minute)))
	}
	return raw
}

// wanted writes what a value was held against: 3 working_days, true.
func (p *pages) wanted(raw string) string {
	count, unit, ok := strings.Cut(raw, " ")
	if _, err := strconv.Atoi(count); ok && err == nil {
		if _, known := p.words["health.span."+unit]; known {
			return p.words.say("health.span."+unit, count)
		}
	}
	return p.reading(raw)
}

func (p *pages) spanOf(s policy.Span) string { return p.wanted(s.String()) }

// checkTitle says what became of a check.
func (p *pages) checkTitle(c *policy.CheckResult) string {
	name := p.checkName(c.Check)
	if c.Result == policy.ResultFail && c.Stage != "" {
		return p.words.say("health.title.fail."+stageWord(c.Stage), name)
	}
	return p.words.say("health.title."+resultWord(c.Result), name)
}

func resultWord(r policy.Result) string {
	if _, ok := resultLooks[r]; ok {
		return string(r)
	}
	return string(policy.ResultUnknown)
}

func stageWord(stage string) string {
	switch stage {
	case policy.StageWarning, policy.StageViolation:
		return stage
	}
	return policy.StageNotice
}

// checkDetail is the small line below it.
func (p *pages) checkDetail(c *policy.CheckResult) string {
	var parts []string
	for _, one := range []string{c.Product, p.why(c.Code), p.reading(c.Value)} {
		if one != "" {
			parts = append(parts, one)
		}
	}
	if c.Waiver != "" {
		parts = append(parts, p.words.say("health.waiver.is", c.Waiver))
	}
	return strings.Join(parts, p.words.say("list.comma"))
}

// closedReason says why a violation was closed, also when nobody did it.
func (p *pages) closedReason(reason string) string {
	switch reason {
	case store.ClosedByResult:
		return p.words.say("health.closed.result")
	case store.ClosedByWaiver:
		return p.words.say("health.closed.waiver")
	}
	return reason
}

// describeCheck fills what a record of a check has in place of a device.
func (p *pages) describeCheck(v *eventView, rec wire.Record) {
	c := rec.Check
	v.Kind, v.Serial = wire.RecordCheck, c.Check
	if rec.Outcome == "" {
		v.Outcome = policy.Outcome(store.OutcomeCheck + resultWord(c.Result))
	}
	if info, ok := policy.CheckOf(c.Check); ok {
		v.Rule, v.Clause = info.Name.In(p.cal.lang), p.clause(info.Clause).Title.In(p.cal.lang)
	}
}

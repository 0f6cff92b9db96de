package policy

import (
	"slices"
	"time"
)

// judging is one check at one moment.
type judging struct {
	policy *Policy
	health *Health
	check  *Check
	info   *CheckInfo
	survey *Survey
	now    time.Time
}

// Judge judges every check that the policy wants of this terminal by what was read, and gives the results in the policy's order.
// Before is what it said last; since when a result stands is taken from there. Like Decide it is total and has no clock.
func Judge(p *Policy, s *Survey, before []CheckResult, now time.Time) []CheckResult {
	if p == nil || p.Health == nil || s == nil {
		return nil
	}
	whole := *s
	whole.Readings = withHeld(s.Readings, s.Acts)
	s = &whole
	var out []CheckResult
	for i := range p.Health.Checks {
		c := &p.Health.Checks[i]
		if c.Off || !among(c.Group, p.Group) || !among(c.OS, s.OS) {
			continue
		}
		out = append(out, judgeOne(p, c, s, find(before, c.ID), now))
	}
	return out
}

func judgeOne(p *Policy, c *Check, s *Survey, before *CheckResult, now time.Time) CheckResult {
	info, ok := CheckOf(c.ID)
	if !ok {
		return settle(p, c, CheckInfo{}, verdict{code: CodeUnread, fault: "cannot judge: this agent does not know the check"}, before, now)
	}
	j := &judging{policy: p, health: p.Health, check: c, info: &info, survey: s, now: now}
	r := settle(p, c, info, j.tempered(info.judge(j), before), before, now)
	if r.Result == ResultFail {
		r.Act = actOn(s.Acts, c.ID)
	}
	return r
}

// tempered holds back a failure by age on a terminal that has only just come back.
func (j *judging) tempered(v verdict, before *CheckResult) verdict {
	if len(j.info.OS) > 0 && !slices.Contains(j.info.OS, j.survey.OS) {
		return verdict{result: ResultNotApplicable, code: CodeSystem}
	}
	back := j.survey.Up < j.health.Settle.Length()
	if v.result == ResultFail && j.info.Dated && back && (before == nil || before.Result != ResultFail) {
		v.result, v.code = ResultUnknown, CodeSettling
	}
	return v
}

// settle writes the verdict down with what only time and people know of it: since when, how far, whose waiver.
func settle(p *Policy, c *Check, info CheckInfo, v verdict, before *CheckResult, now time.Time) CheckResult {
	if v.result == "" {
		v.result = ResultUnknown
	}
	if v.result == ResultUnknown && v.code == "" {
		v.code = CodeUnread
	}
	r := CheckResult{Check: c.ID, Result: v.result, Code: v.code, Value: v.value, Want: v.want, Source: v.source, Product: v.product,
		Against: v.against, AsOf: v.asOf, Fault: v.fault, Since: now.UTC().Truncate(time.Second)}
	if before != nil && before.Result == r.Result && !before.Since.IsZero() && !before.Since.After(now) {
		r.Since = before.Since
	}
	if r.Result == ResultPass {
		return r
	}
	for i := range p.Health.Waivers {
		if w := &p.Health.Waivers[i]; w.covers(p, c.ID, now) {
			r.Waiver = w.ID
			break
		}
	}
	if r.Result == ResultFail {
		r.Stage = c.grace(info).Stage(r.Since, now, p.Health.Calendar)
	}
	return r
}

func (c *Check) grace(info CheckInfo) Grace {
	if c.Grace != nil {
		return *c.Grace
	}
	return info.Grace
}

func find(list []CheckResult, id string) *CheckResult {
	for i := range list {
		if list[i].Check == id {
			return &list[i]
		}
	}
	return nil
}

// ModeOf says how far a check goes.
func (h *Health) ModeOf(c *Check) Mode {
	if c.Mode != "" {
		return c.Mode
	}
	return h.Mode
}

// TellCheck says whether the user is told of a result: a failure that nobody waived and that is more than a notice, where
// the check does more than record.
func (h *Health) TellCheck(r CheckResult) bool {
	if r.Result != ResultFail || r.Waiver != "" || r.Stage == StageNotice {
		return false
	}
	for i := range h.Checks {
		if c := &h.Checks[i]; c.ID == r.Check && !c.Off {
			m := h.ModeOf(c)
			return m == ModeWarn || m == ModeEnforce
		}
	}
	return false
}

// all gives the readings of a fact.
func (j *judging) all(fact string) []Reading {
	var out []Reading
	for _, r := range j.survey.Readings {
		if r.origin.Fact == fact {
			out = append(out, r)
		}
	}
	return out
}

// of gives the reading of one product's fact; the zero Reading, which is unread, when there is none.
func (j *judging) of(fact, product string) Reading {
	for _, r := range j.survey.Readings {
		if r.origin.Fact == fact && r.origin.Product == product {
			return r
		}
	}
	return Reading{origin: Origin{Fact: fact, Product: product}}
}

func (j *judging) limit(name string) Span {
	if s, ok := j.check.Limits[name]; ok {
		return s
	}
	return j.info.Limits[name]
}

// each judges every reading of a fact that may be believed, and lists the others as what they are.
func (j *judging) each(fact string, judge func(sound) verdict) []verdict {
	var out []verdict
	for _, r := range j.all(fact) {
		if s, v, ok := j.vouch(r); ok {
			out = append(out, judge(s))
		} else {
			out = append(out, v)
		}
	}
	return out
}

// forbidden gives the lines of a list that no pattern of the check allows.
func (j *judging) forbidden(list []Entry) []Entry {
	var out []Entry
	for _, e := range list {
		if len(j.check.Allowed) == 0 || !fits(j.check.Allowed, e.Word) {
			out = append(out, e)
		}
	}
	return out
}

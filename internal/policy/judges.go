package policy

import (
	"fmt"
	"time"
)

func (s Span) String() string { return fmt.Sprintf("%d %s", s.Count, s.Unit) }

// allOn wants every part to be on.
func allOn(fact string) func(*judging) verdict {
	return func(j *judging) verdict {
		return worst(j.each(fact, func(s sound) verdict {
			if s.yes {
				return s.pass("true")
			}
			return s.fail(CodeOff, "true")
		}))
	}
}

// off wants something not to be on.
func off(fact string) func(*judging) verdict {
	return func(j *judging) verdict {
		return worst(j.each(fact, func(s sound) verdict {
			if s.yes {
				return s.fail(CodeFound, "false")
			}
			return s.pass("false")
		}))
	}
}

// nothing wants a list to hold nothing but what is allowed.
func nothing(fact, code string) func(*judging) verdict {
	return func(j *judging) verdict {
		return worst(j.each(fact, func(s sound) verdict { return j.noMore(s, 0, code) }))
	}
}

// noMore wants no more than n lines that are not allowed, and shows those.
func (j *judging) noMore(s sound, n int, code string) verdict {
	left := j.forbidden(s.list)
	if len(left) <= n {
		return s.pass(fmt.Sprint(n))
	}
	v := s.fail(code, fmt.Sprint(n))
	v.value = spellList(left)
	return v
}

// oneAtMost wants no more than one line beside what is allowed: the terminal's own card, its own route.
func oneAtMost(fact string) func(*judging) verdict {
	return func(j *judging) verdict {
		return worst(j.each(fact, func(s sound) verdict { return j.noMore(s, 1, CodeFound) }))
	}
}

// onlyListed wants every line to be on the list of what is allowed, which must not be empty.
func onlyListed(fact string) func(*judging) verdict {
	return func(j *judging) verdict {
		if len(j.check.Allowed) == 0 {
			v := worst(j.all0(fact))
			v.result, v.code = ResultUnknown, CodeNoList
			return v
		}
		return nothing(fact, CodeFound)(j)
	}
}

func (j *judging) all0(fact string) []verdict {
	return j.each(fact, func(s sound) verdict { return s.verdict(ResultUnknown, "") })
}

// notLonger wants a moment not to lie further back than the limit.
func (j *judging) notLonger(s sound, limit Span, code string) verdict {
	if s.never {
		return s.fail(CodeNever, limit.String())
	}
	if limit.Exceeded(s.at, j.now, j.health.Calendar) {
		return s.fail(code, limit.String())
	}
	return s.pass(limit.String())
}

func judgeUpdates(j *judging) verdict {
	age := worst(j.each(FactUpdatesAsOf, func(s sound) verdict { return j.notLonger(s, j.limit(j.listsLimit()), CodeSourceOld) }))
	v := worst(j.each(FactUpdates, j.updates))
	v.against, v.asOf = age.source, j.newest(FactUpdatesAsOf)
	if v.result == ResultPass && age.result != ResultPass {
		v.result, v.code, v.fault = ResultUnknown, age.code, age.fault // nothing is missing in lists that nobody renews
	}
	return v
}

func (j *judging) updates(s sound) verdict {
	limit := j.limit("overdue")
	var due []Entry
	for _, e := range j.forbidden(s.list) {
		if e.At.IsZero() || limit.Exceeded(e.At, j.now, j.health.Calendar) {
			due = append(due, e)
		}
	}
	if j.survey.Doubt && len(s.list) > 0 {
		return s.verdict(ResultUnknown, CodeClock)
	}
	if len(due) == 0 {
		return s.pass(limit.String())
	}
	v := s.fail(CodeBehind, limit.String())
	v.value = spellList(due)
	return v
}

func (j *judging) listsLimit() string {
	if j.survey.OS == "windows" {
		return "baseline"
	}
	return "lists"
}

func judgeBaselineAge(j *judging) verdict {
	return worst(j.each(FactUpdatesAsOf, func(s sound) verdict { return j.notLonger(s, j.limit(j.listsLimit()), CodeSourceOld) }))
}

func (j *judging) newest(fact string) time.Time {
	var out time.Time
	for _, r := range j.all(fact) {
		if s, _, ok := j.vouch(r); ok && s.at.After(out) {
			out = s.at
		}
	}
	return out
}

func judgeSupport(j *judging) verdict {
	return worst(j.each(FactSupportEnd, func(s sound) verdict {
		if s.never || s.at.After(j.now) {
			return s.pass("")
		}
		return s.fail(CodeEnded, "")
	}))
}

func judgeLock(j *judging) verdict {
	limit := j.limit("idle")
	return worst(j.each(FactLockIdle, func(s sound) verdict {
		switch {
		case s.number <= 0:
			return s.fail(CodeOff, limit.String())
		case time.Duration(s.number)*time.Minute > limit.Length():
			return s.fail(CodeTooHigh, limit.String())
		}
		return s.pass(limit.String())
	}))
}

func judgeAccounts(j *judging) verdict {
	limit := j.limit("unused")
	return worst(j.each(FactAccounts, func(s sound) verdict {
		if j.survey.Doubt {
			return s.verdict(ResultUnknown, CodeClock)
		}
		var idle []Entry
		for _, e := range j.forbidden(s.list) {
			if e.At.IsZero() || limit.Exceeded(e.At, j.now, j.health.Calendar) {
				idle = append(idle, e)
			}
		}
		if len(idle) == 0 {
			return s.pass(limit.String())
		}
		v := s.fail(CodeFound, limit.String())
		v.value = spellList(idle)
		return v
	}))
}

func judgePasswords(j *judging) verdict {
	limit := j.limit("length")
	long := j.each(FactMinLength, func(s sound) verdict {
		if s.number < limit.Count {
			return s.fail(CodeTooLow, limit.String())
		}
		return s.pass(limit.String())
	})
	return worst([]verdict{worst(long), nothing(FactWeak, CodeFound)(j)})
}

func judgeClock(j *judging) verdict {
	limit := j.limit("offset")
	if j.survey.Doubt {
		return verdict{result: ResultUnknown, code: CodeClock}
	}
	return worst(j.each(FactOffset, func(s sound) verdict {
		off := time.Duration(max(-maxSeconds, min(s.number, maxSeconds))) * time.Second
		minutes := off.Round(time.Minute)
		s.origin.Raw = minutes.String() // what changes with every look is no news
		if off.Abs() > limit.Length() {
			return s.fail(CodeTooHigh, limit.String())
		}
		return s.pass(limit.String())
	}))
}

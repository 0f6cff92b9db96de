package policy

import (
	"slices"
	"time"
)

// Units of a span.
const (
	UnitMinutes     = "minutes"
	UnitHours       = "hours"
	UnitDays        = "days"
	UnitWorkingDays = "working_days"
	UnitCharacters  = "characters"
	UnitCount       = "count"
)

// Span is a number with its unit: three working days.
type Span struct {
	Count int64  `json:"count"`
	Unit  string `json:"unit"`
}

var unitLengths = map[string]time.Duration{UnitMinutes: time.Minute, UnitHours: time.Hour, UnitDays: 24 * time.Hour}

// Calendar knows the working days (開庁日): all but Saturday, Sunday and the closed days.
type Calendar struct {
	Name   string   `json:"name,omitempty"`
	Closed []string `json:"closed,omitempty"` // days on which the office is closed, 2027-01-01
	Zone   string   `json:"zone,omitempty"`   // offset in which a day begins; "" is +09:00
}

const maxCounted = 10000 // days; nothing is judged over more than 27 years

// WorkingDays counts the working days after the day of from up to and including the day of to.
func (c Calendar) WorkingDays(from, to time.Time) int64 {
	zone := c.zone()
	day, last := midnight(from.In(zone)), midnight(to.In(zone))
	var n int64
	for range maxCounted {
		if day = day.AddDate(0, 0, 1); day.After(last) {
			return n
		}
		if c.open(day) {
			n++
		}
	}
	return n
}

func (c Calendar) open(day time.Time) bool {
	return day.Weekday() != time.Saturday && day.Weekday() != time.Sunday && !slices.Contains(c.Closed, day.Format(time.DateOnly))
}

func (c Calendar) zone() *time.Location {
	if t, err := time.Parse("-07:00", c.Zone); err == nil {
		_, offset := t.Zone()
		return time.FixedZone(c.Zone, offset)
	}
	return time.FixedZone("+09:00", 9*60*60)
}

func midnight(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
}

// Reached says whether the span has run from one moment to another. One that is no time never has.
func (s Span) Reached(from, to time.Time, c Calendar) bool {
	if s.Count == 0 {
		return !to.Before(from)
	}
	if s.Unit == UnitWorkingDays {
		return c.WorkingDays(from, to) >= s.Count
	}
	length, ok := unitLengths[s.Unit]
	return ok && to.Sub(from) >= time.Duration(s.Count)*length
}

// Exceeded says whether more than the span lies between two moments. One that is no time always is, so that a broken limit
// lets nothing pass.
func (s Span) Exceeded(from, to time.Time, c Calendar) bool {
	if s.Unit == UnitWorkingDays {
		return c.WorkingDays(from, to) > s.Count
	}
	length, ok := unitLengths[s.Unit]
	return !ok || to.Sub(from) > time.Duration(s.Count)*length
}

// Length is how long the span is; working days have no length of their own, and count as days.
func (s Span) Length() time.Duration {
	if s.Unit == UnitWorkingDays {
		return time.Duration(s.Count) * 24 * time.Hour
	}
	return time.Duration(s.Count) * unitLengths[s.Unit]
}

// Stage says how far a failure that began at since has come.
func (g Grace) Stage(since, now time.Time, c Calendar) string {
	switch {
	case g.Violation.Reached(since, now, c):
		return StageViolation
	case g.Warning.Reached(since, now, c):
		return StageWarning
	}
	return StageNotice
}

package web

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// era is one of the Japanese calendar's; newest first.
type era struct {
	name, letter string
	from         time.Time // its first day, as a date
}

// The first days of the eras (元号法, 昭和54年法律第43号, and the orders before and after it).
var eras = []era{
	{"令和", "R", date(2019, 5, 1)},
	{"平成", "H", date(1989, 1, 8)},
	{"昭和", "S", date(1926, 12, 25)},
	{"大正", "T", date(1912, 7, 30)},
	{"明治", "M", date(1873, 1, 1)}, // before it Japan did not use this calendar
}

func date(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }

// eraOf finds the era and its year of a calendar day; ok is false before the table begins.
func eraOf(t time.Time) (e era, year int, ok bool) {
	y, m, d := t.Date()
	for _, e := range eras {
		if !date(y, int(m), d).Before(e.from) {
			return e, y - e.from.Year() + first(e), true
		}
	}
	return era{}, 0, false
}

// first is the number of the table's first year: 明治 begins here with its sixth.
func first(e era) int {
	if e.letter == "M" {
		return 6
	}
	return 1
}

// calendar writes dates in one language and one time zone.
type calendar struct {
	lang string
	zone *time.Location
}

// long is 令和8年11月24日(2026-11-24), in English 24 November 2026 (R8.11.24).
func (c calendar) long(t time.Time) string {
	t = t.In(c.zone)
	e, year, ok := eraOf(t)
	if c.lang == "en" {
		return t.Format("2 January 2006") + " (" + c.era(t) + ")"
	}
	if !ok {
		return t.Format("2006-01-02")
	}
	n := strconv.Itoa(year)
	if year == 1 {
		n = "元"
	}
	return fmt.Sprintf("%s%s年%d月%d日(%s)", e.name, n, t.Month(), t.Day(), t.Format("2006-01-02"))
}

// era is R8.11.24.
func (c calendar) era(t time.Time) string {
	t = t.In(c.zone)
	e, year, ok := eraOf(t)
	if !ok {
		return t.Format("2006-01-02")
	}
	return fmt.Sprintf("%s%d.%d.%d", e.letter, year, t.Month(), t.Day())
}

// short is R8.11.24, in English 2026-11-24.
func (c calendar) short(t time.Time) string {
	if c.lang == "en" {
		return t.In(c.zone).Format("2006-01-02")
	}
	return c.era(t)
}

func (c calendar) clock(t time.Time) string   { return t.In(c.zone).Format("15:04") }
func (c calendar) precise(t time.Time) string { return t.In(c.zone).Format("15:04:05.000") }

// moment is a day with its minute; nothing for a time that was never.
func (c calendar) moment(t time.Time) string {
	if t.IsZero() {
		return "—"
	}
	return c.short(t) + " " + c.clock(t)
}

func (c calendar) startOfDay(t time.Time) time.Time {
	y, m, d := t.In(c.zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, c.zone)
}

// endOfYear is the first moment of the next fiscal year, which begins in April.
func (c calendar) endOfYear(t time.Time) time.Time {
	y, m, _ := t.In(c.zone).Date()
	if m >= time.April {
		y++
	}
	return time.Date(y, time.April, 1, 0, 0, 0, 0, c.zone)
}

var errDate = errors.New("cannot read the date")

var (
	eraForm     = regexp.MustCompile(`^([MTSHR明大昭平令][治正和成]?)(\d{1,2}|元)[年.\-/](\d{1,2})[月.\-/](\d{1,2})日?$`)
	westernForm = regexp.MustCompile(`^(\d{4})[年.\-/](\d{1,2})[月.\-/](\d{1,2})日?$`)
	clockForm   = regexp.MustCompile(`^(\d{1,2})[:時](\d{2})(?:[:分](\d{2}))?[分秒]?$`)
)

// parse reads what people write: R8.11.24 17:15, 令和8年11月24日 17時15分, 2026-11-24 17:15, 2026-11-24T17:15.
func (c calendar) parse(s string) (time.Time, error) {
	s = narrow(strings.TrimSpace(s))
	dayPart, clockPart, ok := strings.Cut(strings.Replace(s, "T", " ", 1), " ")
	if strings.HasPrefix(s, "T") { // 大正, not the separator
		dayPart, clockPart, ok = strings.Cut(s, " ")
	}
	if !ok {
		return time.Time{}, errDate
	}
	y, m, d, err := parseDay(dayPart)
	if err != nil {
		return time.Time{}, err
	}
	part := clockForm.FindStringSubmatch(strings.TrimSpace(clockPart))
	if part == nil {
		return time.Time{}, errDate
	}
	hour, minute, second := number(part[1]), number(part[2]), number(part[3])
	t := time.Date(y, time.Month(m), d, hour, minute, second, 0, c.zone)
	same := t.Year() == y && int(t.Month()) == m && t.Day() == d && hour < 24 && minute < 60 && second < 60
	if !same { // 31 April, 25:00
		return time.Time{}, errDate
	}
	return t, nil
}

// parseDay reads a day alone. A year that has three digits in its era (R100 would be 2118) is a slip of the hand: no page could
// write it so that it is read again.
func parseDay(s string) (y, m, d int, err error) {
	if p := westernForm.FindStringSubmatch(s); p != nil {
		y, m, d = number(p[1]), number(p[2]), number(p[3])
		if _, year, _ := eraOf(date(y, m, d)); year > 99 {
			return 0, 0, 0, errDate
		}
		return y, m, d, nil
	}
	p := eraForm.FindStringSubmatch(strings.ToUpper(s))
	if p == nil {
		return 0, 0, 0, errDate
	}
	for _, e := range eras {
		if e.letter == p[1] || e.name == p[1] {
			year := number(p[2])
			if p[2] == "元" {
				year = 1
			}
			y, m, d = e.from.Year()+year-first(e), number(p[3]), number(p[4])
			back, _, _ := eraOf(date(y, m, d))
			if year < 1 || back.letter != e.letter {
				return 0, 0, 0, errDate
			}
			return y, m, d, nil
		}
	}
	return 0, 0, 0, errDate
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// narrow turns full-width digits, letters and signs into half-width ones, as an input method leaves them.
func narrow(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '\uff01' && r <= '\uff5e':
			return r - '\uff01' + '!'
		case r == '\u3000':
			return ' '
		}
		return r
	}, s)
}

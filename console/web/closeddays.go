package web

import (
	"regexp"
	"slices"
	"strings"
)

var (
	dayInText = regexp.MustCompile(`\d{4}[-/.年]\s?\d{1,2}[-/.月]\s?\d{1,2}日?|(?:令和|R)\s?(?:\d{1,2}|元)[年./-]\d{1,2}[月./-]\d{1,2}日?`)
	packedDay = regexp.MustCompile(`^(\d{4})(\d{2})(\d{2})$`)
)

// readDays takes days out of what people paste: one a line, a table with commas whose first date counts, or a calendar file
// (RFC 5545: DTSTART). A line without a date is named, unless it is empty, a table's head, or a calendar's other line.
func readDays(text string) (days, bad []string) {
	ics := strings.Contains(text, "BEGIN:VCALENDAR")
	seen := map[string]bool{}
	for i, line := range strings.Split(narrow(text), "\n") {
		line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		if ics {
			_, value, ok := strings.Cut(line, ":")
			if !strings.HasPrefix(line, "DTSTART") || !ok {
				continue
			}
			line = value[:min(len(value), 8)]
		}
		day, ok := readDay(line)
		switch {
		case ok && !seen[day]:
			seen[day] = true
			days = append(days, day)
		case !ok && line != "" && i > 0:
			bad = append(bad, cut(line, 60))
		}
	}
	slices.Sort(days)
	return days, bad
}

func readDay(line string) (string, bool) {
	if p := packedDay.FindStringSubmatch(line); p != nil {
		line = p[1] + "-" + p[2] + "-" + p[3]
	}
	y, m, d, err := parseDay(strings.ReplaceAll(dayInText.FindString(line), " ", ""))
	if err != nil {
		return "", false
	}
	t := date(y, m, d)
	if t.Day() != d || int(t.Month()) != m {
		return "", false
	}
	return t.Format("2006-01-02"), true
}

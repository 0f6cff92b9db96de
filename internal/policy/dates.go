package policy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// DateForm is a way to write a moment. A probe names the one that its product uses: 02/03 is never guessed.
type DateForm string

// The ways to write a moment.
const (
	DateUnix     DateForm = "unix"      // seconds since 1970
	DateUnixMS   DateForm = "unix_ms"   // milliseconds since 1970
	DateFiletime DateForm = "filetime"  // 8 bytes little endian, or a number: 100 ns since 1601 (Microsoft, "FILETIME structure")
	DateYMD      DateForm = "ymd"       // 20261126, 2026-11-26, 2026/11/26 9:25
	DateDMY      DateForm = "dmy"       // 26.11.2026
	DateMDY      DateForm = "mdy"       // 11/26/2026
	DateReiwa    DateForm = "reiwa"     // 令和8年11月26日, R8.11.26
	DateClamAV   DateForm = "clamav"    // 26 Nov 2026 09-25 +0900
	DateCTime    DateForm = "ctime"     // Thu Nov 26 09:25:01 2026
	DateRFC3339  DateForm = "rfc3339"   // 2026-11-26T09:25:01Z
	DateCIM      DateForm = "cim"       // 20261126092501.000000+540 (DMTF DSP0004, 5.2.4)
	DateSEPBytes DateForm = "sep_bytes" // year−1970, month−1, day (Broadcom KB 152404)
	DateSEPWord  DateForm = "sep_word"  // year, month, day and revision packed into a number (Broadcom KB 152404)
)

var errNoTime = errors.New("no time")

// DateForms gives every way to write a moment, for forms and tests.
func DateForms() []DateForm {
	return []DateForm{DateUnix, DateUnixMS, DateFiletime, DateYMD, DateDMY, DateMDY, DateReiwa, DateClamAV, DateCTime, DateRFC3339,
		DateCIM, DateSEPBytes, DateSEPWord}
}

// Parse reads a moment that is written so; zone is where it was, when it does not say itself.
func (d DateForm) Parse(raw Raw, word string, zone *time.Location) (time.Time, error) {
	switch d {
	case DateUnix, DateUnixMS:
		return sinceEpoch(word, d)
	case DateFiletime:
		return filetime(raw, word)
	case DateYMD, DateDMY, DateMDY:
		return ordered(word, d, zone)
	case DateReiwa:
		return reiwa(word, zone)
	case DateSEPBytes:
		return sepBytes(raw, zone)
	case DateSEPWord:
		return sepWord(word, zone)
	case DateCIM:
		return cim(word)
	}
	return byLayout(word, d, zone)
}

var layouts = map[DateForm][]string{
	DateClamAV:  {"2 Jan 2006 15-04 -0700", "2 Jan 2006 15:04 -0700"},
	DateCTime:   {time.ANSIC, "Mon Jan 2 15:04:05 2006"},
	DateRFC3339: {time.RFC3339Nano},
}

func byLayout(word string, d DateForm, zone *time.Location) (time.Time, error) {
	for _, layout := range layouts[d] {
		if t, err := time.ParseInLocation(layout, word, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, unreadable(word, d)
}

func unreadable(word string, d DateForm) error {
	return fmt.Errorf("cannot read the date %q as %s", shorten(word), d)
}

func sinceEpoch(word string, d DateForm) (time.Time, error) {
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		return time.Time{}, unreadable(word, d)
	}
	if n == 0 {
		return time.Time{}, errNoTime
	}
	if d == DateUnixMS {
		if n < 0 || n > maxSeconds*1000 {
			return time.Time{}, unreadable(word, d)
		}
		return time.UnixMilli(n), nil
	}
	if n < 0 || n > maxSeconds {
		return time.Time{}, unreadable(word, d)
	}
	return time.Unix(n, 0), nil
}

const epochDifference = 116444736000000000 // 100 ns from 1601 to 1970

func filetime(raw Raw, word string) (time.Time, error) {
	var n uint64
	switch {
	case raw.Bytes != nil && len(raw.Bytes) == 8:
		n = binary.LittleEndian.Uint64(raw.Bytes)
	case raw.Bytes != nil:
		return time.Time{}, fmt.Errorf("cannot read a FILETIME of %d bytes", len(raw.Bytes))
	default:
		var err error
		if n, err = strconv.ParseUint(word, 10, 64); err != nil {
			return time.Time{}, unreadable(word, DateFiletime)
		}
	}
	if n == 0 {
		return time.Time{}, errNoTime
	}
	if n < epochDifference || n-epochDifference > maxSeconds*10_000_000 {
		return time.Time{}, unreadable(word, DateFiletime)
	}
	n -= epochDifference
	return time.Unix(int64(n/10_000_000), int64(n%10_000_000)*100), nil
}

var (
	packedForm = regexp.MustCompile(`^(\d{4})(\d{2})(\d{2})$`)
	yearFirst  = regexp.MustCompile(`^(\d{4})\s?[-/.年]\s?(\d{1,2})\s?[-/.月]\s?(\d{1,2})日?(?:[T ]\s?(\d{1,2}):(\d{2})(?::(\d{2}))?)?$`)
	yearLast   = regexp.MustCompile(`^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?: (\d{1,2}):(\d{2})(?::(\d{2}))?)?$`)
	reiwaForm  = regexp.MustCompile(`^(?:令和|R)\s?(\d{1,2}|元)\s?[年./-]\s?(\d{1,2})\s?[月./-]\s?(\d{1,2})日?(?: (\d{1,2}):(\d{2})(?::(\d{2}))?)?$`)
	cimForm    = regexp.MustCompile(`^(\d{14})\.\d{6}([+-]\d{3})$`)
)

// narrow turns full-width digits, letters and signs into plain ones.
func narrow(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\u3000':
			return ' '
		case c >= '\uff01' && c <= '\uff5e':
			return c - 0xfee0
		}
		return c
	}, s)
}

func ordered(word string, d DateForm, zone *time.Location) (time.Time, error) {
	w := narrow(word)
	if d == DateYMD {
		m := packedForm.FindStringSubmatch(w)
		if m == nil {
			m = yearFirst.FindStringSubmatch(w)
		}
		return moment(m, 1, 2, 3, 0, word, d, zone)
	}
	m := yearLast.FindStringSubmatch(w)
	if d == DateDMY {
		return moment(m, 3, 2, 1, 0, word, d, zone)
	}
	return moment(m, 3, 1, 2, 0, word, d, zone)
}

func reiwa(word string, zone *time.Location) (time.Time, error) {
	m := reiwaForm.FindStringSubmatch(narrow(word))
	if m != nil && m[1] == "元" {
		m[1] = "1"
	}
	return moment(m, 1, 2, 3, 2018, word, DateReiwa, zone) // the first year of Reiwa is 2019
}

// moment puts the parts of a match together; a 31st of February is no date.
func moment(m []string, y, mo, d, base int, word string, form DateForm, zone *time.Location) (time.Time, error) {
	if m == nil {
		return time.Time{}, unreadable(word, form)
	}
	part := func(i int) int {
		if i >= len(m) {
			return 0
		}
		n, _ := strconv.Atoi(m[i])
		return n
	}
	year, month, day, hour, minute, second := base+part(y), part(mo), part(d), part(4), part(5), part(6)
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, zone)
	if t.Year() != year || int(t.Month()) != month || t.Day() != day || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, unreadable(word, form)
	}
	return t, nil
}

func cim(word string) (time.Time, error) {
	m := cimForm.FindStringSubmatch(word)
	if m == nil {
		return time.Time{}, unreadable(word, DateCIM)
	}
	minutes, _ := strconv.Atoi(m[2])
	t, err := time.ParseInLocation("20060102150405", m[1], time.FixedZone("", minutes*60))
	if err != nil {
		return time.Time{}, unreadable(word, DateCIM)
	}
	return t, nil
}

func sepBytes(raw Raw, zone *time.Location) (time.Time, error) {
	if len(raw.Bytes) < 3 {
		return time.Time{}, fmt.Errorf("cannot read a date of %d bytes", len(raw.Bytes))
	}
	parts := []string{"", strconv.Itoa(int(raw.Bytes[0])), strconv.Itoa(int(raw.Bytes[1]) + 1), strconv.Itoa(int(raw.Bytes[2]))}
	return moment(parts, 1, 2, 3, 1970, fmt.Sprintf("%x", raw.Bytes), DateSEPBytes, zone)
}

func sepWord(word string, zone *time.Location) (time.Time, error) {
	v, err := strconv.ParseUint(word, 10, 32)
	if err != nil {
		return time.Time{}, unreadable(word, DateSEPWord)
	}
	if v == 0 {
		return time.Time{}, errNoTime
	}
	n := func(i uint64) string { return strconv.FormatUint(i, 10) }
	return moment([]string{"", n(v >> 18), n(v >> 14 & 15), n(v >> 9 & 31)}, 1, 2, 3, 1998, word, DateSEPWord, zone)
}

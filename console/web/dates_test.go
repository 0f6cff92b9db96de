package web

import (
	"testing"
	"time"
)

func TestDaysAreWrittenInTheirEra(t *testing.T) {
	ja, en := calendar{"ja", tokyo}, calendar{"en", tokyo}
	for _, one := range []struct {
		day               time.Time
		long, short, west string
	}{
		{time.Date(2026, 11, 23, 9, 0, 0, 0, tokyo), "令和8年11月23日(2026-11-23)", "R8.11.23", "2026-11-23"},
		{time.Date(2019, 5, 1, 0, 0, 0, 0, tokyo), "令和元年5月1日(2019-05-01)", "R1.5.1", "2019-05-01"},
		{time.Date(2019, 4, 30, 23, 59, 0, 0, tokyo), "平成31年4月30日(2019-04-30)", "H31.4.30", "2019-04-30"},
		{time.Date(1989, 1, 8, 0, 0, 0, 0, tokyo), "平成元年1月8日(1989-01-08)", "H1.1.8", "1989-01-08"},
		{time.Date(1989, 1, 7, 0, 0, 0, 0, tokyo), "昭和64年1月7日(1989-01-07)", "S64.1.7", "1989-01-07"},
		{time.Date(1926, 12, 25, 0, 0, 0, 0, tokyo), "昭和元年12月25日(1926-12-25)", "S1.12.25", "1926-12-25"},
		{time.Date(1926, 12, 24, 0, 0, 0, 0, tokyo), "大正15年12月24日(1926-12-24)", "T15.12.24", "1926-12-24"},
		{time.Date(1912, 7, 29, 0, 0, 0, 0, tokyo), "明治45年7月29日(1912-07-29)", "M45.7.29", "1912-07-29"},
		{time.Date(1872, 1, 1, 0, 0, 0, 0, tokyo), "1872-01-01", "1872-01-01", "1872-01-01"},
		{time.Date(2019, 4, 30, 15, 0, 0, 0, time.UTC), "令和元年5月1日(2019-05-01)", "R1.5.1", "2019-05-01"}, // already May in Japan
	} {
		if got := ja.long(one.day); got != one.long {
			t.Errorf("%v is written %s, want %s", one.day, got, one.long)
		}
		if got := ja.short(one.day); got != one.short {
			t.Errorf("%v is shortened to %s, want %s", one.day, got, one.short)
		}
		if got := en.short(one.day); got != one.west {
			t.Errorf("%v in English is %s, want %s", one.day, got, one.west)
		}
	}
}

func TestWhatPeopleTypeIsReadAsADate(t *testing.T) {
	cal := calendar{"ja", tokyo}
	want := time.Date(2026, 11, 24, 17, 15, 0, 0, tokyo)
	for _, text := range []string{
		"R8.11.24 17:15", "r8.11.24 17:15", "令和8年11月24日 17時15分", "令和8/11/24 17:15", "2026-11-24 17:15", "2026/11/24 17:15",
		"2026-11-24T17:15", "2026年11月24日 17:15", "R8.11.24 17:15", " R8.11.24  17:15 ", "R8-11-24 17:15:00",
	} {
		if got, err := cal.parse(text); err != nil || !got.Equal(want) {
			t.Errorf("%q is read as %v, %v", text, got, err)
		}
	}
	if got, err := cal.parse("令和元年5月1日 0:00"); err != nil || !got.Equal(time.Date(2019, 5, 1, 0, 0, 0, 0, tokyo)) {
		t.Errorf("元年: %v %v", got, err)
	}
	if got, err := cal.parse("T15.12.24 9:00"); err != nil || got.Year() != 1926 {
		t.Errorf("大正: %v %v", got, err)
	}
	for _, text := range []string{"", "あした", "R8.11.24", "17:15", "R8.11.31 10:00", "R8.2.30 10:00", "2026-11-24 24:00", "2026-11-24 10:60", "H31.5.1 10:00", "S65.1.1 10:00", "X8.1.1 10:00", "R0.1.1 10:00", "2026-13-01 10:00", "7026-11-24 17:15", "2118-01-01 00:00"} {
		if got, err := cal.parse(text); err == nil {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}

func FuzzParseDate(f *testing.F) {
	for _, seed := range []string{"R8.11.24 17:15", "令和元年5月1日 0時0分", "2026-11-24T17:15", "7026-11-24T17:15", "2117-12-31 23:59", "T1.1.1 1:1", "R8.11.24 17:15"} {
		f.Add(seed)
	}
	cal := calendar{"ja", tokyo}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := cal.parse(text)
		if err != nil {
			return
		}
		again, err := cal.parse(cal.moment(got))
		if err != nil || !again.Equal(got.Truncate(time.Minute)) {
			t.Errorf("%q is %v, which is written %q and read as %v, %v", text, got, cal.moment(got), again, err)
		}
	})
}

func TestTheFiscalYearEndsWithMarch(t *testing.T) {
	cal := calendar{"ja", tokyo}
	for day, want := range map[time.Time]int{
		time.Date(2026, 11, 24, 0, 0, 0, 0, tokyo): 2027, time.Date(2027, 3, 31, 23, 59, 0, 0, tokyo): 2027, time.Date(2027, 4, 1, 0, 0, 0, 0, tokyo): 2028,
	} {
		if got := cal.endOfYear(day); !got.Equal(time.Date(want, 4, 1, 0, 0, 0, 0, tokyo)) {
			t.Errorf("the fiscal year of %v ends %v", day, got)
		}
	}
}

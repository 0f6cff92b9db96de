package policy

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func number(n uint64) Raw { return Raw{Number: &n} }

func TestDatesAreReadAsTheirProductWritesThem(t *testing.T) {
	ft := func(t time.Time) []byte {
		return binary.LittleEndian.AppendUint64(nil, uint64(t.Unix())*10_000_000+epochDifference)
	}
	day := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		form DateForm
		zone string
		raw  Raw
		want time.Time
	}{
		{DateUnix, "", Raw{Text: "1795651200\n"}, day},
		{DateUnixMS, "", Raw{Text: "1795651200000"}, day},
		{DateFiletime, "", Raw{Bytes: ft(day)}, day},
		{DateYMD, "", Raw{Text: "20261126"}, day},
		{DateYMD, "", Raw{Text: "2026/11/26"}, day},
		{DateYMD, "+09:00", Raw{Text: "2026年11月26日"}, day.Add(-9 * time.Hour)},
		{DateYMD, "", Raw{Text: "2026-11-26 09:25:01"}, day.Add(9*time.Hour + 25*time.Minute + time.Second)},
		{DateDMY, "", Raw{Text: "26.11.2026"}, day},
		{DateMDY, "", Raw{Text: "11/26/2026"}, day},
		{DateReiwa, "", Raw{Text: "令和8年11月26日"}, day},
		{DateReiwa, "", Raw{Text: "令和８年１１月２６日"}, day},
		{DateReiwa, "", Raw{Text: "R8.11.26"}, day},
		{DateReiwa, "", Raw{Text: "令和元年5月1日"}, time.Date(2019, 5, 1, 0, 0, 0, 0, time.UTC)},
		{DateClamAV, "", Raw{Text: "26 Nov 2026 09-25 +0900"}, day.Add(25 * time.Minute)},
		{DateCTime, "", Raw{Text: "Thu Nov 26 09:25:01 2026"}, day.Add(9*time.Hour + 25*time.Minute + time.Second)},
		{DateRFC3339, "", Raw{Text: "2026-11-26T00:00:00Z"}, day},
		{DateCIM, "", Raw{Text: "20261126090000.000000+540"}, day},
		{DateSEPBytes, "", Raw{Bytes: []byte{56, 10, 26, 0}}, day},
		{DateSEPWord, "", number(28<<18 | 11<<14 | 26<<9 | 3), day},
	} {
		r := Form{Type: TypeTime, Date: c.form, Zone: c.zone}.Read(Origin{}, c.raw)
		if at, ok := r.Moment(); !ok || !at.Equal(c.want) {
			t.Errorf("%s %v: %v %+v", c.form, c.raw, at, r)
		}
	}
}

func TestWhatIsNoDateIsNoDate(t *testing.T) {
	for _, form := range DateForms() {
		for _, raw := range []Raw{
			{Text: ""}, {Text: "\x00\x00"}, {Text: "今日"}, {Text: "26/11/26"}, {Text: "2026-02-31"}, {Text: "31.02.2026"}, {Text: "99999999999999999999"},
			{Text: "-1"}, {Text: "0"}, number(0), {Bytes: make([]byte, 8)}, {Bytes: []byte{1}}, {Bytes: []byte{}}, {Text: "令和8年13月1日"}, {Text: "平成31年4月1日"},
			{Text: strings.Repeat("9", 5000)}, {Code: CodeDenied, Fault: "cannot read"}, {Text: "1601-01-01"}, {Bytes: []byte{255, 255, 255, 255, 255, 255, 255, 255}},
		} {
			r := Form{Type: TypeTime, Date: form}.Read(Origin{}, raw)
			code, _ := r.Why()
			if at, ok := r.Moment(); ok || r.Read() || code == "" {
				t.Errorf("%s took %+v for %s", form, raw, at)
			}
		}
	}
}

func TestALocalOrderIsNeverGuessed(t *testing.T) {
	if r := (Form{Type: TypeTime, Date: DateYMD}).Read(Origin{}, Raw{Text: "02/03/2026"}); r.Read() {
		t.Errorf("%+v", r)
	}
	a, _ := Form{Type: TypeTime, Date: DateDMY}.Read(Origin{}, Raw{Text: "02/03/2026"}).Moment()
	b, _ := Form{Type: TypeTime, Date: DateMDY}.Read(Origin{}, Raw{Text: "02/03/2026"}).Moment()
	if a.Month() != time.March || b.Month() != time.February {
		t.Errorf("%s %s", a, b)
	}
}

func TestYesAndNoAreOnlyWhatTheFormSays(t *testing.T) {
	f := Form{Type: TypeBool, True: []string{"Normal", "Passive*"}, False: []string{"Not running"}}
	for word, want := range map[string]string{"normal": "true", "Passive Mode": "true", "Not running": "false", "EDR Block Mode": "", "正常": ""} {
		if r := f.Read(Origin{}, Raw{Text: word}); r.Read() != (want != "") || r.Read() && r.yes != (want == "true") {
			t.Errorf("%s: %+v", word, r)
		}
	}
	if r := (Form{Type: TypeBool, True: []string{"1"}, False: []string{"1"}}).Read(Origin{}, number(1)); r.Read() {
		t.Error("yes and no at once")
	}
}

func TestNumbersAreBoundedAndNeverIsNotUnread(t *testing.T) {
	low, high := int64(0), int64(100)
	f := Form{Type: TypeNumber, Min: &low, Max: &high}
	for word, want := range map[string]bool{"5": true, "101": false, "-1": false, "5.5": false, "": false} {
		if r := f.Read(Origin{}, Raw{Text: word}); r.Read() != want {
			t.Errorf("%q: %+v", word, r)
		}
	}
	r := Form{Type: TypeTime, Date: DateUnix, Never: []string{"4294967295"}}.Read(Origin{}, number(4294967295))
	if !r.Read() || r.Value() != CodeNever {
		t.Errorf("%+v", r)
	}
}

func TestWhatIsShownIsOneShortLine(t *testing.T) {
	r := Form{Type: TypeText}.Read(Origin{}, Raw{Text: "a\nb\x1b[31m\xff" + strings.Repeat("髙", 400)})
	if strings.ContainsAny(r.Value(), "\n\x1b") || !utf8.ValidString(r.Value()) || len(r.Value()) > maxShown+3 {
		t.Errorf("%q", r.Value())
	}
}

func FuzzForms(f *testing.F) {
	f.Add("2026-11-26", []byte{1, 2, 3, 4, 5, 6, 7, 8}, "2026")
	f.Add("令和8年11月26日", []byte{}, "x*")
	f.Fuzz(func(t *testing.T, text string, bytes []byte, pattern string) {
		for _, form := range DateForms() {
			for _, raw := range []Raw{{Text: text}, {Bytes: bytes}} {
				r := Form{Type: TypeTime, Date: form, Never: []string{pattern}}.Read(Origin{Fact: FactPatternDate}, raw)
				if at, ok := r.Moment(); ok && (at.Year() < 2000 || at.Year() > 2242) {
					t.Errorf("%s %q: %s", form, text, at)
				}
			}
		}
		_ = Form{Type: TypeBool, True: []string{pattern}, False: []string{"0"}}.Read(Origin{}, Raw{Text: text})
	})
}

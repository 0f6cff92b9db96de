package policy

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Raw is what a source gave, before anybody knows what it means: words, bytes or a number, or why there is nothing.
type Raw struct {
	Text   string
	Bytes  []byte  // of a binary value
	Number *uint64 // of a numeric value
	Code   string  // Code… constants: nothing was read
	Fault  string
}

// Words gives what was read as words.
func (r Raw) words() string {
	switch {
	case r.Number != nil:
		return strconv.FormatUint(*r.Number, 10)
	case r.Bytes != nil:
		return fmt.Sprintf("%x", r.Bytes)
	}
	return strings.TrimFunc(r.Text, func(c rune) bool { return c == 0 || unicode.IsSpace(c) })
}

// Read says what a raw value means. It is pure: a console tries it on pasted samples, and a terminal on what it found.
// What does not fit the form is unread, whatever it looks like.
func (f Form) Read(o Origin, raw Raw) Reading {
	if raw.Code != "" {
		return o.Unread(raw.Code, raw.Fault)
	}
	word := raw.words()
	if len(word) > MaxValue || len(raw.Bytes) > MaxValue {
		return o.Unread(CodeTooLong, fmt.Sprintf("cannot use value: more than %d bytes", MaxValue))
	}
	if word == "" {
		return o.Unread(CodeMissing, "cannot use value: it is empty")
	}
	o.Raw = shorten(word)
	switch f.Type {
	case TypeBool:
		return f.readBool(o, word)
	case TypeNumber:
		return f.readNumber(o, word)
	case TypeTime:
		return f.readTime(o, raw, word)
	case TypeText:
		return o.Text(shorten(word))
	}
	return o.Unread(CodeWrongType, fmt.Sprintf("cannot use value: no form %q", f.Type))
}

func (f Form) readBool(o Origin, word string) Reading {
	yes, no := f.True, f.False
	if len(yes) == 0 && len(no) == 0 {
		yes, no = []string{"1", "true", "on", "yes", "enabled", "running"}, []string{"0", "false", "off", "no", "disabled", "stopped", "absent"}
	}
	isYes, isNo := meant(yes, word), meant(no, word)
	if isYes == isNo {
		return o.Unread(CodeWrongType, fmt.Sprintf("cannot tell yes from no: %q", shorten(word)))
	}
	return o.Bool(isYes)
}

func meant(list []string, word string) bool {
	return slices.ContainsFunc(list, func(p string) bool { return like(strings.ToLower(p), strings.ToLower(word)) })
}

func (f Form) readNumber(o Origin, word string) Reading {
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		return o.Unread(CodeWrongType, fmt.Sprintf("cannot read a number: %q", shorten(word)))
	}
	if f.Min != nil && n < *f.Min || f.Max != nil && n > *f.Max {
		return o.Unread(CodeImplausible, fmt.Sprintf("cannot believe %d: the form bounds it", n))
	}
	return o.Number(n)
}

// readTime never guesses an order of day and month, and holds no date for true that lies before products have patterns.
func (f Form) readTime(o Origin, raw Raw, word string) Reading {
	if meant(f.Never, word) {
		return o.Never()
	}
	t, err := f.Date.Parse(raw, word, f.zone())
	switch {
	case errors.Is(err, errNoTime):
		return o.Unread(CodeMissing, "cannot use date: it says that there is none")
	case err != nil:
		return o.Unread(CodeWrongType, err.Error())
	case t.Before(f.earliest()):
		return o.Unread(CodeImplausible, fmt.Sprintf("cannot believe the date %s: too early", t.UTC().Format(time.DateOnly)))
	case t.Year() > 2200:
		return o.Unread(CodeImplausible, fmt.Sprintf("cannot believe the date %s: too late", t.UTC().Format(time.DateOnly)))
	}
	return o.Time(t.UTC())
}

func (f Form) zone() *time.Location {
	if f.Zone == "" {
		return time.UTC
	}
	return Calendar{Zone: f.Zone}.zone()
}

func (f Form) earliest() time.Time {
	if t, err := time.Parse(time.DateOnly, f.After); err == nil {
		return t
	}
	return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
}

// shorten keeps what can be shown on a line.
func shorten(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	s = strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return ' '
	}, s)
	if len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown], "") + "…"
}

// spell writes a value that no source wrote.
func (r Reading) spell() string {
	switch r.is {
	case TypeBool:
		return strconv.FormatBool(r.yes)
	case TypeNumber:
		return strconv.FormatInt(r.number, 10)
	case TypeList:
		return spellList(r.list)
	}
	return shorten(r.text)
}

func spellList(list []Entry) string {
	words := make([]string, 0, min(len(list), 20))
	for _, e := range list[:min(len(list), 20)] {
		words = append(words, e.Word)
	}
	s := strings.Join(words, ", ")
	if len(list) > 20 {
		s += fmt.Sprintf(", … (%d)", len(list))
	}
	return shorten(s)
}

const maxSeconds = math.MaxInt32 * 4 // the year 2242

package policy

import (
	"slices"
	"strings"
	"time"
)

// Codes of what could not be judged, and of other reasons that stand in a CheckResult. The console translates them.
const (
	CodeUnread      = "unread"      // nobody read it
	CodeMissing     = "missing"     // the place is there, the value is not
	CodeDenied      = "denied"      // the system does not let it be read
	CodeTimeout     = "timeout"     // no answer in time
	CodeTooLong     = "too_long"    // more than may be read
	CodeFailed      = "failed"      // it could not be read for another reason: Fault says it
	CodeWrongType   = "wrong_type"  // something else stands there than the form says
	CodeImplausible = "implausible" // it cannot be true
	CodeFuture      = "future"      // a date that has not come yet
	CodeStale       = "stale"       // it was read too long ago
	CodeClock       = "clock"       // the terminal's time cannot be trusted
	CodeSettling    = "settling"    // the terminal was off and has not been on long enough
	CodeNoProduct   = "no_product"
	CodeNoReference = "no_reference" // nothing to hold it against
	CodeNoList      = "no_list"      // the list of what is allowed is empty
	CodeNoSource    = "no_source"    // this system has no such source
	CodeNever       = "never"
	CodeStopped     = "stopped"
	CodeOff         = "off"
	CodeReduced     = "reduced"
	CodeLicence     = "licence" // it ended
	CodeOld         = "old"
	CodeSourceOld   = "source_old"
	CodeBehind      = "behind" // behind its source
	CodePatternless = "patternless"
	CodeFound       = "found"    // something is there that must not be
	CodeTooLow      = "too_low"  // a number below what is wanted
	CodeTooHigh     = "too_high" // above
	CodeEnded       = "ended"    // support has
	CodeWaiting     = "waiting"  // for a restart
	CodeSystem      = "system"   // not applicable to this operating system
	CodeAbsent      = "absent"   // not applicable: the terminal has no such part
	CodeTwoProducts = "two_products"
	CodeChoice      = "choice" // users may set it as they like
)

// Bounds of what is read.
const (
	MaxValue   = 4 << 10 // bytes of one value
	MaxEntries = 2000    // of one list
	maxShown   = 300     // bytes of a value as it is shown
	readingAge = 36 * time.Hour
	clockSlack = 26 * time.Hour // a day's date has no zone: it may begin a day early
)

// Origin says where a reading comes from. Who reads fills it, and makes the Reading with one of its functions.
type Origin struct {
	Fact    string
	Product string // id of the probe, name of the profile or volume
	Label   string // the product for people
	Source  string // where it was read
	Raw     string // what stood there
	At      time.Time
}

// Entry is one line of a list that was read.
type Entry struct {
	Word string
	At   time.Time
}

// Lines makes entries of words that were read.
func Lines(words []string) []Entry {
	out := make([]Entry, 0, len(words))
	for _, w := range words {
		out = append(out, Entry{Word: OneLine(w)})
	}
	return out
}

// OneLine keeps a word to one short line: it may come from who wants to be overlooked.
func OneLine(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == 0xfffd {
			return -1
		}
		return c
	}, strings.ToValidUTF8(s, ""))
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "")
	}
	return strings.TrimSpace(s)
}

// Changed says what is gone (- word) and what came (+ word).
func Changed(before, now []string) []string {
	var out []string
	for _, b := range before {
		if !slices.Contains(now, b) {
			out = append(out, "- "+b)
		}
	}
	for _, n := range now {
		if !slices.Contains(before, n) {
			out = append(out, "+ "+n)
		}
	}
	return out
}

// Reading is one fact that was read, or why it was not. Only the functions of an Origin make one that says something: the
// zero Reading is unread, and nothing passes because of it.
type Reading struct {
	origin Origin
	is     ValueType // "" unless a value was read
	yes    bool
	number int64
	at     time.Time
	never  bool
	text   string
	list   []Entry
	code   string
	fault  string
	none   bool // the terminal has no such part, and that is known
}

// Bool is a reading of yes or no.
func (o Origin) Bool(yes bool) Reading { return Reading{origin: o, is: TypeBool, yes: yes} }

// Number is a reading of a number, in the unit of its fact.
func (o Origin) Number(n int64) Reading { return Reading{origin: o, is: TypeNumber, number: n} }

// Time is a reading of a moment.
func (o Origin) Time(t time.Time) Reading { return Reading{origin: o, is: TypeTime, at: t} }

// Never is a reading of a moment that never came: there was no scan yet.
func (o Origin) Never() Reading { return Reading{origin: o, is: TypeTime, never: true} }

// Text is a reading of words.
func (o Origin) Text(s string) Reading { return Reading{origin: o, is: TypeText, text: s} }

// List is a reading of all there is of something; one without lines says that there is nothing.
func (o Origin) List(entries []Entry) Reading {
	if len(entries) > MaxEntries {
		return o.Unread(CodeTooLong, "cannot hold the list: it is too long")
	}
	return Reading{origin: o, is: TypeList, list: entries}
}

// Unread is a reading that did not come about.
func (o Origin) Unread(code, fault string) Reading {
	return Reading{origin: o, code: code, fault: shorten(fault)}
}

// None says that the terminal has no such part, which the reader knows for sure: no wireless card, no such edition.
func (o Origin) None(code string) Reading { return Reading{origin: o, code: code, none: true} }

// Fact is what the reading is of.
func (r Reading) Fact() string { return r.origin.Fact }

// Product is which product or part it is of.
func (r Reading) Product() string { return r.origin.Product }

// Read says whether a value was read.
func (r Reading) Read() bool { return r.is != "" }

// Value is what was read, for people; "" when nothing was.
func (r Reading) Value() string {
	switch {
	case r.is == "":
		return ""
	case r.never:
		return CodeNever
	case r.is == TypeTime:
		return r.at.UTC().Format(time.RFC3339)
	case r.origin.Raw != "":
		return shorten(r.origin.Raw)
	}
	return r.spell()
}

// Why is the code and the fault of what was not read.
func (r Reading) Why() (code, fault string) {
	if r.is == "" && r.code == "" {
		return CodeUnread, r.fault
	}
	return r.code, r.fault
}

// Moment is when a time was, and whether one was read that is one.
func (r Reading) Moment() (time.Time, bool) { return r.at, r.is == TypeTime && !r.never }

// IsYes says whether a yes was read.
func (r Reading) IsYes() bool { return r.is == TypeBool && r.yes }

// Entries gives the lines of a list that was read.
func (r Reading) Entries() []Entry { return r.list }

// Amount gives a number that was read.
func (r Reading) Amount() (int64, bool) { return r.number, r.is == TypeNumber }

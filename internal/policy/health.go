package policy

import (
	"slices"
	"time"
)

// Health is the control of a terminal's state: antivirus, patches, settings, and that its network is apart from others.
type Health struct {
	Mode       Mode        `json:"mode"`
	Checks     []Check     `json:"checks"`
	Probes     []Probe     `json:"probes,omitempty"`
	Waivers    []Waiver    `json:"waivers,omitempty"`
	Calendar   Calendar    `json:"calendar,omitzero"`
	References []Reference `json:"references,omitempty"`
	Settle     Span        `json:"settle,omitzero"` // a terminal that was off is told that it is behind only after it was on this long
}

// Check is one check as a group has it; what the check is about stands in the catalogue of this package (see CheckOf).
type Check struct {
	ID      string          `json:"id"`
	Off     bool            `json:"off,omitempty"`     // not judged, and not shown
	Mode    Mode            `json:"mode,omitempty"`    // "" is Health.Mode
	Limits  map[string]Span `json:"limits,omitempty"`  // by name; one that is missing is the catalogue's
	Allowed []string        `json:"allowed,omitempty"` // patterns of what may be there: network names, MAC addresses, accounts
	Grace   *Grace          `json:"grace,omitempty"`   // nil is the catalogue's
	Clause  string          `json:"clause,omitempty"`  // key of Policy.Clauses
	Group   []string        `json:"group,omitempty"`   // terminal groups; none is all
	OS      []string        `json:"os,omitempty"`      // linux, windows; none is all that the check knows
	// Separate says what happens to the adapter of another network while the check fails: Separate… constants.
	Separate string `json:"separate,omitempty"`
}

// Grace is how long a failure stays a notice, and when it becomes a violation; both count from its beginning.
type Grace struct {
	Warning   Span `json:"warning,omitzero"`
	Violation Span `json:"violation,omitzero"`
}

// Waiver says that somebody answers for a failure until a day. The result stays what it is, the waiver is shown with it.
type Waiver struct {
	ID        string    `json:"id"`
	Check     string    `json:"check"`
	Terminals []string  `json:"terminals,omitempty"` // ids; with none, Group must name some
	Group     []string  `json:"group,omitempty"`
	Reason    string    `json:"reason"`
	Measure   string    `json:"measure"` // what is done instead
	Approver  string    `json:"approver"`
	From      time.Time `json:"from"`  // inclusive
	Until     time.Time `json:"until"` // exclusive; never without one
}

// covers says whether the waiver is for this check on this terminal now.
func (w *Waiver) covers(p *Policy, check string, now time.Time) bool {
	if w.Check != check || now.Before(w.From) || !now.Before(w.Until) {
		return false
	}
	named := p.Terminal != "" && slices.Contains(w.Terminals, p.Terminal)
	return named || len(w.Group) > 0 && among(w.Group, p.Group)
}

// Kinds of references.
const (
	ReferencePatterns = "patterns" // the newest pattern of Product that is known on this LAN: MadeAt is its date
	ReferenceBaseline = "baseline" // monthly table of Windows builds
	ReferenceAdvisory = "advisory" // list of advisories
	ReferenceSupport  = "support"  // when support of which system ends
)

// Reference is something that results are held against. The console imports it, or saw it on its LAN.
type Reference struct {
	Name     string    `json:"name"`
	Kind     string    `json:"kind"`              // Reference… constants
	Product  string    `json:"product,omitempty"` // id of the probe whose patterns these are
	SHA256   string    `json:"sha256,omitempty"`  // of its text, which the terminal gets as a blob; patterns have none
	Size     int64     `json:"size,omitempty"`
	MadeAt   time.Time `json:"made_at"` // by who published it
	SignedBy string    `json:"signed_by,omitempty"`
}

// Package policy is the head: the types of a policy and the one function that judges an event by it.
// It never reads a clock, a file or the network; the same three values always give the same answer.
package policy

import "time"

// Schema is the version of the policy document; it grows by one with every change
// that an older agent could misread.
//
//	1  removable media, grants, contact, clauses
//	2  update; a document without one is still written as 1, byte for byte
//	3  software; a document without it is still written as 2 or 1
//	4  health; a document without it is still written as 3, 2 or 1
//	5  separate in a check of health; a document without it is still written as 4, 3, 2 or 1
const Schema = 5

// The schemas from which on a document may hold what it says.
const (
	SchemaFirst    = 1
	SchemaUpdate   = 2
	SchemaSoftware = 3
	SchemaHealth   = 4
	SchemaSeparate = 5
)

// Mode says how far a control goes on a terminal.
type Mode string

// The modes of every control. A new fleet starts in ModeAudit.
const (
	ModeAudit   Mode = "audit"   // record what would have been done, touch nothing
	ModeWarn    Mode = "warn"    // as audit, and tell the user
	ModeEnforce Mode = "enforce" // do it; the kernel's gate is shut
)

// Action is what a rule says shall be done with what it matches.
type Action string

// The actions. ReadOnly is reserved on the wire and not yet accepted by Validate.
const (
	ActionAllow    Action = "allow"
	ActionBlock    Action = "block"
	ActionReport   Action = "report" // let it work, and record it as a violation
	ActionReadOnly Action = "read_only"
)

// Policy is the whole signed document for one terminal.
type Policy struct {
	Schema         int               `json:"schema"`
	Terminal       string            `json:"terminal"`   // id from enrolment; an agent refuses another's
	Group          string            `json:"group"`      // terminal group id
	GroupName      string            `json:"group_name"` // for people
	Revision       int64             `json:"revision"`   // grows; an agent refuses an older one
	IssuedAt       time.Time         `json:"issued_at"`  // console time
	RemovableMedia Control           `json:"removable_media"`
	Grants         []Grant           `json:"grants,omitempty"`
	Contact        Contact           `json:"contact"`
	Clauses        map[string]Clause `json:"clauses,omitempty"`  // clause id -> words
	Language       string            `json:"language,omitempty"` // what the user is told in: "ja" (default) or "en"
	Update         *Update           `json:"update,omitempty"`   // from schema 2 on
	Software       *Software         `json:"software,omitempty"` // from schema 3 on
	Health         *Health           `json:"health,omitempty"`   // from schema 4 on
}

// Update offers another version of the agent. The console offers; what may run is said by the release's signature alone,
// which the agent checks with keys that it was built with.
type Update struct {
	Offer     int64  `json:"offer"`            // grows with every offer: what failed is tried again only when somebody offers again
	Version   string `json:"version"`          // for people; the manifest's counts
	Spread    int64  `json:"spread,omitempty"` // seconds: each terminal begins at its own moment within them
	Key       string `json:"key"`              // of the release
	Manifest  []byte `json:"manifest"`
	Signature []byte `json:"signature"`
}

// Control is one thing a policy governs: its mode and its rules, first match wins, the last rule is the default.
type Control struct {
	Mode  Mode   `json:"mode"`
	Rules []Rule `json:"rules"`
}

// Rule names an action for the devices that Match describes.
type Rule struct {
	ID     string `json:"id"`
	Name   Text   `json:"name"` // in people's words
	Match  Match  `json:"match"`
	Action Action `json:"action"`
	Clause string `json:"clause,omitempty"` // key of Policy.Clauses
	Alarm  bool   `json:"alarm,omitempty"`  // needs a person today
}

// Match describes devices; an empty field matches everything, a list matches any of its values.
// All fields given must match.
type Match struct {
	Bus         []string `json:"bus,omitempty"`          // Bus… constants
	Kind        []Kind   `json:"kind,omitempty"`         // any kind the device shows
	Composite   bool     `json:"composite,omitempty"`    // storage together with keyboard, network or another class
	Class       []string `json:"class,omitempty"`        // "08", "08/06" or "08/06/50": any interface with this prefix
	Vendor      string   `json:"vendor,omitempty"`       // 4 hex digits, lower case
	Product     string   `json:"product,omitempty"`      // 4 hex digits, lower case
	Serial      string   `json:"serial,omitempty"`       // exact
	Port        string   `json:"port,omitempty"`         // exact, as in Device.Port
	MinCapacity int64    `json:"min_capacity,omitempty"` // bytes
	MaxCapacity int64    `json:"max_capacity,omitempty"` // bytes; a device of unknown capacity does not match
	Group       []string `json:"group,omitempty"`        // terminal groups
}

// Grant is a media use permission: one medium, one terminal, one window. It covers devices that are
// storage only; a medium that also shows a keyboard or a network card is never let in by a grant.
type Grant struct {
	ID       string    `json:"id"`
	Bus      string    `json:"bus,omitempty"`
	Vendor   string    `json:"vendor"`
	Product  string    `json:"product"`
	Serial   string    `json:"serial,omitempty"`
	Digest   string    `json:"digest,omitempty"` // of the descriptors; compared when given, required when Serial is empty
	Port     string    `json:"port,omitempty"`   // compared when given, required when Serial is empty
	From     time.Time `json:"from"`             // inclusive
	Until    time.Time `json:"until"`            // exclusive
	Approver string    `json:"approver,omitempty"`
}

// Contact is whom the user is told to call.
type Contact struct {
	Name  string `json:"name"`
	Phone string `json:"phone"`
}

// Clause is a rule of the organisation that a control stands on.
type Clause struct {
	Title Text   `json:"title"` // where it is found, e.g. 情報セキュリティ基本方針 2(2)④
	Quote string `json:"quote"` // its own words
}

// Text is one sentence in the languages of the product.
type Text struct {
	JA string `json:"ja"`
	EN string `json:"en"`
}

// In gives the text in a language, Japanese where that one is missing.
func (t Text) In(lang string) string {
	if lang == "en" && t.EN != "" {
		return t.EN
	}
	return t.JA
}

// Decision is the answer of Decide: what, and why. No decision is without a rule.
type Decision struct {
	Action   Action    `json:"action"` // what the rule says
	Mode     Mode      `json:"mode"`   // how far it goes here
	Rule     string    `json:"rule"`   // rule id; "built-in …" for what no policy can change
	RuleName Text      `json:"rule_name"`
	Clause   string    `json:"clause,omitempty"`
	Revision int64     `json:"revision"`
	Grant    string    `json:"grant,omitempty"`
	Until    time.Time `json:"until,omitzero"` // when a grant ends
	Alarm    bool      `json:"alarm,omitempty"`
}

// Do is what the hands shall do: a block is done only in enforce mode.
func (d Decision) Do() Action {
	if d.Action == ActionBlock && d.Mode == ModeEnforce {
		return ActionBlock
	}
	return ActionAllow
}

// Violation says whether the decision is one an administrator must see. Who learns judges nothing.
func (d Decision) Violation() bool {
	return d.Mode != ModeLearn && (d.Action == ActionBlock || d.Action == ActionReport)
}

// Tell says whether the user at the terminal is told.
func (d Decision) Tell() bool {
	return d.Action == ActionBlock && (d.Mode == ModeWarn || d.Mode == ModeEnforce)
}

// Outcome is what an act came to.
type Outcome string

// The outcomes. OutcomeBlocked is said only after the hand looked and found no way in.
const (
	OutcomeAllowed     Outcome = "allowed"
	OutcomeBlocked     Outcome = "blocked"
	OutcomeBlockFailed Outcome = "block_failed" // an alarm
	OutcomeAllowFailed Outcome = "allow_failed"
	OutcomeDetected    Outcome = "detected"    // a violation that was let through, by rule or by warn mode
	OutcomeAudit       Outcome = "audit"       // would have been blocked
	OutcomePending     Outcome = "pending"     // the hand is still at it; a later record tells the end
	OutcomeRemoved     Outcome = "removed"     // the device is gone
	OutcomeLearnt      Outcome = "learnt"      // seen in use while the terminal learns
	OutcomeQuarantined Outcome = "quarantined" // a program was ended, and its file was put where it cannot be run
	OutcomeEnded       Outcome = "ended"       // a program was ended after it had begun to run
)

// Package store is the only package that knows SQL. It keeps rows and answers questions about them;
// it never judges a device, checks a password or renders a page.
package store

import (
	"context"
	"errors"
	"time"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// Errors that callers tell apart.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("conflict") // somebody else changed it, or it is used up
)

// Terminal is a managed computer.
type Terminal struct {
	ID          string
	Name        string
	Group       string
	GroupName   string
	EnrolledAt  time.Time
	OS, Arch    string
	Agent       string // version
	Revision    int64  // policy revision that shall be in force
	Applied     int64  // policy revision that the terminal reports
	LastContact time.Time
	Status      wire.Status
	Open        int // open violations
	Retired     bool
}

// Event is one stored record with the columns that lists show and filter by.
type Event struct {
	ID           int64
	Terminal     string // id
	TerminalName string
	Group        string
	GroupName    string
	Outbox       string
	Seq          uint64
	Hash         wire.Hash
	ChainOK      bool // seq and hash follow the record before
	Received     time.Time
	Violation    bool
	Severity     string // alarm, warning, notice, info
	Mark         string // "future": its time is ahead of the console's clock; "unreadable"; "" nothing to say
	Handling     Handling
	Record       wire.Record
}

// Handling is what people did about a violation. The zero value is "open".
type Handling struct {
	State    string // open, working, closed
	Assignee string // account name
	Reason   string // why it was closed
	At       time.Time
}

// States of handling.
const (
	StateOpen    = "open"
	StateWorking = "working"
	StateClosed  = "closed"
)

// EventFilter chooses records; empty fields choose all. Newest first.
type EventFilter struct {
	Violations bool   // only violations
	Terminal   string // id
	Group      string
	Kind       string // record kind, or device kind (policy.Kind)
	Outcome    string
	State      string // StateOpen, StateWorking, StateClosed, "unclosed"
	User       string
	Serial     string
	Request    string // number that the user was told, whole
	Text       string // part of terminal name, user, device name or serial
	From, To   time.Time
	Before     int64 // page: events with a smaller ID
	Limit      int   // at most 500; 0 is 50
}

// Counts is how many rows a filter has, by what a list offers to narrow it.
type Counts struct {
	Total     int
	ByState   map[string]int
	ByKind    map[string]int
	ByOutcome map[string]int
}

// Group is a set of terminals with one policy.
type Group struct {
	ID, Name  string
	Version   int64 // of its policy
	Terminals int
	Mode      policy.Mode
	Health    *policy.Health // of the newest policy; nil: nothing is checked
}

// GroupPolicy is one version of a group's policy as people edited it.
type GroupPolicy struct {
	Group    string
	Version  int64
	Control  policy.Control // removable media
	Contact  policy.Contact
	Software *policy.Software // nil: programs are not controlled
	Health   *policy.Health   // nil: nothing is checked
	Reason   string           // why it was changed
	By       string
	At       time.Time
}

// Grant is a media use permission with its history. With a Permit it is one for software instead: of policy.Grant it then
// has only the id, the window and the approver.
type Grant struct {
	policy.Grant
	Permit                 *policy.Permit
	Terminal, TerminalName string
	Event                  int64 // the blocked record it was given from; 0 none
	Reason                 string
	By                     string
	CreatedAt              time.Time
	RevokedAt              time.Time // zero: not revoked
	RevokedBy              string
	Revision               int64  // the terminal's policy revision that carries it
	DeviceName             string // for people
	LastUse                time.Time
}

// GrantFilter chooses grants; newest first.
type GrantFilter struct {
	State    string // "" all, running, coming, over (ended or revoked)
	Terminal string
	Limit    int
	Now      time.Time // the moment that State is about; zero is this one
}

// Token is an enrolment code, as a rule for one terminal; only its hash is kept.
type Token struct {
	ID        int64
	Hash      [32]byte
	Group     string
	Note      string
	By        string
	CreatedAt time.Time
	ExpiresAt time.Time
	Uses      int       // terminals that may come with it
	Used      int       // terminals that came
	UsedAt    time.Time // the last time
	UsedBy    string    // name of the terminal that came last
	RevokedAt time.Time
}

// Roles of accounts.
const (
	RoleAdmin    = "admin"
	RoleHelpdesk = "helpdesk"
	RoleAuditor  = "auditor"
)

// Account is a person at the console.
type Account struct {
	ID        int64
	Name      string // staff number
	Role      string
	Language  string // ja, en
	Theme     string // auto, light, dark
	Hash      string // argon2id, encoded
	CreatedAt time.Time
	Disabled  bool
}

// Session is a signed-in browser or an API token; only the hash of its secret is kept.
type Session struct {
	ID        int64
	Hash      [32]byte
	Account   Account
	API       bool
	Role      string // of an API token that may less than its account; "" is the account's
	Note      string // API token's name, or the browser's own words
	CreatedAt time.Time
	LastSeen  time.Time
	ExpiresAt time.Time
}

// Audit is one act of a person at the console; rows are hash-chained.
type Audit struct {
	ID     int64
	At     time.Time
	By     string
	Act    string // stable word: grant, revoke, policy, token, handle, sign_in, …
	Object string
	Detail string // JSON
	Hash   wire.Hash
}

// Overview is the numbers of the first page, from one moment.
type Overview struct {
	Terminals, Reporting, Silent int
	OldestContact                *Terminal
	OpenByKind                   map[string]int // open violations by device kind or record kind
	Alarms                       []Event        // open alarms, newest first, at most 10
	Running                      []Grant        // grants running now, soonest end first, at most 20
	Days                         []Day          // the last 14 days, oldest first
	Behind                       int            // terminals whose applied revision is older than the wanted one
	ChainFaults                  int            // records whose chain did not follow
	Gaps                         int            // records of kind gap, last 30 days
}

// Day is the violations of one calendar day in the console's time zone.
type Day struct {
	Day                              time.Time
	Blocked, Failed, Detected, Audit int
}

// Page needs of the web; implemented by *DB. All methods are safe for concurrent use.
var _ interface {
	Overview(ctx context.Context, now time.Time, silentAfter time.Duration) (Overview, error)
	Events(ctx context.Context, f EventFilter) ([]Event, error)
	CountEvents(ctx context.Context, f EventFilter) (Counts, error)
	Event(ctx context.Context, id int64) (Event, error)
	Terminals(ctx context.Context, group, text string) ([]Terminal, error)
	Terminal(ctx context.Context, id string) (Terminal, error)
	Groups(ctx context.Context) ([]Group, error)
	GroupPolicy(ctx context.Context, group string, version int64) (GroupPolicy, error) // version 0: newest
	GroupHistory(ctx context.Context, group string) ([]GroupPolicy, error)
	Grants(ctx context.Context, f GrantFilter) ([]Grant, error)
	Grant(ctx context.Context, id string) (Grant, error)
	Tokens(ctx context.Context) ([]Token, error)
	Token(ctx context.Context, id int64) (Token, []Terminal, error) // with the terminals that came with it
	Audits(ctx context.Context, before int64, limit int) ([]Audit, error)

	// Changes. Each is one transaction with its audit row; by is the account's name.
	Handle(ctx context.Context, id int64, h Handling, by string, now time.Time) error
	PutGroupPolicy(ctx context.Context, p GroupPolicy, basedOn int64, now time.Time) (GroupPolicy, error) // ErrConflict when basedOn is not the newest
	PutGroup(ctx context.Context, id, name, by string, now time.Time) error
	MoveTerminal(ctx context.Context, id, group, by string, now time.Time) error
	PutGrant(ctx context.Context, g Grant, now time.Time) (Grant, error) // grant + audit + terminal's revision
	RevokeGrant(ctx context.Context, id, by string, now time.Time) error
	PutToken(ctx context.Context, t Token, now time.Time) error
	RevokeToken(ctx context.Context, id int64, by string, now time.Time) error

	Account(ctx context.Context, name string) (Account, error)
	Accounts(ctx context.Context) ([]Account, error)
	PutAccount(ctx context.Context, a Account, by string, now time.Time) error // by name: insert or update
	PutSession(ctx context.Context, s Session, now time.Time) error
	Session(ctx context.Context, hash [32]byte, now time.Time) (Session, error) // ErrNotFound when over; marks LastSeen at most once a minute
	Sessions(ctx context.Context, account int64) ([]Session, error)
	EndSession(ctx context.Context, id int64, by string, now time.Time) error
	FailedSignIns(ctx context.Context, name string, since time.Time) (int, error)
	NoteSignIn(ctx context.Context, name, address string, ok bool, now time.Time) error
	Setting(ctx context.Context, key string) (string, error) // ErrNotFound
	PutSetting(ctx context.Context, key, value, by string, now time.Time) error
} = (*DB)(nil)

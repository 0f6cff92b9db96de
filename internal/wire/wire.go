// Package wire is what crosses the network between a terminal and the console, with its version history.
// It holds types, bounds and the chain's hash; it never sends, stores or judges anything.
package wire

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"time"

	"sekisho/internal/policy"
)

// Version is the protocol's version. A console serves agents two versions back.
//
//	1  enrol, events, policy, renew
//	2  blob, update in the policy document and in the status; who asks as 1 gets documents of schema 1
//	3  sheets, records of programs, software in the policy document
//	4  health in the policy document, records of checks
//	5  separate in a check of health, what was done about a check
const Version = 5

// The first versions whose agents read a policy document with something in it.
const (
	VersionUpdate   = 2 // an update
	VersionSoftware = 3 // software
	VersionHealth   = 4 // health
	VersionSeparate = 5 // a check that has the other adapter disabled
)

// Bounds that both sides keep to. A message beyond them is refused whole.
const (
	MaxBody    = 8 << 20  // bytes of a request's body, after decompression
	MaxEntries = 500      // records in one batch
	MaxRecord  = 64 << 10 // bytes of one record
)

// Header names beside the bodies.
const (
	HeaderTime    = "Sekisho-Time"    // console's clock, Unix ms, on every answer
	HeaderVersion = "Sekisho-Version" // protocol version of the sender
)

// Paths of the terminals' listener.
const (
	PathEnroll = "/agent/v1/enroll"
	PathRenew  = "/agent/v1/renew"
	PathEvents = "/agent/v1/events"
	PathPolicy = "/agent/v1/policy"
	PathBlob   = "/agent/v1/blob/" // and the SHA-256 of what the terminal's policy names; ranges are answered
)

// EnrollRequest is the first contact. CSR is PKCS#10 DER; only its key is used.
type EnrollRequest struct {
	Version int    `json:"version"`
	Token   string `json:"token"`
	CSR     []byte `json:"csr"`
	Name    string `json:"name"` // host name, for people
	OS      string `json:"os"`   // runtime.GOOS
	Arch    string `json:"arch"`
	Agent   string `json:"agent"` // agent version
}

// EnrollAnswer is the identity given. Certificates are DER.
type EnrollAnswer struct {
	Terminal    string            `json:"terminal"`
	Certificate []byte            `json:"certificate"`
	CA          []byte            `json:"ca"`
	PolicyKeys  map[string][]byte `json:"policy_keys"` // key id -> Ed25519 public key
}

// RenewRequest asks for a new certificate over the old one's connection.
type RenewRequest struct {
	CSR []byte `json:"csr"`
}

// RenewAnswer carries it; DER.
type RenewAnswer struct {
	Certificate []byte `json:"certificate"`
}

// EventsRequest is a batch of records, oldest first, without holes, and the terminal's status.
// Without entries it reports the status alone.
type EventsRequest struct {
	Version int     `json:"version"`
	Outbox  string  `json:"outbox"`          // random, new when the journal had to be begun anew
	First   uint64  `json:"first,omitempty"` // seq of Entries[0]; seqs begin at 1
	Prev    Hash    `json:"prev,omitzero"`   // chain hash before Entries[0]
	Entries []Entry `json:"entries,omitempty"`
	Status  *Status `json:"status,omitempty"`
	Sheets  []Sheet `json:"sheets,omitempty"`
}

// Entry is one record as the outbox holds it. Body is the JSON of a Record, byte for byte: it must come from
// json.Marshal, because the encoder around it rewrites <, >, &, U+2028 and spaces that another writer leaves, and the hash would break.
type Entry struct {
	Hash Hash            `json:"hash"` // Chain(hash before, seq, Body)
	Body json.RawMessage `json:"body"`
}

// EventsAnswer says what is safely stored.
type EventsAnswer struct {
	Acked uint64   `json:"acked"`          // every seq up to here is on disk at the console
	Want  []string `json:"want,omitempty"` // what else the console asks for
	// Sheets says, for each sheet that came, the tag of what the console has now; one that the terminal did not expect asks it
	// to send that sheet from the beginning.
	Sheets map[string]Hash `json:"sheets,omitempty"`
}

// ErrorAnswer is the body of every answer that is not 2xx.
type ErrorAnswer struct {
	Error string `json:"error"`          // "cannot …"
	Hint  string `json:"hint,omitempty"` // what to do
}

// WantJournal in EventsAnswer.Want asks the terminal to begin a new journal with what is unsent: a number came again with
// other content, as from a machine that was restored from an image. The terminal then ignores Acked.
const WantJournal = "journal"

// CodeAgain in Record.Code of a device says that a violation of this visit is on record already: the device stayed
// plugged in and was judged anew, after another policy or a permission that ended.
const CodeAgain = "again"

// Codes of records of a check that say what was done with the adapter of another network; Outcome says whether it was seen to be so.
const (
	CodeAdapterOff = "adapter_off" // it was to be disabled
	CodeAdapterOn  = "adapter_on"  // it was given back; Note says why
)

// Kinds of records.
const (
	RecordDevice  = "device"  // Event, Decision, Outcome
	RecordAgent   = "agent"   // the agent started, stopped, was killed before, was removed (Note says which, and by whom)
	RecordPolicy  = "policy"  // a policy revision was applied or refused
	RecordClock   = "clock"   // the clock was found moved
	RecordGap     = "gap"     // records were lost on the terminal: Lost says how many
	RecordGate    = "gate"    // the kernel's gate was shut or opened, or could not be
	RecordProgram = "program" // Software, Decision, Outcome
	RecordCheck   = "check"   // Check: its result or stage changed
)

// Record is event, decision and verified outcome: one line of a terminal's history.
type Record struct {
	Kind     string               `json:"kind"`
	At       time.Time            `json:"at"` // guard's clock
	Event    *policy.Event        `json:"event,omitempty"`
	Software *policy.ProgramEvent `json:"software,omitempty"`
	Check    *policy.CheckResult  `json:"check,omitempty"`
	Decision *policy.Decision     `json:"decision,omitempty"`
	Outcome  policy.Outcome       `json:"outcome,omitempty"`
	Steps    []Step               `json:"steps,omitempty"`   // what was done and seen, in order
	Request  string               `json:"request,omitempty"` // number the user was told, 8 digits "4821-7730"
	Told     int                  `json:"told,omitempty"`    // sessions in which the user was told
	Revision int64                `json:"revision,omitempty"`
	Lost     uint64               `json:"lost,omitempty"`
	Code     string               `json:"code,omitempty"` // stable word for what a record says beyond its outcome, e.g. "started", CodeAgain
	Note     string               `json:"note,omitempty"` // English detail for the raw facts
	Boot     string               `json:"boot,omitempty"` // boot id
}

// Step is one act or look of the hands: Code is a stable word that the console translates.
type Step struct {
	At     time.Time `json:"at"`
	Code   string    `json:"code"`             // seen, decided, deauthorized, authorized, probed, synced, unmounted, unbound, verified, told, failed
	Detail string    `json:"detail,omitempty"` // raw facts: interface names, paths, counts
	OK     bool      `json:"ok"`
}

// Status is the terminal's state now; it replaces the one before.
type Status struct {
	At       time.Time  `json:"at"`
	Agent    string     `json:"agent"`
	OS       string     `json:"os,omitempty"` // e.g. "Debian GNU/Linux 12"
	Kernel   string     `json:"kernel,omitempty"`
	Boot     string     `json:"boot,omitempty"`
	Revision int64      `json:"revision"` // policy in force
	Mode     string     `json:"mode"`
	Gate     string     `json:"gate"` // shut, open, failed, none
	User     string     `json:"user,omitempty"`
	Unsent   uint64     `json:"unsent,omitempty"`
	Devices  []Attached `json:"devices,omitempty"`
	Faults   []string   `json:"faults,omitempty"`  // what the agent cannot do, "cannot …"
	Codes    []string   `json:"codes,omitempty"`   // a stable word for each of Faults, in their order: Fault… constants
	Unsaid   []string   `json:"unsaid,omitempty"`  // rules about programs that the system's own policy cannot say, with the reason
	Updates  bool       `json:"updates,omitempty"` // it takes offers: it was built with release keys
	Update   *Update    `json:"update,omitempty"`  // what became of the newest offer; nil: none was seen
}

// Update is how far an offered version has come.
type Update struct {
	Offer   int64     `json:"offer"`
	Version string    `json:"version"`
	State   string    `json:"state"`            // Update… constants
	Code    string    `json:"code,omitempty"`   // why: a stable word, Reason… constants
	Reason  string    `json:"reason,omitempty"` // why: "cannot …", for who has to search for it
	At      time.Time `json:"at"`
}

// States of an update.
const (
	UpdateWaiting     = "waiting"     // its turn has not come
	UpdateDownloading = "downloading" // what is there already is kept over interruptions
	UpdateInstalling  = "installing"  // the watcher has it: the new version must report within ten minutes
	UpdateInstalled   = "installed"
	UpdateRolledBack  = "rolled_back" // the version before is at work again
	UpdateRefused     = "refused"     // it is not tried again before the next offer
	UpdateFailed      = "failed"      // for now; it is tried again
)

// Reasons of an update that was not installed.
const (
	ReasonKey       = "key"       // not signed by a release key that this agent was built with
	ReasonManifest  = "manifest"  // signed, but not understood
	ReasonSystem    = "system"    // the release has no program for this system
	ReasonOlder     = "older"     // a newer version is at work
	ReasonAltered   = "altered"   // what came is not what was signed
	ReasonNetwork   = "network"   // the console could not be reached, or did not give it
	ReasonDisk      = "disk"      // it could not be written
	ReasonHandOver  = "hand_over" // the watcher cannot be started
	ReasonSilent    = "silent"    // the new version did not report in time
	ReasonCrashed   = "crashed"   // the new version died again and again
	ReasonReplaced  = "replaced"  // somebody else put another program into its place
	ReasonWithdrawn = "withdrawn" // the offer was withdrawn
)

// Codes of the records about updates, of kind RecordAgent. Note says version and why.
const (
	CodeUpdateStarted    = "update_started"
	CodeUpdateInstalled  = "update_installed"
	CodeUpdateRolledBack = "update_rolled_back"
	CodeUpdateRefused    = "update_refused"
)

// Words for what an agent cannot do; a console says an unknown one as its text.
const (
	FaultClock     = "clock"         // the time cannot be trusted, permissions wait
	FaultClockFile = "clock_file"    // the time cannot be noted
	FaultSensor    = "sensor"        // devices are not seen
	FaultPolicy    = "policy"        // a policy came that must not be applied
	FaultGate      = "gate"          // the gate does not stand as the policy wants
	FaultEarlyGate = "early_gate"    // the gate is not in the initramfs
	FaultJournal   = "journal"       // records are kept in memory only
	FaultEnrolment = "enrolment"     // the console gives no identity
	FaultCrowd     = "crowd"         // more devices than a status shows
	FaultSoftware  = "software"      // not all programs can be seen
	FaultPrograms  = "programs"      // programs are not judged as the policy wants
	FaultRules     = "program_rules" // the system's own rules about programs (AppLocker, Windows Installer) do not stand as the policy wants
	FaultStatus    = "status"        // said by the console: the status was too long to be kept whole
	FaultChecks    = "checks"        // what is known of checks cannot be noted
	FaultAdapters  = "adapters"      // an adapter that was disabled cannot be given back, or not be noted
)

// Attached is a device that is plugged in now and what was judged.
type Attached struct {
	Device   policy.Device   `json:"device"`
	Decision policy.Decision `json:"decision"`
	Outcome  policy.Outcome  `json:"outcome"`
	Since    time.Time       `json:"since"`
}

// Hash is a SHA-256 chain hash; in JSON it is lower-case hex.
type Hash [sha256.Size]byte

// Chain gives the hash of record seq with the given body after the record whose hash is prev.
func Chain(prev Hash, seq uint64, body []byte) Hash {
	h := sha256.New()
	h.Write(prev[:])
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], seq)
	h.Write(n[:])
	h.Write(body)
	var out Hash
	h.Sum(out[:0])
	return out
}

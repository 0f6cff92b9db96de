package policy

import "time"

// Result is the answer of a check. Unknown is never pass.
type Result string

// The four results.
const (
	ResultPass          Result = "pass"           // 適合
	ResultFail          Result = "fail"           // 不適合
	ResultUnknown       Result = "unknown"        // 確認不可
	ResultNotApplicable Result = "not_applicable" // 対象外
)

// CheckResult is what one check of a terminal came to. It holds nothing that changes while the answer stays the same.
type CheckResult struct {
	Check   string    `json:"check"` // id, e.g. "antivirus.patterns"
	Result  Result    `json:"result"`
	Code    string    `json:"code,omitempty"`    // why: a stable word that the console translates
	Value   string    `json:"value,omitempty"`   // what was read, as it was read
	Want    string    `json:"want,omitempty"`    // what it was held against
	Source  string    `json:"source,omitempty"`  // where it was read
	Product string    `json:"product,omitempty"` // of which product, e.g. "ClamAV 1.0.7"
	Against string    `json:"against,omitempty"` // the reference: its name
	AsOf    time.Time `json:"as_of,omitzero"`    // how old that reference is
	Since   time.Time `json:"since"`             // since when Result is what it is
	Stage   string    `json:"stage,omitempty"`   // of a failure: notice, warning, violation
	Waiver  string    `json:"waiver,omitempty"`  // id of the waiver that covers it
	Fault   string    `json:"fault,omitempty"`   // what could not be read, in English, for the raw facts
	Act     Act       `json:"act,omitzero"`      // what was done about the failure
}

// Stages of a check that fails, by how long it has.
const (
	StageNotice    = "notice"
	StageWarning   = "warning"
	StageViolation = "violation"
)

// Package execgate stands where the kernel asks whether a program may be run or a file be opened (fanotify) and answers
// by what the head decides. It never decides what is permitted, never keeps the kernel waiting for longer than a bound,
// and leaves nothing behind: when it ends, however it ends, the kernel lets go.
package execgate

import (
	"errors"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/policy"
)

// Options is what a Gate is given.
type Options struct {
	Root     string                               // above etc and var; "/" but in tests
	Packages func() ([]policy.Program, error)     // what the package databases say is installed
	Decide   func(policy.Program) policy.Decision // must not wait
	Report   func(Seen)                           // takes what was seen; called from one goroutine, may take its time
	Fault    func(text string)                    // why programs are not judged as they should be; "" when they are
	Own      []string                             // programs and units that are never stopped: the agent's own
	Mounts   func(mountPoint, fsType string) bool // which file systems to watch; nil: every local one that can hold programs
	Log      zerolog.Logger
	Limit    time.Duration // the longest that the kernel waits for an answer; 0 is answerWithin
}

// answerWithin bounds every answer. What takes longer gets the policy's answer for a stall.
const answerWithin = 2 * time.Second

// Seen is a program that was run, or that somebody tried to run.
type Seen struct {
	Program  policy.Program
	Decision policy.Decision
	Outcome  policy.Outcome
	UID      int    // of who ran it; -1 unknown
	Command  string // the interpreter or loader it was given to; "" it was run itself
	Parent   string // path of the program that ran it
	Note     string // what the records should say besides
}

// Outcome says what a decision comes to at the gate, and whether that is to be recorded.
func Outcome(d policy.Decision) (policy.Outcome, bool) {
	switch {
	case d.Mode == policy.ModeLearn:
		return policy.OutcomeLearnt, true
	case d.Action == policy.ActionAllow || d.Action == "":
		return policy.OutcomeAllowed, false
	case d.Do() == policy.ActionBlock:
		return policy.OutcomeBlocked, true
	case d.Action == policy.ActionBlock && d.Mode == policy.ModeAudit:
		return policy.OutcomeAudit, true
	}
	return policy.OutcomeDetected, true
}

// RuleStall is the rule of an answer that was given because there was none in time.
const RuleStall = "built-in stall"

// ErrNotYet is Packages' answer before anybody knows what is installed: the gate waits for a Refresh.
var ErrNotYet = errors.New("cannot judge programs: nobody has looked yet at what is installed")

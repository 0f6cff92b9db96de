package software

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sekisho/agent/sensor/hivefile"
	"sekisho/internal/policy"
	"sekisho/internal/roll"
)

// profile is somebody who has one on this machine.
type profile struct {
	sid    string
	folder string
	fault  string // why its folder is not known
}

// absentees reads what people have who are not signed in, out of the files of their hives: only when these have changed, not
// while people come and go, and a few at a time. Its methods are for one goroutine.
type absentees struct {
	file     string // of the hive, below a profile's folder
	key      string // in it
	values   []string
	optional bool // a profile may be without the file
	programs func(hive, []regEntry) []policy.Program

	ask   func(context.Context, hivefile.Question) hivefile.Answer
	here  func(sid string) bool // is signed in by now
	name  func(sid string) string
	now   func() time.Time
	up    func() time.Duration // since the terminal's start
	known map[string]sight     // by SID
	met   *acquaintance
}

// sight is what was seen of one person.
type sight struct {
	mark     string // of the files then
	at       time.Time
	programs *roll.Roll
	code     string // hivefile's, or notYet: why it is not all
	fault    string
}

// When files are opened. People sign in when a terminal has started, and files are moved and written when they sign out.
const (
	notYet    = "not_yet"
	afterBoot = 10 * time.Minute
	afterUse  = time.Minute
	tryAgain  = 10 * time.Minute // what may pass: somebody has the file open
	longest   = time.Minute      // of one look: who is not read by then is read by the next
	maxNamed  = 3                // people whose hives cannot be read who are named
)

// read gives what the absent people have. What cannot be seen of a person counts as still there, and the fault says why. first
// are the programs of people of whom nothing was known before: that these have them is no event.
func (a *absentees) read(ctx context.Context, before map[string]policy.Program, people []profile, signedIn map[string]bool) reading {
	r := reading{first: map[string]bool{}}
	end := a.now().Add(longest)
	var faults []string
	if err := a.met.keep(); err != nil { // of the looks before this one: what these saw is safe by now
		faults = append(faults, err.Error())
	}
	for _, p := range people {
		if signedIn[p.sid] {
			a.met.add(p.sid)
			delete(a.known, p.sid) // of what the person does now the registry tells
		} else if fault := a.add(ctx, &r, p, before, end); fault != "" {
			faults = append(faults, fault)
		}
	}
	a.forget(people)
	r.fault = several(faults)
	return r
}

// add adds what one person has.
func (a *absentees) add(ctx context.Context, r *reading, p profile, before map[string]policy.Program, end time.Time) (fault string) {
	s := a.see(ctx, p, end)
	a.known[p.sid] = s
	stranger := !a.met.has(p.sid) && len(of(before, p.sid)) == 0
	for program := range s.programs.All() {
		r.programs = append(r.programs, program)
		r.first[program.ID] = stranger
	}
	if s.code == "" {
		a.met.add(p.sid)
		return ""
	}
	r.programs = append(r.programs, of(before, p.sid)...)
	if s.code == notYet && !stranger {
		return "" // the file was read before, or the person was signed in
	}
	return a.complaint(p, s)
}

// see looks at one person's hive, if it is time to.
func (a *absentees) see(ctx context.Context, p profile, end time.Time) sight {
	if p.fault != "" {
		return sight{code: hivefile.Failed, fault: p.fault}
	}
	old, had := a.known[p.sid]
	mark, changed, err := hivefile.Mark(p.folder, a.file)
	if err != nil {
		return a.without(p, err)
	}
	if had && old.mark == mark && (lasting(old.code) || a.now().Sub(old.at) < tryAgain) {
		return old
	}
	if why := a.notNow(changed, end); why != "" || ctx.Err() != nil {
		return old.waiting(why)
	}
	s := a.open(ctx, p)
	if s.code != "" && a.here(p.sid) {
		return old.waiting("the person is signing in")
	}
	s.mark = mark
	return s
}

// waiting is what was seen before, and that there may be more.
func (s sight) waiting(why string) sight {
	s.mark, s.code, s.fault = "", notYet, why
	return s
}

// lasting says that another try would give the same for as long as the file is the same.
func lasting(code string) bool {
	return code == "" || code == hivefile.Damaged || code == hivefile.Older || code == hivefile.TooMuch
}

func (a *absentees) notNow(changed, end time.Time) string {
	now := a.now()
	switch since := now.Sub(changed); {
	case a.up() < afterBoot:
		return "the terminal has only just started"
	case since >= 0 && since < afterUse: // of one from the future nobody knows
		return "it was written to just now"
	case now.After(end):
		return "there are many people whose files are read for the first time"
	}
	return ""
}

// without is for a hive that is not there. Where the whole profile was deleted by hand, so were the programs; a folder that
// cannot be reached proves nothing.
func (a *absentees) without(p profile, err error) sight {
	missing := errors.Is(err, fs.ErrNotExist)
	_, folder := os.Lstat(p.folder)
	_, above := os.Lstat(filepath.Dir(p.folder))
	switch {
	case missing && folder == nil && a.optional, missing && errors.Is(folder, fs.ErrNotExist) && above == nil:
		return sight{}
	case missing && folder == nil:
		return sight{code: hivefile.Missing, fault: "there is no such file"}
	}
	return sight{code: hivefile.Failed, fault: policy.OneLine(err.Error())}
}

func (a *absentees) open(ctx context.Context, p profile) sight {
	answer := a.ask(ctx, hivefile.Question{Folder: p.folder, File: a.file, Key: a.key, Values: a.values})
	entries := make([]regEntry, 0, len(answer.Entries))
	for _, e := range answer.Entries {
		entry := regEntry{name: e.Name, values: make(map[string]regValue, len(e.Values))}
		for name, v := range e.Values {
			entry.values[name] = regValue{kind: v.Kind, data: v.Data, long: v.Long}
		}
		entries = append(entries, entry)
	}
	programs := a.programs(hive{id: p.sid, user: a.name(p.sid)}, entries)
	return sight{at: a.now(), programs: roll.Of(programs), code: answer.Code, fault: policy.OneLine(answer.Fault)}
}

// forget lets those go who have no profile any more.
func (a *absentees) forget(people []profile) {
	there := map[string]bool{}
	for _, p := range people {
		there[p.sid] = true
	}
	for sid := range a.known {
		if !there[sid] {
			delete(a.known, sid)
		}
	}
	a.met.only(there)
}

// What helps, by code.
var remedies = map[string]string{
	notYet:           "it is read by a later look",
	hivefile.Missing: "delete the profile if the person is gone",
	hivefile.Busy:    "it is tried again",
	hivefile.Denied:  "give the account SYSTEM the right to read it",
	hivefile.Damaged: "let the person sign in once; if Windows gives a temporary profile, the profile has to be made anew",
	hivefile.Older:   "let the person sign in and out once",
	hivefile.TooMuch: "it is seen while the person is signed in",
	hivefile.Failed:  "it is tried again",
}

func (a *absentees) complaint(p profile, s sight) string {
	return fmt.Sprintf("cannot see all that %s has installed, who is not signed in: %s: %s; what was known counts on; %s",
		a.name(p.sid), filepath.Join(p.folder, a.file), s.fault, remedies[s.code])
}

// several joins complaints, no more than a status shows.
func several(faults []string) string {
	faults = slices.DeleteFunc(slices.Clone(faults), func(s string) bool { return s == "" })
	if rest := len(faults) - maxNamed; rest > 0 {
		faults = append(faults[:maxNamed], fmt.Sprintf("cannot see it of %d other people either", rest))
	}
	return strings.Join(faults, "; ")
}

// of are the programs of one person.
func of(programs map[string]policy.Program, sid string) (out []policy.Program) {
	for id, p := range programs {
		if sidIn(id) == sid {
			out = append(out, p)
		}
	}
	return out
}

package policy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// Bounds of a rehearsal's memory.
const (
	rehearseWords    = 100_000 // descriptions of programs that are remembered; then they are judged anew
	rehearsePrograms = 20_000  // programs that would have been stopped and are told apart
	rehearsePairs    = 500_000 // of such a program and a terminal
)

// Rehearsal works out what a policy would have done about what is past, as if it had been enforced. Each distinct program is
// judged once, however often it was run. Nothing is done by it, and its memory is bounded; Cut of its answer says when
// something had no room.
type Rehearsal struct {
	p       *Policy
	now     time.Time
	words   map[string]*Stopped // by description; nil would not have been stopped
	stopped map[Program]*Stopped
	all     map[string]bool // terminals
	pairs   int
	events  int64
	judged  int64
	unread  int64
	cut     bool
}

// Stopped is a program that would have been stopped.
type Stopped struct {
	Program   Program           `json:"program"` // what a rule can ask about
	Rule      string            `json:"rule"`
	RuleName  Text              `json:"rule_name"`
	Events    int64             `json:"events"`    // recorded tries and finds
	Installed int               `json:"installed"` // terminals that have it now
	Last      time.Time         `json:"last,omitzero"`
	Terminals map[string]string `json:"terminals"` // id -> name
}

// Rehearsed is the answer.
type Rehearsed struct {
	Events    int64      `json:"events"` // looked at
	Judged    int64      `json:"judged"` // distinct programs among them
	Unread    int64      `json:"unread,omitempty"`
	Terminals int        `json:"terminals"` // on which something would have been stopped
	Stopped   []*Stopped `json:"stopped"`   // what is on most terminals first
	Cut       bool       `json:"cut,omitempty"`
}

// Rehearse begins one. Permits and windows of the policy are judged at now.
func Rehearse(p *Policy, now time.Time) *Rehearsal {
	return &Rehearsal{p: p, now: now, words: map[string]*Stopped{}, stopped: map[Program]*Stopped{}, all: map[string]bool{}}
}

// Event looks at one recorded event: the JSON of a record of a program.
func (r *Rehearsal) Event(terminal, name string, at time.Time, record []byte) {
	r.events++
	if bytes.Contains(record, []byte(`"what":"removed"`)) {
		return
	}
	s := r.judgeRecord(record)
	if s == nil {
		return
	}
	s.Events++
	if at.After(s.Last) {
		s.Last = at
	}
	r.on(s, terminal, name)
}

// Installed looks at a program that a terminal has.
func (r *Rehearsal) Installed(prog Program, terminal, name string) {
	if s := r.judge(prog); s != nil {
		s.Installed++
		r.on(s, terminal, name)
	}
}

// WouldStop says whether the policy stops a program; who has it then is told with Installed.
func (r *Rehearsal) WouldStop(prog Program) bool {
	return DecideProgram(r.p, prog, r.now).Action == ActionBlock
}

func (r *Rehearsal) on(s *Stopped, terminal, name string) {
	r.all[terminal] = true
	if _, have := s.Terminals[terminal]; have {
		return
	}
	if r.pairs++; r.pairs > rehearsePairs {
		r.cut = true
		return
	}
	s.Terminals[terminal] = name
}

// judgeRecord knows a program again by its bytes: a record is read only when they are new.
func (r *Rehearsal) judgeRecord(record []byte) *Stopped {
	raw := ProgramIn(record)
	if s, known := r.words[string(raw)]; known && raw != nil {
		return s
	}
	prog, ok := ReadProgram(record)
	if !ok {
		r.unread++
		return nil
	}
	s := r.judge(prog)
	if raw != nil {
		if len(r.words) >= rehearseWords {
			clear(r.words)
		}
		r.words[string(raw)] = s
	}
	return s
}

func (r *Rehearsal) judge(prog Program) *Stopped {
	p := prog.Facts()
	if s, known := r.stopped[p]; known {
		return s
	}
	r.judged++
	d := DecideProgram(r.p, p, r.now)
	if d.Action != ActionBlock {
		return nil
	}
	if len(r.stopped) >= rehearsePrograms {
		r.cut = true
		return nil
	}
	s := &Stopped{Program: p, Rule: d.Rule, RuleName: d.RuleName, Terminals: map[string]string{}}
	r.stopped[p] = s
	return s
}

// Answer gives what was found until now.
func (r *Rehearsal) Answer() Rehearsed {
	a := Rehearsed{Events: r.events, Judged: r.judged, Unread: r.unread, Terminals: len(r.all), Cut: r.cut, Stopped: []*Stopped{}}
	for _, s := range r.stopped {
		a.Stopped = append(a.Stopped, s)
	}
	slices.SortFunc(a.Stopped, func(x, y *Stopped) int {
		return cmp.Or(cmp.Compare(len(y.Terminals), len(x.Terminals)), cmp.Compare(y.Events, x.Events), cmp.Compare(x.Program.Name, y.Program.Name),
			cmp.Compare(x.Program.Version, y.Program.Version), cmp.Compare(x.Program.Path, y.Program.Path), cmp.Compare(x.Program.Hash, y.Program.Hash))
	})
	return a
}

var programKey = []byte(`"program":{`)

// Facts is a program without what differs between terminals: all that a rule can ask about.
func (p Program) Facts() Program {
	return Program{Kind: p.Kind, Name: p.Name, Version: p.Version, Publisher: p.Publisher, Signer: p.Signer,
		Source: p.Source, Origin: p.Origin, Path: p.Path, Hash: p.Hash, Essential: p.Essential}
}

// ReadProgram reads the program of a record.
func ReadProgram(record []byte) (Program, bool) {
	var f struct {
		Software *struct {
			Program Program `json:"program"`
		} `json:"software"`
	}
	if json.Unmarshal(record, &f) != nil || f.Software == nil {
		return Program{}, false
	}
	return f.Software.Program, true
}

// ProgramIn gives the bytes of the program in a record, by which it is known again, and nil when they cannot be found. In
// JSON the key with its quotes cannot stand inside of a string.
func ProgramIn(record []byte) []byte {
	i := bytes.Index(record, programKey)
	if i < 0 {
		return nil
	}
	from := i + len(programKey) - 1
	depth, text, escaped := 0, false, false
	for n, c := range record[from:] {
		switch {
		case escaped:
			escaped = false
		case text:
			escaped, text = c == '\\', c != '"'
		case c == '"':
			text = true
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				return record[from : from+n+1]
			}
		}
	}
	return nil
}

package web

import (
	"regexp"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// Words of the store's filters.
const (
	stateUnclosed = "unclosed"
	grantRunning  = "running"
	grantComing   = "coming"
	grantOver     = "over"
	severityAlarm = "alarm"
)

// eventView is one record as lists, details and JSON show it.
type eventView struct {
	ID           int64          `json:"id"`
	At           time.Time      `json:"at"`
	Received     time.Time      `json:"received"`
	Terminal     string         `json:"terminal"`
	TerminalName string         `json:"terminal_name"`
	Group        string         `json:"group"`
	GroupName    string         `json:"group_name"`
	User         string         `json:"user"`
	Title        string         `json:"title"`
	Detail       string         `json:"detail"`
	Kind         string         `json:"kind"`
	Serial       string         `json:"serial,omitempty"`
	Item         string         `json:"item,omitempty"` // id of a program on its terminal
	Outcome      policy.Outcome `json:"outcome"`
	Severity     string         `json:"severity"`
	Violation    bool           `json:"violation"`
	Today        bool           `json:"today"` // a person has to act today
	Rule         string         `json:"rule"`
	Clause       string         `json:"clause"` // its title
	State        string         `json:"state"`
	Assignee     string         `json:"assignee,omitempty"`
	Mode         policy.Mode    `json:"mode,omitempty"`
}

// outcomeObserved is what people read of an agent that only looks while its policy forbids; the record says audit.
const outcomeObserved policy.Outcome = "observed"

// resultOf is an outcome as people read it.
func resultOf(o policy.Outcome, m policy.Mode) policy.Outcome {
	if o == policy.OutcomeAudit && m == policy.ModeEnforce {
		return outcomeObserved
	}
	return o
}

// Result is for lists and details.
func (v eventView) Result() policy.Outcome { return resultOf(v.Outcome, v.Mode) }

func (p *pages) event(e store.Event) eventView {
	v := eventView{
		ID: e.ID, At: e.Record.At, Received: e.Received, Terminal: e.Terminal, TerminalName: e.TerminalName,
		Group: e.Group, GroupName: e.GroupName, Kind: e.Record.Kind, Outcome: e.Record.Outcome, Severity: e.Severity,
		Violation: e.Violation, State: orOpen(e.Handling.State), Assignee: e.Handling.Assignee,
	}
	v.Today = e.Violation && e.Severity == severityAlarm && v.State != store.StateClosed
	if d := e.Record.Decision; d != nil {
		v.Rule, v.Mode = d.RuleName.In(p.cal.lang), d.Mode
		v.Clause = p.clause(d.Clause).Title.In(p.cal.lang)
	}
	if ev := e.Record.Event; ev != nil {
		v.User, v.Kind, v.Serial = ev.User, string(mainKind(ev.Device)), ev.Device.Serial
	}
	if sw := e.Record.Software; sw != nil && e.Record.Kind == wire.RecordProgram {
		if v.User = sw.User; v.User == "" {
			v.User = sw.Program.User
		}
		v.Item = sw.Program.ID
	}
	if e.Record.Check != nil {
		p.describeCheck(&v, e.Record)
	}
	v.Title, v.Detail = p.title(e.Record), p.detail(e.Record)
	return v
}

func (p *pages) events(list []store.Event) []eventView {
	views := make([]eventView, 0, len(list))
	for _, e := range list {
		views = append(views, p.event(e))
	}
	return views
}

// clause finds the words of a clause id in the catalogue.
func (p *pages) clause(id string) policy.Clause {
	if c, ok := policy.DefaultClauses()[id]; ok {
		return c
	}
	if c, ok := policy.HealthClauses()[id]; ok {
		return c
	}
	return policy.Clause{Title: policy.Text{JA: id, EN: id}}
}

// title says in a sentence what happened: the device by what it is, the act by its verified outcome.
func (p *pages) title(rec wire.Record) string {
	if rec.Kind == wire.RecordProgram && rec.Software != nil {
		return p.programTitle(rec)
	}
	if rec.Check != nil && rec.Outcome != "" {
		return p.adapterTitle(rec)
	}
	if rec.Check != nil {
		return p.checkTitle(rec.Check)
	}
	if rec.Event == nil {
		return p.otherTitle(rec)
	}
	kind := p.words.word("kind", mainKind(rec.Event.Device))
	if policy.Composite(rec.Event.Device.Kinds) {
		kind = p.words.say("kind.composite", kind)
	}
	if rec.Event.What == policy.EventDetach {
		return p.words.say("title.detach", kind)
	}
	return p.words.say("title."+orNone(string(rec.Outcome)), kind)
}

// otherTitle is for what the agent says about itself.
func (p *pages) otherTitle(rec wire.Record) string {
	switch {
	case rec.Kind == wire.RecordGap && rec.Lost > 0:
		return p.words.say("title.gap", rec.Lost)
	case rec.Kind == wire.RecordPolicy && rec.Code == "applied":
		return p.words.say("title.policy", rec.Revision)
	}
	if text, ok := p.words["title."+rec.Kind+"."+rec.Code]; ok {
		return text
	}
	switch rec.Kind { // a word that this console does not know yet
	case wire.RecordGap:
		return p.words.say("title.gap.lost")
	case wire.RecordPolicy:
		return p.words.say("title.policy", rec.Revision)
	}
	return p.words.word("title", rec.Kind)
}

// The notes that programs of this project write into most records, for people to read in their language.
var notes = []struct {
	form *regexp.Regexp
	key  string
}{
	{regexp.MustCompile(`^found by the console in journal (\S+) at number (\d+)$`), "note.found"},
	{regexp.MustCompile(`^version (\S+?)(?:, before: \w+)?$`), "note.version"}, // how it ended before is in the title
}

// note is what a record says beside its code; what has no words here stands as it was written.
func (p *pages) note(text string) string {
	for _, n := range notes {
		if m := n.form.FindStringSubmatch(text); m != nil {
			args := make([]any, 0, len(m)-1)
			for _, one := range m[1:] {
				args = append(args, one)
			}
			return p.words.say(n.key, args...)
		}
	}
	return text
}

// detail is the small line below: what helps to tell this one from the next.
func (p *pages) detail(rec wire.Record) string {
	if rec.Kind == wire.RecordProgram && rec.Software != nil {
		return p.programDetail(rec)
	}
	if rec.Check != nil && rec.Outcome != "" {
		return p.adapterDetail(rec)
	}
	if rec.Check != nil {
		return p.checkDetail(rec.Check)
	}
	if rec.Event == nil {
		return p.note(rec.Note)
	}
	line := p.facts(rec.Event.Device)
	if policy.Composite(rec.Event.Device.Kinds) {
		line = p.kinds(rec.Event.Device.Kinds)
	}
	if rec.Outcome == policy.OutcomeAudit {
		line += p.words.say("list.comma") + p.words.say("detail."+string(resultOf(rec.Outcome, modeOf(rec))))
	}
	return line
}

func modeOf(rec wire.Record) policy.Mode {
	if rec.Decision == nil {
		return ""
	}
	return rec.Decision.Mode
}

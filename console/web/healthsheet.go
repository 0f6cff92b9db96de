package web

import (
	"slices"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// checkSheet is one terminal's check sheet: what was read, what it was held against, and what to do.
type checkSheet struct {
	ID        string      `json:"id"`
	Name      string      `json:"name"`
	Group     string      `json:"group"`
	GroupName string      `json:"group_name"`
	OS        string      `json:"os"`
	Contact   time.Time   `json:"last_contact"`
	Silent    bool        `json:"silent"`
	Whole     bool        `json:"whole"`
	ChangedAt time.Time   `json:"changed_at,omitzero"`
	Reported  bool        `json:"reported"`
	Checking  bool        `json:"checking"` // the group's policy looks at checks
	Areas     []sheetArea `json:"areas"`
	Sum       tally       `json:"sum"`
	Needs     []sheetLine `json:"needs"` // what somebody has to look at, the most urgent first
}

type sheetArea struct {
	Area string      `json:"area"`
	Rows []sheetLine `json:"checks"`
}

// sheetLine is one check of one terminal.
type sheetLine struct {
	policy.CheckResult
	Name    string        `json:"name"`
	Shown   policy.Result `json:"shown"` // unreported where the terminal says nothing
	Why     string        `json:"why,omitempty"`
	Reading string        `json:"reading,omitempty"` // Value in people's words
	Wanted  string        `json:"wanted,omitempty"`
	Todo    string        `json:"todo,omitempty"`
	Did     string        `json:"did,omitempty"` // what the agent did about it
	Clause  policy.Text   `json:"clause"`
	Old     bool          `json:"old"`
	Off     bool          `json:"off"`
	Waived  *waiverView   `json:"waived_by,omitempty"`
	Coming  bool          `json:"waiver_coming,omitempty"` // the terminal does not know of the waiver yet
	Next    string        `json:"-"`                       // when the next stage begins
}

// waiverView is a waiver as pages show it.
type waiverView struct {
	policy.Waiver
	Name  string   `json:"name"`
	For   []string `json:"for"`   // names of terminals and categories
	State string   `json:"state"` // running, coming, over
}

func (s *server) checkSheet(r *request) error {
	t, err := s.DB.Terminal(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	body, err := s.sheetOf(r, s.terminalView(t, r.now))
	if err != nil {
		return err
	}
	return show(s, r, "health-sheet", body, title("health.sheet.title", t.Name), section("terminals"))
}

func (s *server) sheetOf(r *request, t terminalView) (checkSheet, error) {
	list, at, err := s.DB.TerminalHealth(r.Context(), t.ID)
	if err != nil {
		return checkSheet{}, err
	}
	have, err := s.DB.GroupPolicy(r.Context(), t.Group, 0)
	if err != nil {
		return checkSheet{}, err
	}
	body := checkSheet{ID: t.ID, Name: t.Name, Group: t.Group, GroupName: t.GroupName, OS: t.OS, Contact: t.LastContact, Silent: t.Silent,
		Whole: at.Whole, ChangedAt: at.ChangedAt, Reported: len(list) > 0, Checking: have.Health != nil}
	body.fill(s.pages[r.lang], list, have.Health, r.now)
	return body, nil
}

// fill goes through the catalogue, and then through what the terminal says beside it.
func (b *checkSheet) fill(p *pages, list []store.Checked, h *policy.Health, now time.Time) {
	for _, info := range policy.Catalogue() {
		i := slices.IndexFunc(list, func(c store.Checked) bool { return c.Check == info.ID })
		line := sheetLine{CheckResult: policy.CheckResult{Check: info.ID}, Shown: unreported}
		if i >= 0 {
			line = p.sheetLine(list[i], h, now)
			b.waived(p, &line, h, now)
			list = slices.Delete(list, i, i+1)
		}
		line.Off = i < 0 && isOff(h, info.ID)
		b.put(p, info.Area, line)
	}
	for _, c := range list {
		b.put(p, "other", p.sheetLine(c, h, now))
	}
	b.needs()
}

// urgency is what somebody has to look at, the most urgent first: failures that nobody answers for by their stage, then what
// nobody knows.
var urgency = []string{policy.StageViolation, policy.StageWarning, policy.StageNotice, string(policy.ResultUnknown)}

func (l sheetLine) urgency() int {
	switch {
	case l.Off || l.Waiver != "" || l.Waived != nil:
	case l.Shown == policy.ResultFail:
		return slices.Index(urgency, stageWord(l.Stage))
	case l.Shown == policy.ResultUnknown:
		return len(urgency) - 1
	}
	return -1
}

func (b *checkSheet) needs() {
	b.Needs = []sheetLine{}
	for _, a := range b.Areas {
		for _, l := range a.Rows {
			if l.urgency() >= 0 {
				b.Needs = append(b.Needs, l)
			}
		}
	}
	slices.SortStableFunc(b.Needs, func(x, y sheetLine) int { return x.urgency() - y.urgency() })
}

func isOff(h *policy.Health, id string) bool {
	return h == nil || !slices.ContainsFunc(h.Checks, func(c policy.Check) bool { return c.ID == id && !c.Off })
}

func (b *checkSheet) put(p *pages, area string, line sheetLine) {
	line.Name = p.checkName(line.Check)
	if info, ok := policy.CheckOf(line.Check); ok {
		line.Clause = p.clause(info.Clause).Title
	}
	if !line.Off {
		b.Sum.add(line.Shown, store.Cell{Stage: line.Stage, Waiver: line.Waiver})
	}
	if len(b.Areas) == 0 || b.Areas[len(b.Areas)-1].Area != area {
		b.Areas = append(b.Areas, sheetArea{Area: area})
	}
	last := &b.Areas[len(b.Areas)-1]
	last.Rows = append(last.Rows, line)
}

func (p *pages) sheetLine(c store.Checked, h *policy.Health, now time.Time) sheetLine {
	line := sheetLine{CheckResult: c.CheckResult, Shown: policy.Result(resultWord(c.Result)), Why: p.why(c.Code), Reading: p.reading(c.Value), Wanted: p.wanted(c.Want), Old: c.Old}
	if line.Shown == policy.ResultFail {
		line.Todo, line.Did, line.Next = p.todo(c.Check), p.did(c.Act), p.nextStage(c.CheckResult, h)
	}
	if line.Shown == policy.ResultUnknown {
		line.Todo = p.words.say("health.unknown.todo")
	}
	return line
}

// waived finds who answers for a result: as the terminal says, or as the policy does that is on its way to it.
func (b *checkSheet) waived(p *pages, line *sheetLine, h *policy.Health, now time.Time) {
	if h == nil || line.Shown == policy.ResultPass || line.Shown == unreported {
		return
	}
	i := slices.IndexFunc(h.Waivers, func(w policy.Waiver) bool {
		if line.Waiver != "" {
			return w.ID == line.Waiver
		}
		named := slices.Contains(w.Terminals, b.ID) || slices.Contains(w.Group, b.Group)
		return named && w.Check == line.Check && !now.Before(w.From) && now.Before(w.Until)
	})
	if i >= 0 {
		w := p.waiver(h.Waivers[i], now)
		line.Waived, line.Coming = &w, line.Waiver == ""
	}
}

// nextStage says what comes after a notice or a warning, and after how long.
func (p *pages) nextStage(c policy.CheckResult, h *policy.Health) string {
	info, ok := policy.CheckOf(c.Check)
	if !ok || c.Waiver != "" {
		return ""
	}
	grace := info.Grace
	if h != nil {
		if i := slices.IndexFunc(h.Checks, func(k policy.Check) bool { return k.ID == c.Check }); i >= 0 && h.Checks[i].Grace != nil {
			grace = *h.Checks[i].Grace
		}
	}
	switch c.Stage {
	case policy.StageNotice:
		return p.words.say("health.next.warning", p.spanOf(grace.Warning), p.spanOf(grace.Violation))
	case policy.StageWarning:
		return p.words.say("health.next.violation", p.spanOf(grace.Violation))
	}
	return ""
}

func (p *pages) waiver(w policy.Waiver, now time.Time) waiverView {
	v := waiverView{Waiver: w, Name: p.checkName(w.Check), State: "running"}
	switch {
	case !now.Before(w.Until):
		v.State = "over"
	case now.Before(w.From):
		v.State = "coming"
	}
	return v
}

// checkPage is one check over the whole fleet, and how it went.
type checkPage struct {
	Check  string        `json:"check"`
	Name   string        `json:"name"`
	Area   string        `json:"area"`
	Todo   string        `json:"todo"`
	Clause policy.Clause `json:"clause"`
	Limits []fact        `json:"limits"` // of the catalogue
	Of     int           `json:"of"`
	tally
	Share  string       `json:"share"`
	Groups []groupTally `json:"groups"`
	Codes  []codeCount  `json:"codes"`
	Trend  trend        `json:"trend"`
	List   string       `json:"-"`
}

type groupTally struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Of   int    `json:"of"`
	tally
}

type codeCount struct {
	Result policy.Result `json:"result"`
	Code   string        `json:"code"`
	Word   string        `json:"word"`
	N      int           `json:"n"`
}

// trendDays is how far back the trend of a check goes.
const trendDays = 60

func (s *server) checkPage(r *request) error {
	info, ok := policy.CheckOf(r.PathValue("check"))
	if !ok {
		return store.ErrNotFound
	}
	fleet, err := s.DB.HealthFleet(r.Context(), "")
	if err != nil {
		return err
	}
	days, err := s.DB.HealthDays(r.Context(), info.ID, "", r.now.AddDate(0, 0, -trendDays))
	if err != nil {
		return err
	}
	p := s.pages[r.lang]
	body := checkPage{Check: info.ID, Name: info.Name.In(r.lang), Area: info.Area, Todo: info.Todo.In(r.lang), Clause: p.clause(info.Clause), Of: len(fleet),
		List: healthView{Check: info.ID, Area: info.Area}.url("/health"), Trend: p.trend(days, r.now)}
	for _, name := range sortedNames(info.Limits) {
		body.Limits = append(body.Limits, fact{p.words.say("health.limit." + name), p.spanOf(info.Limits[name])})
	}
	body.count(p, info.ID, fleet, r.now.Add(-s.SilentAfter))
	return show(s, r, "health-check", body, named(body.Name), section("terminals"))
}

func (b *checkPage) count(p *pages, id string, fleet []store.HealthRow, silent time.Time) {
	for i := range fleet {
		t := &fleet[i]
		c, ok := t.Cell(id)
		result := resultHere(c, ok, !t.Reported() || t.LastContact.Before(silent))
		b.add(result, c)
		at := slices.IndexFunc(b.Groups, func(g groupTally) bool { return g.ID == t.Group })
		if at < 0 {
			at, b.Groups = len(b.Groups), append(b.Groups, groupTally{ID: t.Group, Name: t.GroupName})
		}
		b.Groups[at].Of++
		b.Groups[at].add(result, c)
		if result != unreported && result != policy.ResultPass {
			b.code(p, result, c.Code)
		}
	}
	f := freshness{Of: b.Of, tally: b.tally}
	f.share()
	b.Share = f.Share
	slices.SortFunc(b.Codes, func(x, y codeCount) int { return y.N - x.N })
}

func (b *checkPage) code(p *pages, r policy.Result, code string) {
	for i := range b.Codes {
		if b.Codes[i].Result == r && b.Codes[i].Code == code {
			b.Codes[i].N++
			return
		}
	}
	b.Codes = append(b.Codes, codeCount{r, code, p.why(code), 1})
}

func sortedNames(limits map[string]policy.Span) []string {
	names := make([]string, 0, len(limits))
	for name := range limits {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// trend is the daily counts of a check as bars.
type trend struct {
	From time.Time  `json:"from,omitzero"`
	To   time.Time  `json:"to,omitzero"`
	Days []trendDay `json:"days"`
	Axis []tick     `json:"-"`
}

// tick is a day that is named below the bars.
type tick struct {
	Day       time.Time
	X, Anchor string
}

type trendDay struct {
	Day time.Time `json:"day"`
	tally
	X     string `json:"-"`
	Width string `json:"-"`
	Parts []part `json:"-"`
}

// trend places each day where it lies: a day on which nobody counted is a gap, not a bar.
func (p *pages) trend(days []store.HealthDay, now time.Time) trend {
	t := trend{Days: []trendDay{}}
	if len(days) == 0 {
		return t
	}
	t.From, t.To = days[0].Day, days[len(days)-1].Day
	today := p.cal.startOfDay(now)
	first, width := today.AddDate(0, 0, -trendDays), 100/float64(trendDays+1)
	t.Axis = []tick{{first, "0%", "start"}, {today.AddDate(0, 0, -trendDays/2), "50%", "middle"}, {today, "100%", "end"}}
	for _, d := range days {
		n := int(p.cal.startOfDay(d.Day).Sub(first).Hours()/24 + 0.5)
		one := trendDay{Day: d.Day, tally: tally{Pass: d.Pass, Fail: d.Fail, Unknown: d.Unknown, NotApplicable: d.NotApplicable, Unreported: d.Unreported, Waived: d.Waived},
			X: percent(width * float64(n)), Width: percent(width * 0.8)}
		one.stack()
		t.Days = append(t.Days, one)
	}
	return t
}

func (d *trendDay) stack() {
	all := d.Pass + d.Fail + d.Unknown + d.Unreported
	if all == 0 {
		return
	}
	y := chartBase
	for _, piece := range []struct {
		class string
		n     int
	}{{"f-pass", d.Pass}, {"f-unknown", d.Unknown}, {"f-na", d.Unreported}, {"f-fail", d.Fail}} {
		if piece.n == 0 {
			continue
		}
		h := (chartBase - chartTop) * float64(piece.n) / float64(all)
		y -= h
		d.Parts = append(d.Parts, part{piece.class, oneDecimal(y), oneDecimal(max(0.6, h))})
	}
}

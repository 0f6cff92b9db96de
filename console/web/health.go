package web

import (
	"cmp"
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// matrixRows is how many terminals one page of the matrix has.
const matrixRows = 200

// healthPage asks first who is not up to date, and then shows terminals × checks.
type healthPage struct {
	Fresh    []freshness     `json:"fresh"`
	Areas    []choice        `json:"areas"`
	Results  []choice        `json:"results"`
	Stages   []choice        `json:"stages"`
	Groups   []choice        `json:"groups"`
	Chosen   []choice        `json:"chosen"` // check and text, each with the address without it
	Columns  []column        `json:"columns"`
	Rows     []matrixRow     `json:"terminals"`
	Ledger   int             `json:"ledger"`   // all terminals in use
	Reported int             `json:"reported"` // of them
	Total    int             `json:"total"`    // that the filters choose
	From     int             `json:"from"`
	To       int             `json:"to"`
	Prev     string          `json:"prev,omitempty"`
	Next     string          `json:"next,omitempty"`
	CSV      string          `json:"csv"`
	Here     string          `json:"here"`
	Text     string          `json:"text,omitempty"`
	Sources  []sourceFinding `json:"sources"`
	view     healthView
}

// freshness is one answer to "who is not up to date", counted against the ledger.
type freshness struct {
	Check string `json:"check"`
	Name  string `json:"name"`
	Of    int    `json:"of"`
	tally
	Share string `json:"share"` // percent of all that it applies to
	Bars  []part `json:"-"`
	URL   string `json:"url"` // of who is not
}

// tally counts results.
type tally struct {
	Pass          int `json:"pass"`
	Fail          int `json:"fail"`
	Unknown       int `json:"unknown"`
	NotApplicable int `json:"not_applicable"`
	Unreported    int `json:"unreported"`
	Unchecked     int `json:"unchecked"` // the category does not have the check; it stays in the count of all
	Waived        int `json:"waived"`    // of fail and unknown
	Violation     int `json:"violation"`
}

func (t *tally) add(r policy.Result, c store.Cell) {
	switch r {
	case policy.ResultPass:
		t.Pass++
	case policy.ResultFail:
		t.Fail++
	case policy.ResultNotApplicable:
		t.NotApplicable++
	case unreported:
		t.Unreported++
		return
	case unchecked:
		t.Unchecked++
		return
	default:
		t.Unknown++
	}
	if c.Waiver != "" && r != policy.ResultPass {
		t.Waived++
	} else if r == policy.ResultFail && c.Stage == policy.StageViolation {
		t.Violation++
	}
}

// column is one check of the matrix.
type column struct {
	Check string `json:"check"`
	Name  string `json:"name"`
	tally
	URL string `json:"-"`
}

// matrixRow is one terminal.
type matrixRow struct {
	ID        string        `json:"id"`
	Name      string        `json:"name"`
	GroupName string        `json:"group"`
	Silent    bool          `json:"silent"`
	Cells     []cellView    `json:"checks"`
	HTML      template.HTML `json:"-"`
}

type cellView struct {
	Check  string        `json:"check"`
	Result policy.Result `json:"result"`
	Stage  string        `json:"stage,omitempty"`
	Code   string        `json:"code,omitempty"`
	Waiver string        `json:"waiver,omitempty"`
	Since  time.Time     `json:"since,omitzero"`
}

// sourceFinding says that what terminals are measured by is itself old.
type sourceFinding struct {
	Check string `json:"check"`
	Name  string `json:"name"`
	N     int    `json:"n"`
	URL   string `json:"url"`
}

// areaFresh is the first question: patterns and patches.
const areaFresh, areaAll = "", "all"

// healthView is what the address says.
type healthView struct {
	Area, Group, Check, Text string
	Result                   policy.Result
	Stage                    string
	Page                     int
}

func readHealthView(q url.Values) healthView {
	v := healthView{Area: q.Get("area"), Group: q.Get("group"), Check: q.Get("check"), Text: cut(strings.TrimSpace(q.Get("q")), 200),
		Result: policy.Result(q.Get("result")), Stage: q.Get("stage")}
	v.Page, _ = strconv.Atoi(q.Get("page"))
	v.Page = max(1, min(v.Page, 10000))
	return v
}

func (v healthView) url(path string) string {
	q := url.Values{}
	for k, val := range map[string]string{"area": v.Area, "group": v.Group, "check": v.Check, "q": v.Text, "result": string(v.Result), "stage": v.Stage} {
		if val != "" {
			q.Set(k, val)
		}
	}
	if v.Page > 1 {
		q.Set("page", strconv.Itoa(v.Page))
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

func (v healthView) with(change func(*healthView)) string {
	v.Page = 1
	change(&v)
	return v.url("/health")
}

// columns are the checks that the view shows, in the catalogue's order.
func (v healthView) columns() []policy.CheckInfo {
	all := policy.Catalogue()
	return slices.DeleteFunc(all, func(c policy.CheckInfo) bool {
		switch v.Area {
		case areaAll:
			return false
		case areaFresh:
			return c.Area != policy.AreaAntivirus && c.Area != policy.AreaPatch && c.ID != v.Check
		}
		return c.Area != v.Area && c.ID != v.Check
	})
}

func (s *server) health(r *request) error {
	body, err := s.healthPage(r, readHealthView(r.URL.Query()))
	if err != nil {
		return err
	}
	return show(s, r, "health", body, title("health.title"), section("terminals"))
}

// healthPage looks at the whole fleet once: what is counted is counted over all, whatever page is shown.
func (s *server) healthPage(r *request, v healthView) (healthPage, error) {
	fleet, err := s.DB.HealthFleet(r.Context(), "")
	if err != nil {
		return healthPage{}, err
	}
	groups, err := s.DB.Groups(r.Context())
	if err != nil {
		return healthPage{}, err
	}
	p := s.pages[r.lang]
	body := healthPage{Rows: []matrixRow{}, Text: v.Text, view: v}
	m := s.newMatrix(p, v, groups, r.now)
	m.look(fleet)
	m.fill(&body)
	body.fill(p, m, groups)
	for i := range body.Rows {
		body.Rows[i].HTML = p.cells(body.Rows[i], body.Columns, r.now)
	}
	return body, nil
}

// matrix is one look at the fleet. It counts all, and makes rows only of what is shown.
type matrix struct {
	p       *pages
	view    healthView
	off     map[string]map[string]bool // by group: checks that it does not have
	silent  time.Time                  // who was not heard of since then counts as unreported
	columns []policy.CheckInfo
	watched []string       // the columns, and behind them what is counted beside them
	index   map[string]int // of watched
	cells   []store.Cell   // scratch: the cells of the terminal that was placed
	at      []int          // scratch: where its cell of each watched check stands
	chosen  []pick         // that the filters choose
	tallies []tally        // of watched, over what group and text choose
	results map[policy.Result]int
	stages  map[string]int
	ledger  int
	heard   int
	of      int // that group and text choose
}

// pick is a terminal that the filters choose.
type pick struct {
	row    *store.HealthRow
	silent bool
	rank   [3]int
}

// newMatrix counts the questions of freshness too, whether their columns are shown or not.
func (s *server) newMatrix(p *pages, v healthView, groups []store.Group, now time.Time) *matrix {
	m := &matrix{p: p, view: v, off: offChecks(groups), silent: now.Add(-s.SilentAfter), columns: v.columns(), index: map[string]int{},
		results: map[policy.Result]int{}, stages: map[string]int{}}
	for _, c := range m.columns {
		m.watched = append(m.watched, c.ID)
	}
	for _, id := range slices.Concat(freshChecks(), sourceChecks()) {
		if !slices.Contains(m.watched, id) {
			m.watched = append(m.watched, id)
		}
	}
	for i, id := range m.watched {
		m.index[id] = i
	}
	m.at, m.tallies = make([]int, len(m.watched)), make([]tally, len(m.watched))
	return m
}

func (m *matrix) look(fleet []store.HealthRow) {
	text := strings.ToLower(m.view.Text)
	for i := range fleet {
		t := &fleet[i]
		silent := !t.Reported() || t.LastContact.Before(m.silent)
		m.ledger++
		if !silent {
			m.heard++
		}
		if m.view.Group != "" && t.Group != m.view.Group || text != "" && !strings.Contains(strings.ToLower(t.Name+" "+t.GroupName), text) {
			continue
		}
		m.of++
		m.take(t, silent)
	}
	slices.SortStableFunc(m.chosen, func(a, b pick) int {
		return slices.CompareFunc(a.rank[:], b.rank[:], func(x, y int) int { return cmp.Compare(y, x) })
	})
}

// place finds the terminal's cells of the watched checks.
func (m *matrix) place(t *store.HealthRow) {
	for i := range m.at {
		m.at[i] = -1
	}
	m.cells = t.Cells(m.cells)
	for i := range m.cells {
		if k, ok := m.index[m.cells[i].Check]; ok {
			m.at[k] = i
		}
	}
}

// cell gives a watched check of the terminal that was placed.
func (m *matrix) cell(t *store.HealthRow, k int, silent bool) (store.Cell, policy.Result) {
	var c store.Cell
	ok := m.at[k] >= 0
	if ok {
		c = m.cells[m.at[k]]
	}
	return c, m.result(t.Group, m.watched[k], c, ok, silent)
}

// take counts one terminal, and chooses it when the filters want it.
func (m *matrix) take(t *store.HealthRow, silent bool) {
	m.place(t)
	var seen seenResults
	one := pick{row: t, silent: silent}
	for k := range m.watched {
		c, result := m.cell(t, k, silent)
		m.tallies[k].add(result, c)
		if k >= len(m.columns) {
			continue
		}
		one.weigh(c, result)
		if m.view.Check == "" || m.view.Check == m.watched[k] {
			seen.add(c, result)
		}
	}
	for i, r := range resultOrder {
		if seen.results[i] {
			m.results[r]++
		}
	}
	for i, st := range stageOrder {
		if seen.stages[i] {
			m.stages[st]++
		}
	}
	if (m.view.Result == "" || seen.hasResult(m.view.Result)) && (m.view.Stage == "" || seen.hasStage(m.view.Stage)) {
		m.chosen = append(m.chosen, one)
	}
}

// stageWaived stands where a stage does, for what somebody answers for.
const stageWaived = "waived"

// The order in which results and stages are offered.
var (
	resultOrder = [...]policy.Result{policy.ResultFail, policy.ResultUnknown, unreported, policy.ResultPass, policy.ResultNotApplicable, unchecked}
	stageOrder  = [...]string{policy.StageViolation, policy.StageWarning, policy.StageNotice, stageWaived}
)

// seenResults is which results and stages one terminal has.
type seenResults struct {
	results [len(resultOrder)]bool
	stages  [len(stageOrder)]bool
}

func (s *seenResults) add(c store.Cell, r policy.Result) {
	s.results[slices.Index(resultOrder[:], r)] = true
	switch {
	case r == unreported || r == unchecked:
	case c.Waiver != "" && r != policy.ResultPass:
		s.stages[slices.Index(stageOrder[:], stageWaived)] = true
	case r == policy.ResultFail:
		s.stages[slices.Index(stageOrder[:], stageWord(c.Stage))] = true
	}
}

func (s *seenResults) hasResult(r policy.Result) bool {
	i := slices.Index(resultOrder[:], r)
	return i >= 0 && s.results[i]
}

func (s *seenResults) hasStage(stage string) bool {
	i := slices.Index(stageOrder[:], stage)
	return i >= 0 && s.stages[i]
}

// weigh puts what needs somebody first: violations, other failures, what nobody knows.
func (p *pick) weigh(c store.Cell, r policy.Result) {
	switch {
	case c.Waiver != "":
	case r == policy.ResultFail && c.Stage == policy.StageViolation:
		p.rank[0]++
	case r == policy.ResultFail:
		p.rank[1]++
	case r == policy.ResultUnknown:
		p.rank[2]++
	}
}

// row makes what is shown of a terminal.
func (m *matrix) row(one pick) matrixRow {
	t := one.row
	m.place(t)
	row := matrixRow{ID: t.Terminal, Name: t.Name, GroupName: t.GroupName, Silent: one.silent && t.Reported(), Cells: make([]cellView, len(m.columns))}
	for k := range m.columns {
		c, result := m.cell(t, k, one.silent)
		row.Cells[k] = cellView{m.watched[k], result, c.Stage, c.Code, c.Waiver, c.Since}
	}
	return row
}

func (m *matrix) tallyOf(check string) tally { return m.tallies[m.index[check]] }

// result is unchecked for what the terminal's category does not look at, unless the terminal still says something of it.
func (m *matrix) result(group, check string, c store.Cell, ok, silent bool) policy.Result {
	if !ok && m.off[group][check] {
		return unchecked
	}
	return resultHere(c, ok, silent)
}

// offChecks gives by group what it does not check. A group without any checks has none of them.
func offChecks(groups []store.Group) map[string]map[string]bool {
	off := map[string]map[string]bool{}
	for _, g := range groups {
		off[g.ID] = map[string]bool{}
		for _, info := range policy.Catalogue() {
			if isOff(g.Health, info.ID) {
				off[g.ID][info.ID] = true
			}
		}
	}
	return off
}

// resultHere is unreported for a terminal that says nothing, and for a check that it says nothing of.
func resultHere(c store.Cell, ok, silent bool) policy.Result {
	switch {
	case silent || !ok:
		return unreported
	}
	return policy.Result(resultWord(c.Result))
}

func freshChecks() []string  { return []string{"antivirus.patterns", "patch.level"} }
func sourceChecks() []string { return []string{"antivirus.source", "patch.baseline_age"} }

// fill takes the page's rows and the columns.
func (m *matrix) fill(b *healthPage) {
	b.Ledger, b.Reported, b.Total = m.ledger, m.heard, len(m.chosen)
	first := min((m.view.Page-1)*matrixRows, len(m.chosen))
	last := min(first+matrixRows, len(m.chosen))
	for _, one := range m.chosen[first:last] {
		b.Rows = append(b.Rows, m.row(one))
	}
	b.From, b.To = first+1, last
	if last < len(m.chosen) {
		next := m.view
		next.Page++
		b.Next = next.url("/health")
	}
	if m.view.Page > 1 {
		prev := m.view
		prev.Page--
		b.Prev = prev.url("/health")
	}
	for i, info := range m.columns {
		b.Columns = append(b.Columns, column{info.ID, info.Name.In(m.p.cal.lang), m.tallies[i], "/health/checks/" + url.PathEscape(info.ID)})
	}
	for _, id := range freshChecks() {
		f := freshness{Check: id, Name: m.p.words.say("health.fresh." + id), Of: m.of, tally: m.tallyOf(id)}
		f.URL = m.view.with(func(v *healthView) { *v = healthView{Group: v.Group, Check: id, Result: policy.ResultFail} })
		f.share()
		b.Fresh = append(b.Fresh, f)
	}
	for _, id := range sourceChecks() {
		if n := m.tallyOf(id).Fail; n > 0 {
			b.Sources = append(b.Sources, sourceFinding{id, m.p.checkName(id), n, m.view.with(func(v *healthView) { *v = healthView{Group: v.Group, Check: id, Result: policy.ResultFail} })})
		}
	}
}

// share is who passes, of all but those that the check does not apply to: who is silent is not up to date for all we know.
func (f *freshness) share() {
	of := f.Of - f.NotApplicable
	if of <= 0 {
		return
	}
	f.Share = oneDecimal(100 * float64(f.Pass) / float64(of))
	x := 0.0
	for _, piece := range []struct {
		class string
		n     int
	}{{"f-pass", f.Pass}, {"f-fail", f.Fail}, {"f-unknown", f.Unknown}, {"f-na", f.Unreported + f.Unchecked}} {
		w := 100 * float64(piece.n) / float64(of)
		if piece.n > 0 {
			f.Bars = append(f.Bars, part{piece.class, percent(x), percent(max(0.4, w-0.3))})
		}
		x += w
	}
}

// fill makes the ways to narrow the view.
func (b *healthPage) fill(p *pages, m *matrix, groups []store.Group) {
	v, say := b.view, p.words.say
	b.Here, b.CSV = v.url("/health"), v.with(func(*healthView) {})
	b.CSV = strings.Replace(b.CSV, "/health", "/health.csv", 1)
	for _, area := range []string{areaFresh, areaAll, policy.AreaAntivirus, policy.AreaPatch, policy.AreaSettings, policy.AreaNetwork} {
		word := "health.area." + area
		if area == areaFresh {
			word = "health.area.fresh"
		}
		b.Areas = append(b.Areas, choice{Word: say(word), On: v.Area == area, URL: v.with(func(v *healthView) { v.Area, v.Check = area, "" })})
	}
	for _, res := range resultOrder {
		look := p.result(res)
		b.Results = append(b.Results, choice{Word: look.Word, Icon: look.Icon, N: m.results[res], On: v.Result == res, URL: v.with(func(v *healthView) { v.Result = toggled(v.Result, res) })})
	}
	for _, stage := range stageOrder {
		b.Stages = append(b.Stages, choice{Word: say("health.stage." + stage), N: m.stages[stage], On: v.Stage == stage, URL: v.with(func(v *healthView) { v.Stage = toggled(v.Stage, stage) })})
	}
	for _, g := range groups {
		b.Groups = append(b.Groups, choice{Word: g.Name, N: g.Terminals, On: g.ID == v.Group, URL: v.with(func(v *healthView) { v.Group = toggled(v.Group, g.ID) })})
	}
	if v.Check != "" {
		b.Chosen = append(b.Chosen, choice{Word: p.checkName(v.Check), On: true, URL: v.with(func(v *healthView) { v.Check = "" })})
	}
	if v.Text != "" {
		b.Chosen = append(b.Chosen, choice{Word: say("chip.text", v.Text), On: true, URL: v.with(func(v *healthView) { v.Text = "" })})
	}
}

func toggled[T comparable](now, this T) (none T) {
	if now == this {
		return none
	}
	return this
}

// healthCard is the first page's short answer.
type healthCard struct {
	Fresh      []freshness `json:"fresh"`
	Violations int         `json:"violations"` // terminals with a check that is one
}

// healthCard is nil while no terminal has said anything of its checks.
func (s *server) healthCard(r *request) (*healthCard, error) {
	fleet, err := s.DB.HealthFleet(r.Context(), "")
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(fleet, func(t store.HealthRow) bool { return t.Reported() }) {
		return nil, nil
	}
	groups, err := s.DB.Groups(r.Context())
	if err != nil {
		return nil, err
	}
	m := s.newMatrix(s.pages[r.lang], healthView{Area: areaAll, Page: 1}, groups, r.now)
	m.look(fleet)
	var page healthPage
	m.fill(&page)
	for i := range page.Fresh {
		page.Fresh[i].Name = m.p.words.say("health.card." + page.Fresh[i].Check)
	}
	return &healthCard{page.Fresh, m.stages[policy.StageViolation]}, nil
}

// Hidden is what a form of the view carries along beside its text.
func (b healthPage) Hidden() map[string]string {
	v, out := b.view, map[string]string{}
	for k, val := range map[string]string{"area": v.Area, "group": v.Group, "check": v.Check, "result": string(v.Result), "stage": v.Stage} {
		if val != "" {
			out[k] = val
		}
	}
	return out
}

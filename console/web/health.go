package web

import (
	"html/template"
	"net/url"
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

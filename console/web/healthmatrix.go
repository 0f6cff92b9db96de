package web

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

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

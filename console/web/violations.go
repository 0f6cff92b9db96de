package web

import (
	"errors"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"

	"sekisho/console/store"
)

const pageSize = 50

// violationsPage is the list with the ways to narrow it; everything chosen is in the address.
type violationsPage struct {
	Tabs      []choice    `json:"tabs"`
	On        []choice    `json:"on"`    // filters that can be taken away again
	Kinds     []choice    `json:"kinds"` // what there is, with its number
	Outcomes  []choice    `json:"outcomes"`
	Spans     []choice    `json:"spans"`
	Days      []dayOfRows `json:"days"`
	Total     int         `json:"total"`
	Unclosed  int         `json:"unclosed"`
	Today     int         `json:"today"` // on this page of the list
	From      int         `json:"from"`
	To        int         `json:"to"`
	Next      string      `json:"next,omitempty"`
	NextCount int         `json:"next_count,omitempty"`
	CSV       string      `json:"csv"`
	Clear     string      `json:"clear"`
	Here      string      `json:"here"`
	Filtered  bool        `json:"filtered"`
}

// choice is a tab or chip: where it leads, how many rows are behind it.
type choice struct {
	Word string `json:"word"`
	Icon string `json:"-"`
	URL  string `json:"url"`
	N    int    `json:"n"`
	On   bool   `json:"on"`
}

type dayOfRows struct {
	Day   time.Time   `json:"day"`
	Today bool        `json:"today"`
	N     int         `json:"n"`
	Rows  []eventView `json:"rows"`
}

// view is what the address says: which rows, which page of them.
type view struct {
	State, Kind, Outcome, Terminal, Group, User, Serial, Request, Text string
	Span                                                               int // days; 0 all
	Before                                                             int64
	Skip                                                               int // rows on the pages before, for "51–100 of 120"
}

var spans = []int{1, 7, 30, 365}

func readView(q url.Values) view {
	v := view{
		State: q.Get("state"), Kind: q.Get("kind"), Outcome: q.Get("outcome"), Terminal: q.Get("terminal"),
		Group: q.Get("group"), User: q.Get("user"), Serial: q.Get("serial"), Request: q.Get("request"), Text: cut(strings.TrimSpace(q.Get("q")), 200),
	}
	v.Span, _ = strconv.Atoi(q.Get("days"))
	v.Before, _ = strconv.ParseInt(q.Get("before"), 10, 64)
	v.Skip, _ = strconv.Atoi(q.Get("skip"))
	if v.State == "" {
		v.State = stateUnclosed
	}
	v.Span, v.Before, v.Skip = max(0, min(v.Span, 3660)), max(0, v.Before), max(0, v.Skip)
	return v
}

func (v view) url(path string) string {
	q := url.Values{}
	set := func(k, val string) {
		if val != "" {
			q.Set(k, val)
		}
	}
	if v.State != stateUnclosed {
		set("state", v.State)
	}
	set("kind", v.Kind)
	set("outcome", v.Outcome)
	set("terminal", v.Terminal)
	set("group", v.Group)
	set("user", v.User)
	set("serial", v.Serial)
	set("request", v.Request)
	set("q", v.Text)
	set("days", positive(int64(v.Span)))
	set("before", positive(v.Before))
	set("skip", positive(int64(v.Skip)))
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

func positive(n int64) string {
	if n <= 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// with gives the address of the same view with one thing changed, from its first page.
func (v view) with(change func(*view)) string {
	v.Before, v.Skip = 0, 0
	change(&v)
	return v.url("/violations")
}

func (v view) filter(now time.Time, cal calendar) store.EventFilter {
	f := store.EventFilter{
		Violations: true, Terminal: v.Terminal, Group: v.Group, Kind: v.Kind, Outcome: v.Outcome, State: v.State,
		User: v.User, Serial: v.Serial, Request: v.Request, Text: v.Text, Before: v.Before, Limit: pageSize,
	}
	if f.State == "all" {
		f.State = ""
	}
	if v.Span > 0 {
		f.From = cal.startOfDay(now).AddDate(0, 0, 1-v.Span)
	}
	return f
}

func (s *server) violations(r *request) error {
	p, v := s.pages[r.lang], readView(r.URL.Query())
	f := v.filter(r.now, p.cal)
	list, err := s.DB.Events(r.Context(), f)
	if err != nil {
		return err
	}
	f.Before = 0
	counts, err := s.DB.CountEvents(r.Context(), f)
	if err != nil {
		return err
	}
	body := p.violationList(v, list, counts, r.now)
	if err := s.nameChips(r, &body, v); err != nil {
		return err
	}
	return show(s, r, "violations", body, title("violations.title"), section("violations"), searched(v.Text))
}

func (p *pages) violationList(v view, list []store.Event, counts store.Counts, now time.Time) violationsPage {
	body := violationsPage{
		Tabs: p.tabs(v, counts), On: p.chosen(v), Days: p.byDay(p.events(list), now), Total: counts.Total,
		Unclosed: counts.ByState[store.StateOpen] + counts.ByState[store.StateWorking],
		CSV:      v.url("/violations.csv"), Here: v.url("/violations"), Clear: v.with(func(v *view) { *v = view{State: v.State} }),
		From: v.Skip + 1, To: v.Skip + len(list),
	}
	body.Filtered = len(body.On) > 0
	if v.Kind == "" {
		body.Kinds = p.narrow("kind", counts.ByKind, func(v *view, k string) { v.Kind = k }, v)
	}
	if v.Outcome == "" {
		body.Outcomes = p.narrow("outcome", counts.ByOutcome, func(v *view, k string) { v.Outcome = k }, v)
	}
	if v.Span == 0 {
		for _, n := range spans {
			body.Spans = append(body.Spans, choice{Word: p.words.say("span." + strconv.Itoa(n)), URL: v.with(func(v *view) { v.Span = n })})
		}
	}
	for _, d := range body.Days {
		for _, row := range d.Rows {
			if row.Today {
				body.Today++
			}
		}
	}
	if rest := counts.Total - body.To; len(list) == pageSize && rest > 0 {
		next := v
		next.Before, next.Skip = list[len(list)-1].ID, body.To
		body.Next, body.NextCount = next.url("/violations"), min(rest, pageSize)
	}
	return body
}

func (p *pages) tabs(v view, c store.Counts) []choice {
	open, working, closed := c.ByState[store.StateOpen], c.ByState[store.StateWorking], c.ByState[store.StateClosed]
	tab := func(state string, n int) choice {
		return choice{Word: p.words.word("tab", state), N: n, On: v.State == state, URL: v.with(func(v *view) { v.State = state })}
	}
	return []choice{
		tab(stateUnclosed, open+working), tab(store.StateOpen, open), tab(store.StateWorking, working),
		tab(store.StateClosed, closed), tab("all", open+working+closed),
	}
}

// chosen lists the filters in force, each with the address without it.
func (p *pages) chosen(v view) []choice {
	on := []choice{}
	add := func(have bool, word string, without func(*view)) {
		if have {
			on = append(on, choice{Word: word, URL: v.with(without), On: true})
		}
	}
	say := p.words.say
	add(v.Span > 0, say("chip.days", v.Span), func(v *view) { v.Span = 0 })
	add(v.Kind != "", say("chip.kind", p.words.word("kind", v.Kind)), func(v *view) { v.Kind = "" })
	add(v.Outcome != "", say("chip.outcome", p.words.word("outcome", v.Outcome)), func(v *view) { v.Outcome = "" })
	add(v.Terminal != "", say("chip.terminal", v.Terminal), func(v *view) { v.Terminal = "" })
	add(v.Group != "", say("chip.group", v.Group), func(v *view) { v.Group = "" })
	add(v.User != "", say("chip.user", v.User), func(v *view) { v.User = "" })
	add(v.Serial != "", say("chip.serial", v.Serial), func(v *view) { v.Serial = "" })
	add(v.Request != "", say("chip.request", v.Request), func(v *view) { v.Request = "" })
	add(v.Text != "", say("chip.text", v.Text), func(v *view) { v.Text = "" })
	return on
}

// nameChips writes names on the chips of a terminal and a group: ids are for addresses. What nobody knows keeps its id.
func (s *server) nameChips(r *request, body *violationsPage, v view) error {
	if v.Terminal != "" {
		switch t, err := s.DB.Terminal(r.Context(), v.Terminal); {
		case err == nil:
			s.nameChip(r, body, "chip.terminal", v.Terminal, t.Name)
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
	if v.Group == "" {
		return nil
	}
	g, err := s.groupByID(r, v.Group)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	s.nameChip(r, body, "chip.group", v.Group, g.Name)
	return err
}

func (s *server) nameChip(r *request, body *violationsPage, key, id, name string) {
	say := s.pages[r.lang].words.say
	for i := range body.On {
		if body.On[i].Word == say(key, id) {
			body.On[i].Word = say(key, name)
		}
	}
}

func (p *pages) narrow(family string, counts map[string]int, set func(*view, string), v view) []choice {
	list := []choice{}
	for code, n := range counts {
		if n == 0 || code == "" {
			continue
		}
		c := choice{Word: p.words.word(family, code), N: n, URL: v.with(func(v *view) { set(v, code) })}
		if family == "outcome" {
			c.Icon = p.outcomeIcon(code)
		}
		list = append(list, c)
	}
	sort.Slice(list, func(i, j int) bool {
		return list[i].N > list[j].N || list[i].N == list[j].N && list[i].URL < list[j].URL
	})
	return list
}

func (p *pages) byDay(rows []eventView, now time.Time) []dayOfRows {
	days := []dayOfRows{}
	sort.SliceStable(rows, func(i, j int) bool { return rows[i].At.After(rows[j].At) }) // the store sorts by arrival
	today := p.cal.startOfDay(now)
	for _, row := range rows {
		d := p.cal.startOfDay(row.At)
		if n := len(days); n == 0 || !days[n-1].Day.Equal(d) {
			days = append(days, dayOfRows{Day: d, Today: d.Equal(today)})
		}
		last := &days[len(days)-1]
		last.Rows, last.N = append(last.Rows, row), last.N+1
	}
	return days
}

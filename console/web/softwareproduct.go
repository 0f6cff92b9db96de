package web

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/version"
	"sekisho/internal/wire"
)

// installedView is a program on a terminal, judged.
type installedView struct {
	Terminal     string         `json:"terminal"`
	TerminalName string         `json:"terminal_name"`
	Group        string         `json:"group"`
	GroupName    string         `json:"group_name"`
	Program      policy.Program `json:"program"`
	FirstSeen    time.Time      `json:"first_seen"`
	ChangedAt    time.Time      `json:"changed_at"`
	List         string         `json:"list"`
	Rule         policy.Text    `json:"rule"`
	Grant        string         `json:"grant,omitempty"`
	Until        time.Time      `json:"until,omitzero"`
	Old          bool           `json:"old,omitempty"`
	URL          string         `json:"url"`
	ID           int64          `json:"id"`
}

func installedOf(i store.Installed, d policy.Decision) installedView {
	return installedView{Terminal: i.Terminal, TerminalName: i.TerminalName, Group: i.Group, GroupName: i.GroupName, Program: i.Program, ID: i.ID,
		FirstSeen: i.FirstSeen, ChangedAt: i.ChangedAt, List: listOf(d), Rule: d.RuleName, Grant: d.Grant, Until: d.Until, Old: i.Old, URL: productURL(i.Program)}
}

// productPage is one product: which versions stand where and since when.
type productPage struct {
	productView
	Versions []versionCount  `json:"by_version"`
	Judged   []groupVerdict  `json:"judged"`
	Where    []installedView `json:"where"`
	Cut      bool            `json:"cut,omitempty"`
}

type versionCount struct {
	Version   string    `json:"version"`
	Terminals int       `json:"terminals"`
	FirstSeen time.Time `json:"first_seen"`
}

// groupVerdict is how a group's policy judges a product.
type groupVerdict struct {
	Group, GroupName string
	List             string
	Rule             policy.Text
	Terminals        int
	ID               int64 // of the program that the decision is made for
}

const productRows = 500

func (s *server) product(r *request) error {
	q := r.URL.Query()
	name, publisher, hash := q.Get("name"), q.Get("publisher"), q.Get("hash")
	spreads, err := s.DB.ProductSpread(r.Context(), name, publisher, hash)
	if err != nil {
		return err
	}
	mine, err := s.judged(r.Context(), spreads, r.now)
	if err != nil {
		return err
	}
	if len(mine) == 0 {
		return store.ErrNotFound
	}
	body := productPage{productView: productsOf(mine)[0], Judged: verdicts(mine)}
	where, err := s.DB.Product(r.Context(), name, publisher, productRows+1)
	if err != nil {
		return err
	}
	body.Cut = len(where) > productRows
	byID := map[int64]map[string]find{}
	for _, f := range mine {
		if byID[f.ID] == nil {
			byID[f.ID] = map[string]find{}
		}
		byID[f.ID][f.Group] = f
	}
	for _, i := range where[:min(len(where), productRows)] {
		if f, ok := byID[i.ID][i.Group]; ok {
			body.Where = append(body.Where, installedOf(i, *f.Decision))
		}
	}
	body.Versions = versionCounts(mine)
	if err := s.complete(r.Context(), &body.productView); err != nil {
		return err
	}
	return show(s, r, "product", body, named(name), section("software"))
}

func verdicts(finds []find) []groupVerdict {
	var list []groupVerdict
	for _, f := range finds {
		i := slices.IndexFunc(list, func(v groupVerdict) bool { return v.Group == f.Group && v.List == f.List })
		if i < 0 {
			list = append(list, groupVerdict{Group: f.Group, GroupName: f.GroupName, List: f.List, Rule: f.Decision.RuleName, ID: f.ID})
			i = len(list) - 1
		}
		list[i].Terminals += f.Terminals
	}
	return list
}

func versionCounts(finds []find) []versionCount {
	by := map[string]*versionCount{}
	for _, f := range finds {
		c := by[f.Program.Version]
		if c == nil {
			c = &versionCount{Version: f.Program.Version, FirstSeen: f.FirstSeen}
			by[f.Program.Version] = c
		}
		c.Terminals += f.Terminals
		if f.FirstSeen.Before(c.FirstSeen) {
			c.FirstSeen = f.FirstSeen
		}
	}
	list := make([]versionCount, 0, len(by))
	for _, c := range by {
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b versionCount) int { return version.Compare(b.Version, a.Version) })
	return list
}

// terminalSoftwarePage is what is on one terminal and what changed there.
type terminalSoftwarePage struct {
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Group     string          `json:"group"`
	GroupName string          `json:"group_name"`
	Tabs      []choice        `json:"tabs"`
	Rows      []installedView `json:"software"`
	Changes   []eventView     `json:"changes"`
	Total     int             `json:"total"`
	At        time.Time       `json:"at,omitzero"` // of the list; zero: none has come
	Whole     bool            `json:"whole"`
	Text      string          `json:"text,omitempty"`
	List      string          `json:"list,omitempty"`
}

func (s *server) terminalSoftware(r *request) error {
	t, err := s.DB.Terminal(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	list, at, err := s.DB.TerminalSoftware(r.Context(), t.ID)
	if err != nil {
		return err
	}
	doc, err := s.terminalDocument(r, t)
	if err != nil {
		return err
	}
	q := softwareView{Text: cut(strings.TrimSpace(r.URL.Query().Get("q")), 200), List: r.URL.Query().Get("list")}
	body := terminalSoftwarePage{ID: t.ID, Name: t.Name, Group: t.Group, GroupName: t.GroupName, Total: at.Items, At: at.ChangedAt, Whole: at.Whole,
		Text: q.Text, List: q.List, Rows: []installedView{}}
	counts := map[string]int{}
	for _, i := range list {
		v := installedOf(i, policy.DecideProgram(doc, i.Program, r.now))
		if !q.hasText(i.Program) {
			continue
		}
		counts[v.List]++
		if q.List == "" || q.List == v.List {
			body.Rows = append(body.Rows, v)
		}
	}
	slices.SortStableFunc(body.Rows, func(a, b installedView) int {
		return cmp.Compare(slices.Index(lists, a.List), slices.Index(lists, b.List))
	})
	body.tabs(s.pages[r.lang].words, counts)
	changes, err := s.DB.Events(r.Context(), store.EventFilter{Terminal: t.ID, Kind: wire.RecordProgram, Limit: 50})
	if err != nil {
		return err
	}
	body.Changes = s.pages[r.lang].events(changes)
	return show(s, r, "terminal-software", body, title("terminal.software.of", t.Name), section("terminals"))
}

func (b *terminalSoftwarePage) tabs(w words, counts map[string]int) {
	at := "/terminals/" + b.ID + "/software"
	total := 0
	for _, l := range lists {
		if n := counts[l]; n > 0 || b.List == l {
			total += n
			b.Tabs = append(b.Tabs, choice{Word: w.word("list", l), N: n, On: b.List == l, URL: softwareView{List: l, Text: b.Text}.url(at)})
		}
	}
	b.Tabs = append([]choice{{Word: w.say("software.all"), N: total, On: b.List == "", URL: softwareView{Text: b.Text}.url(at)}}, b.Tabs...)
}

// terminalDocument is what judges programs on a terminal: its group's control with its own permissions.
func (s *server) terminalDocument(r *request, t store.Terminal) (*policy.Policy, error) {
	have, err := s.DB.GroupPolicy(r.Context(), t.Group, 0)
	if errors.Is(err, store.ErrNotFound) {
		err = nil // a group without a policy controls nothing
	}
	if err != nil || have.Software == nil {
		return softwarePolicy(t.Group, t.GroupName, nil), err
	}
	grants, err := s.DB.Grants(r.Context(), store.GrantFilter{Terminal: t.ID, State: grantRunning, Limit: 500, Now: r.now})
	own := *have.Software
	own.Permits = nil
	for _, g := range grants {
		if g.Permit != nil {
			own.Permits = append(own.Permits, *g.Permit)
		}
	}
	return softwarePolicy(t.Group, t.GroupName, &own), err
}

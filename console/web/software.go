package web

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/version"
)

// softwareView is what the address of the fleet's list says.
type softwareView struct {
	List, Group, Kind, Source, Text string
	Page                            int
}

func readSoftwareView(q url.Values) softwareView {
	v := softwareView{List: q.Get("list"), Group: q.Get("group"), Kind: q.Get("kind"), Source: q.Get("source"), Text: cut(strings.TrimSpace(q.Get("q")), 200)}
	v.Page, _ = strconv.Atoi(q.Get("page"))
	v.Page = max(0, min(v.Page, 100_000))
	return v
}

func (v softwareView) url(path string) string {
	q := url.Values{}
	for k, val := range map[string]string{"list": v.List, "group": v.Group, "kind": v.Kind, "source": v.Source, "q": v.Text, "page": positive(int64(v.Page))} {
		if val != "" {
			q.Set(k, val)
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

func (v softwareView) with(change func(*softwareView)) string {
	v.Page = 0
	change(&v)
	return v.url("/software")
}

func (v softwareView) shows(f find) bool {
	return (v.Kind == "" || string(f.Program.Kind) == v.Kind) && (v.Source == "" || f.Program.Source == v.Source) && v.hasText(*f.Program)
}

func (v softwareView) hasText(p policy.Program) bool {
	if v.Text == "" {
		return true
	}
	text := strings.ToLower(v.Text)
	return slices.ContainsFunc([]string{p.Name, p.Publisher, p.Signer, p.Path, p.Origin, p.Hash, p.Version}, func(word string) bool {
		return strings.Contains(strings.ToLower(word), text)
	})
}

// productView is one line of the list: a product of a publisher with all its versions.
type productView struct {
	Name      string    `json:"name"`
	Publisher string    `json:"publisher"`
	Signer    string    `json:"signer,omitempty"`
	Kind      string    `json:"kind"`
	Source    string    `json:"source"`
	Path      string    `json:"path,omitempty"` // of a single file
	Versions  []string  `json:"versions"`       // newest first
	Terminals int       `json:"terminals"`
	FirstSeen time.Time `json:"first_seen"`
	ChangedAt time.Time `json:"changed_at"`
	List      string    `json:"list"` // the one that needs people most
	Groups    []string  `json:"groups"`
	URL       string    `json:"url"`
	low       string    // the name without regard to case
	of        []store.Spread
}

type softwarePage struct {
	Tabs     []choice      `json:"tabs"`
	On       []choice      `json:"on"`
	Groups   []choice      `json:"groups"`
	Kinds    []choice      `json:"kinds"`
	Sources  []choice      `json:"sources"`
	Rows     []productView `json:"software"`
	Total    int           `json:"total"`
	Programs int           `json:"programs"`
	From     int           `json:"from"`
	To       int           `json:"to"`
	Next     string        `json:"next,omitempty"`
	CSV      string        `json:"csv"`
	Here     string        `json:"here"`
	Clear    string        `json:"clear"`
	Text     string        `json:"text,omitempty"`
	Filtered bool          `json:"filtered"`
	Any      bool          `json:"any"` // a terminal has sent its list
	Cut      bool          `json:"cut,omitempty"`
	Open     int           `json:"undecided"` // of all groups
	Bad      int           `json:"forbidden"`
	view     softwareView
}

func (s *server) software(r *request) error {
	body, products, err := s.softwareList(r)
	if err != nil {
		return err
	}
	from := min(body.view.Page*pageSize, len(products))
	body.Rows = products[from:min(from+pageSize, len(products))]
	body.From, body.To = from+1, from+len(body.Rows)
	if body.To < body.Total {
		next := body.view
		next.Page++
		body.Next = next.url("/software")
	}
	if err := s.completeAll(r.Context(), body.Rows); err != nil {
		return err
	}
	return show(s, r, "software", body, title("software.title"), section("software"), searched(body.Text))
}

// softwareList is everything of the page but which rows of it are shown.
func (s *server) softwareList(r *request) (softwarePage, []productView, error) {
	v := readSoftwareView(r.URL.Query())
	all, cut, err := s.finds(r.Context(), v.Group, r.now)
	if err != nil {
		return softwarePage{}, nil, err
	}
	groups, err := s.DB.Groups(r.Context())
	if err != nil {
		return softwarePage{}, nil, err
	}
	body := softwarePage{Text: v.Text, Any: len(all) > 0, Cut: cut, CSV: v.url("/software.csv"), Here: v.url("/software"), view: v, Rows: []productView{}}
	var shown []find
	counts := newProductTally()
	for _, f := range all {
		if !v.shows(f) {
			continue
		}
		counts.add(f)
		if v.List == "" || v.List == f.List {
			shown = append(shown, f)
		}
	}
	products := productsOf(shown)
	body.Total, body.Programs = len(products), len(shown)
	body.Open, body.Bad = counts.lists[listUndecided], counts.lists[listForbidden]
	s.softwareChips(r, &body, v, counts, all, groups)
	return body, products, nil
}

// productTally counts products, and on how many lists each of them stands.
type productTally struct {
	on    map[int64]uint8 // of a product, a bit for each of lists
	lists map[string]int
}

func newProductTally() productTally { return productTally{map[int64]uint8{}, map[string]int{}} }

func (t productTally) add(f find) {
	bit := uint8(1) << slices.Index(lists, f.List)
	if had := t.on[f.Product]; had&bit == 0 {
		t.on[f.Product] = had | bit
		t.lists[f.List]++
	}
}

func (s *server) softwareChips(r *request, body *softwarePage, v softwareView, counts productTally, all []find, groups []store.Group) {
	p := s.pages[r.lang]
	for _, l := range lists {
		n := counts.lists[l]
		if n > 0 || v.List == l || l == listForbidden || l == listUndecided || l == listAllowed {
			body.Tabs = append(body.Tabs, choice{Word: p.words.word("list", l), N: n, On: v.List == l, URL: v.with(func(v *softwareView) { v.List = l })})
		}
	}
	body.Tabs = append([]choice{{Word: p.words.say("software.all"), N: len(counts.on), On: v.List == "", URL: v.with(func(v *softwareView) { v.List = "" })}}, body.Tabs...)
	on := func(have bool, word string, without func(*softwareView)) {
		if have {
			body.On = append(body.On, choice{Word: word, URL: v.with(without), On: true})
		}
	}
	name := v.Group
	for _, g := range groups {
		if g.ID == v.Group {
			name = g.Name
		} else if v.Group == "" && len(groups) > 1 {
			body.Groups = append(body.Groups, choice{Word: g.Name, N: g.Terminals, URL: v.with(func(v *softwareView) { v.Group = g.ID })})
		}
	}
	on(v.Group != "", p.words.say("chip.group", name), func(v *softwareView) { v.Group = "" })
	on(v.Kind != "", p.words.say("chip.kind", p.words.word("program.kind", v.Kind)), func(v *softwareView) { v.Kind = "" })
	on(v.Source != "", p.words.say("software.chip.source", p.words.word("source", v.Source)), func(v *softwareView) { v.Source = "" })
	on(v.Text != "", p.words.say("chip.text", v.Text), func(v *softwareView) { v.Text = "" })
	body.Filtered, body.Clear = len(body.On) > 0, softwareView{List: v.List}.url("/software")
	kinds, sources := map[string]int{}, map[string]int{}
	for _, f := range all {
		kinds[string(f.Program.Kind)]++
		sources[f.Program.Source]++
	}
	if v.Kind == "" {
		body.Kinds = p.softwareNarrow("program.kind", kinds, func(code string) string { return v.with(func(v *softwareView) { v.Kind = code }) })
	}
	if v.Source == "" {
		body.Sources = p.softwareNarrow("source", sources, func(code string) string { return v.with(func(v *softwareView) { v.Source = code }) })
	}
}

func (p *pages) softwareNarrow(family string, counts map[string]int, address func(string) string) []choice {
	list := []choice{}
	for code, n := range counts {
		if code != "" {
			list = append(list, choice{Word: p.words.word(family, code), N: n, URL: address(code)})
		}
	}
	slices.SortFunc(list, func(a, b choice) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.URL, b.URL)) })
	return list
}

// productsOf makes lines of finds: what needs people first, then by name.
func productsOf(finds []find) []productView {
	at, rows := map[int64]int{}, []productView{}
	for _, f := range finds {
		i, ok := at[f.Product]
		if !ok {
			i = len(rows)
			at[f.Product] = i
			rows = append(rows, newProduct(f))
		}
		rows[i].add(f)
	}
	slices.SortStableFunc(rows, func(a, b productView) int {
		return cmp.Or(cmp.Compare(slices.Index(lists, a.List), slices.Index(lists, b.List)), cmp.Compare(a.low, b.low))
	})
	return rows
}

func newProduct(f find) productView {
	p := *f.Program
	return productView{Name: p.Name, Publisher: p.Publisher, Signer: p.Signer, Kind: string(p.Kind), Source: p.Source, Versions: []string{}, FirstSeen: f.FirstSeen,
		Path: singlePath(p), low: strings.ToLower(p.Name)}
}

func singlePath(p policy.Program) string {
	if p.Single() {
		return p.Path
	}
	return ""
}

func productURL(p policy.Program) string {
	q := url.Values{"name": {p.Name}, "publisher": {p.Publisher}}
	if h := p.SingleHash(); h != "" {
		q.Set("hash", h)
	}
	return "/software/product?" + q.Encode()
}

func (v *productView) add(f find) {
	v.of = append(v.of, f.Spread)
	v.Terminals += f.Terminals // right as long as nobody has two of them; complete looks closer
	if !slices.Contains(v.Groups, f.GroupName) {
		v.Groups = append(v.Groups, f.GroupName)
	}
	if f.FirstSeen.Before(v.FirstSeen) {
		v.FirstSeen = f.FirstSeen
	}
	if f.ChangedAt.After(v.ChangedAt) {
		v.ChangedAt = f.ChangedAt
	}
	v.List = worst(v.List, f.List)
}

// complete finds out what is asked of a line only where it is shown; a terminal that has two versions counts once.
func (s *server) complete(ctx context.Context, v *productView) (err error) {
	for _, sp := range v.of {
		if sp.Program.Version != "" {
			v.Versions = append(v.Versions, sp.Program.Version)
		}
	}
	slices.SortFunc(v.Versions, func(a, b string) int { return cmp.Or(version.Compare(b, a), cmp.Compare(a, b)) })
	v.Versions = slices.Compact(v.Versions)
	v.URL = productURL(*v.of[0].Program)
	v.Terminals, err = s.DB.CountTerminals(ctx, v.of)
	return err
}

func (s *server) completeAll(ctx context.Context, rows []productView) error {
	for i := range rows {
		if err := s.complete(ctx, &rows[i]); err != nil {
			return err
		}
	}
	return nil
}

// manyHolders is as many terminals as are told apart by name for one answer.
const manyHolders = 200_000

// softwareCSV writes exactly the lines that the list shows under the same address, all its pages.
func (s *server) softwareCSV(r *request) error {
	_, products, err := s.softwareList(r)
	if err != nil {
		return err
	}
	p := s.pages[r.lang]
	out := p.csvFile(r, "software")
	out.row(p.csvWords("software.col.name", "software.publisher", "kind", "software.source", "software.versions", "terminals.title", "software.list", "group", "software.since", "software.changed")...)
	for i, v := range products {
		if i == maxExport {
			out.row(p.words.say("csv.cut", maxExport))
			break
		}
		if err := s.complete(r.Context(), &v); err != nil {
			return out.broken(s, err)
		}
		comma := p.words.say("list.comma")
		out.row(v.Name, v.Publisher, p.words.word("program.kind", v.Kind), p.words.word("source", v.Source), strings.Join(v.Versions, comma), strconv.Itoa(v.Terminals),
			p.words.word("list", v.List), strings.Join(v.Groups, comma), v.FirstSeen.In(p.cal.zone).Format(time.DateTime), v.ChangedAt.In(p.cal.zone).Format(time.DateTime))
	}
	return out.end()
}

// csvFile begins the answer with a file named after its moment.
func (p *pages) csvFile(r *request, name string) *table {
	h := r.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+name+`-`+r.now.In(p.cal.zone).Format("20060102-1504")+`.csv"`)
	return newTable(r.w)
}

func (p *pages) csvWords(keys ...string) []string {
	head := make([]string, len(keys))
	for i, k := range keys {
		head[i] = p.words.say(k)
	}
	return head
}

package web

import (
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"sekisho/internal/wire"
)

// recordsPage lists what people did at this console, newest first.
type recordsPage struct {
	Rows []auditView `json:"records"`
	Next string      `json:"next,omitempty"`
}

type auditView struct {
	ID          int64     `json:"id"`
	At          time.Time `json:"at"`
	By          string    `json:"by"`
	Act         string    `json:"act"`
	Object      string    `json:"object"`
	Detail      string    `json:"detail"`
	Words       string    `json:"-"`
	ByWords     string    `json:"-"`
	ObjectWords string    `json:"-"`
	Hash        wire.Hash `json:"hash"`
}

func (s *server) records(r *request) error {
	before, _ := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64)
	list, err := s.DB.Audits(r.Context(), max(0, before), pageSize)
	if err != nil {
		return err
	}
	names, err := s.names(r)
	if err != nil {
		return err
	}
	body := recordsPage{Rows: make([]auditView, 0, len(list))}
	for _, a := range list {
		body.Rows = append(body.Rows, auditView{
			ID: a.ID, At: a.At, By: a.By, Act: a.Act, Object: a.Object, Detail: a.Detail, Hash: a.Hash,
			Words: s.pages[r.lang].auditWords(a.Detail, names), ByWords: names.by(a.By), ObjectWords: names.object(a.Act, a.Object),
		})
	}
	if len(list) == pageSize && list[len(list)-1].ID > 1 {
		body.Next = "/records?before=" + strconv.FormatInt(list[len(list)-1].ID, 10)
	}
	return show(s, r, "records", body, title("records.title"), section("records"))
}

// auditWords writes an act's facts as a line; the JSON itself stays in the record.
func (p *pages) auditWords(detail string, names names) string {
	var facts map[string]any
	if json.Unmarshal([]byte(detail), &facts) != nil {
		return ""
	}
	var parts []string
	for k, v := range facts {
		if _, nested := v.(map[string]any); !nested && v != nil && v != false && fmt.Sprint(v) != "" {
			parts = append(parts, p.words.word("fact", k)+" "+names.of(p.factWord(k, v)))
		}
	}
	sort.Strings(parts)
	return strings.Join(parts, p.words.say("list.comma"))
}

func (p *pages) factWord(key string, v any) string {
	text := fmt.Sprint(v)
	if n, ok := v.(float64); ok {
		text = strconv.FormatFloat(n, 'f', -1, 64)
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return p.cal.moment(t)
	}
	if key == "mode" || key == "state" || key == "before" || key == "role" || key == "ring" {
		return p.words.word(strings.Replace(key, "before", "state", 1), text)
	}
	return p.said(text)
}

// names gives people's words for ids in records.
type names struct {
	known map[string]string // of categories and terminals
	say   func(string, ...any) string
}

func (s *server) names(r *request) (names, error) {
	n := names{map[string]string{}, s.pages[r.lang].words.say}
	groups, err := s.DB.Groups(r.Context())
	if err != nil {
		return n, err
	}
	terminals, err := s.DB.Terminals(r.Context(), "", "")
	if err != nil {
		return n, err
	}
	retired, err := s.DB.Retired(r.Context(), "", "")
	if err != nil {
		return n, err
	}
	for _, g := range groups {
		n.known[g.ID] = g.Name
	}
	for _, t := range append(terminals, retired...) {
		n.known[t.ID] = t.Name
	}
	return n, nil
}

func (n names) of(id string) string {
	if name, ok := n.known[id]; ok {
		return name
	}
	return id
}

// by is a person, or the terminal that did it itself.
func (n names) by(by string) string {
	if id, ok := strings.CutPrefix(by, "terminal "); ok {
		return n.say("records.by_terminal", n.of(id))
	}
	return by
}

func (n names) object(act, object string) string {
	if act == "handle" {
		return "V-" + object
	}
	return n.of(object)
}

// searchPage is one answer over terminals, violations, serial numbers and software.
type searchPage struct {
	Text      string         `json:"text"`
	Terminals []terminalView `json:"terminals"`
	Events    []eventView    `json:"violations"`
	Total     int            `json:"total"` // of violations
	All       string         `json:"all"`
	Software  []foundProgram `json:"software"`
	Only      int64          `json:"only,omitempty"` // the one violation that a request number stands for
}

// foundProgram is a product that the text names.
type foundProgram struct {
	Name      string `json:"name"`
	Publisher string `json:"publisher,omitempty"`
	Kind      string `json:"kind"`
	URL       string `json:"url"`
}

const searchShown = 10

func (s *server) search(r *request) error {
	body := searchPage{Text: cut(strings.TrimSpace(r.URL.Query().Get("q")), 200), Terminals: []terminalView{}, Events: []eventView{}, Software: []foundProgram{}}
	if body.Text != "" {
		if err := s.find(r, &body); err != nil {
			return err
		}
	}
	if body.Only > 0 && !wantsJSON(r.Request) {
		return seeOther(r, "/violations/"+strconv.FormatInt(body.Only, 10))
	}
	return show(s, r, "search", body, title("search.title"), searched(body.Text))
}

func (s *server) find(r *request, body *searchPage) error {
	terminals, err := s.DB.Terminals(r.Context(), "", body.Text)
	if err != nil {
		return err
	}
	for _, t := range terminals[:min(len(terminals), searchShown)] {
		body.Terminals = append(body.Terminals, s.terminalView(t, r.now))
	}
	programs, err := s.DB.FindPrograms(r.Context(), body.Text, searchShown)
	if err != nil {
		return err
	}
	for _, p := range programs {
		body.Software = append(body.Software, foundProgram{p.Name, p.Publisher, string(p.Kind), productURL(p)})
	}
	if number := requestNumber(body.Text); number != "" {
		if err := s.findEvents(r, body, view{State: "all", Request: number}); err != nil || body.Total > 0 {
			return err
		}
	}
	return s.findEvents(r, body, view{State: "all", Text: body.Text})
}

// findEvents fills in the violations of a view.
func (s *server) findEvents(r *request, body *searchPage, v view) error {
	f := v.filter(r.now, s.pages[r.lang].cal)
	f.Limit = searchShown
	events, err := s.DB.Events(r.Context(), f)
	if err != nil {
		return err
	}
	counts, err := s.DB.CountEvents(r.Context(), f)
	if err != nil {
		return err
	}
	body.Events, body.Total = s.pages[r.lang].events(events), counts.Total
	body.All = v.url("/violations")
	if v.Request != "" && body.Total == 1 {
		body.Only = events[0].ID
	}
	return nil
}

// requestNumber reads what a caller says: eight digits, with or without hyphen, as any input method leaves them.
func requestNumber(text string) string {
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -‐‑–—―−ー", r) {
			return -1
		}
		return r
	}, narrow(text))
	if len(digits) != 8 || strings.Trim(digits, "0123456789") != "" {
		return ""
	}
	return digits[:4] + "-" + digits[4:]
}

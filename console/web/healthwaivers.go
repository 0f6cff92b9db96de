package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// waiversPage is a group's waivers, and the form for another.
type waiversPage struct {
	refusals
	Group     groupView         `json:"group"`
	BasedOn   int64             `json:"based_on"`
	Begun     bool              `json:"begun"`
	Waivers   []waiverView      `json:"waivers"`
	Form      map[string]string `json:"form"`
	Checks    []healthArea      `json:"-"`
	Terminals []store.Terminal  `json:"-"`
	Done      string            `json:"done,omitempty"`
}

func (s *server) waivers(r *request) error {
	g, have, err := s.policyOf(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	form := map[string]string{"check": q.Get("check"), "terminal": q.Get("terminal"), "from": s.pages[r.lang].cal.short(r.now)}
	return s.showWaivers(r, waiversPage{Group: g, Form: form, Done: waiverDone(q.Get("done"))}, have, http.StatusOK)
}

// waiverFields is the form's order.
var waiverFields = []string{"check", "terminal", "from", "until", "reason", "measure", "approver"}

func waiverDone(word string) string {
	if word == "added" || word == "ended" {
		return "health.waiver.done." + word
	}
	return ""
}

func (s *server) showWaivers(r *request, body waiversPage, have store.GroupPolicy, code int) error {
	list, err := s.DB.Terminals(r.Context(), body.Group.ID, "")
	if err != nil {
		return err
	}
	body.BasedOn, body.Begun, body.Terminals, body.Checks, body.Waivers = have.Version, have.Health != nil, list, healthAreas(), []waiverView{}
	if have.Health != nil {
		for _, w := range have.Health.Waivers {
			body.Waivers = append(body.Waivers, s.waiverFor(s.pages[r.lang], w, body.Group, list, r.now))
		}
	}
	slices.SortStableFunc(body.Waivers, func(a, b waiverView) int { return b.Until.Compare(a.Until) })
	return show(s, r, "health-waivers", body, title("health.waivers.title", body.Group.Name), section("policy"), status(code))
}

func (s *server) waiverFor(p *pages, w policy.Waiver, g groupView, list []store.Terminal, now time.Time) waiverView {
	v := p.waiver(w, now)
	if len(w.Group) > 0 {
		v.For = append(v.For, p.words.say("health.waiver.whole", g.Name))
	}
	for _, id := range w.Terminals {
		name := id
		if i := slices.IndexFunc(list, func(t store.Terminal) bool { return t.ID == id }); i >= 0 {
			name = list[i].Name
		}
		v.For = append(v.For, name)
	}
	return v
}

// addWaiver publishes a version of the group's policy that holds it. Without an end, a reason, a measure or somebody who
// approved it there is none.
func (s *server) addWaiver(r *request) error {
	g, have, err := s.policyOf(r)
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return errBadForm
	}
	body := waiversPage{Group: g, Form: map[string]string{}}
	for k := range r.PostForm {
		body.Form[k] = strings.TrimSpace(r.PostForm.Get(k))
	}
	if have.Health == nil {
		return s.showWaivers(r, body, have, http.StatusConflict)
	}
	w := body.read(s.pages[r.lang], have, s.Zone)
	after := *have.Health
	after.Waivers = append(slices.Clone(after.Waivers), w)
	want := have
	want.Health, want.By, want.Reason = &after, r.by(), s.pages[r.lang].words.say("health.waiver.reason_of", w.ID, w.Reason)
	if w.Check == "" {
		body.refuse("check", s.pages[r.lang].words.say("health.waiver.no_check"))
	}
	for _, one := range healthProblems(want) {
		if rest, ok := strings.CutPrefix(one.Path, fmt.Sprintf("health.waivers[%d].", len(after.Waivers)-1)); ok || one.Path == "health.waivers" {
			body.refuse(waiverField(rest), one.Text.In(r.lang))
		}
	}
	if !body.knows(s, r, w) {
		body.refuse("terminal", s.pages[r.lang].words.say("health.waiver.no_terminal"))
	}
	if len(body.Problems) > 0 {
		body.Order = slices.DeleteFunc(slices.Clone(waiverFields), func(f string) bool { return body.Problems[f] == "" })
		return s.showWaivers(r, body, have, http.StatusUnprocessableEntity)
	}
	if _, err := s.DB.PutGroupPolicy(r.Context(), want, have.Version, r.now); err != nil {
		return err
	}
	return seeOther(r, "/policy/"+url.PathEscape(g.ID)+"/health/waivers?done=added")
}

func waiverField(path string) string {
	switch {
	case path == "terminals" || path == "":
		return "terminal"
	}
	return path
}

// knows says whether the terminal is one of the group's: a waiver for none would look like one that covers.
func (b *waiversPage) knows(s *server, r *request, w policy.Waiver) bool {
	if len(w.Terminals) == 0 {
		return true
	}
	t, err := s.DB.Terminal(r.Context(), w.Terminals[0])
	return err == nil && t.Group == b.Group.ID && !t.Retired
}

// read makes a waiver of the fields. A day's end is the end of that day.
func (b *waiversPage) read(p *pages, have store.GroupPolicy, zone *time.Location) policy.Waiver {
	f := b.Form
	w := policy.Waiver{ID: nextWaiver(have.Health.Waivers), Check: f["check"], Reason: f["reason"], Measure: f["measure"], Approver: f["approver"]}
	switch f["terminal"] {
	case "":
	case "*":
		w.Group = []string{b.Group.ID}
	default:
		w.Terminals = []string{f["terminal"]}
	}
	var ok bool
	if w.From, ok = dayOf(f["from"], zone); !ok {
		b.refuse("from", p.words.say("health.waiver.bad_day"))
	}
	until, ok := dayOf(f["until"], zone)
	switch {
	case f["until"] == "":
	case !ok:
		b.refuse("until", p.words.say("health.waiver.bad_day"))
	default:
		w.Until = until.AddDate(0, 0, 1)
	}
	return w
}

func dayOf(text string, zone *time.Location) (time.Time, bool) {
	y, m, d, err := parseDay(narrow(text))
	if err != nil {
		return time.Time{}, false
	}
	t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, zone)
	return t, t.Day() == d && int(t.Month()) == m
}

func nextWaiver(list []policy.Waiver) string {
	most := 0
	for _, w := range list {
		most = max(most, number(strings.TrimPrefix(w.ID, "W-")))
	}
	return fmt.Sprintf("W-%04d", most+1)
}

// endWaiver ends one now; it stays in the list and in the history.
func (s *server) endWaiver(r *request) error {
	g, have, err := s.policyOf(r)
	if err != nil {
		return err
	}
	id := r.PostFormValue("id")
	if have.Health == nil {
		return store.ErrNotFound
	}
	after := *have.Health
	after.Waivers = slices.Clone(after.Waivers)
	i := slices.IndexFunc(after.Waivers, func(w policy.Waiver) bool { return w.ID == id })
	if i < 0 || !r.now.Before(after.Waivers[i].Until) {
		return store.ErrNotFound
	}
	if w := &after.Waivers[i]; r.now.After(w.From) {
		w.Until = r.now.UTC().Truncate(time.Second)
	} else { // it never began
		after.Waivers = slices.Delete(after.Waivers, i, i+1)
	}
	want := have
	want.Health, want.By, want.Reason = &after, r.by(), s.pages[r.lang].words.say("health.waiver.ended_reason", id)
	if _, err := s.DB.PutGroupPolicy(r.Context(), want, have.Version, r.now); err != nil {
		return err
	}
	return seeOther(r, "/policy/"+url.PathEscape(g.ID)+"/health/waivers?done=ended")
}

// waiverWords is a waiver in a line.
func (p *pages) waiverWords(w policy.Waiver) string {
	return strings.Join([]string{p.checkName(w.Check), w.Reason, p.words.say("health.waiver.until", p.cal.moment(w.Until)), p.words.say("health.waiver.approver") + ": " + w.Approver}, p.words.say("list.comma"))
}

package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// permitForm is a software permission being filled in, from a record or from a terminal's list.
type permitForm struct {
	refusals
	Event    int64          `json:"event,omitempty"`
	Item     string         `json:"item,omitempty"` // of the terminal's list
	Terminal terminalView   `json:"terminal"`
	Program  policy.Program `json:"program"`
	Words    string         `json:"words"`
	Ways     []wayView      `json:"ways"`
	Way      string         `json:"way"`
	From     string         `json:"from"`
	Until    string         `json:"until"`
	Latest   time.Time      `json:"latest"` // the fiscal year's end
	Reason   string         `json:"reason"`
	Back     string         `json:"-"`
	Request  string         `json:"request,omitempty"`
}

// asksSoftware says whether a form of a permission is for software.
func (s *server) asksSoftware(r *request) (bool, error) {
	if r.FormValue("item") != "" {
		return true, nil
	}
	id, err := strconv.ParseInt(r.FormValue("event"), 10, 64)
	if err != nil {
		return false, nil // the form itself says so
	}
	e, err := s.DB.Event(r.Context(), id)
	return e.Record.Software != nil, err
}

func (s *server) permitForm(r *request) (form permitForm, err error) {
	if form.Item = r.FormValue("item"); form.Item != "" {
		err = s.permitFromList(r, &form)
	} else {
		err = s.permitFromRecord(r, &form)
	}
	if err != nil {
		return form, err
	}
	p := s.pages[r.lang]
	t, err := s.DB.Terminal(r.Context(), form.Terminal.ID)
	if err != nil {
		return form, err
	}
	form.Terminal, form.Words, form.Latest = s.terminalView(t, r.now), p.program(form.Program), p.cal.endOfYear(r.now).Add(-time.Second)
	for _, w := range policy.PermitWays(form.Program) {
		form.Ways = append(form.Ways, wayView{Way: w, Words: p.programMatches(w.Match)})
	}
	if len(form.Ways) > 0 {
		form.Way = form.Ways[0].Key
	}
	return form, nil
}

func (s *server) permitFromRecord(r *request, form *permitForm) error {
	id, err := strconv.ParseInt(r.FormValue("event"), 10, 64)
	if err != nil {
		return store.ErrNotFound
	}
	e, err := s.DB.Event(r.Context(), id)
	if err == nil && e.Record.Software == nil {
		err = store.ErrNotFound
	}
	if err != nil {
		return err
	}
	form.Event, form.Program, form.Terminal.ID, form.Request = id, e.Record.Software.Program, e.Terminal, e.Record.Request
	form.Back = "/violations/" + strconv.FormatInt(id, 10)
	return nil
}

func (s *server) permitFromList(r *request, form *permitForm) error {
	i, err := s.DB.InstalledItem(r.Context(), r.FormValue("terminal"), form.Item)
	form.Program, form.Terminal.ID = i.Program, i.Terminal
	form.Back = "/terminals/" + url.PathEscape(i.Terminal) + "/software"
	return err
}

func (s *server) newPermit(r *request) error {
	form, err := s.permitForm(r)
	if err != nil {
		return err
	}
	cal := s.pages[r.lang].cal
	form.From, form.Until = cal.moment(r.now), cal.moment(closing(cal, r.now))
	return s.showPermitForm(r, form, http.StatusOK)
}

func (s *server) showPermitForm(r *request, form permitForm, code int) error {
	return show(s, r, "permit-new", form, title("permit_new.title"), section("carryout"), status(code))
}

func (s *server) givePermit(r *request) error {
	form, err := s.permitForm(r)
	if err != nil {
		return err
	}
	form.From, form.Until, form.Reason = r.PostFormValue("from"), r.PostFormValue("until"), strings.TrimSpace(r.PostFormValue("reason"))
	g := s.readPermit(r, &form)
	if len(form.Problems) > 0 {
		return s.showPermitForm(r, form, http.StatusUnprocessableEntity)
	}
	given, err := s.give(r, g, &form.refusals)
	if err != nil {
		return err
	}
	if len(form.Problems) > 0 {
		return s.showPermitForm(r, form, http.StatusUnprocessableEntity)
	}
	return seeOther(r, "/carryout/"+url.PathEscape(given.ID)+"?new=1")
}

func (s *server) readPermit(r *request, form *permitForm) store.Grant {
	p := s.pages[r.lang]
	moment := func(field, text string) time.Time {
		t, err := p.cal.parse(text)
		if err != nil {
			form.refuse(field, p.words.say("form.bad_date"))
		}
		return t
	}
	i := slices.IndexFunc(form.Ways, func(w wayView) bool { return w.Key == r.PostFormValue("way") })
	var match policy.ProgramMatch
	if i < 0 {
		form.refuse("way", p.words.say("permit_new.no_way"))
	} else {
		form.Way, match = form.Ways[i].Key, form.Ways[i].Match
	}
	from, until := moment("from", form.From), moment("until", form.Until)
	if from.Before(r.now) && r.now.Sub(from) < time.Hour {
		from = r.now // the minute in which the form was opened is meant as "at once"
	}
	if form.Reason == "" {
		form.refuse("reason", p.words.say("grant_new.reason_missing"))
	}
	return store.Grant{
		Grant: policy.Grant{From: from, Until: until, Approver: r.by()}, Permit: &policy.Permit{ID: form.Item, Match: match, Approver: r.by()},
		Terminal: form.Terminal.ID, TerminalName: form.Terminal.Name, Event: form.Event, Reason: form.Reason, By: r.by(), CreatedAt: r.now, DeviceName: form.Words,
	}
}

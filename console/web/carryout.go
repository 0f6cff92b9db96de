package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// grantView is a permission as pages show it: for a medium, or for software.
type grantView struct {
	ID           string    `json:"id"`
	Terminal     string    `json:"terminal"`
	TerminalName string    `json:"terminal_name"`
	DeviceName   string    `json:"device_name"`
	Bus          string    `json:"bus,omitempty"`
	Vendor       string    `json:"vendor"`
	Product      string    `json:"product"`
	Serial       string    `json:"serial,omitempty"`
	Port         string    `json:"port,omitempty"`
	From         time.Time `json:"from"`
	Until        time.Time `json:"until"`
	State        string    `json:"state"` // running, coming, over, revoked
	Reason       string    `json:"reason"`
	By           string    `json:"by"`
	CreatedAt    time.Time `json:"created_at"`
	RevokedAt    time.Time `json:"revoked_at,omitzero"`
	RevokedBy    string    `json:"revoked_by,omitempty"`
	Revision     int64     `json:"revision"`
	LastUse      time.Time `json:"last_use,omitzero"`
	Event        int64     `json:"event,omitempty"`
	Software     string    `json:"software,omitempty"` // which programs it is for, in words; empty: a medium
}

func (p *pages) grant(g store.Grant, now time.Time) grantView {
	v := grantView{
		ID: g.ID, Terminal: g.Terminal, TerminalName: g.TerminalName, DeviceName: g.DeviceName, Bus: g.Bus, Vendor: g.Vendor,
		Product: g.Product, Serial: g.Serial, Port: g.Port, From: g.From, Until: g.Until, Reason: g.Reason, By: g.By,
		CreatedAt: g.CreatedAt, RevokedAt: g.RevokedAt, RevokedBy: g.RevokedBy, Revision: g.Revision, LastUse: g.LastUse, Event: g.Event,
	}
	if g.Permit != nil {
		v.Software = p.programMatches(g.Permit.Match)
	}
	switch {
	case !g.RevokedAt.IsZero():
		v.State = "revoked"
	case !now.Before(g.Until):
		v.State = grantOver
	case now.Before(g.From):
		v.State = grantComing
	default:
		v.State = grantRunning
	}
	return v
}

func (p *pages) grants(list []store.Grant, now time.Time) []grantView {
	views := make([]grantView, 0, len(list))
	for _, g := range list {
		views = append(views, p.grant(g, now))
	}
	return views
}

type grantsPage struct {
	Tabs []choice    `json:"tabs"`
	Rows []grantView `json:"grants"`
	Here string      `json:"here"`
}

func (s *server) grants(r *request) error {
	p, state := s.pages[r.lang], r.URL.Query().Get("state")
	if state != grantRunning && state != grantComing && state != grantOver {
		state = ""
	}
	list, err := s.DB.Grants(r.Context(), store.GrantFilter{State: state, Limit: 200, Now: r.now})
	if err != nil {
		return err
	}
	body := grantsPage{Rows: p.grants(list, r.now), Here: r.URL.RequestURI()}
	for _, one := range []string{"", grantRunning, grantComing, grantOver} {
		address := "/carryout"
		if one != "" {
			address += "?state=" + one
		}
		body.Tabs = append(body.Tabs, choice{Word: p.words.say("grants.tab." + one), URL: address, On: one == state, N: -1})
	}
	return show(s, r, "grants", body, title("grants.title"), section("carryout"))
}

// grantForm is the permission being filled in; what was typed stays when something is refused.
type grantForm struct {
	refusals
	Event     int64         `json:"event"`
	Terminal  terminalView  `json:"terminal"`
	Device    policy.Device `json:"device"`
	Words     string        `json:"device_words"`
	NoGrant   string        `json:"no_grant,omitempty"`
	From      string        `json:"from"`
	Until     string        `json:"until"`
	Latest    time.Time     `json:"latest"` // the fiscal year's end
	Reason    string        `json:"reason"`
	EventView eventView     `json:"-"`
}

func (s *server) newGrant(r *request) error {
	if soft, err := s.asksSoftware(r); err != nil || soft {
		if err != nil {
			return err
		}
		return s.newPermit(r)
	}
	form, _, err := s.grantForm(r, r.URL.Query().Get("event"))
	if err != nil {
		return err
	}
	cal := s.pages[r.lang].cal
	form.From, form.Until = cal.moment(r.now), cal.moment(closing(cal, r.now))
	return s.showGrantForm(r, form, http.StatusOK)
}

// closing is what a new permission is offered to end at: the office's closing hour, an hour from now after that.
func closing(cal calendar, now time.Time) time.Time {
	end := cal.startOfDay(now).Add(17*time.Hour + 15*time.Minute)
	if end.Sub(now) < 15*time.Minute {
		end = now.Add(time.Hour)
	}
	if last := cal.endOfYear(now); end.After(last) {
		end = last
	}
	return end
}

func (s *server) showGrantForm(r *request, form grantForm, code int) error {
	return show(s, r, "grant-new", form, title("grant_new.title"), section("carryout"), status(code))
}

func (s *server) grantForm(r *request, event string) (grantForm, store.Event, error) {
	id, err := strconv.ParseInt(event, 10, 64)
	if err != nil {
		return grantForm{}, store.Event{}, store.ErrNotFound
	}
	e, err := s.DB.Event(r.Context(), id)
	if err != nil {
		return grantForm{}, e, err
	}
	if e.Record.Event == nil {
		return grantForm{}, e, store.ErrNotFound
	}
	t, err := s.DB.Terminal(r.Context(), e.Terminal)
	if err != nil {
		return grantForm{}, e, err
	}
	p, dev := s.pages[r.lang], e.Record.Event.Device
	return grantForm{
		Event: id, Terminal: s.terminalView(t, r.now), Device: dev, Words: p.device(dev), NoGrant: cannotGrant(dev),
		Latest: p.cal.endOfYear(r.now).Add(-time.Second), EventView: p.event(e),
	}, e, nil
}

func (s *server) giveGrant(r *request) error {
	if soft, err := s.asksSoftware(r); err != nil || soft {
		if err != nil {
			return err
		}
		return s.givePermit(r)
	}
	form, e, err := s.grantForm(r, r.PostFormValue("event"))
	if err != nil {
		return err
	}
	form.From, form.Until = r.PostFormValue("from"), r.PostFormValue("until")
	form.Reason = strings.TrimSpace(r.PostFormValue("reason"))
	g := s.readGrant(r, &form, e)
	if form.NoGrant != "" {
		form.refuse("device", s.pages[r.lang].words.say(form.NoGrant))
	}
	if len(form.Problems) > 0 {
		return s.showGrantForm(r, form, http.StatusUnprocessableEntity)
	}
	given, err := s.give(r, g, &form.refusals)
	if err != nil {
		return err
	}
	if len(form.Problems) > 0 {
		return s.showGrantForm(r, form, http.StatusUnprocessableEntity)
	}
	return seeOther(r, "/carryout/"+url.PathEscape(given.ID)+"?new=1")
}

// give gives a permission; what is wrong with it stands beside the fields afterwards.
func (s *server) give(r *request, g store.Grant, form *refusals) (store.Grant, error) {
	given, problems, err := s.Carryout.Give(r.Context(), g, r.now)
	for _, one := range problems {
		form.refuse(lastPart(one.Path), one.Text.In(r.lang))
	}
	return given, err
}

// readGrant copies the medium from the record that was blocked: nobody types a serial number.
func (s *server) readGrant(r *request, form *grantForm, e store.Event) store.Grant {
	p, dev := s.pages[r.lang], e.Record.Event.Device
	from, err := p.cal.parse(form.From)
	if err != nil {
		form.refuse("from", p.words.say("form.bad_date"))
	}
	until, err := p.cal.parse(form.Until)
	if err != nil {
		form.refuse("until", p.words.say("form.bad_date"))
	}
	if from.Before(r.now) && r.now.Sub(from) < time.Hour {
		from = r.now // the minute in which the form was opened is meant as "at once"
	}
	if form.Reason == "" {
		form.refuse("reason", p.words.say("grant_new.reason_missing"))
	}
	g := store.Grant{
		Grant: policy.Grant{
			Bus: dev.Bus, Vendor: dev.Vendor, Product: dev.Product, Serial: dev.Serial, Digest: dev.Digest,
			From: from, Until: until, Approver: r.by(),
		},
		Terminal: e.Terminal, TerminalName: e.TerminalName, Event: e.ID, Reason: form.Reason, By: r.by(), CreatedAt: r.now,
		DeviceName: p.device(dev),
	}
	if dev.Serial == "" {
		g.Port = dev.Port
	}
	return g
}

// lastPart is the field of a path: grants[0].until is until.
func lastPart(path string) string {
	if i := strings.LastIndex(path, "."); i >= 0 {
		path = path[i+1:]
	}
	name, _, _ := strings.Cut(path, "[")
	return name
}

// grantPage follows a permission until the medium works.
type grantPage struct {
	grantView
	Is       terminalView `json:"terminal_now"`
	Progress string       `json:"progress"` // waiting, unreachable, delivered, usable, failed, over
	New      bool         `json:"-"`
	Here     string       `json:"-"`
}

func (s *server) grant(r *request) error {
	g, err := s.DB.Grant(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	t, err := s.DB.Terminal(r.Context(), g.Terminal)
	if err != nil {
		return err
	}
	body := grantPage{grantView: s.pages[r.lang].grant(g, r.now), Is: s.terminalView(t, r.now), New: r.URL.Query().Get("new") != "", Here: r.URL.RequestURI()}
	body.Progress = progress(body, t)
	return show(s, r, "grant", body, title(body.titleKey(), body.TerminalName), section("carryout"))
}

func (b grantPage) titleKey() string {
	if b.Software != "" {
		return "permit.title"
	}
	return "grant.title"
}

// progress reads from the terminal's own report how far the permission came. Only what it reported counts as usable.
func progress(g grantPage, t store.Terminal) string {
	if g.State == "revoked" || g.State == grantOver {
		return "over"
	}
	for _, a := range t.Status.Devices {
		if a.Decision.Grant != g.ID {
			continue
		}
		if a.Outcome == policy.OutcomeAllowed {
			return "usable"
		}
		if a.Outcome == policy.OutcomeAllowFailed {
			return "failed"
		}
	}
	switch {
	case t.Applied >= g.Revision && g.Revision > 0 && g.Software != "":
		return "usable" // software has no place in a terminal's status: that the policy is in force is all there is to know
	case t.Applied >= g.Revision && g.Revision > 0:
		return "delivered"
	case !g.Is.Reachable:
		return "unreachable"
	}
	return "waiting"
}

func (s *server) revokeGrant(r *request) error {
	id := r.PathValue("id")
	if err := s.DB.RevokeGrant(r.Context(), id, r.by(), r.now); err != nil {
		return err
	}
	return seeOther(r, "/carryout/"+url.PathEscape(id))
}

package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// violationPage explains one record: what, why, what was done, how it is known, what to do next.
type violationPage struct {
	eventView
	Record    wire.Record   `json:"record"`
	Composite bool          `json:"composite"`
	Device    string        `json:"device"`
	RuleID    string        `json:"rule_id"`
	ClauseIs  policy.Clause `json:"clause_words"`
	Revision  int64         `json:"revision"`
	Grant     string        `json:"grant,omitempty"`
	Steps     []stepView    `json:"steps"`
	Took      string        `json:"took,omitempty"` // from seen to verified
	Outbox    string        `json:"outbox"`
	Seq       uint64        `json:"seq"`
	Hash      wire.Hash     `json:"hash"`
	ChainOK   bool          `json:"chain_ok"`
	Earlier   int64         `json:"earlier,omitempty"` // the record before in the same journal
	Next      int64         `json:"next,omitempty"`
	KeptUntil time.Time     `json:"kept_until"`
	Later     []laterView   `json:"later"` // what became of the device while it stayed
	Related   []related     `json:"related"`
	Attached  string        `json:"attached"` // yes, no, unknown: is it plugged in now
	Grantable bool          `json:"grantable"`
	NoGrant   string        `json:"no_grant,omitempty"` // word: why a permission is not possible
	Handling  handlingView  `json:"handling"`
	Problem   string        `json:"problem,omitempty"`
	Typed     string        `json:"-"`
	Program   *programPart  `json:"program,omitempty"` // of a record about software
}

// programPart is what a record about software says beside what all records say.
type programPart struct {
	Words  string             `json:"words"`
	Done   string             `json:"done"` // what was done about it
	Reason string             `json:"reason,omitempty"`
	Owner  string             `json:"owner,omitempty"`
	Review string             `json:"review,omitempty"`
	List   string             `json:"list"`
	URL    string             `json:"url"`           // of the terminal's software
	Rule   policy.ProgramRule `json:"-"`             // as it stands today
	Found  bool               `json:"rule_is_there"` // the rule still stands in the group's policy
	Decide string             `json:"-"`             // where an undecided one can be decided about
}

type handlingView struct {
	State    string    `json:"state"`
	Assignee string    `json:"assignee,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	At       time.Time `json:"at,omitzero"`
}

type stepView struct {
	At     time.Time `json:"at"`
	Code   string    `json:"code"`
	Detail string    `json:"detail,omitempty"`
	OK     bool      `json:"ok"`
	Icon   string    `json:"-"`
	Class  string    `json:"-"`
}

// laterView is one line of what happened after a violation.
type laterView struct {
	eventView
	Grant string    `json:"grant,omitempty"`
	Until time.Time `json:"until,omitzero"` // of the permission
	Gone  bool      `json:"gone"`           // the device was unplugged
}

// related is a way to records that may belong together; N counts 30 days, this one included.
type related struct {
	Word string `json:"word"`
	URL  string `json:"url"`
	N    int    `json:"n"`
}

func (s *server) violation(r *request) error {
	e, err := s.eventOf(r)
	if err != nil {
		return err
	}
	return s.showViolation(r, e, "", "", http.StatusOK)
}

func (s *server) eventOf(r *request) (store.Event, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return store.Event{}, store.ErrNotFound
	}
	return s.DB.Event(r.Context(), id)
}

func (s *server) showViolation(r *request, e store.Event, problem, typed string, code int) error {
	p := s.pages[r.lang]
	body := p.violation(e)
	body.Problem, body.Typed = problem, typed
	var err error
	if body.Related, err = s.related(r, body); err != nil {
		return err
	}
	proof, err := s.DB.Proof(r.Context(), e.ID)
	if err != nil {
		return err
	}
	body.Earlier, body.Next = proof.Earlier, proof.Next
	if body.Later, err = s.later(r, e); err != nil {
		return err
	}
	if body.Attached, err = s.attachedNow(r, e); err != nil {
		return err
	}
	if body.Program != nil {
		if err := s.programPart(r, e, body.Program); err != nil {
			return err
		}
	}
	return show(s, r, "violation", body, named(body.Title), section("violations"), status(code))
}

func (p *pages) violation(e store.Event) violationPage {
	rec := e.Record
	body := violationPage{
		eventView: p.event(e), Record: rec, Outbox: e.Outbox, Seq: e.Seq, Hash: e.Hash, ChainOK: e.ChainOK,
		KeptUntil: p.cal.endOfYear(e.Received).AddDate(5, 0, -1), Steps: stepViews(rec), Took: p.took(rec.Steps),
		Handling: handlingView{orOpen(e.Handling.State), e.Handling.Assignee, p.closedReason(e.Handling.Reason), e.Handling.At},
	}
	if d := rec.Decision; d != nil {
		body.RuleID, body.Revision, body.Grant, body.ClauseIs = d.Rule, d.Revision, d.Grant, p.clause(d.Clause)
	}
	if rec.Software != nil && rec.Kind == wire.RecordProgram {
		body.Program = &programPart{Words: p.program(rec.Software.Program), Done: p.programDone(rec), URL: "/terminals/" + url.PathEscape(e.Terminal) + "/software"}
		body.Grantable = len(policy.PermitWays(rec.Software.Program)) > 0
		if !body.Grantable {
			body.NoGrant = "violation.no_grant.software"
		}
		return body
	}
	if rec.Event == nil {
		body.NoGrant = "violation.no_grant.device"
		return body
	}
	dev := rec.Event.Device
	body.Device, body.Composite = p.device(dev), policy.Composite(dev.Kinds)
	body.NoGrant = cannotGrant(dev)
	body.Grantable = body.NoGrant == ""
	return body
}

// cannotGrant says why no permission can cover the device, before anybody fills in a form.
func cannotGrant(dev policy.Device) string {
	switch {
	case policy.Composite(dev.Kinds):
		return "violation.no_grant.composite"
	case !policy.StorageCapable(dev.Kinds):
		return "violation.no_grant.kind"
	case !policy.Grantable(dev.Kinds):
		return "violation.no_grant.parts"
	case dev.Serial == "" && (dev.Digest == "" || dev.Port == ""):
		return "violation.no_grant.identity"
	}
	return ""
}

// ModeWords is the family of words of the mode: a control of software has its own.
func (b violationPage) ModeWords() string {
	if b.Program != nil {
		return "software.mode"
	}
	return "mode"
}

// programPart adds what the rule's owner wrote. The rule is the one of today: the record itself says what it was called then.
func (s *server) programPart(r *request, e store.Event, part *programPart) error {
	d := e.Record.Decision
	if d == nil {
		return nil
	}
	part.List = listOf(*d)
	have, err := s.DB.GroupPolicy(r.Context(), e.Group, 0)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil || have.Software == nil {
		return err
	}
	if i := slices.IndexFunc(have.Software.Rules, func(r policy.ProgramRule) bool { return r.ID == d.Rule }); i >= 0 {
		part.Rule, part.Found = have.Software.Rules[i], true
		part.Reason, part.Owner, part.Review = part.Rule.Reason, part.Rule.Owner, part.Rule.Review
	}
	i, err := s.DB.InstalledItem(r.Context(), e.Terminal, e.Record.Software.Program.ID)
	if err == nil && i.Group == e.Group {
		part.Decide = "/software/decide?group=" + url.QueryEscape(e.Group) + "&program=" + strconv.FormatInt(i.ID, 10)
	}
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return err
}

var stepLooks = map[string][2]string{
	"seen": {"usb", ""}, "decided": {"rule", ""}, "deauthorized": {"blocked", "ok"}, "authorized": {"pass", "ok"},
	"probed": {"usb", ""}, "synced": {"file", ""}, "unmounted": {"unplug", ""}, "unbound": {"blocked", "ok"},
	"verified": {"pass", "ok"}, "told": {"msg", ""}, "failed": {"failed", ""},
	"asked": {"soft", ""}, "vetoed": {"blocked", "ok"}, "denied": {"blocked", "ok"}, "ended": {"blocked", "ok"}, "killed": {"blocked", "ok"},
	"quarantined": {"blocked", "ok"},
}

func stepViews(rec wire.Record) []stepView {
	views := make([]stepView, 0, len(rec.Steps))
	for _, st := range rec.Steps {
		look, ok := stepLooks[st.Code]
		if look[0] == "usb" && rec.Software != nil {
			look[0] = "soft"
		}
		if !ok {
			look = [2]string{"na", ""}
		}
		if !st.OK {
			look = [2]string{"failed", ""}
		}
		views = append(views, stepView{st.At, st.Code, st.Detail, st.OK, look[0], look[1]})
	}
	return views
}

// took is the time from the first step to the last look.
func (p *pages) took(steps []wire.Step) string {
	for i := len(steps) - 1; i > 0; i-- {
		if steps[i].Code == "verified" {
			d := steps[i].At.Sub(steps[0].At)
			if d < 0 {
				return ""
			}
			return strconv.FormatFloat(d.Seconds(), 'f', 2, 64)
		}
	}
	return ""
}

func (s *server) related(r *request, b violationPage) ([]related, error) {
	p := s.pages[r.lang]
	views := []struct {
		word string
		v    view
		have bool
	}{
		{"related.terminal", view{Terminal: b.Terminal}, true},
		{"related.user", view{User: b.User}, b.User != ""},
		{"related.medium", view{Serial: b.Serial}, b.Serial != "" && b.Record.Check == nil},
		{"health.related", view{Serial: b.Serial}, b.Record.Check != nil},
		{"related.program", view{Serial: b.Item}, b.Item != ""},
		{"related.kind", view{Group: b.Group, Kind: b.Kind}, true},
	}
	list := []related{}
	for _, one := range views {
		if !one.have {
			continue
		}
		one.v.State, one.v.Span = "all", 30
		c, err := s.DB.CountEvents(r.Context(), one.v.filter(r.now, p.cal))
		if err != nil {
			return nil, err
		}
		list = append(list, related{p.words.say(one.word), one.v.url("/violations"), c.Total})
	}
	return list, nil
}

// later tells what became of the device until it was unplugged, so that people see whether the matter is settled.
func (s *server) later(r *request, e store.Event) ([]laterView, error) {
	list, err := s.DB.Later(r.Context(), e)
	views := make([]laterView, 0, len(list))
	for _, one := range list {
		v := laterView{eventView: s.pages[r.lang].event(one), Gone: one.Record.Event.What == policy.EventDetach}
		if d := one.Record.Decision; d != nil && !v.Gone {
			v.Grant, v.Until = d.Grant, d.Until
		}
		views = append(views, v)
	}
	return views, err
}

// attachedNow says from the terminal's last status whether the device is plugged in.
func (s *server) attachedNow(r *request, e store.Event) (string, error) {
	if e.Record.Event == nil {
		return "", nil
	}
	t, err := s.DB.Terminal(r.Context(), e.Terminal)
	if errors.Is(err, store.ErrNotFound) {
		return "unknown", nil
	}
	if err != nil {
		return "", err
	}
	if t.Status.At.IsZero() || t.Status.At.Before(e.Record.At) {
		return "unknown", nil
	}
	for _, a := range t.Status.Devices {
		if sameDevice(a.Device, e.Record.Event.Device) {
			return "yes", nil
		}
	}
	return "no", nil
}

func sameDevice(a, b policy.Device) bool {
	return a.Vendor == b.Vendor && a.Product == b.Product && a.Serial == b.Serial && a.Digest == b.Digest && (a.Serial != "" || a.Port == b.Port)
}

// handle moves a violation on: somebody is at it, it is closed with a reason, or it is opened again.
func (s *server) handle(r *request) error {
	e, err := s.eventOf(r)
	if err != nil {
		return err
	}
	reason := strings.TrimSpace(r.PostFormValue("reason"))
	h := store.Handling{State: r.PostFormValue("state"), Assignee: r.by(), Reason: reason, At: r.now}
	switch {
	case h.State != store.StateWorking && h.State != store.StateClosed && h.State != store.StateOpen:
		return errBadForm
	case (h.State == store.StateClosed || e.Handling.State == store.StateClosed) && !r.may(admin):
		return errForbidden
	case h.State == store.StateClosed && reason == "":
		return s.showViolation(r, e, "violation.reason_missing", reason, http.StatusUnprocessableEntity)
	case len([]rune(reason)) > 1000:
		return s.showViolation(r, e, "violation.reason_long", reason, http.StatusUnprocessableEntity)
	}
	if h.State == store.StateOpen {
		h.Assignee = ""
	}
	if err := s.DB.Handle(r.Context(), e.ID, h, r.by(), r.now); err != nil {
		return err
	}
	return seeOther(r, "/violations/"+strconv.FormatInt(e.ID, 10))
}

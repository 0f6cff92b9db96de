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
)

// refusals are what is wrong with a form's fields, in the order of the form.
type refusals struct {
	Problems map[string]string `json:"problems,omitempty"` // field -> words
	Order    []string          `json:"-"`
}

func (r *refusals) refuse(field, text string) {
	if _, have := r.Problems[field]; have {
		return
	}
	if r.Problems == nil {
		r.Problems = map[string]string{}
	}
	r.Problems[field] = text
	r.Order = append(r.Order, field)
}

// judgeSoftware asks the policy itself what is wrong with a control.
func (r *refusals) judgeSoftware(group groupView, control policy.Control, contact policy.Contact, s *policy.Software, lang string) {
	doc := softwarePolicy(group.ID, group.Name, s)
	doc.RemovableMedia, doc.Contact = control, contact
	for _, one := range doc.Validate() {
		r.refuse(fieldOf(one.Path), one.Text.In(lang))
	}
}

// controlPage is a group's control of software as it is, and what can be done with it.
type controlPage struct {
	Group    groupView         `json:"group"`
	Version  int64             `json:"version"`
	Software *policy.Software  `json:"software,omitempty"`
	Rules    []programRuleView `json:"-"`
	Draft    *draftView        `json:"draft,omitempty"`
	Overdue  int               `json:"overdue"`
	Learning bool              `json:"learning"`
	Learnt   bool              `json:"learnt"` // the time to learn is over
	Finds    map[string]int    `json:"finds"`  // by list
	History  []controlVersion  `json:"history"`
}

// controlVersion is a version of the group's policy that changed the control of software.
type controlVersion struct {
	Version int64       `json:"version"`
	Mode    policy.Mode `json:"mode,omitempty"`
	Rules   int         `json:"rules"`
	Reason  string      `json:"reason"`
	By      string      `json:"by"`
	At      time.Time   `json:"at"`
}

type programRuleView struct {
	policy.ProgramRule
	N       int
	Clause  policy.Clause
	Overdue bool
}

type draftView struct {
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	BasedOn int64     `json:"based_on"`
	Changes []change  `json:"changes"`
	Stale   bool      `json:"stale"` // another version was published since
}

func (s *server) control(r *request) error {
	g, err := s.group(r)
	if err != nil {
		return err
	}
	have, err := s.DB.GroupPolicy(r.Context(), g.ID, 0)
	if err != nil {
		return err
	}
	p := s.pages[r.lang]
	body := controlPage{Group: g, Version: have.Version, Software: have.Software, Finds: map[string]int{}}
	if c := have.Software; c != nil {
		body.Learning = c.Mode == policy.ModeLearn
		body.Learnt = body.Learning && !c.LearnUntil.IsZero() && !r.now.Before(c.LearnUntil)
		body.Rules = programRuleViews(p, c.Rules, r.now)
	}
	for _, rule := range body.Rules {
		if rule.Overdue {
			body.Overdue++
		}
	}
	if body.Draft, err = s.draftView(r, have); err != nil {
		return err
	}
	history, err := s.DB.GroupHistory(r.Context(), g.ID)
	if err != nil {
		return err
	}
	body.History = controlHistory(p, history)
	finds, _, err := s.finds(r.Context(), g.ID, r.now)
	if err != nil {
		return err
	}
	for _, row := range productsOf(finds) {
		body.Finds[row.List]++
	}
	return show(s, r, "software-control", body, title("control.title", g.Name), section("policy"))
}

// controlHistory leaves out the versions that changed only something else.
func controlHistory(p *pages, history []store.GroupPolicy) []controlVersion {
	var list []controlVersion
	for i, v := range history {
		if v.Software == nil || i+1 < len(history) && history[i+1].Version == v.Version-1 && len(p.softwareChanges(history[i+1].Software, v.Software)) == 0 {
			continue
		}
		list = append(list, controlVersion{v.Version, v.Software.Mode, len(v.Software.Rules), v.Reason, v.By, v.At})
	}
	return list
}

func programRuleViews(p *pages, rules []policy.ProgramRule, now time.Time) []programRuleView {
	views := make([]programRuleView, 0, len(rules))
	for i, rule := range rules {
		v := programRuleView{ProgramRule: rule, N: i + 1, Overdue: overdue(rule.Review, now, p.cal.zone)}
		if rule.Clause != "" {
			v.Clause = p.clause(rule.Clause)
		}
		views = append(views, v)
	}
	return views
}

func (s *server) draftView(r *request, have store.GroupPolicy) (*draftView, error) {
	d, err := s.DB.Draft(r.Context(), have.Group)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &draftView{By: d.By, At: d.At, BasedOn: d.BasedOn, Changes: s.pages[r.lang].softwareChanges(have.Software, d.Software), Stale: d.BasedOn != have.Version}, nil
}

// softwareEditPage is the control being changed. What was typed stays; nothing is kept before the last press.
type softwareEditPage struct {
	refusals
	Group    groupView      `json:"group"`
	BasedOn  int64          `json:"based_on"`
	Form     softwareForm   `json:"form"`
	Checked  bool           `json:"checked"`
	Changes  []change       `json:"changes"`
	Affected []string       `json:"affected"`
	Effect   effect         `json:"effect"`
	Newer    int64          `json:"newer,omitempty"`
	NewerBy  string         `json:"newer_by,omitempty"`
	Draft    bool           `json:"draft"`          // it was filled from the draft
	From     int64          `json:"from,omitempty"` // or from an older version: going back is a change like any other
	Stops    bool           `json:"stops"`          // publishing begins to stop programs
	Clauses  []clauseChoice `json:"-"`
	Kinds    []string       `json:"-"`
	Sources  []string       `json:"-"`
	Open     int            `json:"-"`
}

// effect is what a control means for what is installed now, counted before it is published.
type effect struct {
	Counts    map[string]int `json:"counts"`    // products by list
	Stopped   []string       `json:"stopped"`   // names of products that would be forbidden and are not now
	Terminals int            `json:"terminals"` // that have one of these
}

func (s *server) editSoftware(r *request) error {
	g, err := s.group(r)
	if err != nil {
		return err
	}
	have, err := s.DB.GroupPolicy(r.Context(), g.ID, 0)
	if err != nil {
		return err
	}
	body := softwareEditPage{Group: g, BasedOn: have.Version, Open: -1}
	control := have.Software
	if control == nil {
		control = policy.DefaultSoftware()
	}
	if from, _ := strconv.ParseInt(r.URL.Query().Get("from"), 10, 64); from > 0 && from != have.Version {
		old, err := s.DB.GroupPolicy(r.Context(), g.ID, from)
		if err == nil && old.Software == nil {
			err = store.ErrNotFound
		}
		if err != nil {
			return err
		}
		control, body.From = old.Software, from
	}
	if r.URL.Query().Get("draft") != "" {
		d, err := s.DB.Draft(r.Context(), g.ID)
		if err != nil {
			return err
		}
		control, body.Draft = d.Software, true
	}
	body.Form = softwareFormOf(control, s.pages[r.lang].cal)
	if r.URL.Query().Get("learn") != "" {
		body.Form.Mode = string(policy.ModeLearn)
		body.Form.LearnUntil = s.pages[r.lang].cal.moment(r.now.Add(learnFor))
	}
	return s.showSoftwareEdit(r, body, http.StatusOK)
}

// learnFor is how long learning is offered to last.
const learnFor = 14 * day

func (s *server) showSoftwareEdit(r *request, body softwareEditPage, code int) error {
	for _, id := range []string{policy.ClauseSoftware} {
		body.Clauses = append(body.Clauses, clauseChoice{id, policy.DefaultClauses()[id].Title})
	}
	for _, k := range policy.ProgramKinds() {
		body.Kinds = append(body.Kinds, string(k))
	}
	body.Sources = programSources
	return show(s, r, "software-edit", body, title("control.edit.title", body.Group.Name), section("policy"), status(code))
}

// changeSoftware does what the pressed button says: one step of editing, keeping a draft, the look at what changes, or publishing.
func (s *server) changeSoftware(r *request) error {
	g, err := s.group(r)
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return errBadForm
	}
	p := s.pages[r.lang]
	body := softwareEditPage{Group: g, Form: readSoftwareForm(r.PostForm, p.cal), Open: -1}
	body.BasedOn, _ = strconv.ParseInt(r.PostFormValue("based_on"), 10, 64)
	do, arg, _ := strings.Cut(r.PostFormValue("do"), ":")
	if do != "check" && do != "publish" && do != "draft" {
		body.Open = body.Form.step(do, number(arg), r.by())
		return s.showSoftwareEdit(r, body, http.StatusOK)
	}
	return s.checkSoftware(r, body, do)
}

func (s *server) checkSoftware(r *request, body softwareEditPage, do string) error {
	have, err := s.DB.GroupPolicy(r.Context(), body.Group.ID, 0)
	if err != nil {
		return err
	}
	p := s.pages[r.lang]
	want := have
	want.Software, want.Reason, want.By = body.Form.software(p.cal), body.Form.Reason, r.by()
	body.judgeSoftware(body.Group, have.Control, have.Contact, want.Software, r.lang)
	for field, key := range body.Form.unread {
		body.refuse(field, p.words.say(key))
	}
	if want.Software.Mode == policy.ModeLearn && body.Form.LearnUntil == "" {
		body.refuse("learn_until", p.words.say("control.learn_until_missing"))
	}
	if len([]rune(want.Reason)) > 1000 {
		body.refuse("reason", p.words.say("violation.reason_long"))
	}
	if len(body.Problems) > 0 {
		return s.showSoftwareEdit(r, body, http.StatusUnprocessableEntity)
	}
	if do == "draft" {
		return s.keepDraft(r, body.Group.ID, body.BasedOn, want.Software)
	}
	if have.Version != body.BasedOn {
		body.Newer, body.NewerBy = have.Version, have.By
		return s.showSoftwareEdit(r, body, http.StatusConflict)
	}
	if do == "publish" && want.Reason != "" {
		return s.publishSoftware(r, want, body.BasedOn)
	}
	return s.previewSoftware(r, body, have, want, do == "publish")
}

func (s *server) keepDraft(r *request, group string, basedOn int64, control *policy.Software) error {
	if err := s.DB.PutDraft(r.Context(), store.Draft{Group: group, BasedOn: basedOn, Software: control, By: r.by()}, r.now); err != nil {
		return err
	}
	return seeOther(r, controlURL(group)+"#draft")
}

func controlURL(group string) string { return "/policy/" + url.PathEscape(group) + "/software" }

// publishSoftware adds a version; a draft that became it has done its work.
func (s *server) publishSoftware(r *request, want store.GroupPolicy, basedOn int64) error {
	if _, err := s.DB.PutGroupPolicy(r.Context(), want, basedOn, r.now); err != nil {
		return err
	}
	d, err := s.DB.Draft(r.Context(), want.Group)
	if err == nil && len(s.pages[r.lang].softwareChanges(d.Software, want.Software)) == 0 {
		err = s.DB.PutDraft(r.Context(), store.Draft{Group: want.Group, By: r.by()}, r.now)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return seeOther(r, controlURL(want.Group))
}

func (s *server) previewSoftware(r *request, body softwareEditPage, have, want store.GroupPolicy, pressed bool) error {
	list, err := s.DB.Terminals(r.Context(), body.Group.ID, "")
	if err != nil {
		return err
	}
	for _, t := range list {
		body.Affected = append(body.Affected, t.Name)
	}
	p := s.pages[r.lang]
	body.Checked, body.Changes = true, p.softwareChanges(have.Software, want.Software)
	body.Stops = want.Software.Mode == policy.ModeEnforce && (have.Software == nil || have.Software.Mode != policy.ModeEnforce)
	if body.Effect, err = s.effect(r, body.Group, have.Software, want.Software); err != nil {
		return err
	}
	code := http.StatusOK
	if pressed {
		code = http.StatusUnprocessableEntity
	}
	if want.Reason == "" && (len(body.Changes) > 0 || pressed) {
		body.refuse("reason", p.words.say("edit.reason_missing"))
	}
	return s.showSoftwareEdit(r, body, code)
}

// effect judges what is installed in a group by both controls.
func (s *server) effect(r *request, g groupView, have, want *policy.Software) (effect, error) {
	e := effect{Counts: map[string]int{}, Stopped: []string{}}
	spreads, _, err := s.DB.Fleet(r.Context(), g.ID)
	if err != nil {
		return e, err
	}
	group := store.Group{ID: g.ID, Name: g.Name}
	before, after := newJudge(group, have), newJudge(group, want)
	finds, stopped := make([]find, 0, len(spreads)), []find{}
	for _, sp := range spreads {
		f := after.find(sp, r.now)
		finds = append(finds, f)
		if stops(f) && !stops(before.find(sp, r.now)) {
			stopped = append(stopped, f)
		}
	}
	for _, row := range productsOf(finds) {
		e.Counts[row.List]++
	}
	var ids []int64
	for _, row := range productsOf(stopped) {
		e.Stopped, ids = append(e.Stopped, strings.TrimSpace(row.Name+" "+strings.Join(row.Versions, ", "))), append(ids, row.ids...)
	}
	e.Stopped = e.Stopped[:min(len(e.Stopped), 50)]
	e.Terminals, err = s.terminalsWith(r.Context(), ids, g.ID)
	return e, err
}

// stops says whether a program is stopped once the policy enforces; also what no rule names may be.
func stops(f find) bool { return f.Decision.Action == policy.ActionBlock }

// askPublish shows what publishing the draft changes, and asks why.
func (s *server) askPublish(r *request) error { return s.showPublish(r, &reasonField{}, http.StatusOK) }

func (s *server) showPublish(r *request, reason *reasonField, code int) error {
	g, have, d, err := s.draftOf(r)
	if err != nil {
		return err
	}
	p := s.pages[r.lang]
	e, err := s.effect(r, g, have.Software, d.Software)
	if err != nil {
		return err
	}
	say := p.words.say
	body := askPage{
		Question: say("draft.publish.ask", g.Name), Changes: p.softwareChanges(have.Software, d.Software), Compared: true,
		Facts: []fact{
			{say("group"), g.Name}, {say("mode"), p.words.word("software.mode", d.Software.Mode) + say("list.comma") + p.words.word("software.mode.means", d.Software.Mode)},
			{say("terminals.title"), say("n.terminals", g.Terminals)}, {say("draft.newly_forbidden"), say("draft.stops", len(e.Stopped), e.Terminals) + after(say("list.comma"), e.Stopped)},
		},
		Hidden: []fact{{"version", strconv.FormatInt(have.Version, 10)}, {"made", strconv.FormatInt(d.At.UnixMilli(), 10)}},
		Reason: reason, Action: controlURL(g.ID) + "/publish", Button: say("edit.publish"), Back: controlURL(g.ID),
	}
	if d.BasedOn != have.Version {
		body.Warning, body.Why = say("draft.stale"), say("draft.stale.why")
	}
	return s.ask(r, body, "policy", code)
}

func after(comma string, list []string) string {
	if len(list) == 0 {
		return ""
	}
	return ": " + strings.Join(list, comma)
}

func (s *server) draftOf(r *request) (g groupView, have store.GroupPolicy, d store.Draft, err error) {
	if g, err = s.group(r); err != nil {
		return
	}
	if have, err = s.DB.GroupPolicy(r.Context(), g.ID, 0); err != nil {
		return
	}
	d, err = s.DB.Draft(r.Context(), g.ID)
	return
}

// publishDraft publishes what was shown, unless the policy or the draft has changed since.
func (s *server) publishDraft(r *request) error {
	_, have, d, err := s.draftOf(r)
	if err != nil {
		return err
	}
	reason := strings.TrimSpace(r.PostFormValue("reason"))
	switch {
	case r.PostFormValue("version") != strconv.FormatInt(have.Version, 10), r.PostFormValue("made") != strconv.FormatInt(d.At.UnixMilli(), 10):
		return s.showPublish(r, &reasonField{Typed: reason}, http.StatusConflict)
	case reason == "":
		return s.showPublish(r, &reasonField{reason, "edit.reason_missing"}, http.StatusUnprocessableEntity)
	case len([]rune(reason)) > 1000:
		return s.showPublish(r, &reasonField{reason, "violation.reason_long"}, http.StatusUnprocessableEntity)
	}
	want := have
	want.Software, want.Reason, want.By = d.Software, reason, r.by()
	return s.publishSoftware(r, want, have.Version)
}

func (s *server) dropDraft(r *request) error {
	g, err := s.group(r)
	if err != nil {
		return err
	}
	if err := s.DB.PutDraft(r.Context(), store.Draft{Group: g.ID, By: r.by()}, r.now); err != nil {
		return err
	}
	return seeOther(r, controlURL(g.ID))
}

// withRule puts a rule into a copy of a control: before all others when it shall overrule one of them, else behind them,
// where it changes nothing that is judged already.
func withRule(s *policy.Software, rule policy.ProgramRule, first bool) *policy.Software {
	own := policy.DefaultSoftware()
	if s != nil {
		own = new(policy.Software)
		*own = *s
	}
	own.Rules = slices.Clone(own.Rules)
	if first {
		own.Rules = append([]policy.ProgramRule{rule}, own.Rules...)
	} else {
		own.Rules = append(own.Rules, rule)
	}
	return own
}

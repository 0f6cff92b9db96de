package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// judgeSoftware asks the policy itself what is wrong with a control.
func (r *refusals) judgeSoftware(group groupView, control policy.Control, contact policy.Contact, s *policy.Software, lang string) {
	doc := softwarePolicy(group.ID, group.Name, s)
	doc.RemovableMedia, doc.Contact = control, contact
	for _, one := range doc.Validate() {
		r.refuse(fieldOf(one.Path), one.Text.In(lang))
	}
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
	g, have, err := s.policyOf(r)
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
		body.Form.LearnUntil = s.pages[r.lang].cal.moment(r.now.Add(policy.LearnFor))
	}
	return s.showSoftwareEdit(r, body, http.StatusOK)
}

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
	g, p, err := s.pressed(r)
	if err != nil {
		return err
	}
	body := softwareEditPage{Group: g, BasedOn: p.basedOn, Form: readSoftwareForm(r.PostForm, s.pages[r.lang].cal), Open: -1}
	if p.do != "check" && p.do != "publish" && p.do != "draft" {
		body.Open = body.Form.step(p.do, p.row, r.by())
		return s.showSoftwareEdit(r, body, http.StatusOK)
	}
	return s.checkSoftware(r, body, p.do)
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
	body.unread(body.Form.unread, p.words)
	if want.Software.Mode == policy.ModeLearn && body.Form.LearnUntil == "" {
		body.refuse("learn_until", p.words.say("control.learn_until_missing"))
	}
	body.judgeReason(want.Reason, p.words)
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
	var err error
	if body.Affected, err = s.affected(r, body.Group); err != nil {
		return err
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
	all := productsOf(stopped)
	var of []store.Spread
	for _, row := range all {
		of = append(of, row.of...)
	}
	if e.Terminals, err = s.DB.CountTerminals(r.Context(), of); err != nil {
		return e, err
	}
	all = all[:min(len(all), 50)]
	err = s.completeAll(r.Context(), all)
	for _, row := range all {
		e.Stopped = append(e.Stopped, strings.TrimSpace(row.Name+" "+strings.Join(row.Versions, ", ")))
	}
	return e, err
}

// stops says whether a program is stopped once the policy enforces; also what no rule names may be.
func stops(f find) bool { return f.Decision.Action == policy.ActionBlock }

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

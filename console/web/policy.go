package web

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

type policiesPage struct {
	Groups   []groupView       `json:"groups"`
	Name     string            `json:"-"`
	Problems map[string]string `json:"problems,omitempty"`
}

func (s *server) policies(r *request) error { return s.showPolicies(r, policiesPage{}, http.StatusOK) }

func (s *server) showPolicies(r *request, body policiesPage, code int) error {
	groups, err := s.DB.Groups(r.Context())
	if err != nil {
		return err
	}
	body.Groups = groupViews(groups)
	return show(s, r, "policies", body, title("policies.title"), section("policy"), status(code))
}

// newGroup makes a terminal category with the default rules in audit mode: nothing changes on any terminal.
func (s *server) newGroup(r *request) error {
	name := strings.TrimSpace(r.PostFormValue("name"))
	if name == "" || len([]rune(name)) > 60 {
		return s.showPolicies(r, policiesPage{Name: name, Problems: map[string]string{"name": "policies.bad_name"}}, http.StatusUnprocessableEntity)
	}
	id := newID()
	if err := s.DB.PutGroup(r.Context(), id, name, r.by(), r.now); err != nil {
		return err
	}
	_, err := s.DB.PutGroupPolicy(r.Context(), store.GroupPolicy{
		Group: id, Control: policy.DefaultControl(policy.ModeAudit), By: r.by(), At: r.now,
		Reason: s.pages[r.lang].words.say("policies.first_reason"),
	}, 0, r.now)
	if err != nil {
		return err
	}
	return seeOther(r, "/policy/"+id)
}

func newID() string {
	b := make([]byte, 4)
	rand.Read(b)
	return "g" + hex.EncodeToString(b)
}

// policyPage is one group's policy: the rules in order, and how it came to be so.
type policyPage struct {
	Group   groupView      `json:"group"`
	Version int64          `json:"version"`
	Newest  bool           `json:"newest"`
	Control policy.Control `json:"removable_media"`
	Contact policy.Contact `json:"contact"`
	Reason  string         `json:"reason"`
	By      string         `json:"by"`
	At      time.Time      `json:"at"`
	History []versionView  `json:"history"`
	Changes []change       `json:"changes"` // against the version before
	Rules   []ruleView     `json:"-"`
}

type versionView struct {
	Version int64       `json:"version"`
	Mode    policy.Mode `json:"mode"`
	Reason  string      `json:"reason"`
	By      string      `json:"by"`
	At      time.Time   `json:"at"`
}

// ruleView is a rule in words.
type ruleView struct {
	policy.Rule
	N      int
	Clause policy.Clause
}

func ruleViews(p *pages, rules []policy.Rule) []ruleView {
	views := make([]ruleView, 0, len(rules))
	for i, rule := range rules {
		v := ruleView{Rule: rule, N: i + 1}
		if rule.Clause != "" {
			v.Clause = p.clause(rule.Clause)
		}
		views = append(views, v)
	}
	return views
}

func (s *server) group(r *request) (groupView, error) { return s.groupByID(r, r.PathValue("group")) }

func (s *server) groupByID(r *request, id string) (groupView, error) {
	groups, err := s.DB.Groups(r.Context())
	if err != nil {
		return groupView{}, err
	}
	for _, g := range groupViews(groups) {
		if g.ID == id {
			return g, nil
		}
	}
	return groupView{}, store.ErrNotFound
}

func (s *server) policy(r *request) error {
	g, err := s.group(r)
	if err != nil {
		return err
	}
	version, _ := strconv.ParseInt(r.URL.Query().Get("version"), 10, 64)
	have, err := s.DB.GroupPolicy(r.Context(), g.ID, max(0, version))
	if err != nil {
		return err
	}
	history, err := s.DB.GroupHistory(r.Context(), g.ID)
	if err != nil {
		return err
	}
	p := s.pages[r.lang]
	body := policyPage{
		Group: g, Version: have.Version, Newest: have.Version == g.Version, Control: have.Control, Contact: have.Contact,
		Reason: have.Reason, By: have.By, At: have.At, Rules: ruleViews(p, have.Control.Rules),
	}
	for _, one := range history {
		body.History = append(body.History, versionView{one.Version, one.Control.Mode, one.Reason, one.By, one.At})
		if one.Version == have.Version-1 {
			body.Changes = p.changes(one, have)
		}
	}
	return show(s, r, "policy", body, named(g.Name), section("policy"))
}

// editPage is the form of a policy. It is plain fields and buttons: every press comes back with everything typed.
type editPage struct {
	Group    groupView         `json:"group"`
	BasedOn  int64             `json:"based_on"`
	Form     policyForm        `json:"form"`
	Problems map[string]string `json:"problems,omitempty"` // field -> words
	Order    []string          `json:"-"`
	Checked  bool              `json:"checked"` // shown before publishing
	Changes  []change          `json:"changes"`
	Affected []string          `json:"affected"` // names of the group's terminals
	Shuts    bool              `json:"shuts"`    // publishing shuts the kernel's gate
	Opens    bool              `json:"opens"`
	Gates    int               `json:"gates"`           // on so many terminals
	Gateless int               `json:"gateless"`        // so many have none
	Newer    int64             `json:"newer,omitempty"` // somebody published this meanwhile
	NewerBy  string            `json:"newer_by,omitempty"`
	Clauses  []clauseChoice    `json:"-"`
	Kinds    []policy.Kind     `json:"-"`
	Open     int               `json:"-"` // the rule that was just added or moved
}

type clauseChoice struct {
	ID    string
	Title policy.Text
}

func (s *server) editPolicy(r *request) error {
	g, err := s.group(r)
	if err != nil {
		return err
	}
	have, err := s.DB.GroupPolicy(r.Context(), g.ID, 0)
	if err != nil {
		return err
	}
	body := editPage{Group: g, BasedOn: have.Version, Form: formOf(have), Open: -1}
	return s.showEdit(r, body, http.StatusOK)
}

func (s *server) showEdit(r *request, body editPage, code int) error {
	for _, id := range []string{policy.ClauseMedia, policy.ClauseCarryOut, policy.ClauseNetwork} {
		body.Clauses = append(body.Clauses, clauseChoice{id, policy.DefaultClauses()[id].Title})
	}
	body.Kinds = order
	return show(s, r, "policy-edit", body, title("edit.title", body.Group.Name), section("policy"), status(code))
}

// changePolicy does what the pressed button says: one step of editing, the look at what changes, or publishing.
func (s *server) changePolicy(r *request) error {
	g, err := s.group(r)
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return errBadForm
	}
	body := editPage{Group: g, Form: readPolicyForm(r.PostForm), Problems: map[string]string{}, Open: -1}
	body.BasedOn, _ = strconv.ParseInt(r.PostFormValue("based_on"), 10, 64)
	do, arg, _ := strings.Cut(r.PostFormValue("do"), ":")
	if do != "check" && do != "publish" {
		body.Open = body.Form.step(do, number(arg))
		return s.showEdit(r, body, http.StatusOK)
	}
	return s.checkPolicy(r, body, do == "publish")
}

func (s *server) checkPolicy(r *request, body editPage, publish bool) error {
	have, err := s.DB.GroupPolicy(r.Context(), body.Group.ID, 0)
	if err != nil {
		return err
	}
	want := body.Form.policy(body.Group.ID)
	want.By = r.by()
	body.validate(want, r.lang, s.pages[r.lang].words)
	if have.Version != body.BasedOn {
		body.Newer, body.NewerBy = have.Version, have.By
		return s.showEdit(r, body, http.StatusConflict)
	}
	if len(body.Problems) > 0 {
		return s.showEdit(r, body, http.StatusUnprocessableEntity)
	}
	switch {
	case publish && want.Reason == "":
		return s.preview(r, body, have, want, http.StatusUnprocessableEntity)
	case publish:
		return s.publish(r, body, want)
	}
	return s.preview(r, body, have, want, http.StatusOK)
}

// preview shows what publishing would change, and says at once that the reason is missing.
func (s *server) preview(r *request, body editPage, have, want store.GroupPolicy, code int) error {
	list, err := s.DB.Terminals(r.Context(), body.Group.ID, "")
	if err != nil {
		return err
	}
	for _, t := range list {
		body.Affected = append(body.Affected, t.Name)
		if gated(t) {
			body.Gates++
		} else {
			body.Gateless++
		}
	}
	body.Checked, body.Changes = true, s.pages[r.lang].changes(have, want)
	was, is := have.Control.Mode == policy.ModeEnforce, want.Control.Mode == policy.ModeEnforce
	body.Shuts, body.Opens = is && !was, was && !is
	if want.Reason == "" && (len(body.Changes) > 0 || code != http.StatusOK) {
		body.refuse("reason", s.pages[r.lang].words.say("edit.reason_missing"))
	}
	return s.showEdit(r, body, code)
}

func (s *server) publish(r *request, body editPage, want store.GroupPolicy) error {
	if _, err := s.DB.PutGroupPolicy(r.Context(), want, body.BasedOn, r.now); err != nil {
		return err
	}
	return seeOther(r, "/policy/"+url.PathEscape(body.Group.ID))
}

// validate asks the policy itself; its paths are the names of the form's fields.
func (b *editPage) validate(want store.GroupPolicy, lang string, w words) {
	doc := policy.Policy{
		Schema: policy.Schema, Group: b.Group.ID, GroupName: b.Group.Name, RemovableMedia: want.Control,
		Contact: want.Contact, Clauses: policy.DefaultClauses(),
	}
	for _, one := range doc.Validate() {
		b.refuse(fieldOf(one.Path), one.Text.In(lang))
	}
	for field, key := range b.Form.unread {
		b.refuse(field, w.say(key))
	}
	if len([]rune(want.Reason)) > 1000 {
		b.refuse("reason", w.say("violation.reason_long"))
	}
}

func (b *editPage) refuse(field, text string) {
	if _, have := b.Problems[field]; have {
		return
	}
	b.Problems[field] = text
	b.Order = append(b.Order, field)
}

// fieldOf turns removable_media.rules[2].match.class[0] into r2.match.class.
func fieldOf(path string) string {
	rest, ok := strings.CutPrefix(path, "removable_media.")
	if !ok {
		return path
	}
	after, ok := strings.CutPrefix(rest, "rules[")
	if !ok {
		return rest
	}
	n, field, _ := strings.Cut(after, "].")
	field, _, _ = strings.Cut(field, "[")
	return "r" + n + "." + field
}

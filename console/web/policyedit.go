package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// editPage is the form of a policy. It is plain fields and buttons: every press comes back with everything typed.
type editPage struct {
	refusals
	Group    groupView      `json:"group"`
	BasedOn  int64          `json:"based_on"`
	Form     policyForm     `json:"form"`
	Checked  bool           `json:"checked"` // shown before publishing
	Changes  []change       `json:"changes"`
	Affected []string       `json:"affected"` // names of the group's terminals
	Shuts    bool           `json:"shuts"`    // publishing shuts the kernel's gate
	Opens    bool           `json:"opens"`
	Gates    int            `json:"gates"`           // on so many terminals
	Gateless int            `json:"gateless"`        // so many have none
	From     int64          `json:"from,omitempty"`  // an older version that the form was filled with
	Newer    int64          `json:"newer,omitempty"` // somebody published this meanwhile
	NewerBy  string         `json:"newer_by,omitempty"`
	Clauses  []clauseChoice `json:"-"`
	Kinds    []policy.Kind  `json:"-"`
	Open     int            `json:"-"` // the rule that was just added or moved
}

type clauseChoice struct {
	ID    string
	Title policy.Text
}

func (s *server) editPolicy(r *request) error {
	g, have, err := s.policyOf(r)
	if err != nil {
		return err
	}
	body := editPage{Group: g, BasedOn: have.Version, Form: formOf(have), Open: -1}
	if from, _ := strconv.ParseInt(r.URL.Query().Get("from"), 10, 64); from > 0 && from != have.Version {
		if err := s.fillFrom(r, &body, from); err != nil {
			return err
		}
	}
	return s.showEdit(r, body, http.StatusOK)
}

// fillFrom puts an older version into the form of the newest: going back is a change like any other.
func (s *server) fillFrom(r *request, body *editPage, version int64) error {
	old, err := s.DB.GroupPolicy(r.Context(), body.Group.ID, version)
	if err != nil {
		return err
	}
	body.Form, body.From = formOf(old), version
	return nil
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
	g, p, err := s.pressed(r)
	if err != nil {
		return err
	}
	body := editPage{Group: g, BasedOn: p.basedOn, Form: readPolicyForm(r.PostForm), Open: -1}
	if p.do != "check" && p.do != "publish" {
		body.Open = body.Form.step(p.do, p.row)
		return s.showEdit(r, body, http.StatusOK)
	}
	return s.checkPolicy(r, body, p.do == "publish")
}

func (s *server) checkPolicy(r *request, body editPage, publish bool) error {
	have, err := s.DB.GroupPolicy(r.Context(), body.Group.ID, 0)
	if err != nil {
		return err
	}
	want := body.Form.policy(body.Group.ID)
	want.By, want.Software, want.Health = r.by(), have.Software, have.Health // these have pages of their own
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
	b.unread(b.Form.unread, w)
	b.judgeReason(want.Reason, w)
}

// fieldOf turns removable_media.rules[2].match.class[0] into r2.match.class, and so for software.
func fieldOf(path string) string {
	rest, ok := strings.CutPrefix(path, "removable_media.")
	if !ok {
		rest, ok = strings.CutPrefix(path, "software.")
	}
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

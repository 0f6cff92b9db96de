package web

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

type policiesPage struct {
	Groups   []groupView       `json:"groups"`
	Name     string            `json:"-"`
	Kind     string            `json:"-"` // server, or anything else for terminals
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
		return s.showPolicies(r, policiesPage{Name: name, Kind: r.PostFormValue("kind"), Problems: map[string]string{"name": "policies.bad_name"}}, http.StatusUnprocessableEntity)
	}
	id := newID()
	if err := s.DB.PutGroup(r.Context(), id, name, r.by(), r.now); err != nil {
		return err
	}
	_, err := s.DB.PutGroupPolicy(r.Context(), store.GroupPolicy{
		Group: id, Control: policy.DefaultControl(policy.ModeAudit), By: r.by(), At: r.now,
		Software: firstSoftware(r.PostFormValue("kind"), r.now), Health: policy.DefaultHealth(), Reason: s.pages[r.lang].words.say("policies.first_reason"),
	}, 0, r.now)
	if err != nil {
		return err
	}
	return seeOther(r, "/policy/"+id)
}

// firstSoftware is what a new group begins with; nothing is stopped by it. The choice says what shall become of software that no
// rule names once somebody enforces: office terminals stop it, servers go on to report it.
func firstSoftware(kind string, now time.Time) *policy.Software {
	s := policy.FirstSoftware(now)
	if kind == "terminal" {
		s.Undecided = policy.ActionBlock
	}
	return s
}

func newID() string {
	b := make([]byte, 4)
	rand.Read(b)
	return "g" + hex.EncodeToString(b)
}

// policyPage is one group's policy: the rules in order, and how it came to be so.
type policyPage struct {
	Group    groupView        `json:"group"`
	Version  int64            `json:"version"`
	Newest   bool             `json:"newest"`
	Control  policy.Control   `json:"removable_media"`
	Contact  policy.Contact   `json:"contact"`
	Reason   string           `json:"reason"`
	By       string           `json:"by"`
	At       time.Time        `json:"at"`
	History  []versionView    `json:"history"`
	Changes  []change         `json:"changes"` // against the version before
	Rules    []ruleView       `json:"-"`
	Programs *policy.Software `json:"software,omitempty"`
	Health   *policy.Health   `json:"health,omitempty"`
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
		Reason: have.Reason, By: have.By, At: have.At, Rules: ruleViews(p, have.Control.Rules), Programs: have.Software, Health: have.Health,
	}
	for _, one := range history {
		body.History = append(body.History, versionView{one.Version, one.Control.Mode, one.Reason, one.By, one.At})
		if one.Version == have.Version-1 {
			body.Changes = p.changes(one, have)
		}
	}
	return show(s, r, "policy", body, named(g.Name), section("policy"))
}

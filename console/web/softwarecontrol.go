package web

import (
	"errors"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

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
	g, have, err := s.policyOf(r)
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

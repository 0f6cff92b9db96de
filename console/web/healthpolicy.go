package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// healthPolicyPage is a group's control of checks as a form: what is checked, against what, and since when it counts.
type healthPolicyPage struct {
	refusals
	Group    groupView         `json:"group"`
	BasedOn  int64             `json:"based_on"`
	Begun    bool              `json:"begun"` // the group has checks already
	Form     map[string]string `json:"form"`
	Checked  bool              `json:"checked"`
	Changes  []change          `json:"changes"`
	Affected []string          `json:"affected"`
	Parting  []string          `json:"parting,omitempty"` // terminals on which an adapter would be disabled as they stand now
	Idle     []string          `json:"idle,omitempty"`    // checks that ask for it and whose mode only records or warns
	Newer    int64             `json:"newer,omitempty"`
	NewerBy  string            `json:"newer_by,omitempty"`
	Areas    []healthArea      `json:"-"`
	Waivers  int               `json:"waivers"`
	Probes   int               `json:"probes"`
	Closed   int               `json:"closed_days"`
}

type healthArea struct {
	Area   string
	Checks []policy.CheckInfo
}

func healthAreas() []healthArea {
	var list []healthArea
	for _, c := range policy.Catalogue() {
		if len(list) == 0 || list[len(list)-1].Area != c.Area {
			list = append(list, healthArea{Area: c.Area})
		}
		list[len(list)-1].Checks = append(list[len(list)-1].Checks, c)
	}
	return list
}

// Units gives what a limit may be counted in: days may become working days, never characters.
func (healthPolicyPage) Units(s policy.Span) []string {
	switch s.Unit {
	case policy.UnitCharacters, policy.UnitCount:
		return []string{s.Unit}
	case policy.UnitMinutes:
		return []string{policy.UnitMinutes, policy.UnitHours}
	}
	return []string{policy.UnitHours, policy.UnitDays, policy.UnitWorkingDays}
}

// Separable says whether a check can have the adapter of another network disabled.
func (healthPolicyPage) Separable(check string) bool { return policy.Separable(check) }

// healthPolicy shows a group's checks as its newest policy has them.
func (s *server) healthPolicy(r *request) error {
	g, have, err := s.policyOf(r)
	if err != nil {
		return err
	}
	h := have.Health
	if h == nil {
		h = policy.DefaultHealth()
	}
	return s.showHealthPolicy(r, healthPolicyPage{Group: g, BasedOn: have.Version, Form: formOfHealth(h)}, have, http.StatusOK)
}

func (s *server) showHealthPolicy(r *request, body healthPolicyPage, have store.GroupPolicy, code int) error {
	body.Areas, body.Begun = healthAreas(), have.Health != nil
	if h := have.Health; h != nil {
		body.Waivers, body.Probes = len(h.Waivers), len(h.Probes)
	}
	days, _ := readDays(body.Form["cal.closed"])
	body.Closed = len(days)
	return show(s, r, "health-policy", body, title("health.edit.title", body.Group.Name), section("policy"), status(code))
}

// changeHealth looks at what the form says, and publishes it as a new version when that was asked for.
func (s *server) changeHealth(r *request) error {
	g, have, err := s.policyOf(r)
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return errBadForm
	}
	before := policy.DefaultHealth()
	if have.Health != nil {
		before = have.Health
	}
	f := healthForm{r.PostForm, map[string]string{}}
	want, after := have, f.read(*before)
	want.Health, want.By, want.Reason = &after, r.by(), f.get("reason")
	body := healthPolicyPage{Group: g, Form: map[string]string{}}
	for k := range r.PostForm {
		body.Form[k] = r.PostForm.Get(k)
	}
	body.BasedOn, _ = strconv.ParseInt(f.get("based_on"), 10, 64) // no number is no version: refused as old below
	body.validate(want, f, s.pages[r.lang])
	switch {
	case have.Version != body.BasedOn:
		body.Newer, body.NewerBy = have.Version, have.By
		return s.showHealthPolicy(r, body, have, http.StatusConflict)
	case len(body.Problems) > 0:
		return s.showHealthPolicy(r, body, have, http.StatusUnprocessableEntity)
	case f.get("do") == "publish" && want.Reason != "":
		if _, err := s.DB.PutGroupPolicy(r.Context(), want, body.BasedOn, r.now); err != nil {
			return err
		}
		return seeOther(r, "/policy/"+url.PathEscape(g.ID)+"/health?done=published")
	}
	return s.previewHealth(r, body, have, want, f.get("do") == "publish")
}

// previewHealth shows what publishing would change and on which terminals, and says at once that the reason is missing.
func (s *server) previewHealth(r *request, body healthPolicyPage, have, want store.GroupPolicy, pressed bool) error {
	var err error
	if body.Affected, err = s.affected(r, body.Group); err != nil {
		return err
	}
	p := s.pages[r.lang]
	body.Checked, body.Changes = true, p.healthChanges(have.Health, want.Health)
	body.Idle = p.asksInVain(want.Health)
	fleet, err := s.DB.HealthFleet(r.Context(), body.Group.ID)
	if err != nil {
		return err
	}
	body.Parting = parting(want.Health, fleet)
	code := http.StatusOK
	if want.Reason == "" {
		body.refuse("reason", p.words.say("edit.reason_missing"))
	}
	if pressed {
		code = http.StatusUnprocessableEntity
	}
	return s.showHealthPolicy(r, body, have, code)
}

// asksInVain names the checks that are to have adapters disabled and whose mode does not act.
func (p *pages) asksInVain(h *policy.Health) []string {
	var names []string
	for i := range h.Checks {
		if c := &h.Checks[i]; !c.Off && c.Separates() && h.ModeOf(c) != policy.ModeEnforce {
			names = append(names, p.checkName(c.ID))
		}
	}
	return names
}

// parting names the terminals on which an adapter would be disabled, by what they said last.
func parting(h *policy.Health, fleet []store.HealthRow) []string {
	var names []string
	for i := range fleet {
		if slices.ContainsFunc(h.Checks, func(c policy.Check) bool {
			cell, ok := fleet[i].Cell(c.ID)
			return ok && !c.Off && c.Separates() && h.ModeOf(&c) == policy.ModeEnforce && cell.Result == policy.ResultFail && cell.Waiver == ""
		}) {
			names = append(names, fleet[i].Name)
		}
	}
	return names
}

// validate asks the policy itself; its paths become the names of the form's fields.
func (b *healthPolicyPage) validate(want store.GroupPolicy, f healthForm, p *pages) {
	for _, one := range healthProblems(want) {
		b.refuse(healthField(one.Path, want.Health), one.Text.In(p.cal.lang))
	}
	b.unread(f.unread, p.words)
	b.judgeReason(want.Reason, p.words)
}

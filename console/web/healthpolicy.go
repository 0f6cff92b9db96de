package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

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

// formOfHealth writes a control into fields; what is not said is left empty.
func formOfHealth(h *policy.Health) map[string]string {
	f := map[string]string{"mode": string(h.Mode), "cal.name": h.Calendar.Name, "cal.closed": strings.Join(h.Calendar.Closed, "\n")}
	span := func(at string, s policy.Span) {
		f[at+".count"], f[at+".unit"] = strconv.FormatInt(s.Count, 10), s.Unit
	}
	if span("settle", h.Settle); h.Settle == (policy.Span{}) {
		f["settle.count"], f["settle.unit"] = "0", policy.UnitHours
	}
	for _, info := range policy.Catalogue() {
		c, limits := policy.Check{ID: info.ID, Off: true}, info.Limits
		if i := slices.IndexFunc(h.Checks, func(c policy.Check) bool { return c.ID == info.ID }); i >= 0 {
			c = h.Checks[i]
		}
		if !c.Off {
			f["on."+info.ID] = "1"
		}
		f["mode."+info.ID], f["allowed."+info.ID] = string(c.Mode), strings.Join(c.Allowed, "\n")
		if policy.Separable(info.ID) {
			f["separate."+info.ID] = cmp.Or(c.Separate, policy.SeparateReport)
		}
		for name, usual := range limits {
			if s, ok := c.Limits[name]; ok {
				usual = s
			}
			span("limit."+info.ID+"."+name, usual)
		}
		grace := info.Grace
		if c.Grace != nil {
			grace = *c.Grace
		}
		span("grace."+info.ID+".warning", graceSpan(grace.Warning))
		span("grace."+info.ID+".violation", graceSpan(grace.Violation))
	}
	return f
}

// graceSpan gives a grace that is nothing a unit.
func graceSpan(s policy.Span) policy.Span {
	if s.Unit == "" {
		s.Unit = policy.UnitWorkingDays
	}
	return s
}

// healthForm is the fields as they are read, with what could not be.
type healthForm struct {
	v      url.Values
	unread map[string]string // field -> key of what is wrong
}

func (f *healthForm) get(name string) string { return strings.TrimSpace(f.v.Get(name)) }

func (f *healthForm) span(at string) policy.Span {
	n, err := strconv.ParseInt(narrow(f.get(at+".count")), 10, 64)
	if err != nil || n < 0 {
		f.unread[at+".count"] = "health.edit.bad_number"
	}
	return policy.Span{Count: n, Unit: f.get(at + ".unit")}
}

// read makes a control of the fields; what the form does not show stays as it is in have.
func (f *healthForm) read(have policy.Health) policy.Health {
	h := have
	h.Mode, h.Settle = policy.Mode(f.get("mode")), f.span("settle")
	h.Calendar.Name = f.get("cal.name")
	var bad []string
	if h.Calendar.Closed, bad = readDays(f.v.Get("cal.closed")); len(bad) > 0 {
		f.unread["cal.closed"] = "health.edit.bad_days"
	}
	h.Checks = nil
	for _, info := range policy.Catalogue() {
		h.Checks = append(h.Checks, f.check(info, have))
	}
	return h
}

func (f *healthForm) check(info policy.CheckInfo, have policy.Health) policy.Check {
	c := policy.Check{ID: info.ID, Clause: info.Clause}
	if i := slices.IndexFunc(have.Checks, func(c policy.Check) bool { return c.ID == info.ID }); i >= 0 {
		c = have.Checks[i]
	}
	c.Off, c.Mode = f.get("on."+info.ID) == "", policy.Mode(f.get("mode."+info.ID))
	c.Limits, c.Grace, c.Allowed = nil, nil, nil
	for _, name := range sortedNames(info.Limits) {
		if s := f.span("limit." + info.ID + "." + name); s != info.Limits[name] {
			if c.Limits == nil {
				c.Limits = map[string]policy.Span{}
			}
			c.Limits[name] = s
		}
	}
	g := policy.Grace{Warning: f.span("grace." + info.ID + ".warning"), Violation: f.span("grace." + info.ID + ".violation")}
	if g.Warning != graceSpan(info.Grace.Warning) || g.Violation != graceSpan(info.Grace.Violation) {
		c.Grace = &g
	}
	// what only reports is not written: an agent of the version before reads such a policy too
	if c.Separate = ""; policy.Separable(info.ID) && f.get("separate."+info.ID) != policy.SeparateReport {
		c.Separate = f.get("separate." + info.ID)
	}
	if info.Lists {
		for line := range strings.SplitSeq(f.v.Get("allowed."+info.ID), "\n") {
			if line = strings.TrimSpace(line); line != "" {
				c.Allowed = append(c.Allowed, line)
			}
		}
	}
	return c
}

var (
	dayInText = regexp.MustCompile(`\d{4}[-/.年]\s?\d{1,2}[-/.月]\s?\d{1,2}日?|(?:令和|R)\s?(?:\d{1,2}|元)[年./-]\d{1,2}[月./-]\d{1,2}日?`)
	packedDay = regexp.MustCompile(`^(\d{4})(\d{2})(\d{2})$`)
)

// readDays takes days out of what people paste: one a line, a table with commas whose first date counts, or a calendar file
// (RFC 5545: DTSTART). A line without a date is named, unless it is empty, a table's head, or a calendar's other line.
func readDays(text string) (days, bad []string) {
	ics := strings.Contains(text, "BEGIN:VCALENDAR")
	seen := map[string]bool{}
	for i, line := range strings.Split(narrow(text), "\n") {
		line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		if ics {
			_, value, ok := strings.Cut(line, ":")
			if !strings.HasPrefix(line, "DTSTART") || !ok {
				continue
			}
			line = value[:min(len(value), 8)]
		}
		day, ok := readDay(line)
		switch {
		case ok && !seen[day]:
			seen[day] = true
			days = append(days, day)
		case !ok && line != "" && i > 0:
			bad = append(bad, cut(line, 60))
		}
	}
	slices.Sort(days)
	return days, bad
}

func readDay(line string) (string, bool) {
	if p := packedDay.FindStringSubmatch(line); p != nil {
		line = p[1] + "-" + p[2] + "-" + p[3]
	}
	y, m, d, err := parseDay(strings.ReplaceAll(dayInText.FindString(line), " ", ""))
	if err != nil {
		return "", false
	}
	t := date(y, m, d)
	if t.Day() != d || int(t.Month()) != m {
		return "", false
	}
	return t.Format("2006-01-02"), true
}

// healthOf gives the group with its newest policy.
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
	body.BasedOn, _ = strconv.ParseInt(f.get("based_on"), 10, 64)
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
	list, err := s.DB.Terminals(r.Context(), body.Group.ID, "")
	if err != nil {
		return err
	}
	for _, t := range list {
		body.Affected = append(body.Affected, t.Name)
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

// healthProblems is what is wrong with a group's control of checks, and with nothing else of its policy.
func healthProblems(want store.GroupPolicy) []policy.Problem {
	doc := policy.Policy{Schema: policy.Schema, Group: want.Group, RemovableMedia: want.Control, Health: want.Health, Clauses: policy.HealthClauses()}
	for id, c := range policy.DefaultClauses() {
		doc.Clauses[id] = c
	}
	return slices.DeleteFunc(doc.Validate(), func(p policy.Problem) bool { return !strings.HasPrefix(p.Path, "health.") })
}

var checkPath = regexp.MustCompile(`^checks\[(\d+)\]\.(limits\[(\w+)\]|grace\.(\w+)|mode|allowed|separate)`)

// healthField turns health.checks[2].limits[behind].count into limit.antivirus.patterns.behind.count.
func healthField(path string, h *policy.Health) string {
	rest := strings.TrimPrefix(path, "health.")
	if after, ok := strings.CutPrefix(rest, "calendar."); ok {
		name, _, _ := strings.Cut(after, "[")
		return "cal." + name
	}
	p := checkPath.FindStringSubmatch(rest)
	if p == nil || number(p[1]) >= len(h.Checks) {
		return rest
	}
	id := h.Checks[number(p[1])].ID
	switch {
	case p[3] != "":
		return "limit." + id + "." + p[3] + ".count"
	case p[4] != "":
		return "grace." + id + "." + p[4] + ".count"
	}
	return p[2] + "." + id
}

// healthChanges says what differs between two controls.
func (p *pages) healthChanges(have, want *policy.Health) []change {
	list, say := []change{}, p.words.say
	switch {
	case want == nil && have == nil:
		return list
	case want == nil:
		return append(list, change{Word: "removed", What: say("health.title")})
	case have == nil:
		return append(list, change{Word: "added", What: say("health.title"), Is: p.words.word("health.mode", want.Mode) + say("list.comma") + say("health.diff.checks", onChecks(want))})
	}
	text := func(what, was, is string) {
		if was != is {
			list = append(list, change{"changed", what, was, is})
		}
	}
	text(say("diff.mode"), p.words.word("health.mode", have.Mode), p.words.word("health.mode", want.Mode))
	text(say("health.edit.settle"), p.spanOf(have.Settle), p.spanOf(want.Settle))
	text(say("health.edit.calendar"), p.days(have.Calendar), p.days(want.Calendar))
	was, is := formOfHealth(have), formOfHealth(want)
	for _, info := range policy.Catalogue() {
		text(info.Name.In(p.cal.lang), p.checkWords(info, was), p.checkWords(info, is))
	}
	list = append(list, differences(have.Waivers, want.Waivers, func(w policy.Waiver) string { return w.ID }, p.waiverWords)...)
	return append(list, differences(have.Probes, want.Probes, func(b policy.Probe) string { return b.ID }, func(b policy.Probe) string { return p.probeWords(b) })...)
}

func onChecks(h *policy.Health) int {
	n := 0
	for _, c := range h.Checks {
		if !c.Off {
			n++
		}
	}
	return n
}

func (p *pages) days(c policy.Calendar) string {
	if len(c.Closed) == 0 {
		return p.words.say("health.edit.no_closed")
	}
	return strings.TrimSpace(c.Name + " " + p.words.say("health.edit.closed_n", len(c.Closed), c.Closed[0], c.Closed[len(c.Closed)-1]))
}

// checkWords is one check of a control in a line.
func (p *pages) checkWords(info policy.CheckInfo, f map[string]string) string {
	if f["on."+info.ID] == "" {
		return p.words.say("health.off")
	}
	span := func(at string) string { return p.wanted(f[at+".count"] + " " + f[at+".unit"]) }
	parts := []string{p.words.say("health.diff.grace", span("grace."+info.ID+".warning"), span("grace."+info.ID+".violation"))}
	for _, name := range sortedNames(info.Limits) {
		parts = append(parts, p.words.say("health.limit."+name)+" "+span("limit."+info.ID+"."+name))
	}
	if m := f["mode."+info.ID]; m != "" {
		parts = append(parts, p.words.word("health.mode", m))
	}
	if f["separate."+info.ID] == policy.SeparateDisable {
		parts = append(parts, p.words.say("separate.diff."+cmp.Or(f["mode."+info.ID], f["mode"])))
	}
	if a := f["allowed."+info.ID]; a != "" {
		parts = append(parts, p.words.say("health.edit.allowed")+": "+strings.ReplaceAll(a, "\n", p.words.say("list.comma")))
	}
	return strings.Join(parts, p.words.say("list.comma"))
}

// differences compares two lists of things with ids.
func differences[T any](was, is []T, id func(T) string, words func(T) string) []change {
	var list []change
	find := func(in []T, want string) (T, bool) {
		for _, one := range in {
			if id(one) == want {
				return one, true
			}
		}
		var none T
		return none, false
	}
	for _, one := range is {
		old, ok := find(was, id(one))
		switch {
		case !ok:
			list = append(list, change{Word: "added", What: id(one), Is: words(one)})
		case fmt.Sprintf("%+v", old) != fmt.Sprintf("%+v", one):
			list = append(list, change{"changed", id(one), words(old), words(one)})
		}
	}
	for _, one := range was {
		if _, ok := find(is, id(one)); !ok {
			list = append(list, change{Word: "removed", What: id(one), Was: words(one)})
		}
	}
	return list
}
